"""Tables brought to their schemas, or refused with the table, the column and the first bad row."""

import math

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import SchemaError
from contracts.schema_columns import RATING_LIST, SCORES
from contracts.schemas import schema_of


def conform(table: pa.Table, name: str, schema: pa.Schema | None = None) -> pa.Table:
    """Return ``table`` with exactly the columns, order and types of the named schema; nullable columns may be missing.

    Args:
        table: the rows.
        name: the table, or one partition of it.
        schema: instead of today's: some of its columns, or the schema of an older version.

    Raises:
        SchemaError: a column is missing or unknown, a type does not fit, a required value is null, or a number is NaN; the
            message names table, column and first bad row.
    """
    schema = schema_of(name) if schema is None else schema
    missing = [field.name for field in schema if field.name not in table.column_names and not field.nullable]
    unknown = [column for column in table.column_names if column not in schema.names]
    if missing or unknown:
        raise SchemaError(f"table {name}: missing columns {missing or 'none'}, unknown columns {unknown or 'none'}")
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)]))
            continue
        column = table[field.name]
        if column.type != field.type:
            try:
                column = column.cast(field.type)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise SchemaError(
                    f"table {name}, column {field.name}{_misfit(column, field)}: wants {field.type}, got {column.type}: {error}"
                ) from error
        if not field.nullable and column.null_count:
            row = pc.index(pc.is_null(column), True).as_py()
            raise SchemaError(f"table {name}, column {field.name}, row {row}: null where a value is required")
        _refuse_nan(column, name, field)
        if field.type == RATING_LIST:
            _check_ratings(column, name, field)
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _refuse_nan(column: pa.ChunkedArray, name: str, field: pa.Field) -> None:
    if pa.types.is_floating(field.type):
        row = pc.index(pc.is_nan(column), True).as_py()
        if row >= 0:
            raise SchemaError(f"table {name}, column {field.name}, row {row}: NaN; unknown is null")
    elif field.type == SCORES and any(pc.any(pc.is_nan(chunk.items)).as_py() for chunk in column.chunks):
        for row, named in enumerate(column.to_pylist()):
            for under, value in named or ():
                if value is not None and math.isnan(value):
                    raise SchemaError(f"table {name}, column {field.name}, row {row}: NaN under {under}; unknown is null")


def _check_ratings(column: pa.ChunkedArray, name: str, field: pa.Field) -> None:
    """Raise where a rating lacks what it must have, or has NaN: Arrow checks neither inside of lists."""
    ratings = pc.list_flatten(column)
    for part in ratings.type:
        values = pc.struct_field(ratings, part.name)
        bad = pc.is_null(values, nan_is_null=True) if pa.types.is_floating(part.type) else pc.is_null(values)
        if part.nullable:
            bad = pc.and_(bad, pc.is_valid(values))
        if (first := pc.index(bad, True).as_py()) >= 0:
            row = pc.list_parent_indices(column)[first].as_py()
            raise SchemaError(f"table {name}, column {field.name}, row {row}: null or NaN under {part.name}")


def _misfit(column: pa.ChunkedArray, field: pa.Field) -> str:
    """Return which row a column's type fails at, as a message says it; nothing where it fails as a whole."""
    for row in range(len(column)):
        try:
            column.slice(row, 1).cast(field.type)
        except pa.ArrowInvalid:
            return f", row {row}"
        except pa.ArrowNotImplementedError:
            return ""
    return ""
