"""Requests about released items: a row of a release shows and plays all that its task needs."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from annotate.models.judge import Judge
from annotate.models.released_task import RELEASED_AS
from annotate.models.task import TaskSpec
from contracts.errors import RecipeError
from flows.benchmark.released_items import ReleasedItems
from flows.benchmark.results import Given, Inputs

CANDIDATES: Final = ("audio_a", "audio_b", "audio")
"""Columns of the clips that are judged."""


def judge_requests(items: ReleasedItems, task: TaskSpec, judge: Judge) -> pa.Table:
    """Return what a judge is asked (see ``annotate.models.inquiry``), one row for each item.

    Raises:
        RecipeError: the judge does not do the task, or the release lacks something that task or judge needs.
    """
    if judge.tasks is not None and task.name not in judge.tasks:
        raise RecipeError(f"judge {judge.name} does {', '.join(judge.tasks)}, not {task.name}")
    columns: dict[str, pa.ChunkedArray | pa.Array] = {"subject_id": items.rows[items.id_column]}
    for name in dict.fromkeys(("language", *task.shown, *task.audios.values())):
        released = RELEASED_AS.get(name, name)
        if released in items.rows.column_names:
            columns[name] = items.rows[released]
        elif name != "language" or name in task.shown:
            raise RecipeError(f"{items} has no column {released}, which task {task.name} needs: name another one with --task")
    for fact in judge.facts:
        for side in "ab":
            columns[f"{fact}_{side}"] = pa.array(_measured(items, fact, side), pa.float64())
    absent = [fact for fact in judge.facts if all(columns[f"{fact}_{side}"].null_count == len(items.ids) for side in "ab")]
    if absent:
        raise RecipeError(f"{items} has no measurements of {', '.join(absent)}, on which judge {judge.name} rests")
    return pa.table(columns)


def _measured(items: ReleasedItems, fact: str, side: str) -> list[float | None]:
    if f"metrics_{side}" not in items.rows.column_names:
        return [None] * len(items.ids)
    lists: Sequence[Any] = items.rows[f"metrics_{side}"].to_pylist()
    return [next((one["value"] for one in values or () if one["metric"] == fact), None) for values in lists]


def inputs_of(items: ReleasedItems, task: TaskSpec | None, *, hears: bool = True, note: str = "") -> Inputs:
    """Return what a judge is given (UniSRM, Table 12).

    Args:
        items: the items.
        task: what it is asked; None = nothing in words: it gets the clips alone.
        hears: whether it gets the clips.
        note: anything else.
    """
    played = () if task is None else tuple(task.audios.values())

    def given(column: str) -> Given:
        if RELEASED_AS[column] not in items.rows.column_names:
            return "not part of the task"
        return "given" if hears and column in played else "not given"

    return Inputs(
        audio="given" if hears else "not given",
        prompt="not given" if task is None else "given",
        reference=given("reference_audio_id"),
        history=given("history_audio_ids"),
        note=note,
    )
