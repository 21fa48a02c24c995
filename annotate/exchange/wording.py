"""What people elsewhere read: questions and options of the known protocols in plain English, others by their names."""

from collections.abc import Mapping
from typing import Final

from annotate.listening.protocol import Question

_QUESTIONS: Final[Mapping[str, str]] = {
    "value": "Which speech is better?",
    "errors_a": "Speech A, compared with the text: what is wrong? Nothing = leave empty.",
    "errors_b": "Speech B, compared with the text: what is wrong? Nothing = leave empty.",
}
_OPTIONS: Final[Mapping[str, str]] = {
    "A+2": "A is much better",
    "A+1": "A is slightly better",
    "T": "No difference",
    "B+1": "B is slightly better",
    "B+2": "B is much better",
    "A": "A is better",
    "B": "B is better",
    "invalid": "Cannot be compared",
    "omission": "Words are left out",
    "insertion": "Words are added",
    "substitution": "Words are replaced or misread",
}


def asked(question: Question) -> str:
    """Return a question as people read it; a scale of numbers says which end is best."""
    name = question.name.replace("_", " ").capitalize()
    if all(option.lstrip("-").isdigit() for option in question.options):
        return f"{name}: {question.options[0]} = worst, {question.options[-1]} = best"
    return _QUESTIONS.get(question.name, name)


def said(option: str) -> str:
    """Return an option as people read it."""
    return _OPTIONS.get(option, option)
