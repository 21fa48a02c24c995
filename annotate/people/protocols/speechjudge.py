"""Five-point comparison of the naturalness of two clips, and the text errors of each.

Source: SpeechJudge, section 3.2 and appendix B: pointwise text accuracy with omissions, insertions and substitutions, then a
five-scale CMOS, 1 being slightly and 2 significantly more natural; two annotators, and a third where they disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from annotate.people.store.forms import read_form
from annotate.people.store.item import Answer
from annotate.people.store.protocol import FormQuestion, swap_sides
from contracts.bounds import Count
from scoring.reliability.agreement_levels import level, ternary

_VALUES: Final = ("A+2", "A+1", "T", "B+1", "B+2")
_ERRORS: Final = ("omission", "insertion", "substitution")
_ERROR_TEXTS: Final = {
    "en": ("Words left out", "Words added", "Words misread or replaced"),
    "zh": ("漏字", "多字", "错字"),
}
_QUESTIONS: Final = (
    *(
        FormQuestion(
            name=f"errors_{clip.lower()}",
            kind="flags",
            options=_ERRORS,
            about=place,
            text={"en": f"Text errors in {clip}", "zh": f"{clip} 中的文字错误"},
            option_texts=_ERROR_TEXTS,
            former_texts={
                "Words are left out": "omission",
                "Words are added": "insertion",
                "Words are replaced or misread": "substitution",
            },
        )
        for place, clip in enumerate("AB")
    ),
    FormQuestion(
        name="value",
        kind="choice",
        options=_VALUES,
        text={"en": "Which one sounds more natural?", "zh": "哪一个听起来更自然?"},
        option_texts={
            "en": (
                "A is significantly more natural",
                "A is slightly more natural",
                "About the same",
                "B is slightly more natural",
                "B is significantly more natural",
            ),
            "zh": ("A 明显更自然", "A 略微更自然", "差不多", "B 略微更自然", "B 明显更自然"),
        },
        former_texts={
            "A is much better": "A+2",
            "A is slightly better": "A+1",
            "No difference": "T",
            "B is slightly better": "B+1",
            "B is much better": "B+2",
        },
    ),
)

_GUIDANCE: Final = {
    "en": (
        "First mark the text errors of each recording: words left out, words added, words misread or replaced.\n\n"
        "Then say which one sounds more natural, and how clearly: slightly or significantly. Go by prosody and intonation, "
        "pacing and rhythm, articulation and clarity, and the overall naturalness. A few wrong words must not sway this."
    ),
    "zh": (
        "首先标出每段语音的文字错误:漏字、多字、错字。\n\n"
        "然后判断哪一段听起来更自然,以及差别是略微还是明显。请依据韵律与语调、速度与节奏、发音与清晰度,以及整体自然度。个别错字不应影响这一判断。"
    ),
}
"""SpeechJudge, appendix B: the three kinds of errors and the criteria of naturalness, in our words."""


@dataclass(frozen=True, kw_only=True)
class SpeechJudge:
    """Five-point CMOS (A+2, A+1, T, B+1, B+2) and text errors per clip; none ticked = accurate.

    Attributes:
        max_plays: how often each clip may be played; None = without limit.
    """

    clips: ClassVar[int] = 2
    guidance: ClassVar[Mapping[str, str]] = _GUIDANCE
    max_plays: Count | None = None

    @property
    def questions(self) -> tuple[FormQuestion, ...]:
        """The form: text errors first, as the judgement of naturalness comes after them in the paper."""
        return _QUESTIONS

    def read(self, form: Mapping[str, Sequence[str]]) -> Answer:
        """Return the answer that a form holds, A being the clip played first.

        Raises:
            DataError: the choice is missing, a field is unknown or given twice, or a word is no option.
        """
        words = read_form(_QUESTIONS, form)
        return Answer(value=words["value"][0], errors_a=words["errors_a"], errors_b=words["errors_b"])

    def swapped(self, answer: Answer) -> Answer:
        """Return the answer with A and B exchanged.

        Raises:
            DataError: the vote is none of the five.
        """
        return swap_sides(answer, _VALUES)

    def votes_needed(self, answers: Sequence[Answer]) -> int:
        """Return 2, and 3 where the first two disagree in any way (A, B or tie; how strongly does not matter)."""
        first_two = [str(answer.value) for answer in answers[:2]]
        return 3 if level(first_two) == "needs_third" else 2

    def side(self, answer: Answer) -> str | None:
        """Return ``a`` or ``b`` for the clip preferred, None for a tie."""
        return {"A": "a", "B": "b"}.get(ternary(str(answer.value)))


PLUGIN = SpeechJudge
