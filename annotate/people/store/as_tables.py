"""What the store holds, as tables of the project's schemas."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Connection, and_, func, select, text

from annotate.people.store.item import Item
from annotate.people.store.json_columns import answer_from, item_from, list_from
from annotate.people.store.protocol import ListeningProtocol
from annotate.people.store.rule import ANSWERS
from annotate.people.store.store_records import Progress, Share
from annotate.people.store.store_tables import assignments, items, state
from annotate.people.store.terms import Terms
from contracts.schemas import RATINGS, VOTES

_PAIR: Final = 2

_a = assignments.c
# An imported vote names no item: it is on that of its subject which is handed out now, else on a former one.
_rank = func.row_number().over(partition_by=items.c.subject_id, order_by=(items.c.withdrawn, items.c.item_id))
_ranked = select(items.c.item_id, items.c.subject_id, _rank.label("rank")).subquery()
_item_id = func.coalesce(_a.item_id, _ranked.c.item_id)
_answers = (
    select(
        *(column for column in assignments.c if column is not _a.item_id),
        *(items.c.item_id, items.c.language, items.c.gold),
    )
    .select_from(assignments)
    .outerjoin(_ranked, and_(_a.item_id.is_(None), _ranked.c.subject_id == _a.subject_id, _ranked.c.rank == 1))
    .join(items, items.c.item_id == _item_id)
    .where(_a.state == "answered", _a.aggregated.is_not(True))
    .order_by(_a.number)
)
_votes = (
    select(assignments)
    .outerjoin(items, items.c.item_id == _a.item_id)
    .where(_a.state == "answered", _a.kind == "ordinary", items.c.gold.is_(None))
    .order_by(_a.number)
)


def answers_table(connection: Connection, protocol: ListeningProtocol) -> pa.Table:
    """Return all answers in the order in which they came in, with schema ANSWERS.

    Those that were imported are among them if their subject has an item here; labels that nobody cast are not.
    """
    return _table(
        [
            {
                "answer_id": row.answer_id,
                "item_id": row.item_id,
                "subject_id": row.subject_id,
                "annotator_id": row.annotator_id,
                "number": row.nth,
                "language": row.language,
                "gold": list_from(row.gold) or (),
                "qualification": row.kind == "qualification",
                "value": row.value,
                "side": protocol.side(answer_from(row)),
                "errors_a": list_from(row.errors_a),
                "errors_b": list_from(row.errors_b),
                "scores": _scores(row),
                "order": row.order,
                "time_s": row.time_s,
                "audio_s": row.audio_s,
                "plays_a": row.plays_a,
                "plays_b": row.plays_b,
                "discarded": row.discarded,
            }
            for row in connection.execute(_answers)
        ],
        ANSWERS,
    )


def votes_table(connection: Connection, terms: Terms) -> pa.Table:
    """Return all votes on pairs, imported ones and discarded ones included, with schema VOTES."""
    return _table(
        [
            {
                "vote_id": row.answer_id,
                "pair_id": row.subject_id,
                "annotator_id": row.annotator_id,
                "protocol": terms.protocol_name,
                "value": row.value,
                "text_accurate_a": row.accurate_a,
                "text_accurate_b": row.accurate_b,
                "errors_a": list_from(row.errors_a),
                "errors_b": list_from(row.errors_b),
                "order": row.order,
                "time_s": row.time_s,
                "plays_a": row.plays_a,
                "plays_b": row.plays_b,
                "source": row.source,
                "discarded": row.discarded,
                "aggregated": row.aggregated,
            }
            for row in (connection.execute(_votes) if terms.protocol.clips == _PAIR else ())
        ],
        VOTES,
    )


def ratings_table(connection: Connection, terms: Terms) -> pa.Table:
    """Return all ratings of samples, imported ones and discarded ones included, with schema RATINGS."""
    return _table(
        [
            {
                "rating_id": row.answer_id,
                "sample_id": row.subject_id,
                "annotator_id": row.annotator_id,
                "protocol": terms.protocol_name,
                "scores": _scores(row),
                "time_s": row.time_s,
                "plays": row.plays_a,
                "source": row.source,
                "discarded": row.discarded,
            }
            for row in (connection.execute(_votes) if terms.protocol.clips != _PAIR else ())
        ],
        RATINGS,
    )


def _table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)


def _scores(row: Any) -> list[tuple[str, float]]:
    return list(json.loads(row.scores).items()) if row.scores else []


def all_items(connection: Connection) -> list[Item]:
    """Return the items that have not been withdrawn, by id."""
    rows = connection.execute(select(items.c.content, items.c.gold).where(~items.c.withdrawn).order_by(items.c.item_id))
    return [item_from(row.content, row.gold) for row in rows]


_PROGRESS: Final = text("""
    SELECT stratum, language, count(*) AS items, sum(CASE WHEN votes >= wanted THEN 1 ELSE 0 END) AS complete,
        sum(votes) AS votes, sum(wanted) AS wanted
    FROM listening_items WHERE gold IS NULL AND NOT withdrawn GROUP BY stratum, language ORDER BY stratum, language""")
_LEASES: Final = text("""
    SELECT count(*) FROM listening_assignments WHERE state = 'open' AND kind = 'ordinary' AND expires > :now""")
_OVER: Final = text("""
    SELECT count(*) FROM listening_assignments WHERE state = 'open' AND kind = 'ordinary' AND expires <= :now""")


_DISCARDED: Final = (
    select(_a.discarded, func.count().label("number"))
    .select_from(assignments)
    .outerjoin(items, items.c.item_id == _a.item_id)
    .where(_a.discarded.is_not(None), items.c.gold.is_(None))
    .group_by(_a.discarded)
    .order_by(_a.discarded)
)
_LABELS: Final = select(func.count()).select_from(assignments).where(_a.aggregated.is_(True), _a.discarded.is_(None))


def progress(connection: Connection, now: float) -> Progress:
    """Return how far the test is."""
    shares = tuple(
        Share(
            stratum=row.stratum,
            language=row.language,
            items=row.items,
            complete=int(row.complete),
            votes=int(row.votes),
            wanted=int(row.wanted),
        )
        for row in connection.execute(_PROGRESS)
    )
    total = sum(share.items for share in shares)
    complete = sum(share.complete for share in shares)
    return Progress(
        items=total,
        complete=complete,
        waiting=total - complete,
        votes=sum(share.votes for share in shares),
        wanted=sum(share.wanted for share in shares),
        leases=int(connection.execute(_LEASES, {"now": now}).scalar_one()),
        shares=shares,
        labels=int(connection.execute(_LABELS).scalar_one()),
        discarded={row.discarded: row.number for row in connection.execute(_DISCARDED)},
        closed=is_closed(connection),
    )


def is_closed(connection: Connection) -> bool:
    """Return whether nobody is asked any more."""
    return bool(connection.execute(select(state.c.closed)).scalar_one())


def version(connection: Connection, now: float) -> str:
    """Return what differs after any change to votes or progress: changes written, and leases that have run out since."""
    changes = connection.execute(select(state.c.changes)).scalar_one()
    return f"{changes}.{connection.execute(_OVER, {'now': now}).scalar_one()}"
