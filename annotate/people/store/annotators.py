"""Annotators: how they come in, step by step, and how they leave.

invited -> consented -> equipped -> qualified | failed; excluded from anywhere, and back by a pardon. Those whose votes were
imported are ``elsewhere``: known, checked, excluded and pardoned like anyone, but with no way in.
"""

import json
import secrets
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, text, update

from annotate.people.store.counting import recount
from annotate.people.store.gold import is_right
from annotate.people.store.json_columns import answer_from
from annotate.people.store.store_records import Annotator, Refused
from annotate.people.store.store_tables import HAD, annotators, assignments, items, note_change, revocations
from annotate.people.store.terms import Terms, check_levels
from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.text_forms import compared

ADMIN: Final = "admin"
"""Rule of an exclusion by hand, which a pardon of before does not stop; and holder of the links of those who run the test."""

ELSEWHERE: Final = "elsewhere: "
"""What the name of an annotator of imported votes begins with, and no invited one's; the pseudonym follows."""

_by_id = annotators.c.annotator_id == bindparam("key")
_select = select(annotators).where(_by_id)
_update = update(annotators).where(_by_id)
_of_holder = revocations.c.holder == bindparam("key")
_times = select(revocations.c.times).where(_of_holder)
_IMPORTED: Final = text("""
    UPDATE listening_annotators SET answered = answered + :number
    WHERE annotator_id = :annotator AND (state = 'elsewhere' OR "before" = 'elsewhere')""")
_TOUCHED: Final = text("""
    SELECT DISTINCT subject_id FROM listening_assignments
    WHERE annotator_id = :annotator AND kind = 'ordinary' AND state IN ('open', 'answered')""")
# Gold items stay: nobody else waits for them, and a pardon goes on where the annotator was.
_LAPSE: Final = text("""
    UPDATE listening_assignments SET state = 'lapsed'
    WHERE annotator_id = :annotator AND state = 'open' AND kind = 'ordinary'""")


def annotator_from(row: Any, revoked: int = 0) -> Annotator:
    """Return the annotator of a row, whose links and sessions were revoked so often."""
    return Annotator(
        annotator_id=row.annotator_id,
        name=row.name,
        levels=json.loads(row.levels),
        state=row.state,
        reason=row.reason,
        evidence=json.loads(row.evidence) if row.evidence else None,
        pardoned=row.pardoned,
        answered=row.answered,
        elsewhere=_is_elsewhere(row),
        revoked=revoked,
    )


def known(connection: Connection, annotator_id: str) -> Annotator | None:
    """Return an annotator; None = nobody is known under this id."""
    row = connection.execute(_select, {"key": annotator_id}).first()
    return annotator_from(row, revoked(connection, annotator_id)) if row else None


def everyone(connection: Connection) -> list[Annotator]:
    """Return all annotators, by name."""
    times = {row.holder: row.times for row in connection.execute(select(revocations))}
    rows = connection.execute(select(annotators).order_by(annotators.c.name))
    return [annotator_from(row, times.get(row.annotator_id, 0)) for row in rows]


def named(connection: Connection, name: str) -> Annotator | None:
    """Return the annotator of a name, however it is spelled: case, width, spaces and composition make no other person.

    Raises:
        DataError: several were invited under such names, before this was looked at, and none under exactly this one.
    """
    row = connection.execute(select(annotators).where(annotators.c.name == name)).first()
    if row is None:
        rows = connection.execute(select(annotators).order_by(annotators.c.name))
        alike = [row for row in rows if compared(row.name) == compared(name)]
        if len(alike) > 1:
            spellings = ", ".join(repr(row.name) for row in alike)
            raise DataError(f"{name!r} may be any of {spellings}: write one of them exactly")
        row = alike[0] if alike else None
    return annotator_from(row, revoked(connection, row.annotator_id)) if row else None


def revoked(connection: Connection, holder: str) -> int:
    """Return how often the links and sessions of an annotator, or of ``ADMIN``, were revoked."""
    return int(connection.execute(_times, {"key": holder}).scalar() or 0)


def revoke(connection: Connection, holder: str) -> int:
    """Make all links and sessions void that an annotator, or whoever runs the test, has; return the number of new ones."""
    times = revoked(connection, holder) + 1
    if times == 1:
        connection.execute(insert(revocations).values(holder=holder, times=times))
    else:
        connection.execute(update(revocations).where(_of_holder).values(times=times), {"key": holder})
    return times


def _is_elsewhere(row: Any) -> bool:
    return "elsewhere" in (row.state, row.before)


def find(connection: Connection, annotator_id: str) -> Any:
    """Return the row of an annotator.

    Raises:
        Refused: ``unknown_annotator``.
    """
    row = connection.execute(_select, {"key": annotator_id}).first()
    if row is None:
        raise Refused("unknown_annotator", "nobody was invited under this id")
    return row


def find_invited(connection: Connection, annotator_id: str) -> Any:
    """Return the row of an annotator who may listen here.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``.
    """
    row = find(connection, annotator_id)
    if _is_elsewhere(row):
        raise Refused("elsewhere", "the votes of this annotator were collected elsewhere; nobody was invited under this id")
    return row


