"""Interface of exports: plug-ins that write released rows as the files that a trainer reads.

An export plug-in is one file in ``storage/exports``: a frozen dataclass. It gets examples, which belong to no trainer, and
decides nothing but the form on the disk. What a format cannot express it refuses with the reason, instead of a wrong file.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Protocol, runtime_checkable

from storage.export_folder import PLACEHOLDER, ExportFolder

Form = Literal["sft", "rl", "clip_preference", "answer_preference", "score", "released"]
"""What a row teaches.

- ``sft``: a prompt and what is to be written;
- ``rl``: a prompt, and what the reward of an answer needs;
- ``clip_preference``: one prompt, the better and the worse clip;
- ``answer_preference``: one prompt with its clips, the right and the wrong answer;
- ``score``: one clip and its mean rating, for models that give a number;
- ``released``: the released row as it is, for formats that are no trainer's.
"""

FORMS: Final[tuple[Form, ...]] = ("sft", "rl", "clip_preference", "answer_preference", "score", "released")

_MARKUP: Final = re.compile(r"<(?:audio|image|video|bbox|ref-object|cot-process)>|<\|")
"""Texts in which a trainer would see one of its placeholders or a control token of a chat template."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One row for a trainer.

    Attributes:
        item_id: id of the released item.
        configuration: configuration of the release.
        split: its split.
        number: place in the file, from 0 on.
        prompt: what is asked, with a ``PLACEHOLDER`` for each clip.
        clips: the clips as FLAC files, in the order of the placeholders; of ``clip_preference`` the last one is the better one.
        answer: what is to be written; of ``rl`` the truth; of ``answer_preference`` the right answer; of ``clip_preference``
            what follows either clip; of ``score`` nothing.
        rejected_answer: the wrong answer.
        rejected_clips: ``clips`` with the worse clip in the better one's place.
        margin: how much better the better clip is, in points of the scale, at least 0; None = unknown.
        score: the rating; None = another form.
        reward: the reward's name, options and row as JSON, as ``scoring.trainers`` reads it; None = no ``rl``.
        row: the released row, clips as ``bytes`` and ``path``.
    """

    item_id: str
    configuration: str
    split: str
    number: int
    prompt: str
    clips: tuple[bytes, ...]
    answer: str
    rejected_answer: str | None = None
    rejected_clips: tuple[bytes, ...] = ()
    margin: float | None = None
    score: float | None = None
    reward: str | None = None
    row: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportedFile:
    """One data file of an export.

    Attributes:
        path: relative to the export.
        configuration: configuration of the rows.
        split: their split.
        form: what they teach.
        rows: how many they are.
    """

    path: str
    configuration: str
    split: str
    form: Form
    rows: int


class Export(Protocol):
    """A consumer's format.

    Attributes:
        forms: what it writes.
        refusals: what it cannot express -> why.
        needs: columns that a released row must have for it; ``ballots`` and ``chosen`` are there only where the release is that
            of a recipe whose workspace holds the votes (``flows.exports.ballots``).
        remark: what a user must know of any export in this format, as a sentence; empty = nothing.
    """

    forms: ClassVar[tuple[Form, ...]]
    refusals: ClassVar[Mapping[Form, str]]
    needs: ClassVar[tuple[str, ...]] = ()
    remark: ClassVar[str] = ""

    def write(self, examples: Iterable[Example], form: Form, name: str, folder: ExportFolder) -> str:
        """Write the examples of one configuration, split and form, as they come, and return the file's path in the folder.

        Args:
            examples: at least one, each without a fault (``fault``).
            form: one of ``forms``.
            name: what to call the file, without its ending.
            folder: where to.
        """
        ...

    def finish(self, files: Sequence[ExportedFile], folder: ExportFolder) -> str:
        """Write what describes the files to the consumer, if it wants that, and return how to use them, as Markdown."""
        ...


@runtime_checkable
class Selective(Protocol):
    """An export that cannot express some rows although their form is one of its own."""

    def refusal(self, example: Example) -> str | None:
        """Return why it cannot express a row, as a counted word; None = it can."""
        ...


def fault(example: Example, form: Form) -> str | None:
    """Return why a row must be left out, as a counted word; None = it can be trained on.

    This is stricter than trainers are: ms-swift trains on a row with two placeholders and one clip, with a warning only.

    - ``unequal_placeholders``: the prompt has another number of placeholders than the row has clips;
    - ``control_text``: a text holds a placeholder or a control token that a trainer would obey;
    - ``empty_answer``: there is nothing to write;
    - ``nothing_to_prefer``: the rejected clip or answer is the chosen one;
    - ``no_score``: a row without the number that is to be given;
    - ``no_reward``: a row for reinforcement learning without what its reward needs.
    """
    if form == "released":
        return None
    if example.prompt.count(PLACEHOLDER) != len(example.clips):
        return "unequal_placeholders"
    texts = (example.prompt.replace(PLACEHOLDER, ""), example.answer, example.rejected_answer or "")
    if any(_MARKUP.search(text) for text in texts):
        return "control_text"
    if form == "score":
        return "no_score" if example.score is None else None
    if not example.answer.strip():
        return "empty_answer"
    if form == "answer_preference" and example.rejected_answer in (None, "", example.answer):
        return "nothing_to_prefer"
    if form == "clip_preference":
        if len(example.rejected_clips) != len(example.clips):
            return "unequal_placeholders"
        if example.rejected_clips == example.clips:
            return "nothing_to_prefer"
    return "no_reward" if form == "rl" and example.reward is None else None
