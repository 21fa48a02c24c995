"""The gold file of a listening test: pairs or samples with known answers, and applying its changes to a store."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from annotate.people.store.gold import check_gold
from annotate.people.store.item import Item
from annotate.people.store.protocol import ListeningProtocol
from annotate.people.store.store_records import Refused
from annotate.people.store.vote_store import Store
from contracts.errors import DataError, RecipeError
from contracts.json_text import json_value
from storage.state import read_state
from storage.workspace import Workspace

_FOLLOWED: Final = "listening.gold.json"
_FOLLOWED_VALUES: Final = TypeAdapter(dict[str, list[str]])
_FOLLOWED_LOST: Final = (
    "restore it from a backup, or remove it: the gold file is then applied anew, also to items that an admin made ordinary"
)


def read_gold(path: str | None, key: str, protocol: ListeningProtocol) -> dict[str, tuple[str, ...]]:
    """Return subject -> values of a right answer, in the stored order of its clips.

    Args:
        path: CSV (columns ``key`` and ``values``, several divided by ``|``) or JSONL (``values`` a list); None = no gold.
        key: ``pair_id`` or ``sample_id``.
        protocol: decides which values there can be.

    Raises:
        RecipeError: the file cannot be read.
        DataError: a row misses a field, has an unknown value, or names a subject twice; the message names file and row.
    """
    if path is None:
        return {}
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
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


def follow_gold(workspace: Workspace, store: Store, items: Sequence[Item]) -> None:
    """Apply the changes of the gold file since the last time to the store: new, changed and removed gold items.

    A change by an admin on the page stays until the file changes for that pair or sample.

    Args:
        workspace: remembers the last content of the file.
        store: store with all of these items.
        items: items of the recipe now, with the gold of the file.
    """
    try:
        followed = read_state(workspace, _FOLLOWED, _FOLLOWED_VALUES, advice=_FOLLOWED_LOST)
    except FileNotFoundError:
        followed = {}
    held = {item.item_id: item.gold for item in store.items()}
    now = dict(followed)
    for item in items:
        if list(item.gold) == followed.get(item.subject_id, []):
            continue
        if item.gold and held[item.item_id] != item.gold:
            store.make_gold(item.item_id, item.gold)
        elif not item.gold and held[item.item_id]:
            store.unmake_gold(item.item_id)
        now.pop(item.subject_id, None)
        if item.gold:
            now[item.subject_id] = list(item.gold)
    if now != followed:
        workspace.write(_FOLLOWED, json.dumps(now, indent=1, sort_keys=True).encode())


def gold_in(store: Store) -> dict[str, tuple[str, ...]]:
    """Return subject -> right values of the gold items in a store, whether a file or an admin made them gold."""
    return {item.subject_id: item.gold for item in store.items() if item.gold}


def _rows(path: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if path.endswith(".csv"):
        yield from _csv_rows(path, text)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json_value(line)
        except ValueError as error:
            raise DataError(f"{path}, row {number}: no JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, row {number}: wants an object, got {type(row).__name__}")
        yield number, row


def _csv_rows(path: str, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader, number = csv.DictReader(io.StringIO(text)), 0
    try:
        names = reader.fieldnames or ()
        if doubled := sorted({name for name in names if list(names).count(name) > 1}):
            raise DataError(f"{path}, row 1: column {doubled[0]!r} stands twice")
        for number, row in enumerate(reader, start=2):
            yield number, dict(row)
    except csv.Error as error:
        raise DataError(f"{path}, row {max(number, 1) + 1}: no valid CSV: {error}") from None
