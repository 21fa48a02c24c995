"""Votes of a listening test as a release, its card and the report show them. Pseudonyms only."""

from collections import Counter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.item import Answer
from contracts.joins import sorted_by
from contracts.schema_columns import RATING_LIST
from flows.listening.critique_evidence import acceptance
from flows.listening.store import VOTED
from flows.recipe.listening_checks import terms_of
from flows.run.pipeline import Build
from scoring.reliability.agreement_levels import AGGREGATED, LEVELS, TERNARY, level
from scoring.reliability.claim_agreement import claim_agreement
from scoring.reliability.measures import Measure

_COUNTS: Final = pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))
VOTE_SUMMARY: Final = pa.schema(
    [("pair_id", pa.string()), ("votes", _COUNTS), ("agreement", pa.string()), ("vote_ids", pa.list_(pa.string()))]
)
"""Votes of one pair as a release row shows them."""

RATED_SAMPLES: Final = pa.schema(
    [
        ("sample_id", pa.string()),
        ("ratings", RATING_LIST),
        ("listeners", pa.int64()),
        ("rating_ids", pa.list_(pa.string())),
    ]
)
"""Listeners' ratings of one clip."""


def counted_votes(build: Build) -> pa.Table:
    """Return the votes that count, as a table of schema VOTES sorted by vote id."""
    votes = pa.concat_tables([build.tables.read("votes"), build.tables.read(VOTED)])
    return sorted_by(votes.filter(pc.is_null(votes["discarded"])), "vote_id")


def votes_by_value(votes: pa.Table) -> pa.Table:
    """Return a row of schema VOTE_SUMMARY per pair that was voted on, by pair id.

    The level of agreement counts the votes for A, B or a tie; votes that call the pair invalid have no side. With fewer than
    two votes with a side it is null, or ``aggregated`` if the pair has a label that was aggregated elsewhere; the id of such a
    label is among the ids, but it is no vote.
    """
    by_pair: dict[str, list[dict[str, Any]]] = {}
    for vote in votes.select(["vote_id", "pair_id", "value", "aggregated"]).to_pylist():
        by_pair.setdefault(vote["pair_id"], []).append(vote)
    rows = []
    for pair, cast in sorted(by_pair.items()):
        values = [vote["value"] for vote in cast if not vote["aggregated"]]
        counted = Counter(values)
        rows.append(
            {
                "pair_id": pair,
                "votes": [{"value": value, "count": n} for value, n in sorted(counted.items())],
                "agreement": _level(values) or (AGGREGATED if len(values) < len(cast) else None),
                "vote_ids": sorted(vote["vote_id"] for vote in cast),
            }
        )
    return pa.Table.from_pylist(rows, schema=VOTE_SUMMARY)


def _level(values: list[str]) -> str | None:
    found = level([value for value in values if value in TERNARY])
    return found if found in LEVELS else None


def agreement_line(build: Build) -> str:
    """Return in one line how far votes agree with labels that do not rest on them."""
    protocol = terms_of(build.recipe).protocol
    labels = dict(zip(*(build.tables.read("labels")[name].to_pylist() for name in ("item_id", "label")), strict=True))
    votes: dict[str, list[bool | None]] = {}
    for vote in build.tables.read(VOTED).filter(pc.is_null(build.tables.read(VOTED)["discarded"])).to_pylist():
        if (label := labels.get(vote["pair_id"])) is not None:
            side = protocol.side(Answer(value=vote["value"]))
            votes.setdefault(vote["pair_id"], []).append(None if side is None else side == label)
    found = claim_agreement(votes, seed=build.recipe.seed)
    if found.votes.value is None:
        return f"people agree with no label, as {found.votes.why}"
    line = f"people agree with the label in {_percent(found.votes)} of {found.votes.n} votes on {found.claims} pairs"
    if found.majorities.value is not None:
        line += f", and their majority in {_percent(found.majorities)} of the {found.majorities.n} pairs that have one"
    return line


def acceptance_line(build: Build) -> str:
    """Return in one line how far people accept the critiques that are kept."""
    found = acceptance(build)
    accepted, votes = found.majorities, found.votes
    if votes.value is None:
        return f"people accept no critique, as {votes.why}"
    line = f"{_percent(votes)} of {votes.n} votes on {found.claims} critiques accept them"
    if accepted.value is None:
        return f"{line}; no critique has a majority"
    number = round(accepted.value * accepted.n)
    return f"{number} of {accepted.n} critiques accepted by a majority of people, {_percent(accepted)}; {line}"


def _percent(measure: Measure) -> str:
    value, low, high = (100 * (number or 0.0) for number in (measure.value, measure.low, measure.high))
    return f"{value:.1f} % (95 % interval {low:.1f} to {high:.1f})"


def people_statement(build: Build) -> str:
    """Return the card's sentences about listeners, with a leading space; empty if no listener was asked about pairs."""
    section = build.recipe.listening
    if section is None or section.rated():
        return ""
    votes = counted_votes(build)
    made = pc.fill_null(votes["aggregated"], False)
    cast = votes.filter(pc.invert(made))
    people = pc.count_distinct(cast["annotator_id"]).as_py()
    statement = f"{people} listeners cast {cast.num_rows} votes by the protocol {section.protocol.name}"
    if labels := votes.num_rows - cast.num_rows:
        statement += f"; {labels} labels were made elsewhere, of votes that are not here"
    if section.of == "check":
        return f" {statement} on pairs that were chosen at random: {agreement_line(build)}. They changed no label."
    if section.of == "critiques":
        return f" {statement} on critiques that were chosen at random: {acceptance_line(build)}. They changed nothing else."
    if section.of == "splits":
        return (
            f" {statement} on the pairs of {' and '.join(section.splits)}: those splits hold only pairs whose label they "
            "confirmed; the other splits were not heard by anybody."
        )
    return f" {statement}."


def ratings_by_sample(ratings: pa.Table) -> pa.Table:
    """Return a row per sample that was rated: ``sample_id``, ``ratings`` as of a corpus, ``listeners``, ``rating_ids``.

    Args:
        ratings: table of schema RATINGS; discarded ones do not count.
    """
    counted = sorted_by(ratings.filter(pc.is_null(ratings["discarded"])), "rating_id")
    found: dict[str, list[dict[str, Any]]] = {}
    for row in counted.select(["rating_id", "sample_id", "annotator_id", "scores"]).to_pylist():
        found.setdefault(row["sample_id"], []).append(row)
    rows = [
        {
            "sample_id": sample,
            "ratings": [
                {"scale": scale, "rater": row["annotator_id"], "score": score}
                for row in given
                for scale, score in row["scores"]
            ],
            "listeners": len(given),
            "rating_ids": [row["rating_id"] for row in given],
        }
        for sample, given in sorted(found.items())
    ]
    return pa.Table.from_pylist(rows, schema=RATED_SAMPLES)
