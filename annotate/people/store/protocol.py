"""Interface of protocol plug-ins: the questions on the form, which answers are valid, and how many votes an item needs.

A protocol is a frozen, keyword-only dataclass in ``protocols/``. It knows neither pages nor storage. The app, spreadsheets and
Label Studio all show its ``questions`` in the same words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Literal, Protocol

from annotate.people.store.item import Answer
from contracts.errors import DataError

_EXCHANGED: Final = str.maketrans("AB", "BA")

CRITIQUE: Final = "critique"
"""Subject of a question about a critique of two clips. ``yes`` accepts it, ``no`` does not; other options do neither."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FormQuestion:
    """One question of a form.

    Attributes:
        name: name of the form's field.
        kind: ``choice`` = exactly one of the options; ``flags`` = any number of them, none included.
        options: words that may be answered, in the order shown.
        about: clip that it asks about, in the order of playing: 0, 1; None = all clips; ``CRITIQUE`` = the critique shown.
        text: language -> the question as listeners read it; a missing language gets the name.
        option_texts: language -> the options as listeners read them, in the same order; a missing language gets ``options``.
        former_texts: text of an option in earlier exports, which may still be imported -> option.
    """

    name: str
    kind: Literal["choice", "flags"]
    options: tuple[str, ...]
    about: int | Literal["critique"] | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    option_texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    former_texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_scale(self) -> bool:
        """Whether the options are numbers, the last being best."""
        return self.kind == "choice" and all(option.lstrip("-").isdecimal() for option in self.options)

    def text_in(self, language: str) -> str:
        """Return the question as listeners read it."""
        return self.text.get(language, self.name.replace("_", " ").capitalize())

    def option_texts_in(self, language: str) -> dict[str, str]:
        """Return option -> the text that listeners read."""
        return dict(zip(self.options, self.option_texts.get(language, self.options), strict=True))


class ListeningProtocol(Protocol):
    """Shape of a protocol plug-in.

    Attributes:
        clips: how many clips an item has: 2 of a pair, 1 of a sample.
        guidance: language of the interface -> how to answer, for the page of instructions, with blank lines between paragraphs.
        max_plays: how often each clip may be played; None = without limit.
    """

    clips: ClassVar[int]
    guidance: ClassVar[Mapping[str, str]] = {}

    @property
    def max_plays(self) -> int | None:
        """How often each clip may be played."""
        ...

    @property
    def questions(self) -> tuple[FormQuestion, ...]:
        """The form."""
        ...

    def read(self, form: Mapping[str, Sequence[str]]) -> Answer:
        """Return the answer that a form holds, A being the clip played first.

        Raises:
            DataError: a field is missing, unknown, given twice, or has a word that is not among its options.
        """
        ...

    def swapped(self, answer: Answer) -> Answer:
        """Return the answer with A and B exchanged."""
        ...

    def votes_needed(self, answers: Sequence[Answer]) -> int:
        """Return how many answers an item needs in total, given the answers so far."""
        ...

    def side(self, answer: Answer) -> str | None:
        """Return ``a`` or ``b`` for the clip preferred, None for neither."""
        ...


def asks_about_critiques(protocol: ListeningProtocol) -> bool:
    """Return whether a protocol puts critiques of two clips before people, and not the clips alone."""
    return any(question.about == CRITIQUE for question in protocol.questions)


def accepts(answer: Answer) -> bool | None:
    """Return whether an answer to a question about a critique accepts it; None = it says neither."""
    return {"yes": True, "no": False}.get(str(answer.value))


def swap_sides(answer: Answer, values: Sequence[str]) -> Answer:
    """Return an answer about two clips with A and B exchanged.

    Args:
        answer: its value names the clips A and B, if it prefers one.
        values: all valid values.

    Raises:
        DataError: the value is not valid.
    """
    if answer.value is None or answer.value not in values:
        raise DataError(f"{answer.value!r} is none of {', '.join(values)}")
    return replace(answer, value=answer.value.translate(_EXCHANGED), errors_a=answer.errors_b, errors_b=answer.errors_a)
