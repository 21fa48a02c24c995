"""Which items meet the condition of a split."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import RecipeError


def meets(facts: pa.Table, condition: Mapping[str, Sequence[str]]) -> pa.BooleanArray:
    """Return per row whether every named column has one of the wanted values; null has none.

    Args:
        facts: one row per item, string columns.
        condition: column -> wanted values; empty = every row meets it.

    Raises:
        RecipeError: the facts lack a column.
    """
    met = pa.array([True] * facts.num_rows, pa.bool_())
    for name, values in condition.items():
        if name not in facts.column_names:
            raise RecipeError(
                f"a split asks for {name}, which nothing says of these items; there are {', '.join(facts.column_names)}"
            )
        # A null among the values is impossible, and is_in is false for a null that is not among them.
        met = pc.and_(met, pc.is_in(facts[name], value_set=pa.array(values, pa.string())))
    return met.combine_chunks() if isinstance(met, pa.ChunkedArray) else met
