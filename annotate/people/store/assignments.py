"""Which item an annotator is at, and which one comes next."""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, text

from annotate.people.store.annotators import change, find, find_invited, settle_qualification
from annotate.people.store.as_tables import is_closed
from annotate.people.store.counting import recount
from annotate.people.store.item import Clip, Item, Order
from annotate.people.store.item_queue import pick_gold, pick_ordinary
from annotate.people.store.json_columns import item_from
from annotate.people.store.store_records import Assignment, Finished, Playable, Refused
from annotate.people.store.store_tables import assignments, items, note_change
from annotate.people.store.terms import Terms

_OVER: Final = text("""
    UPDATE listening_assignments SET state = 'lapsed'
    WHERE state = 'open' AND expires <= :now AND kind = 'ordinary' RETURNING subject_id""")
_OPEN: Final = text("""
    SELECT assignment_id, kind, shown, expires FROM listening_assignments
    WHERE annotator_id = :annotator AND state = 'open' ORDER BY position""")
_SHOW: Final = text("UPDATE listening_assignments SET shown = :shown, expires = :expires WHERE assignment_id = :key")
_assignment = (
    select(
        *(assignments.c[name] for name in ("kind", "order", "expires", "plays")),
        items.c.content,
    )
    .join(items, items.c.item_id == assignments.c.item_id)
    .where(assignments.c.assignment_id == bindparam("key"), assignments.c.annotator_id == bindparam("annotator"))
)
_content = select(items.c.content).where(items.c.item_id == bindparam("key"))
_insert = insert(assignments)


def load(connection: Connection, terms: Terms, assignment_id: str, annotator_id: str) -> Assignment:
    """Return an assignment as its annotator may see it.

    Raises:
        Refused: ``unknown_assignment``.
    """
    found = connection.execute(_assignment, {"key": assignment_id, "annotator": annotator_id}).first()
    if found is None:
        raise unknown_assignment()
    item = item_from(found.content)
    plays = json.loads(found.plays)
    return Assignment(
        assignment_id=assignment_id,
        item=item,
        order=found.order,
        expires_at=found.expires,
        qualification=found.kind == "qualification",
        **playables(item, found.order, plays, terms.protocol.max_plays),
    )


def unknown_assignment() -> Refused:
    """Return what is said of an assignment that does not exist, and of one that is somebody else's."""
    return Refused("unknown_assignment", "there is no such item for you")


def playables(item: Item, order: Order, plays: Mapping[str, Any], max_plays: int | None) -> dict[str, tuple[Playable, ...]]:
    """Return what is played of an item: clips (in the order of playing), references and history."""
    clips = item.clips if order == "ab" else item.clips[::-1]

    def playable(slot: str, clip: Clip, *, required: bool, limit: int | None) -> Playable:
        started, ended, _ = plays.get(slot, (0, 0, None))
        left = None if limit is None else max(limit - started, 0 if ended else 1)  # it can always be heard once
        return Playable(slot=slot, clip=clip, required=required, heard=ended > 0, plays=started, plays_left=left)

    return {
        "clips": tuple(playable(f"{n}", clip, required=True, limit=max_plays) for n, clip in enumerate(clips)),
        "references": tuple(
            playable(f"reference{n}", clip, required=False, limit=None) for n, clip in enumerate(item.references)
        ),
        "history": tuple(playable(f"history{n}", clip, required=True, limit=None) for n, clip in enumerate(item.history)),
    }


def take_back(connection: Connection, terms: Terms, now: float) -> None:
    """End the leases that are over, so that others may have the items."""
    subjects = set(connection.execute(_OVER, {"now": now}).scalars())
    for subject in sorted(subjects):
        recount(connection, terms, subject, returned=True)
    if subjects:
        note_change(connection)


def current(connection: Connection, terms: Terms, now: float, annotator_id: str) -> Assignment | Finished:
    """Return the item that an annotator is at, or hand out the next one.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``, ``not_consented``, ``not_equipped``.
    """
    person = _ready(connection, terms, annotator_id)
    if isinstance(person, Finished):
        return person
    take_back(connection, terms, now)
    found = connection.execute(_OPEN, {"annotator": annotator_id}).first()
    if found is None:
        return _hand_out(connection, terms, now, person, shown=now)
    # What was leased ahead begins now; gold waits for its listener, as nobody else is kept waiting by it.
    if found.shown is None or found.expires <= now:
        facts = {"key": found.assignment_id, "shown": found.shown or now, "expires": now + terms.lease_s}
        connection.execute(_SHOW, facts)
    return load(connection, terms, found.assignment_id, annotator_id)


