"""Counts of a release's rows, for the data set card."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.columns import Body, Count, ReleaseSchema

_FRAME: Final = {
    "language": Count(columns=("language",)),
    "license": Count(columns=("license",)),
    "corpus": Count(columns=("corpus", "license")),
}
"""Counts of every card."""

_UNKNOWN: Final = "unknown"


class RowCounts:
    """Counts of some rows, as they are declared."""

    def __init__(self, declared: Mapping[str, Count]) -> None:
        """Count nothing yet."""
        self._declared = declared
        self._counts: dict[str, Counter[Any]] = {name: Counter() for name in declared}

    def add(self, rows: pa.Table) -> None:
        """Count a table of release rows; missing columns are not counted."""
        for what, count in self._declared.items():
            for names in count.names():
                self._counts[what].update(_values(rows, names, count.bounds))

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


class BodyTally(RowCounts):
    """Counts of the rows that one body of the card describes.

    Attributes:
        body: the body.
        configurations: the configurations whose rows it describes.
        synthetic: whether a machine spoke one of the clips.
    """

    def __init__(self, body: Body) -> None:
        """Count nothing yet."""
        super().__init__(body.counts)
        self.body = body
        self.configurations: list[str] = []
        self.synthetic = False


class Tally:
    """Counts the rows of a release as they are written.

    Attributes:
        schemas: configuration -> release schema.
        frame: counts of all rows.
        bodies: counts by body of the card, in the order of the configurations.
        rows: configuration and split -> rows.
        labels: configuration and split -> label -> rows.
    """

    def __init__(self, schemas: Mapping[str, ReleaseSchema]) -> None:
        """Count nothing yet."""
        self.schemas = schemas
        self.frame = RowCounts(_FRAME)
        by_template: dict[str, BodyTally] = {}
        for config, schema in schemas.items():
            by_template.setdefault(schema.body.template, BodyTally(schema.body)).configurations.append(config)
        self.bodies = list(by_template.values())
        self._body_of = {config: by_template[schema.body.template] for config, schema in schemas.items()}
        self.rows: dict[tuple[str, str], int] = {}
        self.labels: dict[tuple[str, str], Counter[str]] = {}

    def open(self, config: str, split: str) -> None:
        """Start a split, so that one without rows is counted, too."""
        self.rows[config, split], self.labels[config, split] = 0, Counter()

    def add(self, config: str, split: str, rows: pa.Table) -> None:
        """Count a table of release rows; missing columns are not counted."""
        schema, body = self.schemas[config], self._body_of[config]
        self.rows[config, split] += rows.num_rows
        if schema.label_column is not None:
            self.labels[config, split].update(_values(rows, [schema.label_column]))
        self.frame.add(rows)
        body.add(rows)
        spoken = (rows[name] for name in schema.synthetic_columns if name in rows.column_names)
        body.synthetic = body.synthetic or any(pc.any(column).as_py() for column in spoken)


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
