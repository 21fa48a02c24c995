"""Fan-out stages: making the missing rows of a stage, and counting its rows.

Such a stage has the name of its table; its failures are in ``failures@<stage>``.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from contracts import schemas
from contracts.jobs import Job, Outcome
from contracts.joins import among
from flows.run.books import Books, reasons_of
from flows.run.cluster import cluster
from flows.run.cluster_resources import check_resources
from flows.run.damage import forget_damaged
from flows.run.fanout import fan_out
from flows.run.pipeline import Build
from flows.run.wanted import table_of, wanted_keys
from storage.workspace import FORMAT_FILE

J = TypeVar("J")

Work = Sequence[tuple[Job, pa.Table]]
"""Jobs with all requests of the recipe, done or not."""


def do_missing(build: Build, stage: str, work: Work) -> None:
    """Make the rows that are neither in the stage's table nor in its failures; the table has the stage's name."""
    todo = left_of(build, stage, work)
    left = sum(rows.num_rows for _, rows in todo)
    build.progress.start(stage, left)

    def commit(_: Job, outcome: Outcome) -> None:
        commit_outcome(build, stage, outcome)

    if left:
        build.workspace.note_format()
        with cluster(build.ray_address, secrets=build.secrets):
            check_resources({f"{stage}, {job}": job.resources for job, rows in todo if rows.num_rows})
            fan_out(todo, commit, (build.workspace, FORMAT_FILE))
        build.tables.compact(stage)
        build.tables.compact(f"failures@{stage}")
    build.progress.end()


def left_of(build: Build, stage: str, work: Sequence[tuple[J, pa.Table]]) -> list[tuple[J, pa.Table]]:
    """Return the jobs with those requests that are neither in the stage's table nor in its failures."""
    failures = f"failures@{stage}"
    for _, wanted in work:
        forget_damaged(build, failures, wanted["row_id"])
    failed = build.tables.read(failures, ["row_id"])["row_id"]
    left = []
    for job, wanted in work:
        open_keys = build.tables.missing(stage, wanted["row_id"])
        open_keys = open_keys.filter(pc.invert(pc.is_in(open_keys, value_set=failed)))
        left.append((job, among(wanted, "row_id", open_keys)))
    return left


def commit_outcome(build: Build, stage: str, outcome: Outcome) -> None:
    """Append what became of a batch to the stage's table and its failures."""
    build.tables.append(stage, outcome.rows)
    build.tables.append(f"failures@{stage}", outcome.failures)
    build.progress.advance(outcome.rows.num_rows + outcome.failures.num_rows, outcome.failures.num_rows)


def count_done(build: Build[Any], stage: str, *, table: str = "", unit: str = "") -> Books:
    """Count the wanted keys of a fan-out stage by outcome; not balanced while work is left.

    Args:
        build: the build.
        stage: name of the stage.
        table: table of its rows; empty = the stage's own.
        unit: what is counted; empty = the stage's name.
    """
    wanted, table = wanted_keys(build, stage), table or table_of(stage)
    key = schemas.key_of(table)
    done = among(build.tables.read(table, [key]), key, wanted)
    drops = build.tables.read(f"drops@{stage}", ["row_id", "reason"])
    failures = build.tables.read(f"failures@{stage}", ["row_id", "reason"])
    return Books(
        stage=stage,
        unit=unit or stage,
        rows_in=len(wanted),
        rows_out=done.num_rows,
        failed=reasons_of(failures, wanted),
        dropped=reasons_of(drops, wanted),
    )