def ahead(connection: Connection, terms: Terms, now: float, annotator_id: str) -> Assignment | None:
    """Return the item after the one that an annotator is at, leased so that it can be loaded; None = there is none.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``, ``not_consented``, ``not_equipped``.
    """
    person = _ready(connection, terms, annotator_id)
    if isinstance(person, Finished):
        return None
    take_back(connection, terms, now)
    waiting = connection.execute(_OPEN, {"annotator": annotator_id}).all()
    if len(waiting) > 1:
        return load(connection, terms, waiting[1].assignment_id, annotator_id)
    handed = _hand_out(connection, terms, now, person, shown=None) if waiting else None
    return handed if isinstance(handed, Assignment) else None


def _ready(connection: Connection, terms: Terms, annotator_id: str) -> Any:
    person = find_invited(connection, annotator_id)
    match person.state:
        case "invited":
            raise Refused("not_consented", "the consent comes first")
        case "consented":
            raise Refused("not_equipped", "the check of headphones and environment comes first")
        case "failed" | "excluded":
            return Finished(reason=person.state)
        case "equipped" if not terms.qualification:
            change(connection, annotator_id, state="qualified")
        case "equipped" if person.tested >= terms.qualification:  # the recipe may ask for fewer than before
            settle_qualification(connection, terms, annotator_id)
        case _:
            return person
    person = find(connection, annotator_id)
    return Finished(reason="failed") if person.state == "failed" else person


def _hand_out(connection: Connection, terms: Terms, now: float, person: Any, *, shown: float | None) -> Assignment | Finished:
    if is_closed(connection):
        return Finished(reason="done")
    languages = terms.understood(json.loads(person.levels))
    annotator_id = person.annotator_id
    if person.state == "equipped":
        if person.tested >= terms.qualification:
            return Finished(reason="done")  # nothing ahead until the test has been answered
        gold = pick_gold(connection, terms, annotator_id, languages)
        if gold is None:
            return Finished(reason="no_gold")
        change(connection, annotator_id, tested=person.tested + 1)
        return _lease(connection, terms, now, person, gold, kind="qualification", shown=shown)
    chosen, looked = pick_ordinary(connection, annotator_id, languages, person.looked)
    if chosen is None:
        change(connection, annotator_id, looked=looked)
        return Finished(reason="done")
    if _gold_is_due(terms, annotator_id, person.handed):
        gold = pick_gold(connection, terms, annotator_id, languages)
        if gold is not None:
            change(connection, annotator_id, handed=person.handed + 1)
            return _lease(connection, terms, now, person, gold, kind="gold", shown=shown)
    change(connection, annotator_id, handed=person.handed + 1, looked=looked)
    return _lease(connection, terms, now, person, chosen.item_id, kind="ordinary", shown=shown)


def _gold_is_due(terms: Terms, annotator_id: str, handed: int) -> bool:
    """Return whether this is the one place of gold in its block of ``gold_every``, which differs from block to block."""
    if not terms.gold_every:
        return False
    block, place = divmod(handed, terms.gold_every)
    generator = terms.generator("listening_gold", f"{annotator_id}/{block}")
    return place == int(generator.integers(terms.gold_every))


def order_for(terms: Terms, annotator_id: str, item: Item) -> Order:
    """Return which clip of an item an annotator hears first."""
    if len(item.clips) == 1:
        return "ab"
    generator = terms.generator("listening_order", f"{annotator_id}/{item.item_id}")
    return "ab" if generator.integers(2) == 0 else "ba"


def _lease(
    connection: Connection, terms: Terms, now: float, person: Any, item_id: str, *, kind: str, shown: float | None
) -> Assignment:
    item = item_from(connection.execute(_content, {"key": item_id}).scalar_one())
    assignment_id = secrets.token_hex(16)
    connection.execute(
        _insert,
        {
            "assignment_id": assignment_id,
            "item_id": item_id,
            "subject_id": item.subject_id,
            "annotator_id": person.annotator_id,
            "kind": kind,
            "state": "open",
            "order": order_for(terms, person.annotator_id, item),
            "position": person.tested + person.handed,
            "shown": shown,
            "expires": now + terms.lease_s,
            "plays": "{}",
        },
    )
    if kind == "ordinary":
        recount(connection, terms, item.subject_id, returned=False)
        note_change(connection)
    return load(connection, terms, assignment_id, person.annotator_id)
