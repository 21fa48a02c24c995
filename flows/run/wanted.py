"""The keys that a fan-out stage is to make, in ``wanted@<stage>``, by which later stages find this recipe's rows.

A workspace may also have rows of other recipes, or of an earlier version of this one. Which rows are wanted is derived only
once.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among, sorted_by
from contracts.schemas import WANTED, key_of
from flows.run.context import RunContext

_TABLES: Final[Mapping[str, str]] = {stage: f"writings@{stage}" for stage in ("texts", "writings", "reviews", "rationales")}

Keys: TypeAlias = pa.Array | pa.ChunkedArray


def table_of(stage: str) -> str:
    """Return the table of a fan-out stage's rows."""
    return _TABLES.get(stage, stage)


def made(*stages: str) -> tuple[str, ...]:
    """Return the tables that a stage must declare to read the rows of fan-out stages."""
    return tuple(name for stage in stages for name in (f"wanted@{stage}", table_of(stage)))


def want(context: RunContext, stage: str, parts: Sequence[tuple[Keys, Keys]]) -> None:
    """Commit what a stage is to make.

    Args:
        context: the run.
        stage: the stage.
        parts: for each system, metric, judge or role: the keys to make, and the row that each is made from.
    """
    tables = [
        pa.table([keys, subjects, pa.repeat(pa.scalar(number, pa.int32()), len(keys))], schema=WANTED)
        for number, (keys, subjects) in enumerate(parts)
    ]
    context.tables.replace(f"wanted@{stage}", pa.concat_tables([WANTED.empty_table(), *tables]))


def wanted_keys(context: RunContext, stage: str, part: int | None = None) -> Keys:
    """Return the keys that a stage is to make, all of them or those of one system, metric, judge or role.

    In a workspace of an older version without ``wanted@<stage>``, every row counts as wanted until the next build.
    """
    if not context.tables.parts(f"wanted@{stage}"):
        table = table_of(stage)
        return context.tables.read(table, [key_of(table)])[key_of(table)]
    wanted = context.tables.read(f"wanted@{stage}", ["row_id", "part"])
    return wanted["row_id"] if part is None else wanted.filter(pc.equal(wanted["part"], part))["row_id"]


def wanted_rows(context: RunContext, stage: str, part: int | None = None, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a stage that this recipe wants, sorted by their key.

    Args:
        context: the run.
        stage: the stage.
        part: the system, metric, judge or role whose rows they are; None = all.
        columns: columns to read beside the key; None = all. The texts of replies are most of a workspace's bytes.
    """
    table = table_of(stage)
    key = key_of(table)
    named = None if columns is None else [key, *(name for name in columns if name != key)]
    return sorted_by(among(context.tables.read(table, named), key, wanted_keys(context, stage, part)), key)
