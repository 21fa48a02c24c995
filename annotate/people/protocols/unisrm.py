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

_GUIDANCE: Final = {
    "en": (
        "Choose the better recording, A or B; there are no ties. Go by these four criteria: 1) text fidelity and "
        "intelligibility: the text is said completely and can be understood; 2) speaker similarity: the voice is that of the "
        "reference, where there is one; 3) prosody and expressiveness: rhythm, stress and emotion suit the text, the scenario "
        "and the conversation; 4) naturalness and audio quality: it sounds like a person, without noise or distortion.\n\n"
        "Choose “Cannot be compared” only if a recording is corrupted, badly cut off, lacks its content, or has another "
        "fatal fault."
    ),
    "zh": (
        "请选择更好的一段,A 或 B,不能选平局。请依据以下四项标准:1)文本忠实度与可懂度:文本说得完整,能够听懂;2)说话人相似度:"
        "如有参考语音,声音应与之一致;3)韵律与表现力:节奏、重音和情感与文本、场景和对话相称;4)自然度与音质:听起来像真人,没有噪声或失真。"
        "\n\n只有当某段语音损坏、严重截断、缺失内容或有其他致命问题时,才选择“无法比较”。"
    ),
}
"""UniSRM, appendix G.2: the criteria, the decision and the invalid cases, in our words."""


@dataclass(frozen=True, kw_only=True)
class UniSRM:
    """A, B or invalid, so many votes on every pair.

    Attributes:
        max_plays: how often each clip may be played: once and three replays; None = without limit.
        votes: how many votes a pair gets.
    """

    clips: ClassVar[int] = 2
    guidance: ClassVar[Mapping[str, str]] = _GUIDANCE
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
