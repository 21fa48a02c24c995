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

from contracts.conformance import conform
from contracts.errors import SchemaError
from contracts.schemas import LABELS, PROMPTS, SPLITS


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


def _with(schema: pa.Schema, new: str, old: str) -> pa.Schema:
    """Return a schema with a required column of text ``old`` in place of ``new``."""
    return schema.set(schema.get_field_index(new), pa.field(old, pa.string(), nullable=False))


def _without(schema: pa.Schema, *names: str) -> pa.Schema:
    """Return a schema without columns that came later."""
    return pa.schema([field for field in schema if field.name not in names])


def _pairs_are_items(rows: pa.Table) -> pa.Table:
    return rows.rename_columns({"pair_id": "item_id"})


def _setting_apart(rows: pa.Table) -> pa.Table:
    """Take the reference's language out of ``setting``, such as en2zh; a prompt without a reference had its own there."""
    languages = zip(*(rows[name].to_pylist() for name in ("setting", "language", "reference_utterance_id")), strict=True)
    found = [None if reference is None else setting.removesuffix(f"2{target}") for setting, target, reference in languages]
    place = rows.column_names.index("setting")
    return rows.set_column(place, "reference_language", pa.array(found, pa.string()))


_PROMPTS_2: Final = _with(_without(PROMPTS, "drawn_for", "own_split", "reference_category"), "reference_language", "setting")

MIGRATIONS: Final[dict[str, tuple[Migration, ...]]] = {
    "prompts": (
        # Contents of rated corpora may come without their text.
        Migration(before=_text_required(_PROMPTS_2), migrate=lambda rows: rows),
        # Two languages were one string.
        Migration(before=_PROMPTS_2, migrate=_setting_apart),
    ),
    # Labels and splits are about items; pairs were the only ones.
    "labels": (Migration(before=_with(LABELS, "item_id", "pair_id"), migrate=_pairs_are_items),),
    "splits": (Migration(before=_with(SPLITS, "item_id", "pair_id"), migrate=_pairs_are_items),),
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
