"""From raw votes to splits: how many pairs each subset has, and what became of the others (SpeechJudge, Fig. 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among, attach
from filters.comparisons import votes_by_pair
from flows.listening.evidence import counted_votes
from flows.run.pipeline import Build
from flows.stages.filters import filters_of
from flows.stages.subsets import item_ids
from flows.stages.verification import released_splits
from scoring.reliability.agreement_levels import AGGREGATED, LEVELS, levels

COLUMNS: Final = (*LEVELS, AGGREGATED)
"""Levels of agreement by which pairs are counted."""


@dataclass(frozen=True, kw_only=True)
class FunnelRow:
    """One line of the funnel.

    Attributes:
        kind: ``subset``, ``left`` (pairs that are in no narrower subset, or in no split) or ``split``.
        name: the subset or split, or why the pairs left.
        counts: level of agreement -> pairs.
    """

    kind: str
    name: str
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All pairs."""
        return sum(self.counts.values())


def funnel(fates: pa.Table, subsets: Sequence[str], splits: Sequence[str]) -> list[FunnelRow]:
    """Return the lines of the funnel: each subset, what left it, and after the last one its splits.

    Every pair is counted once where it ends, and in each subset down to there, so that a subset is the next one and what left.

    Args:
        fates: a row per pair of the widest subset: ``level``, ``last`` (number of the narrowest subset that it is in) and
            ``end`` (its split, or why it left).
        subsets: their names, the widest first.
        splits: the names that stand in ``end`` for splits.
    """
    counted = fates.group_by(["level", "last", "end"]).aggregate([([], "count_all")]).to_pylist()

    def counts(of: Any) -> dict[str, int]:
        return {level: sum(row["count_all"] for row in counted if row["level"] == level and of(row)) for level in COLUMNS}

    rows = list[FunnelRow]()
    for number, name in enumerate(subsets):
        rows.append(FunnelRow(kind="subset", name=name, counts=counts(lambda row, number=number: row["last"] >= number)))
        ends = sorted({row["end"] for row in counted if row["last"] == number and row["end"] not in splits})
        for end in ends:
            here = counts(lambda row, number=number, end=end: row["last"] == number and row["end"] == end)
            rows.append(FunnelRow(kind="left", name=end, counts=here))
    for split in splits:
        rows.append(FunnelRow(kind="split", name=split, counts=counts(lambda row, split=split: row["end"] == split)))
    return rows


def funnel_of(build: Build[Any]) -> list[FunnelRow]:
    """Return the funnel of a build with subsets, as far as it has come."""
    names, filters = build.recipe.subset_names, [rule.name for rule in filters_of(build)]
    chosen = [build.recipe.subsets[name].after for name in names]
    after = [-1 if name is None else filters.index(name) for name in chosen]
    table = pa.table({"item_id": item_ids(build, names[0])})
    table = attach(table, "item_id", votes_by_pair(counted_votes(build)), "pair_id", {"votes": "votes"})
    table = table.append_column("level", levels(table["votes"])).drop_columns(["votes"])
    drops = build.tables.read("drops@filters", ["row_id", "filter", "reason"])
    table = attach(table, "item_id", drops, "row_id", {"filter": "filter", "left": "reason"})
    beyond = among(build.tables.read("drops@splits", ["row_id", "reason"]), "row_id", table["item_id"])
    table = attach(table, "item_id", beyond, "row_id", {"beyond": "reason"})
    table = attach(table, "item_id", released_splits(build), "item_id", {"split": "split"})
    place = {name: sum(one < number for one in after) - 1 for number, name in enumerate(filters)}
    last = [place.get(name, len(names) - 1) for name in table["filter"].to_pylist()]
    why = pc.coalesce(table["left"], pc.binary_join_element_wise("splits", table["beyond"], ": "), pa.scalar("in no split yet"))
    fates = pa.table({"level": table["level"], "last": pa.array(last, pa.int64()), "end": pc.coalesce(table["split"], why)})
    # The split that a teacher divides is whole until it has been asked.
    whole = set(table["split"].drop_null().to_pylist()) - set(build.recipe.splits.released())
    return funnel(fates, names, [*build.recipe.splits.released(), *sorted(whole)])
