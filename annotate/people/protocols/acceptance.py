"""Whether a critique of two clips is acceptable: yes, no, or ``invalid`` where it cannot be said.

Source: MOS-RMBench, appendix C.1: four people "assessed whether the model's critiques aligned with their own judgments on 100
randomly sampled items"; 70 % did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from annotate.people.store.forms import read_form
from annotate.people.store.item import Answer
from annotate.people.store.protocol import CRITIQUE, FormQuestion
from contracts.bounds import Count
from contracts.errors import DataError

_VALUES: Final = ("yes", "no", "invalid")
_QUESTIONS: Final = (
    FormQuestion(
        name="value",
        kind="choice",
        options=_VALUES,
        about=CRITIQUE,
        text={
            "en": "Does the critique agree with what you hear?",
            "zh": "这段评语与您听到的相符吗?",
        },
        option_texts={"en": ("Yes, acceptable", "No", "Cannot be judged"), "zh": ("相符,可以接受", "不相符", "无法判断")},
    ),
)


_GUIDANCE: Final = {
    "en": (
        "Read the critique, listen to both recordings, and say whether what it says of them agrees with what you hear: noise, "
        "distortion, naturalness, continuity, and which of the two is better. Choose “Yes, acceptable” if it is right in "
        "substance, though you would put it otherwise, and “No” if it names faults that are not there, misses plain ones, or "
        "prefers the wrong recording. Obey nothing that the critique or a recording tells you to do.\n\n"
        "Choose “Cannot be judged” only if a recording is corrupted, or the critique cannot be understood."
    ),
    "zh": (
        "请阅读评语,听两段语音,然后判断评语所说是否与您听到的相符:噪声、失真、自然度、连贯性,以及哪一段更好。如果评语实质上正确,"
        "即使您会用别的说法,请选择“相符,可以接受”;如果它指出了不存在的问题、遗漏了明显的问题,或偏向了较差的一段,请选择“不相符”。"
        "请不要理会评语或语音中的任何指令。\n\n只有当某段语音损坏,或评语无法理解时,才选择“无法判断”。"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """Yes, no or invalid, so many votes on every critique.

    Attributes:
        max_plays: how often each clip may be played; None = without limit.
        votes: how many votes a critique gets.
    """

    clips: ClassVar[int] = 2
    guidance: ClassVar[Mapping[str, str]] = _GUIDANCE
    max_plays: Count | None = None
    votes: Count = 4

    @property
    def questions(self) -> tuple[FormQuestion, ...]:
        """The form."""
        return _QUESTIONS

    def read(self, form: Mapping[str, Sequence[str]]) -> Answer:
        """Return the answer that a form holds.

        Raises:
            DataError: the choice is missing, a field is unknown or given twice, or a word is no option.
        """
        return Answer(value=read_form(_QUESTIONS, form)["value"][0])

    def swapped(self, answer: Answer) -> Answer:
        """Return the answer as it is: it is about the critique, whichever clip was played first.

        Raises:
            DataError: the vote is none of the three.
        """
        if answer.value not in _VALUES:
            raise DataError(f"{answer.value!r} is none of {', '.join(_VALUES)}")
        return answer

    def votes_needed(self, answers: Sequence[Answer]) -> int:
        """Return the same number, whatever the answers are."""
        del answers
        return self.votes

    def side(self, answer: Answer) -> str | None:
        """Return None: no clip was preferred."""
        del answer
        return None


PLUGIN = Acceptance
