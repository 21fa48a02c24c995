"""What a fan-out stage is to make, written down once: ``wanted@<stage>``, by which later stages know this recipe's rows.

A workspace may hold rows of other recipes, or of this one as it was before; nobody derives anew which of them are wanted.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among
from contracts.schemas import WANTED, key_of
from flows.run.pipeline import Build

WRITTEN: Final = "writings@writings"
"""What models wrote about the prompts as they are spoken: the rows of the stage ``writings``."""

Keys: TypeAlias = pa.Array | pa.ChunkedArray


def made(*stages: str) -> tuple[str, ...]:
    """Return the tables by which the rows of fan-out stages are found, for those who declare to read them."""
    return tuple(name for stage in stages for name in (f"wanted@{stage}", stage if stage != "writings" else WRITTEN))


def want(build: Build, stage: str, parts: Sequence[tuple[Keys, Keys]]) -> None:
    """Commit what a stage is to make.

    Args:
        build: the build.
        stage: the stage.
        parts: for each system, metric, judge or role the keys to make, and what each is made of.
    """
    tables = [
        pa.table([keys, subjects, pa.repeat(pa.scalar(number, pa.int32()), len(keys))], schema=WANTED)
        for number, (keys, subjects) in enumerate(parts)
    ]
    build.tables.replace(f"wanted@{stage}", pa.concat_tables([WANTED.empty_table(), *tables]))


def wanted_keys(build: Build, stage: str, derive: Callable[[], Keys], part: int | None = None) -> Keys:
    """Return the keys that a stage is to make, all of them or those of one part.

    Args:
        build: the build.
        stage: the stage.
        derive: finds them out from the recipe, for a workspace that was made before this was written down.
        part: number of the system, metric, judge or role; None = all.
    """
    if not build.tables.parts(f"wanted@{stage}"):
        return derive()
    wanted = build.tables.read(f"wanted@{stage}", ["row_id", "part"])
    return wanted["row_id"] if part is None else wanted.filter(pc.equal(wanted["part"], part))["row_id"]


def wanted_rows(build: Build, stage: str, table: str, derive: Callable[[], Keys], part: int | None = None) -> pa.Table:
    """Return the rows of the stage's table that this recipe wants, of all parts or of one."""
    return among(build.tables.read(table), key_of(table), wanted_keys(build, stage, derive, part))
