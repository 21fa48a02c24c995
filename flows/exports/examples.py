"""Released rows as examples for trainers: what is asked, what is heard, and what is the answer (pure).

A row belongs to one sort by its columns: a pair (``audio_a``), an answer (``references``), or a clip.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from annotate.models.released_task import LabelledClip, Missing, clips_of, prompt_of, prompts_without_texts
from annotate.models.task import TaskSpec, quoted
from flows.exports.rewards import NoReward, RowReward
from storage.export import Example, Form
from storage.export_folder import PLACEHOLDER

LeftOut = str
"""Why a row has no example of a form, as a counted word."""

_CMOS: Final = {"A+2": 2, "A+1": 1, "B+1": -1, "B+2": -2}
_PREFERENCES: Final = ("a", "b")
_TIES: Final = ("T", "Tie")
_HOW_GOOD: Final = "Listen to the speech and judge how good it is."
_HEARD: Final = "I have heard it."
"""What follows either clip of a preference: a reward model scores what it read and heard, so both sides end alike."""


@dataclass(frozen=True, kw_only=True)
class Composer:
    """Makes examples of the rows of one configuration and split.

    Attributes:
        configuration: the configuration.
        split: the split.
        item_column: column with the item's id.
        columns: all columns of the rows.
        task: the task of the rows; None = unknown.
        reward: their reward, or why none is theirs.
        scales: scales on which clips are rated, where their ratings lie in ``scores``.
        tasks: all tasks, to find those whose prompts stand in rows.
    """

    configuration: str
    split: str
    item_column: str
    columns: Sequence[str]
    task: TaskSpec | None
    reward: RowReward | NoReward
    tasks: Sequence[TaskSpec]
    scales: Sequence[str] = ()
    _asking: dict[str | None, dict[str, TaskSpec]] = field(default_factory=dict)

    @property
    def refusals(self) -> dict[Form, str]:
        """Which examples no row of the configuration can be -> why."""
        found: dict[Form, str] = {}
        if self.is_of_pairs and self.task is None:
            unknown = "no row tells which task it is about: name it with --task"
            found |= {"sft": unknown, "rl": unknown}
        if isinstance(self.reward, NoReward) and "rl" not in found:
            found["rl"] = self.reward
        if not self.is_of_pairs:
            found["clip_preference"] = "its items are single clips"
        if len(self.scales) > 1:
            found["score"] = f"its clips are rated on {len(self.scales)} scales, and a score is one number"
        elif not self.scales and not {"rating", "audio"} <= set(self.columns):
            found["score"] = "its items are no single clips with one rating each"
        if not self.has_answers:
            found["answer_preference"] = "it holds no right and wrong answers to one question"
        if not self.has_completions:
            found["sft"] = "it holds no texts to write"
        return found

    @property
    def is_of_pairs(self) -> bool:
        """Whether the items are pairs of clips."""
        return "audio_a" in self.columns

    @property
    def has_answers(self) -> bool:
        """Whether rows hold a right and a wrong answer."""
        return {"identifier_prompt", "chosen", "rejected"} <= set(self.columns)

    @property
    def has_completions(self) -> bool:
        """Whether rows hold what is to be written."""
        return "completion" in self.columns or "critique" in self.columns

    def example(self, form: Form, row: Mapping[str, Any], number: int) -> Example | LeftOut:
        """Return the example that a row is, or why it is none; only for forms that are not refused."""
        match form:
            case "sft":
                return self._sft(row, number)
            case "rl":
                return self._rl(row, number)
            case "clip_preference":
                return self._clip_preference(row, number)
            case "answer_preference":
                return self._answer_preference(row, number)
            case "score":
                prompt = f"{_HOW_GOOD}\n[Speech] {PLACEHOLDER}"
                return self._made(row, number, prompt, [row["audio"]], answer="", score=_rating(row))
            case "released":
                return self._made(row, number, "", [], answer="")

    def _sft(self, row: Mapping[str, Any], number: int) -> Example | LeftOut:
        asked = self._question(row)
        if isinstance(asked, LeftOut):
            return asked
        answer = row.get("completion") if "completion" in self.columns else row.get("critique")
        return "no_completion" if answer is None else self._made(row, number, *asked, answer=answer)

    def _rl(self, row: Mapping[str, Any], number: int) -> Example | LeftOut:
        asked = self._question(row)
        if isinstance(asked, LeftOut):
            return asked
        if self.is_of_pairs and row["label"] not in _PREFERENCES:
            return "no_preference"
        spec = None if isinstance(self.reward, NoReward) else self.reward.spec(row)
        return "no_reward" if spec is None else self._made(row, number, *asked, answer=_truth(row), reward=spec)

    def _clip_preference(self, row: Mapping[str, Any], number: int) -> Example | LeftOut:
        label = row["label"]
        if label not in _PREFERENCES:
            return "no_preference"
        fields = ("text",) if self.task is None else self.task.shown
        shown = [f"[{name}] {quoted(str(row[name]))}" for name in fields if row.get(name) is not None]
        beside = [] if self.task is None else clips_of(self.task, row, without=("audio_a", "audio_b"))
        context = [] if isinstance(beside, Missing) else beside
        lines = "\n".join([_HOW_GOOD, *shown, *(f"[{one.label}] {PLACEHOLDER}" for one in context), f"[Speech] {PLACEHOLDER}"])
        better, worse = row[f"audio_{label}"], row["audio_b" if label == "a" else "audio_a"]
        heard = [one.clip for one in context]
        rejected = _bytes([*heard, worse])
        return self._made(row, number, lines, [*heard, better], answer=_HEARD, rejected_clips=rejected, margin=margin_of(row))

    def _answer_preference(self, row: Mapping[str, Any], number: int) -> Example | LeftOut:
        if row["identifier_prompt"] is None:
            return "no_prompt"
        task = self._task_asking(row["identifier_prompt"], row.get("language"))
        if task is None:
            return "unknown_prompt"
        clips = clips_of(task, row)
        if isinstance(clips, Missing):
            return f"no_{clips.column}"
        prompt = _with_clips(row["identifier_prompt"], clips)
        return self._made(row, number, prompt, [one.clip for one in clips], answer=row["chosen"], rejected=row["rejected"])

    def _question(self, row: Mapping[str, Any]) -> tuple[str, list[Any]] | LeftOut:
        """Return the prompt, with placeholders, and the clips."""
        task = self.task
        if not self.is_of_pairs:
            prompt = row.get("prompt") if "prompt" in self.columns else row.get("critique_prompt")
            if prompt is None:
                return "no_prompt"
            task = self._task_asking(prompt, row.get("language")) or task
            labels = [label for label, column in task.audios.items() if column == "audio"] if task is not None else []
            named = f"[{labels[0]}] {PLACEHOLDER}" if labels else PLACEHOLDER
            return f"{prompt}\n\n{named}", [row["audio"]]
        assert task is not None, "refused without a task"
        asked, clips = prompt_of(task, row), clips_of(task, row)
        for one in (asked, clips):
            if isinstance(one, Missing):
                return f"no_{one.column}"
        assert isinstance(asked, str)
        assert isinstance(clips, list)
        return _with_clips(asked, clips), [one.clip for one in clips]

    def _task_asking(self, prompt: str, language: str | None) -> TaskSpec | None:
        if language not in self._asking:
            self._asking[language] = prompts_without_texts(language, self.tasks)
        return self._asking[language].get(prompt)

    def _made(
        self,
        row: Mapping[str, Any],
        number: int,
        prompt: str,
        clips: Sequence[Any],
        *,
        answer: str,
        rejected: str | None = None,
        rejected_clips: tuple[bytes, ...] = (),
        margin: float | None = None,
        score: float | None = None,
        reward: str | None = None,
    ) -> Example:
        return Example(
            item_id=row[self.item_column],
            configuration=self.configuration,
            split=self.split,
            number=number,
            prompt=prompt,
            clips=_bytes(clips),
            answer=answer,
            rejected_answer=rejected,
            rejected_clips=rejected_clips,
            margin=margin,
            score=score,
            reward=reward,
            row=row,
        )


def _with_clips(prompt: str, clips: Sequence[LabelledClip]) -> str:
    """Return a prompt and, below it, each clip after its label: as judges get them."""
    return "\n".join([prompt, "", *(f"[{one.label}] {PLACEHOLDER}" for one in clips)])


def _bytes(clips: Sequence[Any]) -> tuple[bytes, ...]:
    return tuple(clip["bytes"] for clip in clips)


def _truth(row: Mapping[str, Any]) -> str:
    """Return the truth of a row as text: the better clip, the scores as JSON, or the first reference."""
    if row.get("label") is not None:
        return str(row["label"])
    if row.get("references"):
        return str(row["references"][0])
    return json.dumps({one["scale"]: one["score"] for one in row.get("scores") or ()}, ensure_ascii=False)


def _rating(row: Mapping[str, Any]) -> float | None:
    """Return the mean rating of a clip on its only scale; None = it has none."""
    if "rating" in row:
        return None if row["rating"] is None else float(row["rating"])
    for one in row["scores"] or ():
        return float(one["score"] if one["mean"] is None else one["mean"])
    return None


def margin_of(row: Mapping[str, Any]) -> float | None:
    """Return how much better the better clip of a pair is: the gap of its ratings, or the mean of five-point votes (CMOS).

    Votes count from -2 to +2 in favour of the better clip, ties as 0; a mean below 0, which a majority of slight votes against
    few significant ones can have, is 0. None = neither ratings nor such votes are there.
    """
    if row.get("rating_gap") is not None:
        return float(row["rating_gap"])
    votes: dict[str, int] = {one["value"]: one["count"] for one in row.get("votes") or ()}
    counted = {value: n for value, n in votes.items() if value in _CMOS or value.startswith(_TIES)}
    if not any(value in _CMOS for value in counted):
        return None
    mean = sum(_CMOS.get(value, 0) * n for value, n in counted.items()) / sum(counted.values())
    return max(0.0, mean if row["label"] == "a" else -mean)
