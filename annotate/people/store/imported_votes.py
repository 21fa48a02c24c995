"""Votes that were collected elsewhere: they all count, in the order in which they come in."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Connection, bindparam, insert, select, update

from annotate.people.store.annotators import make_known, note_imported
from annotate.people.store.counting import recount
from annotate.people.store.item import Answer
from annotate.people.store.json_columns import answer_columns
from annotate.people.store.store_tables import HAD, assignments, next_answer
from annotate.people.store.terms import Terms
from contracts.errors import DataError
from contracts.ids import row_id
from contracts.schemas import conform

_SAID: Final = ("value", "errors_a", "errors_b", "accurate_a", "accurate_b", "scores")
_SHOWN: Final = 10
_had = (
    select(*(assignments.c[name] for name in ("assignment_id", "state", "answer_id", "source", *_SAID)))
    .where(assignments.c.annotator_id == bindparam("annotator"), assignments.c.subject_id == bindparam("subject"))
    .where(HAD)
)


def read_rows(terms: Terms, votes: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of an imported table in the columns of ours.

    Raises:
        DataError: a table of neither schema or not of the protocol's, or a row of another protocol or with no vote of it.
    """
    pairs = terms.protocol.clips == 2
    key, subject = ("vote_id", "pair_id") if pairs else ("rating_id", "sample_id")
    if key not in votes.column_names:
        raise DataError(f"protocol {terms.protocol_name} takes in tables of {'votes' if pairs else 'ratings'}, with {key}")
    rows = conform(votes, "votes" if pairs else "ratings").to_pylist()
    return [_read(terms, row, f"{key} {row[key]}") | {"answer_id": row[key], "subject_id": row[subject]} for row in rows]


def _read(terms: Terms, row: Mapping[str, Any], name: str) -> dict[str, Any]:
    if row["protocol"] != terms.protocol_name:
        raise DataError(f"{name} is of protocol {row['protocol']}, this test is of {terms.protocol_name}")
    errors_a, errors_b = row.get("errors_a"), row.get("errors_b")
    said = Answer(
        value=row.get("value"),
        errors_a=None if errors_a is None else tuple(errors_a),
        errors_b=None if errors_b is None else tuple(errors_b),
        scores=dict(row.get("scores") or ()),
    )
    try:
        terms.protocol.turned(said)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    scales = {question.name for question in terms.protocol.questions}
    if terms.protocol.clips == 1 and set(said.scores) != scales:
        raise DataError(f"{name} rates {', '.join(sorted(said.scores)) or 'nothing'}; needed: {', '.join(sorted(scales))}")
    facts = answer_columns(said)
    for clip in ("a", "b"):
        if facts[f"accurate_{clip}"] is None:
            facts[f"accurate_{clip}"] = row.get(f"text_accurate_{clip}")
    return facts | {
        "aggregated": row.get("aggregated"),
        "annotator_id": row["annotator_id"],
        "order": row.get("order"),
        "time_s": row["time_s"],
        "plays_a": row.get("plays_a", row.get("plays")),
        "plays_b": row.get("plays_b"),
        "source": row["source"],
        "dismissed": row["discarded"],
        "discarded": row["discarded"],
    }


def by_person(
    terms: Terms,
    rows: Iterable[Mapping[str, Any]],
    persons: Mapping[str, str],
    aliases: Mapping[str, Collection[str]],
    places: Mapping[str, object],
) -> list[dict[str, Any]]:
    """Return votes with the annotators by whom the store knows these persons.

    Args:
        terms: of the test.
        rows: of ``read_rows``.
        persons: pseudonym in the rows -> that in the store, where they differ or there are aliases.
        aliases: pseudonym in the rows -> all others of that person, under which the vote may be here already.
        places: vote or rating id in the rows -> where it stands in its file.
    """
    kind = "vote" if terms.protocol.clips == 2 else "rating"

    def key(row: Mapping[str, Any], who: str) -> str:
        return row_id(kind, row["subject_id"], who, terms.protocol_name)

    found = []
    for row in rows:
        given = row["annotator_id"]
        who = persons.get(given, given)
        facts = {"annotator_id": who, "answer_id": row["answer_id"] if who == given else key(row, who)}
        known_as = {row["answer_id"], *(key(row, other) for other in aliases.get(given, ()))}
        place = places.get(row["answer_id"])
        found.append(dict(row) | facts | {"known_as": known_as | {facts["answer_id"]}, "place": place})
    return found


def check_known(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Compare votes with those that are here already, before any of them is kept.

    Raises:
        DataError: some contradict a vote of the same annotator on the same subject, or repeat it under another id.
    """
    found = [why for row in rows if (why := _contradiction(row, _vote_before(connection, row)))]
    if found:
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise DataError(f"nothing was taken in: {'; '.join(found[:_SHOWN])}{more}: the first vote stays; leave these rows out")


def _vote_before(connection: Connection, row: Mapping[str, Any]) -> Any:
    return connection.execute(_had, {"annotator": row["annotator_id"], "subject": row["subject_id"]}).first()


def _contradiction(row: Mapping[str, Any], had: Any) -> str | None:
    """Return why a vote cannot stand beside one of before; None where it can. What was not asked contradicts nothing."""
    if had is None or had.state != "answered":
        return None
    who = f"vote {row['answer_id']}: annotator {row['annotator_id']}"
    if row["place"] is not None:
        who = f"{row['source'].removeprefix('import:')}: {row['place']}"
    if had.answer_id not in row["known_as"]:
        return f"{who} has voted on {row['subject_id']} before, in {had.source}, as {had.answer_id}"
    said = [(getattr(had, name), row[name]) for name in _SAID]
    if any(before is not None and now is not None and before != now for before, now in said):
        return f"{who} has voted otherwise on {row['subject_id']} before, in {had.source}"
    return None


def take_in(connection: Connection, terms: Terms, rows: Sequence[Mapping[str, Any]]) -> int:
    """Keep votes that are not here yet, and make their annotators known; return how many votes those are.

    Raises:
        DataError: an annotator has voted on the same subject before, otherwise or under another id.
    """
    make_known(connection, {row["annotator_id"] for row in rows})
    new: Counter[str] = Counter()
    subjects = set()
    for row in rows:
        had = _vote_before(connection, row)
        if why := _contradiction(row, had):
            raise DataError(why)
        if had is not None and had.answer_id in row["known_as"]:
            continue
        if had is not None:  # has voted elsewhere meanwhile
            connection.execute(
                update(assignments).where(assignments.c.assignment_id == had.assignment_id).values(state="lapsed")
            )
        known = connection.execute(select(assignments.c.subject_id).where(assignments.c.answer_id == row["answer_id"])).scalar()
        if known is not None:
            raise DataError(f"vote {row['answer_id']} is known as one of another annotator or on another subject, {known}")
        key = row_id("imported", row["answer_id"])
        facts = {"assignment_id": key, "kind": "ordinary", "state": "answered", "number": next_answer(connection)}
        values = {name: value for name, value in row.items() if name not in ("known_as", "place")}
        connection.execute(insert(assignments).values(**values, **facts))
        subjects.add(row["subject_id"])
        new[row["annotator_id"]] += 1
    for subject in sorted(subjects):
        recount(connection, terms, subject, returned=False)
    note_imported(connection, new)
    return new.total()
