"""Records what an annotator plays, and the answer. Only the server's clock decides whether a clip can have been heard."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from sqlalchemy import Connection, bindparam, select, text, update

from annotate.people.store.annotators import decide_qualification, set_columns
from annotate.people.store.assignments import playables, unknown_assignment
from annotate.people.store.item import Answer, Item
from annotate.people.store.json_columns import answer_columns, item_from
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.store_records import Playable, Receipt, Refused
from annotate.people.store.store_tables import annotators, assignments, items, next_answer, note_change
from annotate.people.store.vote_counts import recount
from contracts.ids import row_id

_CLOCK_TOLERANCE: Final = 0.05
"""Tolerance for differences between clocks and players, as a share of a clip's length."""

_select = (
    select(
        assignments,
        *(items.c.content, items.c.queued),
        *(annotators.c.state.label("annotator_state"), annotators.c.answered),
    )
    .join(items, items.c.item_id == assignments.c.item_id)
    .join(annotators, annotators.c.annotator_id == assignments.c.annotator_id)
    .where(assignments.c.assignment_id == bindparam("key"), assignments.c.annotator_id == bindparam("annotator"))
)
_update = update(assignments).where(assignments.c.assignment_id == bindparam("key"))
_OTHERS: Final = text("""
    SELECT assignment_id, plays FROM listening_assignments
    WHERE annotator_id = :annotator AND state = 'open' AND assignment_id <> :key""")
_TAKEN_AGAIN: Final = text("""
    SELECT 1 FROM listening_assignments
    WHERE annotator_id = :annotator AND subject_id = :subject AND state IN ('open', 'answered')""")


def record_playback(
    connection: Connection,
    settings: ListeningSettings,
    now: float,
    assignment_id: str,
    annotator_id: str,
    *,
    slot: str,
    what: Literal["started", "ended"],
) -> None:
    """Record that a clip has started, or has played to its end. A start stops every other clip of the annotator, unheard.

    Raises:
        Refused: ``unknown_assignment``, ``excluded``, ``failed``, ``answered``, ``expired``, ``unknown_slot``, ``not_started``,
            ``too_early``, ``no_plays_left``.
    """
    row = _find(connection, assignment_id, annotator_id)
    if row.state == "answered":
        raise Refused("answered", "this item is answered")
    _check_may_answer(connection, row)
    plays = json.loads(row.plays)
    playable = _playables_by_slot(settings, item_from(row.content), row.order, plays).get(slot)
    if playable is None:
        raise Refused("unknown_slot", f"this item has no clip {slot!r}")
    started, ended, since = plays.get(slot, (0, 0, None))
    if what == "started":
        if playable.plays_left == 0:
            raise Refused("no_plays_left", f"this clip may be played {settings.protocol.max_plays} times")
        _stop_others(connection, row, plays)
        plays[slot] = (started + 1, ended, now)
    elif since is not None:
        missing_s = since + playable.clip.duration_s * (1 - _CLOCK_TOLERANCE) - now
        if missing_s > 0:
            raise Refused("too_early", "this clip cannot have been heard to its end yet", wait_s=missing_s)
        plays[slot] = (started, ended + 1, None)
    elif not ended:
        raise Refused("not_started", "this clip has not begun to play")
    columns = {"plays": json.dumps(plays), "shown": row.shown or now}
    if row.state == "lapsed" or row.expires <= now:  # the annotator is back after a break
        columns |= {"state": "open", "expires": now + settings.lease_s}
    connection.execute(_update, {"key": assignment_id, **columns})
    if row.state == "lapsed":
        recount(connection, settings, row.subject_id, returned=False)
        note_change(connection)


def _stop_others(connection: Connection, row: Any, plays: dict[str, Any]) -> None:
    """Stop the annotator's other clips, unheard: two clips played at the same time do not count as heard."""
    plays.update(_stopped(plays))
    for other in connection.execute(_OTHERS, {"annotator": row.annotator_id, "key": row.assignment_id}).all():
        before = json.loads(other.plays)
        if stopped := _stopped(before):
            connection.execute(_update, {"key": other.assignment_id, "plays": json.dumps(before | stopped)})


