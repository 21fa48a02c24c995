"""Versions of the table schemas, and how rows of an older version become those of the next one.

A new nullable column needs neither: it is null in the rows that are older than it. Any other change of a schema (a column
renamed, retyped, removed or made required) makes a new version: the schema as it was goes into a ``Migration`` here, with the
function that turns its rows into those of the next version. Parts of a table keep the version that they were written in and
are migrated whenever they are read, so that no workspace has to be converted and a crash can leave nothing half done.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from contracts.errors import SchemaError
from contracts.schemas import PROMPTS, conform


@dataclass(frozen=True, kw_only=True)
class Migration:
    """The step from one version of a schema to the next.

    Attributes:
        before: the schema of the older version as it was last, nullable columns that came later included.
        migrate: table of that schema -> the same rows, in the same order, with the required columns of the next version.
    """

    before: pa.Schema
    migrate: Callable[[pa.Table], pa.Table]


def _text_required(schema: pa.Schema) -> pa.Schema:
    place = schema.get_field_index("text")
    return schema.set(place, schema.field(place).with_nullable(False))


MIGRATIONS: Final[dict[str, tuple[Migration, ...]]] = {
    # Contents of rated corpora may come without their text.
    "prompts": (Migration(before=_text_required(PROMPTS), migrate=lambda rows: rows),),
}
"""Table -> its steps: from version 1 to 2, from 2 to 3, and so on. A table that is not named here is of version 1."""


def version_of(name: str) -> int:
    """Return the version of the schema of a table or of one partition of it."""
    return 1 + len(_steps(name))


def migrated(table: pa.Table, name: str, version: int) -> pa.Table:
    """Return the rows of a part of a table in today's schema.

    Args:
        table: the rows as they were written.
        name: the table, or one partition of it.
        version: the version of its schema in which they were written.

    Raises:
        SchemaError: they do not conform to that version, or what a migration makes of them does not to the next one.
    """
    rows = table.num_rows
    for step in _steps(name)[version - 1 :]:
        table = step.migrate(conform(table, name, step.before))
    if table.num_rows != rows:
        raise SchemaError(f"table {name}: migrations made {table.num_rows} rows of {rows}")
    return conform(table, name)


def _steps(name: str) -> tuple[Migration, ...]:
    return MIGRATIONS.get(name.partition("@")[0], ())
