"""Import of votes that were collected outside of the app. All of them count, in the order of their import."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Connection, bindparam, insert, select, update

from annotate.people.store.annotator_aliases import OtherPseudonyms, merge_aliases, resolve
from annotate.people.store.annotators import add_imported_annotators, add_imported_votes
from annotate.people.store.item import Answer
from annotate.people.store.json_columns import answer_columns
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.store_tables import TAKEN, assignments, next_answer
from annotate.people.store.vote_counts import recount
from annotate.people.store.vote_writer import Commits
from contracts.conformance import conform
from contracts.errors import DataError
from contracts.ids import row_id

_ANSWER_COLUMNS: Final = ("value", "errors_a", "errors_b", "accurate_a", "accurate_b", "scores")
_MAX_SHOWN: Final = 10
_CHUNK: Final = 500
_earlier = (
    select(*(assignments.c[name] for name in ("assignment_id", "state", "answer_id", "source", *_ANSWER_COLUMNS)))
    .where(assignments.c.annotator_id == bindparam("annotator"), assignments.c.subject_id == bindparam("subject"))
    .where(TAKEN)
)


def read_rows(settings: ListeningSettings, votes: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of an imported table in the columns of the store.

    Raises:
        DataError: the table is not of the protocol's schema, or a row is of another protocol or no valid vote of it.
    """
    pairs = settings.protocol.clips == 2
    key, subject = ("vote_id", "pair_id") if pairs else ("rating_id", "sample_id")
    if key not in votes.column_names:
        raise DataError(f"protocol {settings.protocol_name} takes in tables of {'votes' if pairs else 'ratings'}, with {key}")
    rows = conform(votes, "votes" if pairs else "ratings").to_pylist()
    return [_read(settings, row, f"{key} {row[key]}") | {"answer_id": row[key], "subject_id": row[subject]} for row in rows]


