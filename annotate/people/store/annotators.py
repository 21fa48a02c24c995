"""The states of annotators: invitation, consent, equipment check, qualification, exclusion and pardon.

States: invited -> consented -> equipped -> qualified | failed. Any state -> excluded, and back by a pardon. Annotators of
imported votes have the state ``elsewhere``: rules check them and admins exclude and pardon them like all others, but they
cannot sign in.
"""

import json
import secrets
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, text, update

from annotate.people.store.gold import is_right
from annotate.people.store.json_columns import answer_from
from annotate.people.store.listening_settings import ListeningSettings, check_levels
from annotate.people.store.store_records import Annotator, Refused
from annotate.people.store.store_tables import TAKEN, annotators, assignments, items, note_change, revocations
from annotate.people.store.vote_counts import recount
from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.text_forms import compared

ADMIN: Final = "admin"
"""Rule name of an exclusion by an admin, which excludes pardoned annotators too; also the holder of the admins' links."""

IMPORTED_PREFIX: Final = "elsewhere: "
"""Prefix of the stored names of imported annotators, before the pseudonym; no invited annotator may have such a name."""

_by_id = annotators.c.annotator_id == bindparam("key")
_select = select(annotators).where(_by_id)
_update = update(annotators).where(_by_id)
_of_holder = revocations.c.holder == bindparam("key")
_revocation_count = select(revocations.c.times).where(_of_holder)
_IMPORTED: Final = text("""
    UPDATE listening_annotators SET answered = answered + :number
    WHERE annotator_id = :annotator AND (state = 'elsewhere' OR "before" = 'elsewhere')""")
_SUBJECTS: Final = text("""
    SELECT DISTINCT subject_id FROM listening_assignments
    WHERE annotator_id = :annotator AND kind = 'ordinary' AND state IN ('open', 'answered')""")
# Gold items stay assigned: no other annotator needs them, and after a pardon the annotator goes on there.
_END_LEASES: Final = text("""
    UPDATE listening_assignments SET state = 'lapsed'
    WHERE annotator_id = :annotator AND state = 'open' AND kind = 'ordinary'""")


def annotator_from(row: Any, revocations: int = 0) -> Annotator:
    """Return the annotator of a row and of the number of revocations."""
    return Annotator(
        annotator_id=row.annotator_id,
        name=row.name,
        levels=json.loads(row.levels),
        state=row.state,
        reason=row.reason,
        evidence=json.loads(row.evidence) if row.evidence else None,
        pardoned=row.pardoned,
        answered=row.answered,
        is_imported=_is_imported(row),
        revocation_count=revocations,
    )


def by_id(connection: Connection, annotator_id: str) -> Annotator | None:
    """Return an annotator; None = the id is unknown."""
    row = connection.execute(_select, {"key": annotator_id}).first()
    return annotator_from(row, revocation_count(connection, annotator_id)) if row else None


def all_annotators(connection: Connection) -> list[Annotator]:
    """Return all annotators, by name."""
    times = {row.holder: row.times for row in connection.execute(select(revocations))}
    rows = connection.execute(select(annotators).order_by(annotators.c.name))
    return [annotator_from(row, times.get(row.annotator_id, 0)) for row in rows]


def by_name(connection: Connection, name: str) -> Annotator | None:
    """Return the annotator of a name; case, width, spaces and Unicode composition make no difference.

    Raises:
        DataError: several annotators of an older test have such a name, and none exactly this one.
    """
    row = connection.execute(select(annotators).where(annotators.c.name == name)).first()
    if row is None:
        rows = connection.execute(select(annotators).order_by(annotators.c.name))
        alike = [row for row in rows if compared(row.name) == compared(name)]
        if len(alike) > 1:
            spellings = ", ".join(repr(row.name) for row in alike)
            raise DataError(f"{name!r} may be any of {spellings}: write one of them exactly")
        row = alike[0] if alike else None
    return annotator_from(row, revocation_count(connection, row.annotator_id)) if row else None


def revocation_count(connection: Connection, holder: str) -> int:
    """Return how often the links and sessions of an annotator id, or of ``ADMIN``, were revoked."""
    return int(connection.execute(_revocation_count, {"key": holder}).scalar() or 0)


def revoke(connection: Connection, holder: str) -> int:
    """Make all links and sessions of an annotator id, or of ``ADMIN``, void; return the new revocation count."""
    times = revocation_count(connection, holder) + 1
    if times == 1:
        connection.execute(insert(revocations).values(holder=holder, times=times))
    else:
        connection.execute(update(revocations).where(_of_holder).values(times=times), {"key": holder})
    return times


def _is_imported(row: Any) -> bool:
    return "elsewhere" in (row.state, row.before)


def require(connection: Connection, annotator_id: str) -> Any:
    """Return the row of an annotator.

    Raises:
        Refused: ``unknown_annotator``.
    """
    row = connection.execute(_select, {"key": annotator_id}).first()
    if row is None:
        raise Refused("unknown_annotator", "nobody was invited under this id")
    return row


def require_invited(connection: Connection, annotator_id: str) -> Any:
    """Return the row of an annotator who was invited.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``.
    """
    row = require(connection, annotator_id)
    if _is_imported(row):
        raise Refused("elsewhere", "the votes of this annotator were collected elsewhere; nobody was invited under this id")
    return row


