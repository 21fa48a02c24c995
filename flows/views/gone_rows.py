"""Why rows of an earlier release are not in a later one, from the workspace of the later one."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from flows.run.kind import item_of
from flows.run.pipeline import Build
from flows.views.lineage import where

NOT_MADE: Final = "not made any more"


def reasons_of(build: Build, ids: Collection[str]) -> dict[str, str]:
    """Return id -> why an item is not released: its drops (``<filter>: <reason>``), its failure, or that it is not made.

    A row that the workspace still has, and that neither was dropped nor failed, is not among them: it is in no row of one
    configuration, and may be in those of another. Memory grows with the ids of the workspace's items.

    Args:
        build: the build that made the later release.
        ids: ids of released rows: items, or clips of items.
    """
    found = _losses(build, ids)
    if len(found) == len(ids):
        return found
    item = item_of(build)
    rows = item.rows(build)
    there = {key for name in ("item_id", *item.samples) for key in where(rows, [name], ids)[name].to_pylist()}
    return found | dict.fromkeys((key for key in ids if key not in found and key not in there), NOT_MADE)


def _losses(build: Build, keys: Collection[str]) -> dict[str, str]:
    """Return key -> its drops, else its first failure. A filter of a subset and the splits can both leave a row out."""
    drops, failures = dict[str, dict[str, None]](), dict[str, str]()
    for row in _rows(build, "drops", ["row_id"], keys, ["filter", "reason"]):
        drops.setdefault(row["row_id"], {})[f"{row['filter']}: {row['reason']}"] = None
    for row in _rows(build, "failures", ["row_id", "subject_id"], keys, ["stage", "reason"]):
        for key in {row["row_id"], row["subject_id"]}.intersection(keys):
            failures.setdefault(key, f"{row['stage']} failed: {row['reason']}")
    return failures | {key: ", ".join(reasons) for key, reasons in drops.items()}


def _rows(
    build: Build, table: str, columns: Sequence[str], keys: Collection[str], more: Sequence[str]
) -> Iterator[dict[str, str]]:
    """Yield the rows of a table in which one of the key columns holds a wanted key."""
    for partition in build.tables.partitions(table):
        for rows in build.tables.batches(partition, [*columns, *more]):
            yield from where(rows, columns, keys).to_pylist()
