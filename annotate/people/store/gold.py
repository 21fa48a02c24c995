"""Gold items: which gold values are valid, and whether an answer is right.

For a protocol with a choice named ``value``, gold values are options of that choice, and any of them is right. For scales they
are ranges such as ``noise=1..2``, and all of them must hold.
"""

import re
from collections.abc import Sequence
from typing import Final

from annotate.people.store.item import Answer
from annotate.people.store.protocol import ListeningProtocol
from annotate.people.store.store_records import Refused

_RANGE: Final = re.compile(r"(?P<scale>.+)=(?P<low>-?\d+(?:\.\d+)?)\.\.(?P<high>-?\d+(?:\.\d+)?)")


def is_right(answer: Answer, gold: Sequence[str]) -> bool:
    """Return whether an answer, in the stored order, agrees with the gold values.

    The range of a scale that was not part of the form at that time is ignored.
    """
    if answer.value is not None:
        return answer.value in gold
    return all(_holds(answer, word) for word in gold)


def check_gold(protocol: ListeningProtocol, gold: Sequence[str]) -> None:
    """Check that an answer can have these gold values.

    Raises:
        Refused: ``unknown_value``; the message names the valid ones.
    """
    if not gold:
        raise Refused("unknown_value", "a gold item needs at least one right value")
    choices = {question.name: question.options for question in protocol.questions if question.kind == "choice"}
    for word in gold:
        if "value" in choices:
            if word not in choices["value"]:
                raise Refused("unknown_value", f"gold value {word!r} is none of {', '.join(choices['value'])}")
            continue
        found = _RANGE.fullmatch(word)
        if not found or found["scale"] not in choices or not _answerable(found, choices[found["scale"]]):
            raise Refused(
                "unknown_value", f"gold value {word!r} is no range of {', '.join(choices)}, such as {next(iter(choices))}=1..2"
            )


def _answerable(found: re.Match[str], options: Sequence[str]) -> bool:
    return any(float(found["low"]) <= float(option) <= float(found["high"]) for option in options)


def _holds(answer: Answer, word: str) -> bool:
    found = _RANGE.fullmatch(word)
    if found is None:
        return False
    rating = answer.scores.get(found["scale"])
    return rating is None or float(found["low"]) <= rating <= float(found["high"])
