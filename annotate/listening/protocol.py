"""What a protocol plug-in says: which questions a listener gets, which answers are complete, and how many are needed.

A protocol is a frozen, keyword-only dataclass in ``annotate/protocols``. It knows neither pages nor storage. The page makes its
form from ``questions``; the words that people read are the page's, by the names used here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal, Protocol

from annotate.listening.item import Answer
from contracts.errors import DataError

_EXCHANGED: Final = str.maketrans("AB", "BA")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One question of a form.

    Attributes:
        name: name of the form's field.
        kind: ``choice`` = exactly one of the options; ``flags`` = any number of them, none included.
        options: words that may be answered, in the order shown.
        about: clip that it asks about, in the order of playing: 0, 1; None = all that was played.
    """

    name: str
    kind: Literal["choice", "flags"]
    options: tuple[str, ...]
    about: int | None = None


class ListeningProtocol(Protocol):
    """Shape of a protocol plug-in.

    Attributes:
        clips: how many clips an item has: 2 of a pair, 1 of a sample.
        max_plays: how often each clip may be played; None = without limit.
    """

    clips: ClassVar[int]

    @property
    def max_plays(self) -> int | None:
        """How often each clip may be played."""
        ...

    @property
    def questions(self) -> tuple[Question, ...]:
        """The form."""
        ...

    def read(self, form: Mapping[str, Sequence[str]]) -> Answer:
        """Return the answer that a form holds, A being the clip played first.

        Raises:
            DataError: a field is missing, unknown, given twice, or has a word that is not among its options.
        """
        ...

    def turned(self, answer: Answer) -> Answer:
        """Return the answer with A and B exchanged."""
        ...

    def wanted(self, answers: Sequence[Answer]) -> int:
        """Return how many answers an item needs in all, given those that are in."""
        ...

    def side(self, answer: Answer) -> str | None:
        """Return ``a`` or ``b`` for the clip preferred, None for neither."""
        ...


def exchanged(answer: Answer, values: Sequence[str]) -> Answer:
    """Return an answer about two clips with A and B exchanged.

    Args:
        answer: its value names the clips A and B, if it prefers one.
        values: all that it may be.

    Raises:
        DataError: it is none of them.
    """
    if answer.value is None or answer.value not in values:
        raise DataError(f"{answer.value!r} is none of {', '.join(values)}")
    return replace(answer, value=answer.value.translate(_EXCHANGED), errors_a=answer.errors_b, errors_b=answer.errors_a)
