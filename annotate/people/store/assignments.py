"""Assignments: the current item of an annotator, and the next one."""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, text

from annotate.people.store.annotators import decide_qualification, require, require_invited, set_columns
from annotate.people.store.item import Item, ItemClip, Order
from annotate.people.store.item_queue import pick_gold, pick_ordinary
from annotate.people.store.json_columns import item_from
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.store_queries import answers_given, answers_to_come, is_closed
from annotate.people.store.store_records import Assignment, Finished, Playable, Refused
from annotate.people.store.store_tables import assignments, items, note_change
from annotate.people.store.vote_counts import recount

_EXPIRE: Final = text("""
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


def load_assignment(connection: Connection, settings: ListeningSettings, assignment_id: str, annotator_id: str) -> Assignment:
    """Return an assignment as its annotator may see it, without gold values.

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
        **playables(item, found.order, plays, settings.protocol.max_plays),
    )


def unknown_assignment() -> Refused:
    """Return the one error for a missing assignment and for one of another annotator."""
    return Refused("unknown_assignment", "there is no such item for you")


def playables(item: Item, order: Order, plays: Mapping[str, Any], max_plays: int | None) -> dict[str, tuple[Playable, ...]]:
    """Return the playable clips of an item: clips (in the order of playing), references and history."""
    clips = item.clips if order == "ab" else item.clips[::-1]

    def playable(slot: str, clip: ItemClip, *, required: bool, limit: int | None) -> Playable:
        started, ended, _ = plays.get(slot, (0, 0, None))
        left = None if limit is None else max(limit - started, 0 if ended else 1)  # until heard, one more start is allowed
        return Playable(slot=slot, clip=clip, required=required, heard=ended > 0, plays=started, plays_left=left)

    return {
        "clips": tuple(playable(f"{n}", clip, required=True, limit=max_plays) for n, clip in enumerate(clips)),
        "references": tuple(
            playable(f"reference{n}", clip, required=False, limit=None) for n, clip in enumerate(item.references)
        ),
        "history": tuple(playable(f"history{n}", clip, required=True, limit=None) for n, clip in enumerate(item.history)),
    }


def end_expired_leases(connection: Connection, settings: ListeningSettings, now: float) -> None:
    """End expired leases, so that other annotators may get the items."""
    subjects = set(connection.execute(_EXPIRE, {"now": now}).scalars())
    for subject in sorted(subjects):
        recount(connection, settings, subject, returned=True)
    if subjects:
        note_change(connection)


def current_assignment(
    connection: Connection, settings: ListeningSettings, now: float, annotator_id: str
) -> Assignment | Finished:
    """Return the current assignment of an annotator, or assign the next item.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``, ``not_consented``, ``not_equipped``.
    """
    person = _taking_part(connection, settings, annotator_id)
    if isinstance(person, Finished):
        return person
    end_expired_leases(connection, settings, now)
    found = connection.execute(_OPEN, {"annotator": annotator_id}).first()
    if found is None:
        return _assign_next(connection, settings, now, person, shown=now)
    # A prefetched item starts now. A gold item whose lease has ended is still open, as no other annotator needs it.
    if found.shown is None or found.expires <= now:
        lease = {"key": found.assignment_id, "shown": found.shown or now, "expires": now + settings.lease_s}
        connection.execute(_SHOW, lease)
    return load_assignment(connection, settings, found.assignment_id, annotator_id)


def prefetch_assignment(
    connection: Connection, settings: ListeningSettings, now: float, annotator_id: str
) -> Assignment | None:
    """Return the assignment after the current one, so that its clips can be loaded; None = there is none.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``, ``not_consented``, ``not_equipped``.
    """
    person = _taking_part(connection, settings, annotator_id)
    if isinstance(person, Finished):
        return None
    end_expired_leases(connection, settings, now)
    waiting = connection.execute(_OPEN, {"annotator": annotator_id}).all()
    if len(waiting) > 1:
        return load_assignment(connection, settings, waiting[1].assignment_id, annotator_id)
    handed = _assign_next(connection, settings, now, person, shown=None) if waiting else None
    return handed if isinstance(handed, Assignment) else None


