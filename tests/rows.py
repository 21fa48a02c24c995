"""Tables in which a test says only what it is about."""

import pyarrow as pa


def rows(schema: pa.Schema, *given: dict) -> pa.Table:
    """Return a table of a schema whose other required columns hold something."""
    fill = {pa.string(): "-", pa.float64(): 0.0, pa.int64(): 0, pa.bool_(): False}
    full = [{field.name: None if field.nullable else fill.get(field.type, []) for field in schema} | row for row in given]
    return pa.Table.from_pylist(full, schema=schema)
