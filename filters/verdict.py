"""What a filter says of each row, and what follows from it: kept rows, dropped rows and evidence.

A filter plug-in is a frozen dataclass with

- ``columns``: the columns that it reads, a ClassVar;
- ``makes_labels``: whether it makes the labels of people's votes, a ClassVar;
- ``needed_by``: the sources of labels that make no sense without it and so bring it into a recipe, a ClassVar: ``judge``,
  ``both_orders`` (a judge that hears each pair in both orders), ``ratings``, ``construction``;
- ``reasons(table) -> StringArray``: null = keep, else a counted word that says why the row drops;
- ``evidence(table, reasons) -> StringArray``: JSON of what the reason rests on, null for kept rows.

The table is the comparisons table, one row a pair: item_id, group_id, sample_a, sample_b, system_a, system_b, verdict
(``a``, ``b`` or null: of what the labels come from), judge_verdict (the judge's), total_a, total_b, votes_a, votes_b,
votes_none (the judge's), order_flip, judgment_ids, wer_a, wer_b (ratio), duration_a, duration_b (s), sample_rate_a,
sample_rate_b (Hz), loudness_a, loudness_b (LUFS), spoken_text_a, spoken_text_b, text, votes (people's:
list<struct<annotator_id: string, value: string>>).
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from contracts.ids import canonical_json


class Filter(Protocol):
    """Shape of a filter plug-in."""

    columns: ClassVar[tuple[str, ...]]
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ()

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return per row why it drops; null = keep."""
        ...

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return per dropped row the JSON of what its reason rests on; null for kept rows."""
        ...


def split(table: pa.Table, reasons: pa.StringArray) -> tuple[pa.Table, pa.Table]:
    """Return the rows without and the rows with a reason, each in their order, so that no row is lost.

    Raises:
        ValueError: not one reason a row.
    """
    if len(reasons) != table.num_rows:
        raise ValueError(f"a filter gave {len(reasons)} reasons for {table.num_rows} rows")
    return table.filter(pc.is_null(reasons)), table.filter(pc.is_valid(reasons))


def first_reason(rules: Sequence[tuple[str, pa.Array | pa.ChunkedArray]]) -> pa.StringArray:
    """Return per row the word of the first rule whose mask is true; null where none is.

    Args:
        rules: (word, boolean mask); a null in a mask counts as false.
    """
    masks = [mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask for _, mask in rules]
    conditions = pa.StructArray.from_arrays(masks, names=[str(place) for place in range(len(rules))])
    return pc.case_when(conditions, *[pa.scalar(word, pa.string()) for word, _ in rules])


def spread(texts: Sequence[str], reasons: pa.StringArray) -> pa.StringArray:
    """Put one text per dropped row, in order, back into an array of all rows; null for kept rows."""
    return pc.replace_with_mask(pa.nulls(len(reasons), pa.string()), pc.is_valid(reasons), pa.array(texts, pa.string()))


def quote(table: pa.Table, reasons: pa.StringArray, columns: Sequence[str]) -> pa.StringArray:
    """Return, as evidence, the named columns of each dropped row as canonical JSON; null for kept rows."""
    dropped = table.select(list(columns)).filter(pc.is_valid(reasons))
    return spread([canonical_json(row) for row in dropped.to_pylist()], reasons)
