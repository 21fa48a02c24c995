"""Noise tags: what transcripts write for sounds that are no words, such as ``[noise]``, ``<laugh>`` or ``SIL``."""

import re
from collections.abc import Sequence
from typing import Final

from contracts.text_identity import HAN

# Languages that are written without spaces have no word boundaries.
_LETTER: Final = rf"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff{HAN}]"


class NoiseTags:
    """The noise tags of one corpus, with a record of which of them occur in its texts."""

    def __init__(self, tags: Sequence[str]) -> None:
        longest_first = sorted(tags, key=len, reverse=True)
        self._any = re.compile("|".join(map(_whole, longest_first))) if tags else None
        self._unseen = {tag: re.compile(_whole(tag), re.IGNORECASE) for tag in tags}
        self._other_case = dict[str, str]()

    def removed(self, text: str | None, place: str) -> str | None:
        """Return a text without the tags; ``place`` is its place in the corpus, for messages."""
        if text is None or self._any is None:
            return text
        for tag in set(self._any.findall(text)) & self._unseen.keys():
            del self._unseen[tag]
        for tag, pattern in self._unseen.items():
            if tag not in self._other_case and pattern.search(text):
                self._other_case[tag] = place
        return " ".join(self._any.sub(" ", text).split())

    def in_another_case(self) -> tuple[str, str] | None:
        """Return a tag that occurs only in another case, and the first place of it; None = there is none."""
        return next(((tag, self._other_case[tag]) for tag in self._unseen if tag in self._other_case), None)


def _whole(tag: str) -> str:
    """Return the pattern of a tag as a whole word: if it begins or ends with a letter, no letter may be next to it."""
    before = rf"(?<!{_LETTER})(?<!{_LETTER}['\u2019-])" if re.match(_LETTER, tag) else ""
    after = rf"(?!['\u2019-]?{_LETTER})" if re.match(_LETTER, tag[-1]) else ""
    return f"{before}{re.escape(tag)}{after}"
