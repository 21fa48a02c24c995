"""Ratings of one clip on several scales.

Source of the seven scales and of their range: Task 2 of UniSRM, App. A Fig. 4, after QualiSpeech: "Aspects (1-5 each; 1=worst,
5=best): Noise, Distortion, Speed (speaking rate), Continuity (smoothness / discontinuity), Naturalness, Listening effort,
Overall quality".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import Field

from annotate.people.store.forms import read_form
from annotate.people.store.item import Answer
from annotate.people.store.protocol import FormQuestion
from contracts.bounds import Count

_TEXTS: Final = {
    "noise": {"en": "Noise", "zh": "噪声"},
    "distortion": {"en": "Distortion", "zh": "失真"},
    "speed": {"en": "Speaking rate", "zh": "语速"},
    "continuity": {"en": "Continuity", "zh": "连贯性"},
    "naturalness": {"en": "Naturalness", "zh": "自然度"},
    "listening_effort": {"en": "Listening effort", "zh": "听音费力程度"},
    "overall": {"en": "Overall quality", "zh": "整体质量"},
}

_GUIDANCE: Final = {
    "en": "Rate the recording on every scale by what you hear, each scale for itself. The highest number is best.",
    "zh": "请根据您所听到的,在每个量表上分别为语音打分。数字越大越好。",
}


@dataclass(frozen=True, kw_only=True)
class Rating:
    """Whole numbers on named scales, the highest being best.

    Attributes:
        scales: their names.
        lowest: worst rating.
        highest: best rating.
        votes: how many listeners rate each clip.
        max_plays: how often it may be played; None = without limit.
    """

    clips: ClassVar[int] = 1
    guidance: ClassVar[Mapping[str, str]] = _GUIDANCE
    scales: tuple[str, ...] = ("noise", "distortion", "speed", "continuity", "naturalness", "listening_effort", "overall")
    lowest: Annotated[int, Field(ge=-100, le=100)] = 1
    highest: Annotated[int, Field(ge=-100, le=100)] = 5
    votes: Annotated[int, Field(ge=1, le=99)] = 3
    max_plays: Count | None = None

    def __post_init__(self) -> None:
        if not self.scales or len(set(self.scales)) < len(self.scales) or not all(self.scales):
            raise ValueError(f"scales must be different names, at least one, got {list(self.scales)}")
        if self.lowest >= self.highest:
            raise ValueError(f"lowest must be below highest, got {self.lowest} and {self.highest}")

    @property
    def questions(self) -> tuple[FormQuestion, ...]:
        """The form: one choice per scale."""
        ratings = tuple(map(str, range(self.lowest, self.highest + 1)))
        return tuple(
            FormQuestion(name=scale, kind="choice", options=ratings, about=0, text=_TEXTS.get(scale, {}))
            for scale in self.scales
        )

    def read(self, form: Mapping[str, Sequence[str]]) -> Answer:
        """Return the ratings that a form holds.

        Raises:
            DataError: a scale is missing, unknown or rated twice, or a rating is not on the scale.
        """
        words = read_form(self.questions, form)
        return Answer(scores={scale: float(words[scale][0]) for scale in self.scales})

    def swapped(self, answer: Answer) -> Answer:
        """Return the answer as it is: one clip has no other to be exchanged with."""
        return answer

    def votes_needed(self, answers: Sequence[Answer]) -> int:
        """Return the number of votes, whatever the answers are."""
        del answers
        return self.votes

    def side(self, answer: Answer) -> str | None:
        """Return None: nothing was preferred."""
        del answer
        return None


PLUGIN = Rating
