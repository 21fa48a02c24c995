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

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from annotate.models.parse.envelope import with_thoughts
from annotate.models.task import TaskSpec
from contracts.errors import DataError, RecipeError
from contracts.failures import legible
from contracts.ids import canonical_json
from flows.benchmark.judge_answers import JUDGE_ANSWERS, in_stored_order, read_reply, unreadable
from flows.benchmark.prediction_rows import Row, named, number_in, opened
from flows.benchmark.released_items import ReleasedItems

ORDERS: Final = {"stored": "ab", "swapped": "ba"}
_VERDICTS: Final = {"a": "a", "b": "b", "tie": None}
_SHOWN: Final = 5
_MOST_VOTES: Final = 1000


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
    columns, rows = opened(path)
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
        own = row.values.get(items.id_column)
        if own is not None and str(own) != str(item):
            raise row.problem(key, f"{item!r:.60} is another item than {items.id_column} {own!r:.60}: leave one of them out")
        order = _order(row)
        place = {"item_id": legible(str(item)), "order": order, "vote": _vote(row)}
        numbers = {name: number_in(row, name, lowest=0.0) for name in ("cost_usd", "latency_s") if name in columns}
        found.append(place | numbers | reader(row, order))
    _require_each_once(path, found, items)
    return pa.Table.from_pylist(found, schema=JUDGE_ANSWERS)


def told_file(path: Path, scale: str | None) -> str:
    """Return which file predictions are of, for results: its content's hash, and the scale that is compared."""
    try:
        told = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return canonical_json(told if scale is None else told | {"scale": scale})


def _reader_of(path: Path, columns: Sequence[str], items: ReleasedItems, task: TaskSpec | None, scales: Sequence[str]) -> Any:
    """Return what reads the answer of a row, by the columns that the file has."""
    there = set(columns)
    if "reply" in there:
        if task is None:
            raise RecipeError(f"{path} has replies, and the release does not say in which task's format: name it with --task")
        return lambda row, order: _reply(row, task, order)
    if items.about == "pairs":
        dimensions = list(dict.fromkeys([*items.true_leads, *(one.name for one in (task.dimensions if task else ()))]))
        if "verdict" in there or {"score_a", "score_b"} <= there:
            return lambda row, order: _preference(row, order, dimensions)
        wanted = "reply, verdict, or score_a and score_b"
    else:
        if "scores" in there:
            return lambda row, _order: _scales(row, scales)
        if "score" in there and len(scales) == 1:
            return lambda row, _order: _scores_of({scales[0]: number_in(row, "score")})
        wanted = "reply, or scores by scale" + (", or score" if len(scales) == 1 else f": {', '.join(scales)}")
    raise DataError(f"{path}: no column with answers about {items.about}: it needs {wanted}; it has {', '.join(columns)[:200]}")


def _reply(row: Row, task: TaskSpec, order: str) -> dict[str, Any]:
    reply, thoughts = (row.values.get(name) for name in ("reply", "reasoning_content"))
    for name, value in (("reply", reply), ("reasoning_content", thoughts)):
        if not isinstance(value, str | None):
            raise row.problem(name, f"{value!r:.60} is no text")
    if not (reply or "").strip():
        return unreadable("empty_reply", "there is no reply")
    assert isinstance(reply, str)
    found = read_reply(task, with_thoughts(reply, thoughts) if thoughts and thoughts.strip() else reply, order)
    if "verdict" in found and (word := _verdict(row)) is not None:
        said = found["verdict"] if order == ORDERS["stored"] else {"a": "b", "b": "a"}.get(found["verdict"])
        if _VERDICTS[word] != said:
            raise row.problem("verdict", f"{word!r}, and the reply says {said or 'tie'}: leave out what is not meant")
    return found


def _preference(row: Row, order: str, dimensions: Collection[str]) -> dict[str, Any]:
    of_a, of_b = (_known(row, f"scores_{side}", dimensions, "dimension") for side in "ab")
    a, b = (number_in(row, name) for name in ("score_a", "score_b"))
    by_scores = None if a is None or b is None else "tie" if a == b else "a" if a > b else "b"
    if "verdict" not in row.values:
        if by_scores is None:
            return unreadable("no_answer", "a score is null")
        return in_stored_order(_VERDICTS[by_scores], of_a, of_b, order)
    word = _verdict(row)
    if by_scores is not None and word != by_scores:
        said = f"{word!r}, and score_a {a:g} and score_b {b:g} say {by_scores}"
        raise row.problem("verdict", f"{said}: leave out what is not meant")
    if word is None:
        return unreadable("no_answer", "the verdict is null")
    return in_stored_order(_VERDICTS[word], of_a, of_b, order)


def _verdict(row: Row) -> str | None:
    given = row.values.get("verdict")
    word = given.strip().casefold() if isinstance(given, str) else given
    if word is not None and (not isinstance(word, str) or word not in _VERDICTS):
        raise row.problem("verdict", f"{given!r:.60} is none of a, b and tie")
    return word


def _known(row: Row, column: str, names: Collection[str], what: str) -> dict[str, float] | None:
    """Return scores by name, all of them names that the release knows; None = there are none."""
    scores = named(row, column)
    if names and scores is not None and (unknown := sorted(set(scores) - set(names))):
        raise row.problem(column, f"the release has no {what} {unknown[0]!r:.60}, it has {', '.join(names)}")
    return scores


def _scales(row: Row, scales: Sequence[str]) -> dict[str, Any]:
    scores = _known(row, "scores", scales, "scale") or {}
    if len(scales) == 1 and (one := number_in(row, "score")) is not None and scores.get(scales[0], one) != one:
        raise row.problem("score", f"{one:g}, and scores has {scores[scales[0]]:g}: leave out what is not meant")
    return _scores_of(scores)


def _scores_of(scores: Mapping[str, float | None]) -> dict[str, Any]:
    known = [(name, value) for name, value in scores.items() if value is not None]
    return {"scores": known} if known else unreadable("no_answer", "there is no score")


def _order(row: Row) -> str:
    given = row.values.get("order")
    if given is None:
        return ORDERS["stored"]
    if not isinstance(given, str) or given not in ORDERS:
        raise row.problem("order", f"{given!r:.60} is none of {', '.join(ORDERS)}")
    return ORDERS[given]


def _vote(row: Row) -> int:
    number = number_in(row, "vote", lowest=0.0) or 0.0
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
