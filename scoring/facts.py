"""Metrics as columns: what filters and the objective judge read."""

import pyarrow as pa
import pyarrow.compute as pc


def wide(metrics: pa.Table) -> pa.Table:
    """Turn rows of ``metrics`` into one row per sample.

    Args:
        metrics: table of schema METRICS; a value name belongs to one metric only.

    Returns:
        ``sample_id`` and one double column per value name, sorted by name; null = not scored. Rows are sorted by sample.
    """
    samples = pc.unique(metrics["sample_id"])
    samples = samples.take(pc.array_sort_indices(samples))
    columns: dict[str, pa.Array] = {"sample_id": samples}
    if metrics.num_rows == 0:
        return pa.table(columns, schema=pa.schema([("sample_id", pa.string())]))
    values = metrics["values"].combine_chunks()
    owners = metrics["sample_id"].combine_chunks().take(_map_parents(values))
    start, stop = values.offsets[0].as_py(), values.offsets[-1].as_py()
    keys, items = values.keys.slice(start, stop - start), values.items.slice(start, stop - start)
    for name in sorted(pc.unique(keys).to_pylist()):
        mine = pc.equal(keys, name)
        position = pc.index_in(samples, value_set=owners.filter(mine))
        columns[name] = items.filter(mine).take(position)
    return pa.table(columns)


def _map_parents(values: pa.MapArray) -> pa.Array:
    """Return, for every entry of a map column, the index of the row that it belongs to."""
    return pc.list_parent_indices(pa.ListArray.from_arrays(values.offsets, pa.nulls(len(values.items))))
