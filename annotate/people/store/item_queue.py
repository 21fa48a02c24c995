"""Items: how they come in, in which order they are handed out, and which one an annotator gets."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, text, update

from annotate.people.store.counting import recount
from annotate.people.store.gold import check_gold
from annotate.people.store.item import Item
from annotate.people.store.json_columns import item_text
from annotate.people.store.store_records import Refused
from annotate.people.store.store_tables import items, note_change, state
from annotate.people.store.terms import Terms
from annotate.people.store.vote_writer import Commits
from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.languages import MIXED
from contracts.rng import hash_fraction

_CHUNK: Final = 1000

# Literal states, as only so the database knows that its partial indexes will do.
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
_by_id = items.c.item_id == bindparam("key")


def add_items(commits: Commits, terms: Terms, added: Iterable[Item]) -> int:
    """Put items in, and spread those that nobody has had yet; return how many are new.

    Raises:
        DataError: an item does not fit the terms.
        DatabaseFailed: the database fails; calling again goes on.
    """
    new, waiting = 0, iter(added)
    while chunk := list(islice(waiting, _CHUNK)):
        for item in chunk:
            _check(item, terms)
        new += commits.write(lambda connection, chunk=chunk: _add(connection, terms, chunk))  # type: ignore[misc]
    if new:
        commits.write(lambda connection: _spread(connection, terms))
    return new


def _check(item: Item, terms: Terms) -> None:
    if len(item.clips) != terms.protocol.clips:
        raise DataError(
            f"item {item.item_id} has {len(item.clips)} clips, protocol {terms.protocol_name} asks about {terms.protocol.clips}"
        )
    if item.language not in terms.languages and item.language != MIXED:
        raise DataError(
            f"item {item.item_id} is in {item.language!r}, which is none of the test's languages: {', '.join(terms.languages)}"
        )
    if item.gold:
        check_gold(terms.protocol, item.gold)


def _add(connection: Connection, terms: Terms, chunk: Sequence[Item]) -> int:
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
    # An item that was made anew, with another note or loudness, takes the place of the former one of its subject.
    subjects = [item.subject_id for item in new if not item.gold] + [row.subject_id for row in back]
    replaced = update(items).where(items.c.subject_id.in_(subjects), items.c.gold.is_(None), ~items.c.withdrawn)
    former = set(connection.execute(replaced.values(withdrawn=True).returning(items.c.subject_id)).scalars())
    wanted = terms.protocol.wanted(())
    if new:
        connection.execute(insert(items), [_row(item, terms.seed, wanted) for item in new])
    if back:
        connection.execute(update(items).where(items.c.item_id.in_([row.item_id for row in back])).values(withdrawn=False))
    voted = connection.execute(
        text("SELECT DISTINCT subject_id FROM listening_assignments WHERE subject_id IN :subjects").bindparams(
            bindparam("subjects", expanding=True)
        ),
        {"subjects": [item.subject_id for item in new]},
    ).scalars()
    for subject in sorted({*former, *voted, *(row.subject_id for row in back)}):
        recount(connection, terms, subject, returned=True)
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


def _spread(connection: Connection, terms: Terms) -> None:
    """Order the items that nobody has had yet, so that at any time about the same share of every stratum is done."""
    strata = defaultdict(list)
    for item_id, stratum in connection.execute(select(items.c.item_id, items.c.stratum).where(items.c.queued == 0)):
        strata[stratum].append((hash_fraction(terms.seed, "listening_place", item_id), item_id))
    ranked = []
    for stratum, members in strata.items():
        start = hash_fraction(terms.seed, "listening_stratum", stratum)
        ranked += [((rank + start) / len(members), item_id) for rank, (_, item_id) in enumerate(sorted(members))]
    places = [{"key": item_id, "spread": place} for place, (_, item_id) in enumerate(sorted(ranked), 1)]
    if places:
        connection.execute(update(items).where(_by_id).values(place=bindparam("spread")), places)


def withdraw(connection: Connection, terms: Terms, item_ids: Iterable[str]) -> None:
    """Hand these items out no more."""
    for item_id in item_ids:
        subject = _subject_of(connection, item_id)
        connection.execute(update(items).where(_by_id).values(withdrawn=True), {"key": item_id})
        recount(connection, terms, subject, returned=False)
    note_change(connection)


def set_closed(connection: Connection, *, closed: bool) -> None:
    """Hand out nothing more, or go on."""
    if connection.execute(update(state).where(state.c.closed.is_not(closed)).values(closed=closed)).rowcount:
        note_change(connection)


def make_gold(connection: Connection, terms: Terms, item_id: str, values: Sequence[str]) -> None:
    """Make an item gold.

    Raises:
        Refused: ``unknown_item``, ``unknown_value``.
    """
    check_gold(terms.protocol, values)
    _set_gold(connection, terms, item_id, canonical_json(list(dict.fromkeys(values))))


def unmake_gold(connection: Connection, terms: Terms, item_id: str) -> None:
    """Make an item an ordinary one.

    Raises:
        Refused: ``unknown_item``.
    """
    _set_gold(connection, terms, item_id, None)


def _set_gold(connection: Connection, terms: Terms, item_id: str, gold: str | None) -> None:
    subject = _subject_of(connection, item_id)
    connection.execute(update(items).where(_by_id).values(gold=gold), {"key": item_id})
    recount(connection, terms, subject, returned=True)
    note_change(connection)


def _subject_of(connection: Connection, item_id: str) -> str:
    subject = connection.execute(select(items.c.subject_id).where(_by_id), {"key": item_id}).scalar()
    if subject is None:
        raise Refused("unknown_item", f"there is no item {item_id}")
    return str(subject)


def pick_ordinary(connection: Connection, annotator_id: str, languages: Sequence[str], looked: int) -> tuple[Any, int]:
    """Return the item that an annotator gets: of those begun the one that waits longest, else the next untouched one.

    Args:
        connection: in a transaction.
        annotator_id: who.
        languages: those understood.
        looked: place up to which all begun items are known to be ones that this annotator has had.

    Returns:
        A row of item_id and subject_id, None where there is no item; and the new ``looked``, true once the item is taken.
    """
    facts = {"after": looked, "annotator": annotator_id}
    if begun := _first(connection, languages, facts | {"queued": 1}):
        return begun, begun.place
    everywhere = int(connection.execute(select(state.c.begun)).scalar_one())
    return _first(connection, languages, facts | {"queued": 0, "after": -1}), everywhere


def _first(connection: Connection, languages: Sequence[str], facts: dict[str, Any]) -> Any:
    found = [connection.execute(_FIRST, facts | {"language": language}).first() for language in languages]
    return min((row for row in found if row is not None), key=lambda row: row.place, default=None)


def pick_gold(connection: Connection, terms: Terms, annotator_id: str, languages: Sequence[str]) -> str | None:
    """Return a gold item that an annotator has not had, by chance; None = there is none left."""
    left: list[str] = []
    for language in languages:
        left += connection.execute(_GOLD, {"annotator": annotator_id, "language": language}).scalars().all()
    if not left:
        return None
    generator = terms.generator("listening_gold_item", f"{annotator_id}/{len(left)}")
    return str(sorted(left)[int(generator.integers(len(left)))])
