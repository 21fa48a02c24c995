"""Which votes on a subject count, how many more it needs, and so whether its item is queued.

Votes of the app count in the order of their arrival until the protocol needs no more. Later ones are ``surplus``, such as those
of an annotator who was pardoned after others had replaced the votes. All imported votes count: they were not requested one by
one, and dropping some of them would be a selection. An imported aggregate label completes its subject and is no vote.
"""

from typing import Any, Final

from sqlalchemy import Connection, bindparam, text, update

from annotate.people.store.item import Answer
from annotate.people.store.json_columns import answer_from
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.store_tables import assignments, items, next_place

SURPLUS: Final = "surplus"
"""Reason of a discarded vote of the app that arrived when there were enough."""

_VOTES: Final = text("""
    SELECT a.assignment_id, a.item_id, a.aggregated, a.value, a.errors_a, a.errors_b, a.scores, a.dismissed, a.discarded,
        p.state, p.reason
    FROM listening_assignments a
    LEFT JOIN listening_annotators p ON p.annotator_id = a.annotator_id
    LEFT JOIN listening_items i ON i.item_id = a.item_id
    WHERE a.subject_id = :subject AND a.state = 'answered' AND a.kind = 'ordinary' AND i.gold IS NULL
    ORDER BY a.number""")
_LEASES: Final = text("""
    SELECT assignment_id FROM listening_assignments
    WHERE subject_id = :subject AND state = 'open' AND kind = 'ordinary' ORDER BY expires, assignment_id""")
_ITEMS: Final = text("""
    SELECT item_id, gold, withdrawn, queued, place, votes, leased, wanted FROM listening_items WHERE subject_id = :subject""")
_update_assignment = update(assignments).where(assignments.c.assignment_id == bindparam("key"))
_update_item = update(items).where(items.c.item_id == bindparam("key"))


def recount(connection: Connection, settings: ListeningSettings, subject_id: str, *, returned: bool) -> None:
    """Bring the counts of a subject up to date after any change to its votes, leases or items.

    Args:
        connection: in a transaction.
        settings: of the test.
        subject_id: pair or sample.
        returned: an annotator who had or skipped the subject may get it now. Its item is queued behind all others, where
            every annotator will search.
    """
    counted, is_labelled = _count_votes(connection, settings, subject_id)
    wanted = len(counted) if is_labelled else max(settings.protocol.votes_needed(counted), len(counted))
    leases = list(connection.execute(_LEASES, {"subject": subject_id}).scalars())
    room = wanted - len(counted)
    for assignment_id in leases[room:]:  # imported votes have made these leases superfluous
        connection.execute(_update_assignment, {"key": assignment_id, "state": "lapsed"})
    leased = min(len(leases), room)
    for item in connection.execute(_ITEMS, {"subject": subject_id}).all():
        columns: dict[str, Any] = {"votes": len(counted), "leased": leased, "wanted": wanted}
        columns |= {"queued": None, "place": item.place}
        if item.gold is None and not item.withdrawn and leased < room:
            columns["queued"] = 0 if item.queued == 0 and not counted and not leased else 1
            if columns["queued"] == 1 and (returned or item.queued != 1):
                columns["place"] = next_place(connection)
        if any(getattr(item, name) != value for name, value in columns.items()):
            connection.execute(_update_item, {"key": item.item_id, **columns})


def _count_votes(connection: Connection, settings: ListeningSettings, subject_id: str) -> tuple[list[Answer], bool]:
    """Mark which votes count; return those that do, and whether there is an imported aggregate label."""
    counted: list[Answer] = []
    is_labelled = False
    for row in connection.execute(_VOTES, {"subject": subject_id}).all():
        discarded = row.dismissed or (row.reason if row.state == "excluded" else None)
        if discarded is None and row.aggregated:
            is_labelled = True
        elif discarded is None and (row.item_id is None or len(counted) < settings.protocol.votes_needed(counted)):
            counted.append(answer_from(row))
        elif discarded is None:
            discarded = SURPLUS
        if discarded != row.discarded:
            connection.execute(_update_assignment, {"key": row.assignment_id, "discarded": discarded})
    return counted, is_labelled
