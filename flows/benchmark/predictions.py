"""Predictions of a model that ran elsewhere, as a file: JSON Lines, CSV or Parquet.

Columns:

- ``item_id``, or the release's own id column: which item.
- ``reply``: the model's raw reply, read by the strict parser of the task; ``reasoning_content`` beside it holds the ``<think>``
  block that a server took out of it. An empty or null reply is one that cannot be read.
- or, instead of ``reply``, what was read from it. For pairs ``verdict`` (``a``, ``b`` or ``tie``; null = no answer), or
  ``score_a`` and ``score_b``; with both, ``scores_a`` and ``scores_b`` may give a score per dimension. For single clips
  ``score``, where the release has one scale, or ``scores``: a score per scale. Scores by name are an object, in CSV as JSON.
- optionally ``order``: ``stored`` or ``swapped``. The reply, verdict and scores of a row go by the order of *playing*: ``a`` is
  the clip that was played first.
- optionally ``vote``: 0 for the first of several equal questions, 1 for the next; ``cost_usd`` and ``latency_s`` of the row.

Other columns are not looked at. Every item needs one row for each order and vote that the file has.
"""

import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from annotate.models.parse.envelope import with_thoughts
from annotate.models.task import TaskSpec
from contracts.errors import DataError, RecipeError
from contracts.failures import legible
from contracts.json_text import json_value
from corpora.delimited import separated_rows
from flows.benchmark.judge_answers import JUDGE_ANSWERS, in_stored_order, read_reply, unreadable
from flows.benchmark.released_items import ReleasedItems

