"""Which of two clips sounds more natural, on five points, and whether each speaks the text without error.

Source: SpeechJudge, section 3.2 and appendix B: pointwise text accuracy with omissions, insertions and substitutions, then a
five-scale CMOS, 1 being slightly and 2 significantly more natural; two annotators, and a third where they disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from annotate.people.store.forms import read_form
from annotate.people.store.item import Answer
from annotate.people.store.protocol import Question, exchanged
from contracts.bounds import Count
from scoring.reliability.agreement_levels import level, ternary

_VALUES: Final = ("A+2", "A+1", "T", "B+1", "B+2")
_ERRORS: Final = ("omission", "insertion", "substitution")
_ERRORS_SAID: Final = {
    "en": ("Words left out", "Words added", "Words misread or replaced"),
    "zh": ("漏字", "多字", "错字"),
}
_QUESTIONS: Final = (
    *(
        Question(
            name=f"errors_{clip.lower()}",
            kind="flags",
            options=_ERRORS,
            about=place,
            asked={"en": f"Text errors in {clip}", "zh": f"{clip} 中的文字错误"},
            said=_ERRORS_SAID,
        )
        for place, clip in enumerate("AB")
    ),
    Question(
        name="value",
        kind="choice",
        options=_VALUES,
        asked={"en": "Which one sounds more natural?", "zh": "哪一个听起来更自然?"},
        said={
            "en": (
                "A is significantly more natural",
                "A is slightly more natural",
                "About the same",
                "B is slightly more natural",
                "B is significantly more natural",
            ),
            "zh": ("A 明显更自然", "A 略微更自然", "差不多", "B 略微更自然", "B 明显更自然"),
        },
    ),
)


@dataclass(frozen=True, kw_only=True)
class SpeechJudge:
    """Five-point CMOS (A+2, A+1, T, B+1, B+2) and text errors per clip; none ticked = accurate.

    Attributes:
        max_plays: how often each clip may be played; None = without limit.
    """

    clips: ClassVar[int] = 2
    max_plays: Count | None = None

    @property
    def questions(self) -> tuple[Question, ...]:
        """The form: text errors first, as the judgement of naturalness comes after them in the paper."""
        return _QUESTIONS

    def read(self, form: Mapping[str, Sequence[str]]) -> Answer:
        """Return the answer that a form holds, A being the clip played first.

        Raises:
            DataError: the choice is missing, a field is unknown or given twice, or a word was not offered.
        """
        words = read_form(_QUESTIONS, form)
        return Answer(value=words["value"][0], errors_a=words["errors_a"], errors_b=words["errors_b"])

    def turned(self, answer: Answer) -> Answer:
        """Return the answer with A and B exchanged.

        Raises:
            DataError: the vote is none of the five.
        """
        return exchanged(answer, _VALUES)

    def wanted(self, answers: Sequence[Answer]) -> int:
        """Return 2, and 3 where the first two disagree in any way (A, B or tie; how strongly does not matter)."""
        first_two = [str(answer.value) for answer in answers[:2]]
        return 3 if level(first_two) == "needs_third" else 2

    def side(self, answer: Answer) -> str | None:
        """Return ``a`` or ``b`` for the clip preferred, None for a tie."""
        return {"A": "a", "B": "b"}.get(ternary(str(answer.value)))


PLUGIN = SpeechJudge
