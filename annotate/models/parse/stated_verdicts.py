"""Verdicts that free text states in words, such as ``Output B is the better one.`` or ``Winner: B``.

Only what can be read without doubt about the whole counts: praise in one respect (``better in pacing``) is no verdict. Readers
use verdicts to refuse a reply that says otherwise than its scores, never to find out who won: too many verdicts cost a
repeated request, a missed one a wrong winner.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

_NOUN: Final = (
    r"(?i:outputs?|speech|audio|clip|recording|sample|version|system|option|candidate|model|voice)"
    r"|\u8bed\u97f3|\u97f3\u9891|\u8f93\u51fa|\u5f55\u97f3|\u6837\u672c|\u7247\u6bb5"
)
_MARKS: Final = r"[ \t*_`\"'()\[\]]{0,9}"
_WORDS: Final = rf"(?:(?!{_NOUN}|[AB]\b)[\w'-]{{1,30}}[ \t*_,]{{1,9}})"
_VERB: Final = (
    r"(?:is|are|was|(?:would|to)\s+be|sounds?|seems?|feels?|appears?|remains?|stays?|ranks?|performs?|comes\s+(?:out|across)|does|has"
    r"|deserves|turns\s+out|proves|gets|emerges?|stands?)"
)
_ASPECT_OF: Final = (
    r"(?!\s+(?:in\s+(?:the\s+end|general|total|summary|sum|my|every|all|both|conclusion)"
    r"|on\s+(?:the\s+whole|balance)|for\s+sure)\b)"
)
_ASPECT: Final = rf"{_ASPECT_OF}\s+(?:in|at|on|for|regarding|concerning|when|where|during|[a-z]+ed)\b"
_MACHINE: Final = r"(?:robotic|artificial|synthetic|mechanical)(?=\s+(?:than|overall)\b|[ \t*_]*(?:[.,;!\n]|\Z))"
_BEST: Final = (
    r"(?:better|superior|more\s+(?:natural|human|human-like|convincing|realistic|lifelike|pleasant|fitting|suitable|appropriate)"
    r"(?!-|\s+(?:paus|pac|rhythm|inton|prosod|articul|stress))|preferable|preferred|stronger|winner|winning|best|most\s+natural"
    r"|ahead|first\s+place|victory|the\s+win|the\s+(?:upper\s+hand|edge(?!\s+of))|higher\s+(?:score|rating|marks)|(?:rated|ranked|scored)\s+higher"
    rf"|closer\s+to\s+(?:an?\s+)?(?:actual\s+|real\s+)?human|less\s+{_MACHINE}|most\s+(?:human|lifelike|realistic)"
    r"|more\s+like\s+an?\s+(?:actual\s+|real\s+)?(?:person|human)|the\s+one\s+i(?:['\u2019]d|\s+would)?\s+(?:choose|pick|prefer))"
)
_WORST: Final = (
    r"(?:worse|inferior|less\s+(?:natural|human|convincing|realistic|suitable)|loser|losing"
    rf"|more\s+{_MACHINE}|no\s+match|lower\s+(?:score|rating|marks)|(?:rated|ranked|scored)\s+lower"
    r"|weaker|worst|least\s+natural|behind)"
)
_CHOSEN: Final = (
    r"(?:winner|verdict|preference|preferred|choice|pick|picks?|answer|better|best|prefer|choose|chose|select|vote|favou?r|favou?rite"
    r"|win|victory|advantage|the\s+edge|(?:more|most)\s+(?:natural|human)(?:[- ](?:sounding|like))?|go|conclusion"
    r"|higher\s+(?:score|rating|marks))"
)
_NAMED: Final = (
    r"(?:one|output|speech|audio|clip|recording|of\s+the\s+two|overall|is|was|goes|to|for|with"
    r"|the|would\s+be|clearly|therefore|thus|so)"
)
_ZH_BEST: Final = (
    r"(?:\u66f4(?:\u597d|\u81ea\u7136|\u4f73|\u4f18|\u80dc|\u50cf\u771f\u4eba)|\u8f83(?:\u597d|\u4f18|\u4f73)|\u80dc\u51fa|\u83b7\u80dc"
    r"|\u4f18\u4e8e|\u80dc\u8fc7|\u597d\u4e8e|\u8d62|\u6700\u597d|\u5360\u4f18|\u66f4\u52a0\u81ea\u7136)"
)
_ZH_WORST: Final = r"(?:\u66f4(?:\u5dee|\u4e0d\u81ea\u7136)|\u8f83\u5dee|\u4e0d\u5982|\u8f93\u4e86|\u6700\u5dee)"
_ZH_CHOSEN: Final = (
    r"(?:\u9009\u62e9|\u9009|\u503e\u5411\u4e8e?|\u504f\u597d|\u80dc\u8005|\u83b7\u80dc\u8005|\u8d62\u5bb6|\u66f4\u597d\u7684|\u66f4\u559c\u6b22"
    r"|\u66f4\u81ea\u7136\u7684)[\s\u662f\u4e3a:]{0,5}"
)
_NEGATED: Final = re.compile(r"(?i)\b(?:not|never|hardly|no|cannot|nor|neither)\b|n't\b|\u4e0d\u662f|\u5e76\u4e0d|\u6ca1\u6709")
_ONE_RESPECT: Final = re.compile(
    r"(?i)\b(?:in\s+terms\s+of|regarding|concerning|with\s+(?:respect|regard)\s+to|when\s+it\s+comes\s+to)\b|\u65b9\u9762"
)
_PART: Final = re.compile(r"(?i)(?:\b(?:in|of|from|with|than|to|like|for)|\u6bd4)[\s*_`\"']*\Z")
_OVERALL: Final = re.compile(r"(?i)\b(?:overall|winner|wins?|verdict|in the end|all in all|final)\b|\u603b\u4f53|\u80dc|\u8d62")
_SCALE: Final = (
    (
        r"\b(?:lower|smaller|fewer|less)\s+(?:(?:scores?|numbers?|ratings?|values?|points?)\s+)?(?:is|are|means?|=|indicates?)"
        r"\s+(?:the\s+)?(?:better|best|more\s+natural)\b"
    ),
    r"(?<![0-9.])1\s*(?:is|=|means|being)\s*(?:the\s+)?(?:best|most\s+natural)\b",
    r"\b10\s*(?:is|=|means|being)\s*(?:the\s+)?(?:worst|least\s+natural)\b",
)
_TAKEN_BACK: Final = (
    (
        r"\b(?:scores?|ratings?|labels?)\b[^.!?\n]{0,40}\b(?:swapped|reversed|inverted|mixed\s+up|switched|interchanged|wrong|mistaken"
        r"|incorrect|placeholders?|way\s+a?round)\b"
    ),
    r"\b(?:swap|reverse|ignore|disregard|exchange|switch)\s+(?:the\s+|these\s+|those\s+|my\s+|both\s+)*(?:scores?|ratings?|labels?)\b",
)
_RETRACTION: Final = re.compile("|".join(f"(?:{one})" for one in (*_SCALE, *_TAKEN_BACK)), re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A verdict.

    Attributes:
        winner: place of the preferred one of the two, 0 or 1.
        overall: whether its sentence says in so many words that it is about the whole.
        text: the place, for messages.
    """

    winner: int
    overall: bool
    text: str


