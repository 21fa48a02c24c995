"""Metrics as columns: what filters and the objective judge read."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc


def wide(metrics: pa.Table, names: Iterable[str]) -> pa.Table:
    """Turn rows of ``metrics`` into one row per sample.

    Args:
        metrics: table of schema METRICS; a value name belongs to one metric only.
        names: the values to give a column each.

    Returns:
        ``sample_id`` and one double column per name, sorted by name; null = not scored. Rows are sorted by sample.
    """
    samples = pc.unique(metrics["sample_id"])
    samples = samples.take(pc.array_sort_indices(samples))
    columns: dict[str, pa.Array] = {"sample_id": samples.cast(pa.string())}
    values = metrics["values"].combine_chunks()
    owners = metrics["sample_id"].combine_chunks().take(_map_parents(values))
    for name in sorted(names):
        mine = pc.equal(values.keys, name)
        position = pc.index_in(samples, value_set=owners.filter(mine))
        columns[name] = values.items.filter(mine).take(position)
    return pa.table(columns)


def _map_parents(values: pa.MapArray) -> pa.Array:
    """Return, for every entry of a map column, the index of the row that it belongs to."""
    return pc.list_parent_indices(pa.ListArray.from_arrays(values.offsets, pa.nulls(len(values.items))))
