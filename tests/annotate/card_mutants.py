"""Score cards with a contradiction put into them, by the thousand: ``python -m tests.annotate.card_mutants 40000``.

Whatever a reader accepts, its training text must say one score per dimension and one total per speech. What it says is looked
up here by expressions of their own, that share nothing with the reader's.
"""

import random
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator

from annotate.models.task import Parsed, ParseError, TaskSpec
from contracts import plugins
from tests.annotate import good_replies

CARDS = {"task1": good_replies.TASK_1, "task3": good_replies.TASK_3, "task4": good_replies.TASK_4}
# {x} is a speech, {y} the other, {n} a number, {s} a score.
STATED = (
    "Total_{x} = {n}",
    "Total_{x} = {s}+{s}+{s} = {n}",
    "- Total score for Speech {x} = {n}",
    "- Total score for Speech {x} = {s}+{s}+{s}+{s}+{s} = {n}",
    "Total score for Speech {x}: {n}",
    "total_{x}={n}",
    "**Total_{x} = {n}**",
    "{x}_total = {n}",
    "- Speaker Consistency: score={s}/10; explanation: heard",
    "2) Scenario Style Match: score={s}/10; explanation: heard",
    "score={s}/10",
    "score = {s}",
    "so {s}/10",
    "Speech {x}: {n}, Speech {y}: {s}",
    "[Speech {x} evaluation]",
    "[Speech {x}]",
)
_HIDDEN = "\u200b\u200d\u00ad\u2060\U000e0020\ufe0f"
_WIDE = {ord(one): chr(ord(one) + 0xFEE0) for one in "0123456789=/.+:"}
_ARABIC = {ord("0") + digit: chr(0x660 + digit) for digit in range(10)}


def mutants(task: str, count: int, seed: int) -> Iterator[str]:
    """Yield replies with one or two statements put in somewhere, some of them disguised."""
    rng = random.Random(f"{task}/{seed}")
    for _ in range(count):
        reply = CARDS[task]
        for _ in range(rng.randint(1, 2)):
            reply = _put_in(reply, _disguised(_statement(task, rng), rng), rng)
        yield reply


def _statement(task: str, rng: random.Random) -> str:
    """Return a statement with any numbers, or, half of the time, with those of the card."""
    x, y = rng.choice(("AB", "BA"))
    number, score = f"{rng.randint(0, 100) / 2:g}", f"{rng.randint(0, 20) / 2:g}"
    if rng.random() < 0.5:
        number, score = (
            rng.choice(re.findall(r"= ([\d.]+)$", CARDS[task], re.MULTILINE)),
            rng.choice(re.findall(r"=([\d.]+)/", CARDS[task])),
        )
    return rng.choice(STATED).format(x=x, y=y, n=number, s=score)


def _disguised(statement: str, rng: random.Random) -> str:
    match rng.randrange(8):
        case 0:
            return statement.translate(_WIDE)
        case 1:
            return statement.translate(_ARABIC)
        case 2:
            place = rng.randrange(len(statement))
            return statement[:place] + rng.choice(_HIDDEN) + statement[place:]
        case 3:
            return statement.replace(".", ",")
        case 4:
            return statement.upper()
        case _:
            return statement


def _put_in(reply: str, statement: str, rng: random.Random) -> str:
    lines = reply.split("\n")
    place = rng.randrange(1, len(lines))
    match rng.randrange(3):
        case 0:
            lines.insert(place, statement)
        case 1:
            lines[place] = f"{lines[place]} {statement}"
        case _:
            words = lines[place].split(" ")
            words.insert(rng.randrange(len(words) + 1), statement)
            lines[place] = " ".join(words)
    return "\n".join(lines)


def contradictions(said: Parsed) -> list[str]:
    """Return what a training text says beside the scores and totals that were read from it."""
    visible = "".join(one for one in said.completion if unicodedata.category(one) != "Cf" and not 0xFE00 <= ord(one) <= 0xFE0F)
    text = unicodedata.normalize("NFKC", visible).lower()
    totals = {"a": said.total_a, "b": said.total_b}
    scores = [*said.scores_a.values(), *said.scores_b.values()]
    found = []
    for letter, numbers in re.findall(r"total(?:_| score for speech )([ab])\W{1,4}((?:[\d.,]+[ +=]*)+)", text):
        if _number(numbers.replace("+", " ").replace("=", " ").split()[-1]) != totals[letter]:
            found.append(f"total {letter} {numbers}")
    stated = [_number(number) for number in re.findall(r"score ?= ?([\d.,]+)", text)]
    if stated != scores:
        found.append(f"scores {stated}")
    found += [f"{number}/10" for number in re.findall(r"([\d.,]+)/10\b", text) if _number(number) not in scores]
    return found


def _number(text: str) -> float | None:
    """Return a number of digits of any script; None for any other notation."""
    try:
        return float(text.rstrip(".,"))
    except ValueError:
        return None


def try_all(count: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Read mutants of every score card; return what became of them, and those accepted with a contradiction."""
    outcomes: Counter[str] = Counter()
    wrong = []
    for name in CARDS:
        task: TaskSpec = plugins.configure("task", name)
        for reply in mutants(name, count // len(CARDS), seed):
            try:
                said = task.parse(reply)
            except ParseError as error:
                outcomes[error.reason] += 1
                continue
            assert isinstance(said, Parsed)
            outcomes["accepted"] += 1
            if found := contradictions(said):
                wrong.append(f"{name}: {found} in {reply!r}")
    return outcomes, wrong


if __name__ == "__main__":
    told, mistaken = try_all(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(dict(told.most_common()))
    print(f"{len(mistaken)} accepted with a contradiction in their training text", *mistaken[:10], sep="\n")
    sys.exit(bool(mistaken))
