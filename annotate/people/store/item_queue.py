"""The queue of items: adding and withdrawing items, their order, and the choice of the next item of an annotator."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, text, update

from annotate.people.store.gold import check_gold
from annotate.people.store.item import Item
from annotate.people.store.json_columns import item_from, item_text
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.protocol import asks_about_critiques
from annotate.people.store.store_records import Refused
from annotate.people.store.store_tables import items, note_change, state
from annotate.people.store.vote_counts import recount
from annotate.people.store.vote_writer import Commits
from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.languages import MIXED
from contracts.rng import hash_fraction

_CHUNK: Final = 1000

# The states are literals, so that the database uses its partial indexes.
_NOT_HAD: Final = """NOT EXISTS (
        SELECT 1 FROM listening_assignments a
        WHERE a.annotator_id = :annotator AND a.subject_id = i.subject_id AND a.state IN ('open', 'answered'))"""
_FIRST: Final = text(
    f"""
    SELECT i.item_id, i.subject_id, i.queued, i.place FROM listening_items i
    WHERE i.queued = :queued AND i.language = :language AND i.place > :after AND {_NOT_HAD}
    ORDER BY i.place LIMIT 1"""  # noqa: S608 - constants only
)
_GOLD: Final = text(
    f"""
    SELECT i.item_id FROM listening_items i
    WHERE i.gold IS NOT NULL AND NOT i.withdrawn AND i.language = :language AND {_NOT_HAD}"""  # noqa: S608 - constants only
)
_content = select(items.c.content).where(items.c.item_id == bindparam("key"))
_by_id = items.c.item_id == bindparam("key")


def add_items(commits: Commits, settings: ListeningSettings, added: Iterable[Item]) -> int:
    """Add items, and order the untouched ones by stratum; return the number of new items.

    Raises:
        DataError: an item does not fit the settings.
        DatabaseFailed: the database fails; a retry continues.
    """
    new, waiting = 0, iter(added)
    while chunk := list(islice(waiting, _CHUNK)):
        for item in chunk:
            _check(item, settings)
        new += commits.write(lambda connection, chunk=chunk: _add(connection, settings, chunk))  # type: ignore[misc]
    if new:
        commits.write(lambda connection: _spread_strata(connection, settings))
    return new


def _check(item: Item, settings: ListeningSettings) -> None:
    if len(item.clips) != settings.protocol.clips:
        raise DataError(
            f"item {item.item_id} has {len(item.clips)} clips, "
            f"protocol {settings.protocol_name} asks about {settings.protocol.clips}"
        )
    if (item.critique is not None) != asks_about_critiques(settings.protocol):
        raise DataError(
            f"item {item.item_id} has {'a' if item.critique is not None else 'no'} critique, "
            f"protocol {settings.protocol_name} asks about {'clips' if item.critique is not None else 'critiques'}"
        )
    if item.language not in settings.languages and item.language != MIXED:
        raise DataError(
            f"item {item.item_id} is in {item.language!r}, "
            f"which is none of the test's languages: {', '.join(settings.languages)}"
        )
    if item.gold:
        check_gold(settings.protocol, item.gold)


def _add(connection: Connection, settings: ListeningSettings, chunk: Sequence[Item]) -> int:
    chunk = list({item.item_id: item for item in chunk}.values())
    ids = [item.item_id for item in chunk]
    known = {
        row.item_id: row
        for row in connection.execute(
            select(items.c.item_id, items.c.withdrawn, items.c.subject_id).where(items.c.item_id.in_(ids))
        )
    }
    new = [item for item in chunk if item.item_id not in known]
    back = [row for row in known.values() if row.withdrawn]
    if not new and not back:
        return 0
    # A changed item (another note, another loudness) replaces the former item of its subject.
    subjects = [item.subject_id for item in new if not item.gold] + [row.subject_id for row in back]
    replaced = update(items).where(items.c.subject_id.in_(subjects), items.c.gold.is_(None), ~items.c.withdrawn)
    former = set(connection.execute(replaced.values(withdrawn=True).returning(items.c.subject_id)).scalars())
    wanted = settings.protocol.votes_needed(())
    if new:
        connection.execute(insert(items), [_row(item, settings.seed, wanted) for item in new])
    if back:
        connection.execute(update(items).where(items.c.item_id.in_([row.item_id for row in back])).values(withdrawn=False))
    voted = connection.execute(
        text("SELECT DISTINCT subject_id FROM listening_assignments WHERE subject_id IN :subjects").bindparams(
            bindparam("subjects", expanding=True)
        ),
        {"subjects": [item.subject_id for item in new]},
    ).scalars()
    for subject in sorted({*former, *voted, *(row.subject_id for row in back)}):
        recount(connection, settings, subject, returned=True)
    note_change(connection)
    return len(new)


def _row(item: Item, seed: int, wanted: int) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "subject_id": item.subject_id,
        "language": item.language,
        "stratum": item.stratum,
        "content": item_text(item),
        "gold": canonical_json(list(item.gold)) if item.gold else None,
        "withdrawn": False,
        "queued": None if item.gold else 0,
        "place": int(hash_fraction(seed, "listening_place", item.item_id) * 2**53),
        "wanted": wanted,
    }


def _spread_strata(connection: Connection, settings: ListeningSettings) -> None:
    """Order the untouched items so that every stratum progresses at the same rate."""
    strata = defaultdict(list)
    for item_id, stratum in connection.execute(select(items.c.item_id, items.c.stratum).where(items.c.queued == 0)):
        strata[stratum].append((hash_fraction(settings.seed, "listening_place", item_id), item_id))
    ranked = []
    for stratum, members in strata.items():
        start = hash_fraction(settings.seed, "listening_stratum", stratum)
        ranked += [((rank + start) / len(members), item_id) for rank, (_, item_id) in enumerate(sorted(members))]
    places = [{"key": item_id, "spread": place} for place, (_, item_id) in enumerate(sorted(ranked), 1)]
    if places:
        connection.execute(update(items).where(_by_id).values(place=bindparam("spread")), places)


def withdraw(commits: Commits, settings: ListeningSettings, item_ids: Iterable[str]) -> None:
    """Withdraw items from the queue.

    Raises:
        Refused: ``unknown_item``.
    """
    waiting = iter(item_ids)
    while chunk := list(islice(waiting, _CHUNK)):
        commits.write(lambda connection, chunk=chunk: _withdraw(connection, settings, chunk))  # type: ignore[misc]


def _withdraw(connection: Connection, settings: ListeningSettings, item_ids: Iterable[str]) -> None:
    for item_id in item_ids:
        subject = _subject_of(connection, item_id)
        connection.execute(update(items).where(_by_id).values(withdrawn=True), {"key": item_id})
        recount(connection, settings, subject, returned=False)
    note_change(connection)


def set_closed(connection: Connection, *, closed: bool) -> None:
    """Stop or resume the assignment of items."""
    if connection.execute(update(state).where(state.c.closed.is_not(closed)).values(closed=closed)).rowcount:
        note_change(connection)


def make_gold(connection: Connection, settings: ListeningSettings, item_id: str, values: Sequence[str]) -> None:
    """Make an item gold.

    Raises:
        Refused: ``unknown_item``, ``unknown_value``.
    """
    check_gold(settings.protocol, values)
    _set_gold(connection, settings, item_id, canonical_json(list(dict.fromkeys(values))))


def unmake_gold(connection: Connection, settings: ListeningSettings, item_id: str) -> None:
    """Make an item an ordinary one.

    Raises:
        Refused: ``unknown_item``, ``only_gold``.
    """
    _subject_of(connection, item_id)
    if item_from(connection.execute(_content, {"key": item_id}).scalar_one()).only_gold:
        raise Refused(
            "only_gold", "the build made this item as a test: it asks about no pair, so it cannot be an ordinary item"
        )
    _set_gold(connection, settings, item_id, None)


def _set_gold(connection: Connection, settings: ListeningSettings, item_id: str, gold: str | None) -> None:
    subject = _subject_of(connection, item_id)
    connection.execute(update(items).where(_by_id).values(gold=gold), {"key": item_id})
    recount(connection, settings, subject, returned=True)
    note_change(connection)


def _subject_of(connection: Connection, item_id: str) -> str:
    subject = connection.execute(select(items.c.subject_id).where(_by_id), {"key": item_id}).scalar()
    if subject is None:
        raise Refused("unknown_item", f"there is no item {item_id}")
    return str(subject)


def pick_ordinary(connection: Connection, annotator_id: str, languages: Sequence[str], looked: int) -> tuple[Any, int]:
    """Return the next item of an annotator: the begun item that has waited longest, else the next untouched one.

    Args:
        connection: in a transaction.
        annotator_id: the annotator.
        languages: languages that the annotator understands.
        looked: place up to which the annotator has had all begun items.

    Returns:
        A row of item_id and subject_id, None where there is no item; and the value of ``looked`` once the item is assigned.
    """
    params = {"after": looked, "annotator": annotator_id}
    if begun := _first(connection, languages, params | {"queued": 1}):
        return begun, begun.place
    everywhere = int(connection.execute(select(state.c.begun)).scalar_one())
    return _first(connection, languages, params | {"queued": 0, "after": -1}), everywhere


def _first(connection: Connection, languages: Sequence[str], params: dict[str, Any]) -> Any:
    found = [connection.execute(_FIRST, params | {"language": language}).first() for language in languages]
    return min((row for row in found if row is not None), key=lambda row: row.place, default=None)


def pick_gold(connection: Connection, settings: ListeningSettings, annotator_id: str, languages: Sequence[str]) -> str | None:
    """Return a random gold item that the annotator has not had; None = none is left."""
    left: list[str] = []
    for language in languages:
        left += connection.execute(_GOLD, {"annotator": annotator_id, "language": language}).scalars().all()
    if not left:
        return None
    generator = settings.generator("listening_gold_item", f"{annotator_id}/{len(left)}")
    return str(sorted(left)[int(generator.integers(len(left)))])