def _stopped(plays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the playing clips as stopped: their start time is removed, so that no end is accepted."""
    return {slot: (started, ended, None) for slot, (started, ended, since) in plays.items() if since is not None}


def record_answer(
    connection: Connection, settings: ListeningSettings, now: float, assignment_id: str, annotator_id: str, *, answer: Answer
) -> Receipt:
    """Store an answer, given in the order of playing.

    Raises:
        Refused: ``unknown_assignment``, ``excluded``, ``failed``, ``answered``, ``expired``, ``not_heard``.
        DataError: no answer of the protocol.
    """
    row = _find(connection, assignment_id, annotator_id)
    turned = settings.protocol.swapped(answer)  # checks it, too
    stored = answer if row.order == "ab" else turned
    columns = answer_columns(stored)
    if row.state == "answered":
        if any(getattr(row, name) != fact for name, fact in columns.items()):
            raise Refused("answered", "this item has been answered otherwise before; the first answer stays")
        return Receipt(assignment_id=assignment_id, answer_id=row.answer_id, number=row.nth)
    _check_may_answer(connection, row)
    item = item_from(row.content)
    by_slot = _playables_by_slot(settings, item, row.order, json.loads(row.plays))
    for playable in by_slot.values():
        if playable.required and not playable.heard:
            raise Refused("not_heard", f"clip {playable.slot} has not been heard to its end")
    plays = [by_slot[slot].plays for slot in ("0", "1")[: len(item.clips)]]
    plays_a, plays_b = plays[:: 1 if row.order == "ab" else -1] if len(plays) > 1 else (plays[0], None)
    answer_id = row_id("vote" if len(plays) > 1 else "rating", row.subject_id, annotator_id, settings.protocol_name)
    columns |= {
        "state": "answered",
        "number": next_answer(connection),
        "nth": row.answered,
        "answer_id": answer_id,
        "time_s": now - (row.shown or now),
        "audio_s": sum(playable.clip.duration_s for playable in by_slot.values() if playable.required),
        "plays_a": plays_a,
        "plays_b": plays_b,
        "source": "app",
    }
    connection.execute(_update, {"key": assignment_id, **columns})
    set_columns(connection, annotator_id, answered=row.answered + 1)
    if row.kind == "ordinary":
        recount(connection, settings, row.subject_id, returned=False)
    elif row.kind == "qualification":
        decide_qualification(connection, settings, annotator_id)
    return Receipt(assignment_id=assignment_id, answer_id=answer_id, number=row.answered)


def _find(connection: Connection, assignment_id: str, annotator_id: str) -> Any:
    row = connection.execute(_select, {"key": assignment_id, "annotator": annotator_id}).first()
    if row is None:
        raise unknown_assignment()
    return row


def _check_may_answer(connection: Connection, row: Any) -> None:
    """Refuse excluded and failed annotators, and an expired assignment whose item another annotator has.

    Raises:
        Refused: ``excluded``, ``failed``, ``expired``.
    """
    if row.annotator_state == "excluded":
        raise Refused("excluded", "you no longer take part in this test")
    if row.annotator_state == "failed":
        raise Refused("failed", "the qualification test was not passed")
    if row.state == "lapsed":
        again = connection.execute(_TAKEN_AGAIN, {"annotator": row.annotator_id, "subject": row.subject_id}).first()
        if row.queued is None or again is not None:
            raise Refused("expired", "this took too long, and somebody else has the item by now; go on with the next one")


def _playables_by_slot(settings: ListeningSettings, item: Item, order: Any, plays: Any) -> dict[str, Playable]:
    everything = playables(item, order, plays, settings.protocol.max_plays).values()
    return {playable.slot: playable for group in everything for playable in group}
