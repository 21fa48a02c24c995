"""What the votes of a listening test say to readers: of the release, of a pair, of the report. Pseudonyms only."""

from collections import Counter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.agreement import MAX_VOTES, TERNARY, level
from contracts.joins import sorted_by
from flows.listening_store import VOTED
from flows.pipeline import Build

_COUNTS: Final = pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))
HEARD: Final = pa.schema(
    [("pair_id", pa.string()), ("votes", _COUNTS), ("agreement", pa.string()), ("vote_ids", pa.list_(pa.string()))]
)
"""What a release row tells of its votes."""


def heard_votes(build: Build) -> pa.Table:
    """Return the votes of people that count, of schema VOTES, by vote id."""
    votes = pa.concat_tables([build.tables.read("votes"), build.tables.read(VOTED)])
    return sorted_by(votes.filter(pc.is_null(votes["discarded"])), "vote_id")


def votes_by_value(votes: pa.Table) -> pa.Table:
    """Return a row of schema HEARD per pair that was voted on, by pair id.

    The level of agreement is that of the votes for A, B or a tie; votes that call the pair invalid have no side. A pair with
    fewer than two votes with a side has none.
    """
    by_pair: dict[str, list[dict[str, Any]]] = {}
    for vote in votes.select(["vote_id", "pair_id", "value"]).to_pylist():
        by_pair.setdefault(vote["pair_id"], []).append(vote)
    rows = []
    for pair, cast in sorted(by_pair.items()):
        counted = Counter(vote["value"] for vote in cast)
        rows.append(
            {
                "pair_id": pair,
                "votes": [{"value": value, "count": n} for value, n in sorted(counted.items())],
                "agreement": _level([vote["value"] for vote in cast]),
                "vote_ids": sorted(vote["vote_id"] for vote in cast),
            }
        )
    return pa.Table.from_pylist(rows, schema=HEARD)


def _level(values: list[str]) -> str | None:
    sided = [value for value in values if value in TERNARY]
    found = level(sided) if len(sided) <= MAX_VOTES else None
    return found if found in {"FA", "WA", "WD", "FD"} else None


def people_statement(build: Build) -> str:
    """Return what the card says about listeners, beginning with a space; empty where nobody was asked about pairs."""
    wish = build.recipe.listening
    if wish is None or wish.rated():
        return ""
    votes = heard_votes(build)
    people = pc.count_distinct(votes["annotator_id"]).as_py()
    told = f"{people} listeners cast {votes.num_rows} votes by the protocol {wish.protocol.name}"
    if wish.of == "splits":
        return (
            f" {told} on the pairs of {' and '.join(wish.splits)}: those splits hold only pairs whose label they confirmed; "
            "the other splits were not heard by anybody."
        )
    return f" {told}."
