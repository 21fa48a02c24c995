"""Which task released rows are about, and the prompt of a row, put together again from its columns alone (pure).

A release names no task: its configurations have names of the recipe's choice. A row tells by the hash of the judge's prompt,
by the prompt that stands in it, or by the layout of its completion.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from annotate.models.task import ParseError, TaskSpec

RELEASED_AS: Final[Mapping[str, str]] = {"reference_audio_id": "prompt_audio", "history_audio_ids": "history_audio"}
"""Column of a request -> column of a released row; others have one name in both."""

_SINGLE_CLIP: Final = "audio"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledClip:
    """A clip of a released row, as its column holds it, under the name that the prompt has for it."""

    label: str
    clip: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """The column without which the prompt of a row cannot be put together."""

    column: str


def task_of_rows(rows: Iterable[Mapping[str, Any]], tasks: Sequence[TaskSpec]) -> TaskSpec | None:
    """Return the task that the first telling row is about; None = no row tells.

    A row tells by the hash of the judge's prompt; else by its prompt, where it is one that shows no texts; else by the layout
    of its completion, unless several tasks have it.

    Args:
        rows: released rows of one configuration.
        tasks: the tasks to choose from; those about other items are left out.
    """
    for row in rows:
        subject = "samples" if _SINGLE_CLIP in row else "pairs"
        fitting = [task for task in tasks if task.subject == subject]
        for tells in (_has_version, _has_prompt, _has_layout):
            found = [task for task in fitting if tells(task, row)]
            if len(found) == 1:
                return found[0]
    return None


def prompts_without_texts(language: str | None, tasks: Iterable[TaskSpec]) -> dict[str, TaskSpec]:
    """Return prompt -> task of those tasks that show no texts, whose prompt is the same for all rows in a language."""
    return {task.render(language): task for task in tasks if not task.shown}


def _has_version(task: TaskSpec, row: Mapping[str, Any]) -> bool:
    return row.get("prompt_version") in task.versions.values()


def _has_prompt(task: TaskSpec, row: Mapping[str, Any]) -> bool:
    return row.get("prompt") in prompts_without_texts(row.get("language"), [task])


def _has_layout(task: TaskSpec, row: Mapping[str, Any]) -> bool:
    completion = row.get("completion")
    if completion is None:
        return False
    try:
        task.parse(completion)
    except ParseError:
        return False
    return True


def prompt_of(task: TaskSpec, row: Mapping[str, Any]) -> str | Missing:
    """Return what a judge was asked about a released row: its prompt, or the task's with the row's texts."""
    if row.get("prompt") is not None:
        return str(row["prompt"])
    absent = next((name for name in task.shown if row.get(name) is None), None)
    if absent is not None:
        return Missing(column=absent)
    return task.render(row.get("language"), **{name: str(row[name]) for name in task.shown})


def clips_of(task: TaskSpec, row: Mapping[str, Any], *, without: Collection[str] = ()) -> list[LabelledClip] | Missing:
    """Return the clips of a released row in the order in which the task has them heard, but for some columns."""
    found = list[LabelledClip]()
    for label, name in task.audios.items():
        column = RELEASED_AS.get(name, name)
        if column in without:
            continue
        value = row.get(column)
        clips = value if isinstance(value, list) else [value]
        if not clips or any(clip is None for clip in clips):
            return Missing(column=column)
        found += [LabelledClip(label=label.format(n=number), clip=clip) for number, clip in enumerate(clips, start=1)]
    return found