def verdicts(text: str, names: str) -> Iterator[Verdict]:
    """Yield the verdicts of a text.

    Args:
        text: free text, without what it quotes.
        names: what the two are called after a word such as ``output``: ``AB`` or ``12``. Capital letters are also found alone.
    """
    text = unicodedata.normalize("NFKC", text)
    for wins, pattern in _patterns(names):
        for found in pattern.finditer(text):
            start = max(text.rfind(mark, 0, found.start()) for mark in ".!?;\n\u3002") + 1
            before = text[start : found.start()]
            about_one = found.re.groupindex.get("subject") is not None and _PART.search(before)
            if _ONE_RESPECT.search(before) or about_one:
                continue
            label = next(part for name, part in found.groupdict().items() if name.startswith("name") and part)
            place = _place(label, names)
            end = re.search(r"[.!?;\n\u3002]|\Z", text[found.end() :])
            sentence = text[start : found.end() + (end.start() if end else 0)]
            winner = place if wins != bool(_NEGATED.search(found[0])) else 1 - place
            yield Verdict(winner=winner, overall=_OVERALL.search(sentence) is not None, text=sentence.strip()[:80])


def retraction(text: str) -> str | None:
    """Return the place in which a text retracts its scores or reverses their scale; None = there is none."""
    found = _RETRACTION.search(unicodedata.normalize("NFKC", text))
    return found and found[0]


