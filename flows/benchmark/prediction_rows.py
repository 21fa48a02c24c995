"""Rows of a file of predictions, and the values in them: JSON Lines, CSV or Parquet, in one form."""

import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import DataError
from contracts.failures import legible
from contracts.json_text import json_value
from corpora.delimited import separated_rows

_LARGEST: Final = 1e100  # its square is still a number
# Python's float() also takes 1_0 and the digits of any script, which nobody writes down as a score.
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a file: where it stands, for messages, and its values by column; text that is empty counts as null in CSV."""

    where: str
    values: Mapping[str, Any]

    def problem(self, column: str, what: str) -> DataError:
        """Return the error that names the place."""
        return DataError(f"{self.where}, {column}: {what}")


def opened(path: Path) -> tuple[Sequence[str], Iterable[Row]]:
    """Return the columns of a file and its rows.

    Raises:
        DataError: it cannot be read, or has no rows.
    """
    kind = path.suffix.casefold()
    try:
        if kind == ".parquet":
            file = pq.ParquetFile(path)
            if not file.metadata.num_rows:
                raise DataError(f"{path} has no rows")
            return list(file.schema_arrow.names), _of_parquet(path, file)
        if kind not in {".jsonl", ".csv"}:
            raise DataError(f"{path}: predictions are .jsonl, .csv or .parquet")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error
    if kind == ".csv":
        rows = [_csv_row(path, number, fields) for number, fields in separated_rows(text, str(path), _any, (), tabs=False)]
    else:
        rows = list(_of_json_lines(path, text))
    if not rows:
        raise DataError(f"{path} has no rows")
    return list(dict.fromkeys(name for row in rows for name in row.values)), rows


def _any(_header: list[str], _where: str) -> None:
    """Take any header."""


def _csv_row(path: Path, number: int, fields: Mapping[str, str] | None) -> Row:
    if fields is None:
        raise DataError(f"{path}, row {number}: it has not as many fields as the header, or is badly quoted")
    return Row(where=f"{path}, row {number}", values={name: value if value.strip() else None for name, value in fields.items()})


def _of_json_lines(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            values = json_value(line.strip())
        except ValueError as error:
            raise DataError(f"{path}, line {number}: no JSON ({error})") from error
        if not isinstance(values, dict):
            raise DataError(f"{path}, line {number}: every line must be one JSON object")
        yield Row(where=f"{path}, line {number}", values=values)


def _of_parquet(path: Path, file: pq.ParquetFile) -> Iterator[Row]:
    number = 0
    try:
        for batch in file.iter_batches():
            for values in batch.to_pylist():
                yield Row(where=f"{path}, row {number}", values=values)
                number += 1
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be read after row {number}: {' '.join(str(error).split())[:200]}") from error


def named(row: Row, column: str) -> dict[str, float] | None:
    """Return scores by name; None = there are none."""
    given = row.values.get(column)
    if isinstance(given, str):
        try:
            given = json_value(given)
        except ValueError as error:
            raise row.problem(column, f"no JSON object ({error})") from error
    if isinstance(given, list):  # a map column of Parquet
        given = dict(given)
    if given is None:
        return None
    if not isinstance(given, dict):
        raise row.problem(column, f"{given!r:.60} is no object of scores by name")
    scores = {legible(str(name)): finite(row, f"{column}.{name}", value) for name, value in given.items()}
    return {name: value for name, value in scores.items() if value is not None}


def number_in(row: Row, column: str, *, lowest: float = -math.inf) -> float | None:
    """Return the number in a column; None = there is none."""
    value = finite(row, column, row.values.get(column))
    if value is not None and value < lowest:
        raise row.problem(column, f"{value:g} is below {lowest:g}")
    return value


def finite(row: Row, column: str, value: Any) -> float | None:
    """Return a number; scores are compared as numbers, never as texts."""
    if value is None:
        return None
    is_number = _NUMBER.fullmatch(value) if isinstance(value, str) else not isinstance(value, bool)
    try:
        number = float(value) if is_number else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise row.problem(column, f"{value!r:.60} is no finite number")
    if abs(number) > _LARGEST:
        raise row.problem(column, f"{number:g} is beyond {_LARGEST:g}, which nothing is scored by")
    return number