def _taking_part(connection: Connection, settings: ListeningSettings, annotator_id: str) -> Any:
    person = require_invited(connection, annotator_id)
    match person.state:
        case "invited":
            raise Refused("not_consented", "the consent comes first")
        case "consented":
            raise Refused("not_equipped", "the check of headphones and environment comes first")
        case "failed" | "excluded":
            return Finished(reason=person.state)
        case "equipped" if not settings.qualification:
            set_columns(connection, annotator_id, state="qualified")
        case "equipped" if person.tested >= settings.qualification:  # the recipe may ask for fewer than before
            decide_qualification(connection, settings, annotator_id)
        case _:
            return person
    person = require(connection, annotator_id)
    return Finished(reason="failed") if person.state == "failed" else person


def _assign_next(
    connection: Connection, settings: ListeningSettings, now: float, person: Any, *, shown: float | None
) -> Assignment | Finished:
    if is_closed(connection):
        return Finished(reason="done")
    if settings.most_answers is not None and _spoken_for(connection, now) >= settings.most_answers:
        return Finished(reason="no_budget")
    languages = settings.understood(json.loads(person.levels))
    annotator_id = person.annotator_id
    if person.state == "equipped":
        if person.tested >= settings.qualification:
            return Finished(reason="done")  # no ordinary item before all of the test is answered
        gold = pick_gold(connection, settings, annotator_id, languages)
        if gold is None:
            return Finished(reason="no_gold")
        set_columns(connection, annotator_id, tested=person.tested + 1)
        return _assign(connection, settings, now, person, gold, kind="qualification", shown=shown)
    chosen, looked = pick_ordinary(connection, annotator_id, languages, person.looked)
    if chosen is None:
        set_columns(connection, annotator_id, looked=looked)
        return Finished(reason="done")
    if _gold_is_due(settings, annotator_id, person.handed):
        gold = pick_gold(connection, settings, annotator_id, languages)
        if gold is not None:
            set_columns(connection, annotator_id, handed=person.handed + 1)
            return _assign(connection, settings, now, person, gold, kind="gold", shown=shown)
    set_columns(connection, annotator_id, handed=person.handed + 1, looked=looked)
    return _assign(connection, settings, now, person, chosen.item_id, kind="ordinary", shown=shown)


def _spoken_for(connection: Connection, now: float) -> int:
    """Return how many answers are given or may still come; both are paid for."""
    return answers_given(connection) + answers_to_come(connection, now)


def _gold_is_due(settings: ListeningSettings, annotator_id: str, handed: int) -> bool:
    """Return whether the next item is gold: one item in each block of ``gold_every`` is, at a drawn position."""
    if not settings.gold_every:
        return False
    block, place = divmod(handed, settings.gold_every)
    generator = settings.generator("listening_gold", f"{annotator_id}/{block}")
    return place == int(generator.integers(settings.gold_every))


def playing_order(settings: ListeningSettings, annotator_id: str, item: Item) -> Order:
    """Return the order in which an annotator hears the clips of an item; a critique calls them by their stored one."""
    if len(item.clips) == 1 or item.critique is not None:
        return "ab"
    generator = settings.generator("listening_order", f"{annotator_id}/{item.item_id}")
    return "ab" if generator.integers(2) == 0 else "ba"


def _assign(
    connection: Connection,
    settings: ListeningSettings,
    now: float,
    person: Any,
    item_id: str,
    *,
    kind: str,
    shown: float | None,
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
            "order": playing_order(settings, person.annotator_id, item),
            "position": person.tested + person.handed,
            "shown": shown,
            "expires": now + settings.lease_s,
            "plays": "{}",
        },
    )
    if kind == "ordinary":
        recount(connection, settings, item.subject_id, returned=False)
        note_change(connection)
    return load_assignment(connection, settings, assignment_id, person.annotator_id)