@cache
def _patterns(names: str) -> tuple[tuple[bool, re.Pattern[str]], ...]:
    """Return (whether the one that is named wins, pattern)."""
    alone = rf"|(?<![A-Za-z0-9])[{names}]" if names.isalpha() else ""
    whole = (
        rf"(?:(?:{_NOUN}){_MARKS}(?i:[{names}]){alone})(?![A-Za-z0-9])|(?i:(?:the\s+)?(?:first"
        rf"|second)(?:\s+(?:{_NOUN}|one))?)\b"
    )
    whole += r"|\u7b2c[\u4e00\u4e8c](?:\u6bb5|\u4e2a|\u6761)?"
    label = rf"(?P<name>{whole})"
    only = rf"(?P<name_only>(?<![A-Za-z0-9])[{names}](?![A-Za-z0-9]))"
    after = rf"(?!(?:\s+(?:than|to)\s+(?:{whole}))?{_ASPECT})"
    subject = rf"(?P<subject>){label}{_MARKS},?{_MARKS}{_WORDS}{{0,3}}?"
    finite = (
        r"(?:wins|won|prevails|takes\s+(?:it|the\s+lead(?=\W*(?:[.,;!\n]|\Z)))|outclasses|comes\s+out\s+on\s+top"
        r"|(?:scores|rates|ranks)\s+higher)"
    )
    loses = (
        r"(?:(?:loses|lost)(?=\W*(?:\Z|[.!;,\n]|overall|clearly|to\b))|lags|falls\s+(?:short|behind)"
        r"|pales\s+(?:in\s+comparison|beside|next))"
    )
    beats = r"(?:beats|edges\s+out|outperforms|outscores|surpasses|exceeds|defeats|over|tops|>+|\u2265)"
    plain = (
        (True, rf"{subject}(?i:{_VERB}[ \t*_]{{1,9}}{_WORDS}{{0,5}}?{_BEST})\b{after}"),
        (False, rf"{subject}(?i:{_VERB}[ \t*_]{{1,9}}{_WORDS}{{0,5}}?{_WORST})\b{after}"),
        (True, rf"{subject}(?i:{finite})\b{after}"),
        (True, rf"(?i:\b(?:rate|rank|score)\s+){label}{_MARKS}(?i:(?:much|far|slightly)\s+)?(?i:higher|above)\b{after}"),
        (False, rf"{subject}(?i:{loses})\b{after}"),
        (True, rf"(?P<subject>){label}{_MARKS}(?i:(?:clearly|easily|still|also)\s+)?(?i:{beats}){_MARKS}(?:{whole}){after}"),
        (False, rf"(?P<subject>){label}{_MARKS}(?:<+|\u2264){_MARKS}(?:{whole}){after}"),
        (True, rf"(?i:\b{_CHOSEN}\b)(?:[\s:=*_`\"'(,>-]{{1,9}}|(?i:{_NAMED}\b)){{0,8}}?{label}(?!{_MARKS}[:=]\s*[0-9]){after}"),
        (True, rf"(?i:\b(?:winner|verdict|answer)\b)[\s:=*_`\"'(]{{1,9}}(?i:is\s+)?{only}(?!{_MARKS}[:=,.]\s*[0-9])"),
        (False, rf"(?i:\b{_WORST}\b)(?:[\s:=*_`\"'(,-]{{1,9}}|(?i:{_NAMED}\b)){{0,8}}?{label}(?!{_MARKS}[:=]\s*[0-9]){after}"),
        (True, rf"(?P<subject>){label}[^\u3002\uff01\uff1f.!?;\n]{{0,12}}?{_ZH_BEST}"),
        (False, rf"(?P<subject>){label}[^\u3002\uff01\uff1f.!?;\n]{{0,12}}?{_ZH_WORST}"),
        (True, rf"{_ZH_CHOSEN}{label}"),
    )
    return tuple((wins, re.compile(pattern)) for wins, pattern in plain)


def _place(label: str, names: str) -> int:
    """Return which of the two outputs a label means."""
    folded = label.casefold()
    if "first" in folded or "\u7b2c\u4e00" in label:
        return 0
    if "second" in folded or "\u7b2c\u4e8c" in label:
        return 1
    return names.casefold().index(folded.rstrip()[-1])