def add_imported_annotators(connection: Connection, annotator_ids: Collection[str]) -> None:
    """Add unknown annotators of imported votes, so that rules and admins can exclude them."""
    ids = sorted(set(annotator_ids))
    known = set(connection.execute(select(annotators.c.annotator_id).where(annotators.c.annotator_id.in_(ids))).scalars())
    columns = {"levels": "{}", "state": "elsewhere", "pardoned": False}
    new = [{"annotator_id": who, "name": f"{IMPORTED_PREFIX}{who}", **columns} for who in ids if who not in known]
    if new:
        connection.execute(insert(annotators), new)


def add_imported_votes(connection: Connection, votes: Mapping[str, int]) -> None:
    """Add to the answer counts of imported annotators; the count of an invited annotator covers answers in the app only."""
    if votes:
        columns = [{"annotator": annotator_id, "number": number} for annotator_id, number in sorted(votes.items())]
        connection.execute(_IMPORTED, columns)


def set_columns(connection: Connection, annotator_id: str, **columns: Any) -> None:
    """Update columns of an annotator."""
    connection.execute(_update, {"key": annotator_id, **columns})


def invite(connection: Connection, name: str, levels: Mapping[str, str]) -> Annotator:
    """Return the annotator of this name in any spelling, created if new, with these levels.

    Raises:
        DataError: the name is empty, reserved for imported votes or ambiguous, or a level is unknown.
    """
    check_levels(levels)
    if not compared(name):
        raise DataError("an annotator needs a name")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise DataError(f"{name!r} holds a line break, tab or other control character: write the name in one line")
    if compared(name).startswith(IMPORTED_PREFIX.strip()):
        raise DataError(
            f"a name that begins with {IMPORTED_PREFIX!r} stands for an annotator of imported votes: take another one"
        )
    before = by_name(connection, name)
    if before is None:
        annotator_id = secrets.token_hex(8)
        columns = {"annotator_id": annotator_id, "name": name.strip(), "state": "invited", "pardoned": False}
        connection.execute(insert(annotators).values(levels=canonical_json(levels), **columns))
    else:
        annotator_id = before.annotator_id
        if before.levels != dict(levels):  # items that were skipped may fit the new levels
            set_columns(connection, annotator_id, levels=canonical_json(levels), looked=0)
    return annotator_from(require(connection, annotator_id), revocation_count(connection, annotator_id))


def record_consent(connection: Connection, annotator_id: str) -> None:
    """Record that an annotator has consented.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``, ``excluded``.
    """
    state = require_invited(connection, annotator_id).state
    if state == "excluded":
        raise Refused("excluded", "you no longer take part in this test")
    if state == "invited":
        set_columns(connection, annotator_id, state="consented")


def confirm_equipment(connection: Connection, settings: ListeningSettings, annotator_id: str) -> None:
    """Record that headphones and environment have been checked.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``, ``excluded``, ``not_consented``.
    """
    state = require_invited(connection, annotator_id).state
    if state == "excluded":
        raise Refused("excluded", "you no longer take part in this test")
    if state == "invited":
        raise Refused("not_consented", "the consent comes before the check of headphones")
    if state == "consented":
        set_columns(connection, annotator_id, state="equipped" if settings.qualification else "qualified")


def decide_qualification(connection: Connection, settings: ListeningSettings, annotator_id: str) -> None:
    """Set the annotator's state to qualified or failed once all items of the qualification test are answered."""
    person = require(connection, annotator_id)
    answers = connection.execute(
        select(assignments, items.c.gold)
        .join(items, items.c.item_id == assignments.c.item_id)
        .where(assignments.c.annotator_id == annotator_id, assignments.c.kind == "qualification")
        .where(TAKEN, assignments.c.state == "answered")
    ).all()
    # An item that is no longer gold does not count: its gold values may have been wrong.
    if person.state != "equipped" or len(answers) < settings.qualification:
        return
    rated = [is_right(answer_from(row), json.loads(row.gold)) for row in answers if row.gold]
    passed = not rated or sum(rated) >= settings.qualification_pass * len(rated)
    evidence = {"right": sum(rated), "asked": len(rated), "needed_share": settings.qualification_pass}
    columns = {"state": "qualified"} if passed else {"state": "failed", "reason": "qualification"}
    set_columns(connection, annotator_id, **columns, evidence=canonical_json(evidence))
    note_change(connection)


def exclude(
    connection: Connection, settings: ListeningSettings, annotator_id: str, rule: str, evidence: Mapping[str, Any]
) -> None:
    """Discard the ordinary answers of an annotator, and queue their items for others."""
    person = require(connection, annotator_id)
    if person.state == "excluded" or (person.pardoned and rule != ADMIN):
        return
    subjects = connection.execute(_SUBJECTS, {"annotator": annotator_id}).scalars().all()
    connection.execute(_END_LEASES, {"annotator": annotator_id})
    columns = {"state": "excluded", "before": person.state, "reason": rule, "evidence": canonical_json(evidence)}
    set_columns(connection, annotator_id, **columns)
    _recount_subjects(connection, settings, subjects)


def pardon(connection: Connection, settings: ListeningSettings, annotator_id: str) -> None:
    """Let an annotator take part again permanently; their answers count where no others have replaced them."""
    person = require(connection, annotator_id)
    state = person.before if person.state == "excluded" else person.state
    state = "qualified" if state == "failed" else state
    set_columns(connection, annotator_id, state=state, before=None, reason=None, evidence=None, pardoned=True)
    if person.state == "excluded":
        _recount_subjects(connection, settings, connection.execute(_SUBJECTS, {"annotator": annotator_id}).scalars().all())


def _recount_subjects(connection: Connection, settings: ListeningSettings, subjects: Any) -> None:
    for subject in sorted(subjects):
        recount(connection, settings, subject, returned=True)
    note_change(connection)
