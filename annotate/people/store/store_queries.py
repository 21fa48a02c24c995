"""Queries of the store: answers, votes and ratings as tables, items, and the progress of the test."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
from sqlalchemy import Connection, and_, func, select, text

from annotate.people.store.item import Item
from annotate.people.store.json_columns import answer_from, item_from, list_from
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.protocol import ListeningProtocol
from annotate.people.store.rule import ANSWERS
from annotate.people.store.store_records import ListeningProgress, StratumProgress
from annotate.people.store.store_tables import assignments, items, state
from contracts.schemas import RATINGS, VOTES

_PAIR: Final = 2

_a = assignments.c
# An imported vote names no item. It belongs to the current item of its subject, else to a withdrawn one.
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
    """Return all answers in the order of their arrival, with schema ANSWERS.

    Imported votes are included if their subject has an item; imported aggregate labels are not.
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


def votes_table(connection: Connection, settings: ListeningSettings) -> pa.Table:
    """Return all votes on pairs, imported ones and discarded ones included, with schema VOTES."""
    return _table(
        [
            {
                "vote_id": row.answer_id,
                "pair_id": row.subject_id,
                "annotator_id": row.annotator_id,
                "protocol": settings.protocol_name,
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
            for row in (connection.execute(_votes) if settings.protocol.clips == _PAIR else ())
        ],
        VOTES,
    )


def ratings_table(connection: Connection, settings: ListeningSettings) -> pa.Table:
    """Return all ratings of samples, imported ones and discarded ones included, with schema RATINGS."""
    return _table(
        [
            {
                "rating_id": row.answer_id,
                "sample_id": row.subject_id,
                "annotator_id": row.annotator_id,
                "protocol": settings.protocol_name,
                "scores": _scores(row),
                "time_s": row.time_s,
                "plays": row.plays_a,
                "source": row.source,
                "discarded": row.discarded,
            }
            for row in (connection.execute(_votes) if settings.protocol.clips != _PAIR else ())
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
_GOLD: Final = text("SELECT count(*) FROM listening_items WHERE gold IS NOT NULL AND NOT withdrawn")
_OPEN: Final = text("""
    SELECT count(*) FROM listening_assignments WHERE state = 'open' AND (kind != 'ordinary' OR expires > :now)""")
_EXPIRED_LEASES: Final = text("""
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


def progress(connection: Connection, now: float) -> ListeningProgress:
    """Return the progress of the test."""
    strata = tuple(
        StratumProgress(
            stratum=row.stratum,
            language=row.language,
            items=row.items,
            complete=int(row.complete),
            votes=int(row.votes),
            wanted=int(row.wanted),
        )
        for row in connection.execute(_PROGRESS)
    )
    total = sum(stratum.items for stratum in strata)
    complete = sum(stratum.complete for stratum in strata)
    return ListeningProgress(
        items=total,
        complete=complete,
        waiting=total - complete,
        votes=sum(stratum.votes for stratum in strata),
        wanted=sum(stratum.wanted for stratum in strata),
        leases=int(connection.execute(_LEASES, {"now": now}).scalar_one()),
        strata=strata,
        labels=int(connection.execute(_LABELS).scalar_one()),
        discarded={row.discarded: row.number for row in connection.execute(_DISCARDED)},
        closed=is_closed(connection),
        gold=int(connection.execute(_GOLD).scalar_one()),
        answers=answers_given(connection),
    )


def answers_given(connection: Connection) -> int:
    """Return the number of all answers."""
    return int(connection.execute(select(state.c.answers)).scalar_one())


def answers_to_come(connection: Connection, now: float) -> int:
    """Return the number of items that are assigned now and may still be answered."""
    return int(connection.execute(_OPEN, {"now": now}).scalar_one())


def is_closed(connection: Connection) -> bool:
    """Return whether the test assigns no more items."""
    return bool(connection.execute(select(state.c.closed)).scalar_one())


def version(connection: Connection, now: float) -> str:
    """Return a string that changes with votes and progress: number of changes, and of leases that have expired."""
    changes = connection.execute(select(state.c.changes)).scalar_one()
    return f"{changes}.{connection.execute(_EXPIRED_LEASES, {'now': now}).scalar_one()}"