def make_known(connection: Connection, annotator_ids: Collection[str]) -> None:
    """Put in who is not here yet, as annotators of imported votes, so that rules and admins reach them, too."""
    ids = sorted(set(annotator_ids))
    known = set(connection.execute(select(annotators.c.annotator_id).where(annotators.c.annotator_id.in_(ids))).scalars())
    facts = {"levels": "{}", "state": "elsewhere", "pardoned": False}
    new = [{"annotator_id": who, "name": f"{ELSEWHERE}{who}", **facts} for who in ids if who not in known]
    if new:
        connection.execute(insert(annotators), new)


def note_imported(connection: Connection, votes: Mapping[str, int]) -> None:
    """Add how many votes were taken in of each annotator; those who were invited count what they answered here alone."""
    if votes:
        facts = [{"annotator": annotator_id, "number": number} for annotator_id, number in sorted(votes.items())]
        connection.execute(_IMPORTED, facts)


def change(connection: Connection, annotator_id: str, **facts: Any) -> None:
    """Write columns of an annotator."""
    connection.execute(_update, {"key": annotator_id, **facts})


def invite(connection: Connection, name: str, levels: Mapping[str, str]) -> Annotator:
    """Return the annotator of this name in any spelling, new or with other levels than before.

    Raises:
        DataError: no name or one kept for imported votes, one that several have, or a level that is not known.
    """
    check_levels(levels)
    if not compared(name):
        raise DataError("an annotator needs a name")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise DataError(f"{name!r} holds a line break, tab or other control character: write the name in one line")
    if compared(name).startswith(ELSEWHERE.strip()):
        raise DataError(f"a name that begins with {ELSEWHERE!r} stands for an annotator of imported votes: take another one")
    before = named(connection, name)
    if before is None:
        annotator_id = secrets.token_hex(8)
        facts = {"annotator_id": annotator_id, "name": name.strip(), "state": "invited", "pardoned": False}
        connection.execute(insert(annotators).values(levels=canonical_json(levels), **facts))
    else:
        annotator_id = before.annotator_id
        if before.levels != dict(levels):  # items that were passed by may be understood now
            change(connection, annotator_id, levels=canonical_json(levels), looked=0)
    return annotator_from(find(connection, annotator_id), revoked(connection, annotator_id))


def consent(connection: Connection, annotator_id: str) -> None:
    """Note that an annotator has consented.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``, ``excluded``.
    """
    state = find_invited(connection, annotator_id).state
    if state == "excluded":
        raise Refused("excluded", "you no longer take part in this test")
    if state == "invited":
        change(connection, annotator_id, state="consented")


def equip(connection: Connection, terms: Terms, annotator_id: str) -> None:
    """Note that headphones and environment have been checked.

    Raises:
        Refused: ``unknown_annotator``, ``elsewhere``, ``excluded``, ``not_consented``.
    """
    state = find_invited(connection, annotator_id).state
    if state == "excluded":
        raise Refused("excluded", "you no longer take part in this test")
    if state == "invited":
        raise Refused("not_consented", "the consent comes before the check of headphones")
    if state == "consented":
        change(connection, annotator_id, state="equipped" if terms.qualification else "qualified")


def settle_qualification(connection: Connection, terms: Terms, annotator_id: str) -> None:
    """Decide whether an annotator has passed, if all items of the test are answered; else leave it open."""
    person = find(connection, annotator_id)
    answers = connection.execute(
        select(assignments, items.c.gold)
        .join(items, items.c.item_id == assignments.c.item_id)
        .where(assignments.c.annotator_id == annotator_id, assignments.c.kind == "qualification")
        .where(HAD, assignments.c.state == "answered")
    ).all()
    # An item that is gold no more can be wrong for no fault of the listener's.
    if person.state != "equipped" or len(answers) < terms.qualification:
        return
    rated = [is_right(answer_from(row), json.loads(row.gold)) for row in answers if row.gold]
    passed = not rated or sum(rated) >= terms.qualification_pass * len(rated)
    evidence = {"right": sum(rated), "asked": len(rated), "needed_share": terms.qualification_pass}
    facts = {"state": "qualified"} if passed else {"state": "failed", "reason": "qualification"}
    change(connection, annotator_id, **facts, evidence=canonical_json(evidence))
    note_change(connection)


def exclude(connection: Connection, terms: Terms, annotator_id: str, rule: str, evidence: Mapping[str, Any]) -> None:
    """Let the ordinary answers of an annotator count no more, and give the items to others."""
    person = find(connection, annotator_id)
    if person.state == "excluded" or (person.pardoned and rule != ADMIN):
        return
    touched = connection.execute(_TOUCHED, {"annotator": annotator_id}).scalars().all()
    connection.execute(_LAPSE, {"annotator": annotator_id})
    told = canonical_json(evidence)
    change(connection, annotator_id, state="excluded", before=person.state, reason=rule, evidence=told)
    _recount_all(connection, terms, touched)


def pardon(connection: Connection, terms: Terms, annotator_id: str) -> None:
    """Let an annotator take part again, for good: the answers count where no others have taken their place."""
    person = find(connection, annotator_id)
    state = person.before if person.state == "excluded" else person.state
    state = "qualified" if state == "failed" else state
    change(connection, annotator_id, state=state, before=None, reason=None, evidence=None, pardoned=True)
    if person.state == "excluded":
        _recount_all(connection, terms, connection.execute(_TOUCHED, {"annotator": annotator_id}).scalars().all())


def _recount_all(connection: Connection, terms: Terms, subjects: Any) -> None:
    for subject in sorted(subjects):
        recount(connection, terms, subject, returned=True)
    note_change(connection)
