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
        "First mark the text errors of each recording, wherever they are in it. Words left out: something of the text is "
        "not said. Words added: something is said that is not in the text, such as a repetition. Words misread or replaced: "
        "a word, name, number or character is read wrongly, or words stand in another order. A pause in a wrong place is no "
        "text error.\n\n"
        "Then say which recording sounds more natural, more like a person who is really talking: significantly, where the "
        "difference is large; slightly, where it is small; about the same, where it is hard to tell.\n\n"
        "Four things make speech natural. The sound is clear, without a robotic or electronic tone and without noise, "
        "laughter, shouts or voices that do not belong there. The intonation is lively and fits, neither flat nor mechanical. "
        "The rhythm is reasonable: a moderate speed, and pauses where they belong. Words are stressed as their sense asks "
        "for, and nothing sounds abrupt.\n\n"
        "A few wrong words must not sway your judgment of naturalness. Where so many are wrong that listening is badly "
        "disturbed, the recording is less natural for it."
    ),
    "zh": (
        "首先标出每段语音的文字错误,无论错误出现在哪里。漏字:文本中的内容没有读出来。多字:读出了文本中没有的内容,例如重复。"
        "错字:字词、人名、数字或多音字读错,或者词序颠倒。停顿位置不当不算文字错误。\n\n"
        "然后判断哪一段听起来更自然、更像真人在说话:差别大为“明显”,差别小为“略微”,难以分辨则为“差不多”。\n\n"
        "自然的语音有四个特点:声音清晰,没有机器或电子音色,也没有不该出现的噪声、笑声、喊叫或其他人声;语调自然而有表现力,不平淡、不机械;"
        "节奏合理,语速适中,停顿得当;重音位置正确,符合语义,不突兀。\n\n"
        "个别错字不应影响对自然度的判断;但如果错误很多、严重影响收听,自然度也会因此降低。"
    ),
}
"""SpeechJudge, appendix B: the three kinds of errors, the scale and the criteria of naturalness, in our words."""


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