def _read(settings: ListeningSettings, row: Mapping[str, Any], name: str) -> dict[str, Any]:
    if row["protocol"] != settings.protocol_name:
        raise DataError(f"{name} is of protocol {row['protocol']}, this test is of {settings.protocol_name}")
    errors_a, errors_b = row.get("errors_a"), row.get("errors_b")
    answer = Answer(
        value=row.get("value"),
        errors_a=None if errors_a is None else tuple(errors_a),
        errors_b=None if errors_b is None else tuple(errors_b),
        scores=dict(row.get("scores") or ()),
    )
    try:
        settings.protocol.swapped(answer)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    scales = {question.name for question in settings.protocol.questions}
    if settings.protocol.clips == 1 and set(answer.scores) != scales:
        raise DataError(f"{name} rates {', '.join(sorted(answer.scores)) or 'nothing'}; needed: {', '.join(sorted(scales))}")
    columns = answer_columns(answer)
    for clip in ("a", "b"):
        if columns[f"accurate_{clip}"] is None:
            columns[f"accurate_{clip}"] = row.get(f"text_accurate_{clip}")
    return columns | {
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


def with_stored_annotators(
    settings: ListeningSettings,
    rows: Iterable[Mapping[str, Any]],
    persons: Mapping[str, str],
    aliases: Mapping[str, Collection[str]],
    places: Mapping[str, object],
) -> list[dict[str, Any]]:
    """Return votes with the annotator ids that the store uses for the same persons.

    Args:
        settings: of the test.
        rows: of ``read_rows``.
        persons: pseudonym in the rows -> annotator id in the store, where they differ.
        aliases: pseudonym in the rows -> other pseudonyms of that person, under which the vote may be stored already.
        places: vote or rating id in the rows -> its place in the file, for messages.
    """
    kind = "vote" if settings.protocol.clips == 2 else "rating"

    def key(row: Mapping[str, Any], who: str) -> str:
        return row_id(kind, row["subject_id"], who, settings.protocol_name)

    found = []
    for row in rows:
        given = row["annotator_id"]
        who = persons.get(given, given)
        columns = {"annotator_id": who, "answer_id": row["answer_id"] if who == given else key(row, who)}
        known_as = {row["answer_id"], *(key(row, other) for other in aliases.get(given, ()))}
        place = places.get(row["answer_id"])
        found.append(dict(row) | columns | {"known_as": known_as | {columns["answer_id"]}, "place": place})
    return found


def check_contradictions(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Compare votes with the stored ones before any is imported.

    Raises:
        DataError: a vote contradicts a stored one of the same annotator on the same subject, or repeats it under another id.
    """
    found = [why for row in rows if (why := _contradiction(row, _earlier_vote(connection, row)))]
    if found:
        more = f"; and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
        raise DataError(
            f"nothing was taken in: {'; '.join(found[:_MAX_SHOWN])}{more}: the first vote stays; leave these rows out"
        )


def _earlier_vote(connection: Connection, row: Mapping[str, Any]) -> Any:
    return connection.execute(_earlier, {"annotator": row["annotator_id"], "subject": row["subject_id"]}).first()


def _contradiction(row: Mapping[str, Any], earlier: Any) -> str | None:
    """Return why a vote conflicts with an earlier one of the annotator; None = no conflict. Unasked columns never conflict."""
    if earlier is None or earlier.state != "answered":
        return None
    who = f"vote {row['answer_id']}: annotator {row['annotator_id']}"
    if row["place"] is not None:
        who = f"{row['source'].removeprefix('import:')}: {row['place']}"
    if earlier.answer_id not in row["known_as"]:
        return f"{who} has voted on {row['subject_id']} before, in {earlier.source}, as {earlier.answer_id}"
    values = [(getattr(earlier, name), row[name]) for name in _ANSWER_COLUMNS]
    if any(before is not None and now is not None and before != now for before, now in values):
        return f"{who} has voted otherwise on {row['subject_id']} before, in {earlier.source}"
    return None


def import_votes(
    commits: Commits,
    settings: ListeningSettings,
    votes: pa.Table,
    aliases: Mapping[str, OtherPseudonyms],
    places: Mapping[str, object],
) -> int:
    """Merge aliases, check all votes, and store the new ones in chunks; return the number of new votes.

    Raises:
        DataError: see ``read_rows`` and ``check_contradictions``; no vote is stored then.
    """
    rows = read_rows(settings, votes)
    if aliases:
        commits.write(lambda connection: merge_aliases(connection, settings, aliases))
    others = {who: (*names.same, *names.maybe) for who, names in aliases.items()}
    with commits.reading() as connection:
        persons = resolve(connection, (row["annotator_id"] for row in rows))
        rows = with_stored_annotators(settings, rows, persons, others, places)
        check_contradictions(connection, rows)
    chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    return sum(
        commits.write(lambda connection, chunk=chunk: _store_votes(connection, settings, chunk))  # type: ignore[misc]
        for chunk in chunks
    )


def _store_votes(connection: Connection, settings: ListeningSettings, rows: Sequence[Mapping[str, Any]]) -> int:
    """Store new votes and their annotators; return the number of new votes.

    Raises:
        DataError: an annotator has voted on the same subject before, differently or under another id.
    """
    add_imported_annotators(connection, {row["annotator_id"] for row in rows})
    new: Counter[str] = Counter()
    subjects = set()
    for row in rows:
        earlier = _earlier_vote(connection, row)
        if why := _contradiction(row, earlier):
            raise DataError(why)
        if earlier is not None and earlier.answer_id in row["known_as"]:
            continue
        if earlier is not None:  # an open assignment, which the imported vote replaces
            connection.execute(
                update(assignments).where(assignments.c.assignment_id == earlier.assignment_id).values(state="lapsed")
            )
        known = connection.execute(select(assignments.c.subject_id).where(assignments.c.answer_id == row["answer_id"])).scalar()
        if known is not None:
            raise DataError(f"vote {row['answer_id']} is known as one of another annotator or on another subject, {known}")
        key = row_id("imported", row["answer_id"])
        columns = {"assignment_id": key, "kind": "ordinary", "state": "answered", "number": next_answer(connection)}
        values = {name: value for name, value in row.items() if name not in ("known_as", "place")}
        connection.execute(insert(assignments).values(**values, **columns))
        subjects.add(row["subject_id"])
        new[row["annotator_id"]] += 1
    for subject in sorted(subjects):
        recount(connection, settings, subject, returned=False)
    add_imported_votes(connection, new)
    return new.total()
