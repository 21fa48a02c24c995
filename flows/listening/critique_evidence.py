"""Critiques of pairs before people: which there are, and how many of them people accept (MOS-RMBench, appendix C.1)."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.item import Answer
from annotate.people.store.protocol import accepts
from contracts.joins import among, attach
from flows.listening.store import VOTED
from flows.run.pipeline import Build
from flows.run.wanted import wanted_rows
from scoring.reliability.claim_agreement import ClaimAgreement, claim_agreement


def kept_critiques(build: Build[Any], columns: Iterable[str]) -> pa.Table:
    """Return these columns of the judgments whose critiques are kept, by id."""
    judgments = wanted_rows(build, "judgments", columns=list(columns))
    dropped = build.tables.read("drops@critiques", ["row_id"])["row_id"].combine_chunks()
    return judgments.filter(pc.invert(pc.is_in(judgments["judgment_id"], value_set=dropped)))


def votes_of_critiques(build: Build[Any], votes: pa.Table) -> pa.Table:
    """Return votes of a listening test about critiques with the pairs of the critiques, as a table of schema VOTES.

    Args:
        build: the build.
        votes: table of schema VOTES as the store of the test has it: what was voted on is in ``pair_id``.
    """
    pairs = build.tables.read("judgments", ["judgment_id", "pair_id"])
    critiques = votes["pair_id"]
    named = votes.drop_columns(["pair_id", "judgment_id"]).append_column("judgment_id", critiques)
    named = attach(named, "judgment_id", pairs, "judgment_id", {"pair_id": "pair_id"})
    return named.filter(pc.is_valid(named["pair_id"])).select(votes.column_names)


def acceptance(build: Build[Any]) -> ClaimAgreement:
    """Return how far people accept the critiques that are kept."""
    votes = build.tables.read(VOTED, ["judgment_id", "value", "discarded"])
    votes = among(
        votes.filter(pc.is_null(votes["discarded"])), "judgment_id", kept_critiques(build, ["judgment_id"])["judgment_id"]
    )
    given: dict[str, list[bool | None]] = {}
    for vote in votes.to_pylist():
        given.setdefault(vote["judgment_id"], []).append(accepts(Answer(value=vote["value"])))
    return claim_agreement(given, seed=build.recipe.seed)
