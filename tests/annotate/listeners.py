"""Listening tests, items and listeners for tests, on a clock that is set by hand."""

from pathlib import Path

import pytest

from annotate.people.store.item import Answer, Item, ItemClip
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.store_records import Assignment, Finished
from annotate.people.store.vote_store import Store
from contracts.plugins import configure

BOTH = {"en": "native", "zh": "native"}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new listening test may be: a file, and a database of a real server."""
    if request.param == "sqlite":
        return str(tmp_path / "votes.sqlite")
    return request.getfixturevalue("postgres_server").fresh("votes")


def listening_settings(protocol: str = "unisrm", *, options: dict | None = None, **changes) -> ListeningSettings:
    facts = {"qualification": 0, "gold_every": 0} | changes
    return ListeningSettings(protocol=configure("protocol", protocol, options), protocol_name=protocol, **facts)


def item(name: str, *, clips: int = 2, **changes) -> Item:
    """An item of clips of 1 and 2 seconds."""
    played = tuple(ItemClip(audio_id=f"{name}{number}", duration_s=number + 1.0) for number in range(clips))
    facts = {"item_id": f"item-{name}", "subject_id": f"pair-{name}", "language": "en", "text": "Hello.", "clips": played}
    return Item(**facts | changes)


def gold(count: int, value: str = "A", **changes) -> list[Item]:
    return [item(f"gold{number}", gold=(value,), **changes) for number in range(count)]


def join(store: Store, name: str, levels: dict[str, str] | None = None) -> str:
    """Invite somebody, who consents and puts on headphones."""
    annotator_id = store.invite(name, BOTH if levels is None else levels).annotator_id
    store.consent(annotator_id)
    store.confirm_equipment(annotator_id)
    return annotator_id


def hear(store: Store, clock: Clock, who: str, assignment: Assignment) -> None:
    """Play all that has to be heard."""
    for playable in (*assignment.history, *assignment.clips):
        store.played(assignment.assignment_id, who, playable.slot, "started")
        clock.now += playable.clip.duration_s
        store.played(assignment.assignment_id, who, playable.slot, "ended")


def vote(store: Store, clock: Clock, who: str, value: str = "A"):
    """Answer the next item with a value in the stored order; return the assignment and the receipt, or what is said instead."""
    assignment = store.next(who)
    if isinstance(assignment, Finished):
        return assignment
    hear(store, clock, who, assignment)
    protocol = store.settings.protocol
    said = (
        Answer(value=value)
        if store.settings.protocol_name == "unisrm"
        else Answer(value=value, errors_a=(), errors_b=("omission",))
    )
    return assignment, store.answer(assignment.assignment_id, who, said if assignment.order == "ab" else protocol.swapped(said))


def finish(store: Store, clock: Clock, who: str, value: str = "A") -> list[str]:
    """Vote until nothing is left; return the subjects in their order."""
    subjects = []
    while not isinstance(done := vote(store, clock, who, value), Finished):
        subjects.append(done[0].item.subject_id)
    return subjects


def as_of_before(store: Store, *changes: str) -> None:
    """Make a test one of version 1, as it was written then, with further changes; it has to be opened anew after it."""
    statements = (
        "DROP TABLE listening_aliases",
        "ALTER TABLE listening_state DROP COLUMN closed",
        "ALTER TABLE listening_assignments DROP COLUMN aggregated",
        "UPDATE listening_state SET version = 1",
    )
    for statement in (*changes, *statements):
        store._commits.write(lambda connection, statement=statement: connection.exec_driver_sql(statement))
