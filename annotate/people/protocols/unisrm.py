"""Choice of the better of two clips, or ``invalid`` where they cannot be compared; no ties.

Source: UniSRM, appendix G.2: A, B or invalid by three independent annotators; listen to both in full, at most three
replays recommended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from annotate.people.store.forms import read_form
from annotate.people.store.item import Answer
from annotate.people.store.protocol import FormQuestion, swap_sides
from contracts.bounds import Count

_VALUES: Final = ("A", "B", "invalid")
_QUESTIONS: Final = (
    FormQuestion(
        name="value",
        kind="choice",
        options=_VALUES,
        text={"en": "Which one is better?", "zh": "哪一个更好?"},
        option_texts={"en": ("A is better", "B is better", "Cannot be compared"), "zh": ("A 更好", "B 更好", "无法比较")},
    ),
)


@dataclass(frozen=True, kw_only=True)
class UniSRM:
    """A, B or invalid, so many votes on every pair.

    Attributes:
        max_plays: how often each clip may be played: once and three replays; None = without limit.
        votes: how many votes a pair gets.
    """

    clips: ClassVar[int] = 2
    max_plays: Count | None = 4
    votes: Count = 3

    @property
    def questions(self) -> tuple[FormQuestion, ...]:
        """The form."""
        return _QUESTIONS

    def read(self, form: Mapping[str, Sequence[str]]) -> Answer:
        """Return the answer that a form holds, A being the clip played first.

        Raises:
            DataError: the choice is missing, a field is unknown or given twice, or a word is no option.
        """
        return Answer(value=read_form(_QUESTIONS, form)["value"][0])

    def swapped(self, answer: Answer) -> Answer:
        """Return the answer with A and B exchanged.

        Raises:
            DataError: the vote is none of the three.
        """
        return swap_sides(answer, _VALUES)

    def votes_needed(self, answers: Sequence[Answer]) -> int:
        """Return the same number, whatever the answers are."""
        del answers
        return self.votes

    def side(self, answer: Answer) -> str | None:
        """Return ``a`` or ``b`` for the clip preferred, None for invalid."""
        return {"A": "a", "B": "b"}.get(str(answer.value))


PLUGIN = UniSRM
