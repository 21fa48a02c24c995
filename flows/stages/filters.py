"""The stage ``filters``: pairs leave for counted reasons; the others are labelled."""

from typing import Final

import pyarrow as pa

from contracts import plugins
from contracts.joins import sorted_by
from filters import chain, comparisons
from flows.listening.store import VOTED, all_votes, takes_votes
from flows.recipe.parts import Plugin
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from flows.stages.metrics import current_facts


def _filters(build: Build) -> Books:
    compared = comparisons.join(
        pairs=build.tables.read("pairs"),
        samples=wanted_rows(build, "samples"),
        rulings=build.tables.read("rulings"),
        facts=current_facts(build),
        prompts=build.tables.read("prompts"),
        votes=all_votes(build),
        by_votes=by_votes(build),
    )
    rules = [(rule.name, plugins.configure("filter", rule.name, rule.options)) for rule in filters_of(build)]
    kept, drops = chain.apply(compared, rules)
    labels = _labels(build, kept, voted=by_votes(build))
    build.tables.replace("drops@filters", sorted_by(drops, "row_id"))
    build.tables.replace("labels", sorted_by(labels, "pair_id"))
    return Books(
        stage="filters", unit="pairs", rows_in=compared.num_rows, rows_out=labels.num_rows, dropped=count(drops["reason"])
    )


def filters_of(build: Build) -> list[Plugin]:
    """Return the filters that look at every pair: the recipe's, after those without which a judge's labels make no sense."""
    rules = build.recipe.filters
    if by_votes(build):  # whether the judge found a winner, and the same one in both orders, says nothing of people's labels
        return rules
    return [*(Plugin(name=name) for name in _needed(build) if name not in {rule.name for rule in rules}), *rules]


def _needed(build: Build) -> list[str]:
    """Return the filters without which labels of the recipe's judge make no sense."""
    needs = {"judge", "both_orders"} if build.recipe.judges_of_pairs[0].orders == "both" else {"judge"}
    return [name for name in plugins.names("filter") if plugins.load("filter", name).needed_by in needs]


def by_votes(build: Build) -> bool:
    """Say whether people's votes make the labels, not the judge."""
    return build.recipe.labels_from == "votes"


def _labels(build: Build, kept: pa.Table, *, voted: bool) -> pa.Table:
    """Label every kept pair: by its votes where the recipe converts votes to preferences, by its judgment elsewhere."""
    cast = sorted_by(all_votes(build).select(["vote_id", "pair_id", "discarded"]), "vote_id").to_pylist() if voted else []
    votes_of: dict[str, list[str]] = {}
    for vote in (vote for vote in cast if vote["discarded"] is None):
        votes_of.setdefault(vote["pair_id"], []).append(vote["vote_id"])
    lists = pa.list_(pa.string())
    pairs_kept = kept["pair_id"].to_pylist()
    return pa.table(
        {
            "pair_id": kept["pair_id"],
            "label": kept["verdict"],
            "source": pa.repeat("votes" if voted else "judgment", kept.num_rows),
            "judgment_ids": pa.array([[]] * kept.num_rows, lists) if voted else kept["judgment_ids"],
            "vote_ids": pa.array([votes_of.get(pair, []) for pair in pairs_kept], lists),
        }
    )


STAGE: Final[Stage] = Stage(
    name="filters",
    reads=("prompts", *made("samples", "metrics"), "pairs", "rulings", "votes"),
    reads_if=lambda build: (VOTED,) if takes_votes(build) else (),
    writes=("labels", "drops@filters"),
    settings=lambda build: [build.recipe.labels_from, [rule.model_dump() for rule in filters_of(build)]],
    run=_filters,
)
