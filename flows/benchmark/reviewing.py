"""Reviews of answers by a model that reads them: how well reasons rest on evidence (UniSRM, App. F), whether verdicts follow.

Any task about judgments that scores can review: its scores become figures under their own names, means over all answers that
can be read, and over those of each language.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.judge import Judge
from annotate.models.task import TaskSpec
from contracts.errors import RecipeError
from contracts.ids import row_id
from flows.benchmark.asking import BenchQuestion, answers_to, ask
from flows.benchmark.bench_run import BenchRun
from flows.benchmark.judge_answers import COMPLETION
from flows.benchmark.released_items import ReleasedItems
from scoring.bench.figure import Figure
from scoring.bench.intervals import mean_over_items


def review_question(items: ReleasedItems, answers: pa.Table, task: TaskSpec, judge: Judge) -> BenchQuestion:
    """Return what a reviewer is asked about the answers that can be read.

    Raises:
        RecipeError: the task is no review of judgments, needs what the release lacks, or there is nothing to review.
    """
    if task.subject != "judgments":
        raise RecipeError(f"--review {task.name}: it is about {task.subject}, not about judgments")
    read = answers.filter(pc.is_valid(answers[COMPLETION]))
    if not read.num_rows:
        raise RecipeError(f"--review {task.name}: no answer has a text that could be reviewed")
    place = pc.index_in(read["item_id"], value_set=pa.array(items.ids))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for name in (*task.shown, "language"):
        if name in {COMPLETION, *columns}:
            continue
        if name in items.rows.column_names:
            columns[name] = items.rows[name].take(place)
        elif name in task.shown:
            raise RecipeError(f"--review {task.name}: {items} has no column {name}")
    keys = zip(*(read[name].to_pylist() for name in ("item_id", "order", "vote", COMPLETION)), strict=True)
    ids = [row_id("bench_answer", *key) for key in keys]
    constants = {"order": pa.repeat("ab", read.num_rows), "vote": pa.repeat(pa.scalar(0, pa.int64()), read.num_rows)}
    requests = pa.table({"subject_id": ids, COMPLETION: read[COMPLETION], **columns, **constants, "item": read["item_id"]})
    return BenchQuestion(task=task, judge=judge, requests=requests, follows_up=True)


def review(run: BenchRun, items: ReleasedItems, question: BenchQuestion, *, seed: int) -> Iterator[Figure]:
    """Ask the reviewer, and yield the figures. The caller holds the workspace's lock."""
    ask(run, question)
    item = pc.index_in(question.requests["item"], value_set=pa.array(items.ids)).to_numpy()
    language = question.requests["language"].to_pylist() if "language" in question.requests.column_names else []
    scores = [dict(one or ()) for one in answers_to(run, question)["scores"].to_pylist()]
    for name in sorted({name for one in scores for name in one}):
        values = np.array([one.get(name, np.nan) for one in scores], dtype=float)
        known = ~np.isnan(values)
        tags = sorted({one for one in language if one is not None})
        spoken = [({"language": tag}, known & np.array([one == tag for one in language])) for tag in tags]
        for of, mask in [({}, known), *spoken]:
            measure = mean_over_items(
                values[mask], items.units[item[mask]], seed=seed, nothing="no review could be read", is_share=False
            )
            yield Figure(name=name, of=of, measure=measure)