ORDERS: Final = {"stored": "ab", "swapped": "ba"}
_VERDICTS: Final = {"a": "a", "b": "b", "tie": None}
_SHOWN: Final = 5
_MOST_VOTES: Final = 1000


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A row of a file: where it stands, for messages, and its values by column; text that is empty counts as null in CSV."""

    where: str
    values: Mapping[str, Any]

    def problem(self, column: str, what: str) -> DataError:
        return DataError(f"{self.where}, {column}: {what}")


def read_predictions(path: Path, items: ReleasedItems, task: TaskSpec | None, *, scale: str | None = None) -> pa.Table:
    """Return the answers in a file, rows of ``JUDGE_ANSWERS``.

    Args:
        path: the file.
        items: the items that it must be about, all of them.
        task: in whose format replies are; None = not known, for files without replies.
        scale: a scale that scores may be on beside those of the release (``flows.benchmark.judge_answers.on_scale``).

    Raises:
        DataError: it cannot be read, a value is none that its column can have, or ids are missing, double or unknown.
        RecipeError: it has replies, and no task is known.
    """
    columns, rows = _opened(path)
    key = next((name for name in ("item_id", items.id_column) if name in columns), None)
    if key is None:
        raise DataError(
            f"{path}: no column item_id, nor {items.id_column} as in the release; it has {', '.join(columns)[:200]}"
        )
    scales = [*items.true_scores, *([scale] if scale is not None else [])] if items.about == "samples" else []
    reader = _reader_of(path, columns, items, task, scales)
    found = list[dict[str, Any]]()
    for row in rows:
        item = row.values.get(key)
        if not isinstance(item, str | int) or item == "":
            raise row.problem(key, f"{item!r} is no id of an item")
        order = _order(row)
        place = {"item_id": legible(str(item)), "order": order, "vote": _vote(row)}
        numbers = {name: _number(row, name, lowest=0.0) for name in ("cost_usd", "latency_s") if name in columns}
        found.append(place | numbers | reader(row, order))
    if not found:
        raise DataError(f"{path} has no rows")
    _require_each_once(path, found, items)
    return pa.Table.from_pylist(found, schema=JUDGE_ANSWERS)


def _reader_of(path: Path, columns: Sequence[str], items: ReleasedItems, task: TaskSpec | None, scales: Sequence[str]) -> Any:
    """Return what reads the answer of a row, by the columns that the file has."""
    there = set(columns)
    if "reply" in there:
        if task is None:
            raise RecipeError(f"{path} has replies, and the release does not say in which task's format: name it with --task")
        return lambda row, order: _reply(row, task, order)
    if items.about == "pairs":
        if "verdict" in there or {"score_a", "score_b"} <= there:
            return _preference
        wanted = "reply, verdict, or score_a and score_b"
    else:
        if "scores" in there:
            return lambda row, _order: _scales(row, scales)
        if "score" in there and len(scales) == 1:
            return lambda row, _order: _scores_of({scales[0]: _number(row, "score")})
        wanted = "reply, or scores by scale" + (", or score" if len(scales) == 1 else f": {', '.join(scales)}")
    raise DataError(f"{path}: no column with answers about {items.about}: it needs {wanted}; it has {', '.join(columns)[:200]}")


def _reply(row: _Row, task: TaskSpec, order: str) -> dict[str, Any]:
    reply, thoughts = (row.values.get(name) for name in ("reply", "reasoning_content"))
    for name, value in (("reply", reply), ("reasoning_content", thoughts)):
        if not isinstance(value, str | None):
            raise row.problem(name, f"{value!r:.60} is no text")
    if not (reply or "").strip():
        return unreadable("empty_reply", "there is no reply")
    assert isinstance(reply, str)
    return read_reply(task, with_thoughts(reply, thoughts) if thoughts and thoughts.strip() else reply, order)


def _preference(row: _Row, order: str) -> dict[str, Any]:
    of_a, of_b = (_named(row, name) for name in ("scores_a", "scores_b"))
    if "verdict" in row.values:
        given = row.values["verdict"]
        if given is None:
            return unreadable("no_answer", "the verdict is null")
        word = given.strip().casefold() if isinstance(given, str) else given
        if word not in _VERDICTS:
            raise row.problem("verdict", f"{given!r:.60} is none of a, b and tie")
        return in_stored_order(_VERDICTS[word], of_a, of_b, order)
    a, b = (_number(row, name) for name in ("score_a", "score_b"))
    if a is None or b is None:
        return unreadable("no_answer", "a score is null")
    verdict = None if a == b else ("a" if a > b else "b")
    return in_stored_order(verdict, of_a, of_b, order)


def _scales(row: _Row, scales: Sequence[str]) -> dict[str, Any]:
    scores = _named(row, "scores")
    if scores is not None and (unknown := sorted(set(scores) - set(scales))):
        raise row.problem("scores", f"the release has no scale {unknown[0]!r:.60}, it has {', '.join(scales)}")
    return _scores_of(scores or {})


def _scores_of(scores: Mapping[str, float | None]) -> dict[str, Any]:
    known = [(name, value) for name, value in scores.items() if value is not None]
    return {"scores": known} if known else unreadable("no_answer", "there is no score")


def _named(row: _Row, column: str) -> dict[str, float] | None:
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
    scores = {legible(str(name)): _finite(row, f"{column}.{name}", value) for name, value in given.items()}
    return {name: value for name, value in scores.items() if value is not None}


def _number(row: _Row, column: str, *, lowest: float = -math.inf) -> float | None:
    value = _finite(row, column, row.values.get(column))
    if value is not None and value < lowest:
        raise row.problem(column, f"{value:g} is below {lowest:g}")
    return value


def _finite(row: _Row, column: str, value: Any) -> float | None:
    """Return a number; scores are compared as numbers, never as texts."""
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise row.problem(column, f"{value!r:.60} is no finite number")
    return number


def _order(row: _Row) -> str:
    given = row.values.get("order")
    if given is None:
        return ORDERS["stored"]
    if given not in ORDERS:
        raise row.problem("order", f"{given!r:.60} is none of {', '.join(ORDERS)}")
    return ORDERS[given]


def _vote(row: _Row) -> int:
    number = _number(row, "vote", lowest=0.0) or 0.0
    if not number.is_integer() or number >= _MOST_VOTES:
        raise row.problem("vote", f"{number:g} is no whole number below {_MOST_VOTES}")
    return int(number)


def _require_each_once(path: Path, found: Sequence[Mapping[str, Any]], items: ReleasedItems) -> None:
    """Refuse ids that are unknown, double or missing, with the first few of them and their number."""
    counts = Counter((row["item_id"], row["order"], row["vote"]) for row in found)
    known, runs = set(items.ids), sorted({(order, vote) for _, order, vote in counts})
    unknown = dict.fromkeys(item for item, _, _ in counts if item not in known)
    double = [run for run, number in counts.items() if number > 1]
    missing = [(item, order, vote) for order, vote in runs for item in items.ids if (item, order, vote) not in counts]
    problems = [
        ("are not in the split", list(unknown)),
        ("have more than one row", [_named_run(one, runs) for one in double]),
        ("of the split have no row", [_named_run(one, runs) for one in missing]),
    ]
    if told := [f"{len(ids)} ids {what} ({', '.join(ids[:_SHOWN])})" for what, ids in problems if ids]:
        raise DataError(f"{path} against {items}, {len(items.ids)} items: {'; '.join(told)}")


def _named_run(run: tuple[str, str, int], runs: Sequence[tuple[str, int]]) -> str:
    item, order, vote = run
    word = next(name for name, code in ORDERS.items() if code == order)
    return item if len(runs) == 1 else f"{item} in order {word}, vote {vote}"


def _opened(path: Path) -> tuple[Sequence[str], Iterable[_Row]]:
    """Return the columns of a file and its rows."""
    kind = path.suffix.casefold()
    try:
        if kind == ".parquet":
            file = pq.ParquetFile(path)
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
    return list(dict.fromkeys(name for row in rows for name in row.values)), rows


def _any(_header: list[str], _where: str) -> None:
    """Take any header."""


def _csv_row(path: Path, number: int, fields: Mapping[str, str] | None) -> _Row:
    if fields is None:
        raise DataError(f"{path}, row {number}: it has not as many fields as the header, or is badly quoted")
    return _Row(
        where=f"{path}, row {number}", values={name: value if value.strip() else None for name, value in fields.items()}
    )


def _of_json_lines(path: Path, text: str) -> Iterator[_Row]:
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            values = json_value(line.strip())
        except ValueError as error:
            raise DataError(f"{path}, line {number}: no JSON ({error})") from error
        if not isinstance(values, dict):
            raise DataError(f"{path}, line {number}: every line must be one JSON object")
        yield _Row(where=f"{path}, line {number}", values=values)


def _of_parquet(path: Path, file: pq.ParquetFile) -> Iterator[_Row]:
    number = 0
    try:
        for batch in file.iter_batches():
            for values in batch.to_pylist():
                yield _Row(where=f"{path}, row {number}", values=values)
                number += 1
    except pa.ArrowException as error:
        raise DataError(f"{path} cannot be read after row {number}: {' '.join(str(error).split())[:200]}") from error
