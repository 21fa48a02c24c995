"""The gold file of a listening test: pairs or samples whose right answer is known."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotate.listening.gold import check_gold
from annotate.listening.protocol import ListeningProtocol
from annotate.listening.records import Refused
from contracts.errors import DataError, RecipeError


def read_gold(path: str | None, key: str, protocol: ListeningProtocol) -> dict[str, tuple[str, ...]]:
    """Return subject -> values that a right answer may have, in the stored order of its clips.

    Args:
        path: CSV (columns ``key`` and ``values``, several divided by ``|``) or JSONL (``values`` a list); None = no gold.
        key: ``pair_id`` or ``sample_id``.
        protocol: what is asked; it says which values there can be.

    Raises:
        RecipeError: the file cannot be read.
        DataError: a row lacks a field, has an unknown value, or names a subject twice; the message names file and row.
    """
    if path is None:
        return {}
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"listening.gold: {path} cannot be read: {error}") from error
    found: dict[str, tuple[str, ...]] = {}
    for number, row in _rows(path, text):
        subject, given = row.get(key), row.get("values")
        values = tuple(given.split("|")) if given and isinstance(given, str) else given
        if not isinstance(subject, str) or not subject or not values or not isinstance(values, list | tuple):
            raise DataError(f"{path}, row {number}: wants {key} and values, got {', '.join(map(str, row)) or 'nothing'}")
        values = tuple(str(value).strip() for value in values)
        try:
            check_gold(protocol, values)
        except Refused as refused:
            raise DataError(f"{path}, row {number}: {refused}") from None
        if subject in found:
            raise DataError(f"{path}, row {number}: {key} {subject} is named twice")
        found[subject] = values
    return found


def _rows(path: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if path.endswith(".csv"):
        yield from ((number, dict(row)) for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2))
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, row {number}: no JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, row {number}: wants an object, got {type(row).__name__}")
        yield number, row
