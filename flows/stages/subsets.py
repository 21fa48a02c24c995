"""Subsets: views of the same pairs after a filter each (SpeechJudge, appendix A.2: raw, pref, hq).

The pairs of the last subset are labelled and split. A pair of a wider one has the same split where it is among these. All
others are in ``<split>_other``, of the split which has their leakage group, or in ``other`` where none has. So a pair of raw
that shares a text or a recording with a pair of eval lies in ``eval_other``, and whoever trains on all of raw but what belongs
to eval and dev has seen none of their texts.
"""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.conformance import conform
from contracts.joins import attach, sorted_by
from filters.comparisons import votes_by_pair
from flows.listening.store import VOTED, all_votes
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.recipe.subsets_section import OTHER
from flows.run.kind import item_of
from flows.run.pipeline import Build
from flows.stages.filters import filters_of
from flows.stages.splits import leakage_groups_of, splits_table
from flows.stages.verification import released_splits
from scoring.reliability.agreement_levels import UNFINISHED, majorities

READS: Final = ("pairs", "drops@filters", "votes", VOTED)
"""Tables that decide what is in a subset, beside those of the splits."""


def compartments(build: Build[Any]) -> dict[str, str]:
    """Return each split of a wider subset -> the assigned split that it belongs to; ``other`` is for itself."""
    found = build.recipe.splits.released()
    return {**found, **{f"{whole}_{OTHER}": whole for whole in build.recipe.splits.named()}, OTHER: OTHER}


def last_of(build: Build[Any]) -> str:
    """Return the narrowest subset, whose pairs are split."""
    names: list[str] = build.recipe.subset_names
    return names[-1]


def passed(build: Build[Any], name: str) -> list[str]:
    """Return the filters that the pairs of a subset have passed, in order."""
    filters, after = [rule.name for rule in filters_of(build)], build.recipe.subsets[name].after
    return [] if after is None else filters[: filters.index(after) + 1]


def item_ids(build: Build[Any], name: str) -> pa.Array:
    """Return the pairs of a subset, sorted: those that have all their votes and passed its filters."""
    drops = build.tables.read("drops@filters", ["row_id", "filter", "reason"])
    by_filter = pc.is_in(drops["filter"], value_set=pa.array(passed(build, name), pa.string()))
    unfinished = pc.is_in(drops["reason"], value_set=pa.array(UNFINISHED))
    gone = drops.filter(pc.or_(by_filter, unfinished))["row_id"].combine_chunks()
    items = item_of(build).rows(build)["item_id"]
    return items.filter(pc.invert(pc.is_in(items, value_set=gone))).combine_chunks()


def members(build: Build[Any], name: str) -> pa.Table:
    """Return the pairs of a subset with their splits, of schema SPLITS, sorted by id; those of the last are what is split."""
    if name == last_of(build):
        return sorted_by(released_splits(build), "item_id")
    table = _grouped(build, name)
    table = attach(table, "item_id", released_splits(build), "item_id", {"own": "split"})
    beside = pc.if_else(pc.is_valid(table["whole"]), pc.binary_join_element_wise(table["whole"], OTHER, "_"), OTHER)
    split = pc.coalesce(table["own"], beside)
    return conform(table.select(["item_id", "group_id", "leakage_group"]).append_column("split", split), "splits")


def split_of(build: Build[Any], item_id: str) -> dict[str, str]:
    """Return subset -> split of a pair, for the subsets that it is in; ``none`` where no split of the last one has it."""
    found = dict[str, str]()
    for name in build.recipe.subset_names if isinstance(build.recipe, PreferenceRecipe) else ():
        if item_id in item_ids(build, name).to_pylist():
            own = members(build, name).filter(pc.equal(pc.field("item_id"), item_id))["split"].to_pylist()
            found[name] = own[0] if own else "none"
    return found


def in_compartments(build: Build[Any]) -> pa.Table:
    """Return all pairs of the widest subset by compartment, of schema SPLITS.

    Each is in the split that it was assigned to, or else in the one that has its leakage group, or else in ``other``.
    """
    table = _grouped(build, build.recipe.subset_names[0])
    table = attach(table, "item_id", build.tables.read(splits_table(build)), "item_id", {"own": "split"})
    split = pc.coalesce(table["own"], table["whole"], pa.scalar(OTHER))
    return conform(table.select(["item_id", "group_id", "leakage_group"]).append_column("split", split), "splits")


def _grouped(build: Build[Any], name: str) -> pa.Table:
    """Return ``item_id, group_id, leakage_group`` and ``whole``, the split that has the leakage group; null = none has."""
    items = item_of(build).rows(build).select(["item_id", "group_id"])
    items = items.filter(pc.is_in(items["item_id"], value_set=item_ids(build, name)))
    items = attach(items, "group_id", leakage_groups_of(build), "group_id", {"leakage_group": "leakage_group"})
    assigned = build.tables.read(splits_table(build), ["leakage_group", "split"])
    of_groups = assigned.group_by("leakage_group").aggregate([("split", "min")])
    return attach(items, "leakage_group", of_groups, "leakage_group", {"whole": "split_min"})


def labels(build: Build[Any], name: str) -> pa.Table:
    """Return what most people say of the pairs of a subset, of schema LABELS but for the label, which may be a tie or null."""
    items = item_ids(build, name)
    cast = all_votes(build)
    cast = sorted_by(cast.filter(pc.is_null(cast["discarded"])), "vote_id")
    ids = cast.select(["pair_id", "vote_id"]).group_by("pair_id", use_threads=False).aggregate([("vote_id", "list")])
    table = attach(pa.table({"item_id": items}), "item_id", votes_by_pair(cast), "pair_id", {"votes": "votes"})
    table = attach(table, "item_id", ids, "pair_id", {"vote_ids": "vote_id_list"})
    found: Mapping[str, Any] = {
        "item_id": items,
        "label": majorities(table["votes"]),
        "source": pa.repeat("votes", len(items)),
        "judgment_ids": pa.array([[]] * len(items), pa.list_(pa.string())),
        "vote_ids": table["vote_ids"],
    }
    return pa.table(found)
