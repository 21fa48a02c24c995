"""Counts of a release's rows, for the data set card."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import SchemaError
from storage.columns import Count, ReleaseSchema

_FRAME: Final = {
    "language": Count(columns=("language",)),
    "license": Count(columns=("license",)),
    "corpus": Count(columns=("corpus", "license")),
}
"""Counts of every card."""

_UNKNOWN: Final = "unknown"


class Tally:
    """Counts the rows of a release as they are written.

    Attributes:
        schemas: configuration -> release schema; all are of one sort of item.
        rows: configuration and split -> rows.
        labels: configuration and split -> label -> rows.
        synthetic: whether a machine spoke one of the clips.
    """

    def __init__(self, schemas: Mapping[str, ReleaseSchema]) -> None:
        """Count nothing yet.

        Raises:
            SchemaError: the configurations have several sorts of items, for which there is no card.
        """
        self.schemas = schemas
        bodies = {schema.body.template: schema.body for schema in schemas.values()}
        if len(bodies) != 1:
            raise SchemaError(f"a release holds one sort of item; got {', '.join(sorted(bodies)) or 'none'}")
        (self.body,) = bodies.values()
        self.rows: dict[tuple[str, str], int] = {}
        self.labels: dict[tuple[str, str], Counter[str]] = {}
        self.synthetic = False
        self._declared = {**_FRAME, **self.body.counts}
        self._counts: dict[str, Counter[Any]] = {name: Counter() for name in self._declared}

    def open(self, config: str, split: str) -> None:
        """Start a split, so that one without rows is counted, too."""
        self.rows[config, split], self.labels[config, split] = 0, Counter()

    def add(self, config: str, split: str, rows: pa.Table) -> None:
        """Count a table of release rows; missing columns are not counted."""
        schema = self.schemas[config]
        self.rows[config, split] += rows.num_rows
        if schema.label_column is not None:
            self.labels[config, split].update(_values(rows, [schema.label_column]))
        for what, count in self._declared.items():
            for names in count.names():
                self._counts[what].update(_values(rows, names, count.bounds))
        spoken = (rows[name] for name in schema.synthetic_columns if name in rows.column_names)
        self.synthetic = self.synthetic or any(pc.any(column).as_py() for column in spoken)

    def sorted(self, what: str) -> list[tuple[Any, int]]:
        """Return the counted values of one kind, most frequent first; numbers in bins in their order, the empty ones too."""
        bounds = self._declared[what].bounds
        if bounds:
            found = [(word, self._counts[what][word]) for word in _words(bounds)]
            unknown = self._counts[what][_UNKNOWN]
            return [*found, (_UNKNOWN, unknown)] if unknown else found
        return sorted(self._counts[what].items(), key=lambda item: (-item[1], str(item[0])))

    def records(self, what: str) -> list[tuple[dict[str, Any], int]]:
        """Return the same with the values of several columns by name."""
        return [(dict(zip(self._declared[what].columns, values, strict=True)), n) for values, n in self.sorted(what)]

    def values(self, what: str) -> list[str]:
        """Return the single-column values of one kind in alphabetical order."""
        return sorted({value for value in self._counts[what] if value is not None})


def _values(rows: pa.Table, columns: Sequence[str], bounds: Sequence[float] = ()) -> dict[Any, int]:
    if not set(columns) <= set(rows.column_names):
        return {}
    if bounds:
        rows = rows.select(columns).set_column(0, columns[0], _binned(rows[columns[0]], bounds))
    grouped = rows.select(columns).group_by(list(columns)).aggregate([([], "count_all")])
    keys = zip(*(grouped[column].to_pylist() for column in columns), strict=True)
    return {key if len(columns) > 1 else key[0]: n for key, n in zip(keys, grouped["count_all"].to_pylist(), strict=True)}


def _words(bounds: Sequence[float]) -> list[str]:
    return [*(f"up to {bound:g}" for bound in bounds), f"more than {bounds[-1]:g}"]


def _binned(column: pa.ChunkedArray, bounds: Sequence[float]) -> pa.Array:
    """Return the bin of each number, in words; rounded first, so that 3.7 - 3.5 is in the bin of 0.2."""
    numbers = pc.round(column.cast(pa.float64()), 9).to_numpy()
    words = pa.array([*_words(bounds), _UNKNOWN]).take(pa.array(np.digitize(numbers, bounds, right=True)))
    return pc.if_else(pc.is_valid(column), words, _UNKNOWN)
