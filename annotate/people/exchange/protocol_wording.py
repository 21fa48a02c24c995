"""What people elsewhere read: the protocol's own words in English, and which end of a scale is best."""

from collections.abc import Mapping
from typing import Final

from annotate.people.store.protocol import Question

LANGUAGE: Final = "en"

_FORMER: Final[Mapping[str, str]] = {
    "A is much better": "A+2",
    "A is slightly better": "A+1",
    "No difference": "T",
    "B is slightly better": "B+1",
    "B is much better": "B+2",
    "Words are left out": "omission",
    "Words are added": "insertion",
    "Words are replaced or misread": "substitution",
}
"""Words of exports of before that may still come back."""


def asked(question: Question) -> str:
    """Return a question as people read it; a scale of numbers says which end is best."""
    text = question.as_asked(LANGUAGE)
    return f"{text}: {question.options[0]} = worst, {question.options[-1]} = best" if question.is_scale else text


def said(question: Question) -> dict[str, str]:
    """Return option -> the words for it that people read."""
    return question.as_said(LANGUAGE)


def meant(question: Question) -> dict[str, str]:
    """Return words that people read or have read -> option."""
    return dict(_FORMER) | {words: option for option, words in said(question).items()}
