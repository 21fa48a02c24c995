"""Rebalancing: labelled pairs leave so that features no longer tell which clip was chosen (recipe key ``rebalance``)."""

from typing import Final

import numpy as np
import pyarrow as pa

from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.joins import attach, sorted_by
from contracts.rng import hash_fraction
from contracts.schemas import DROPS
from flows.recipe.sections import Rebalance
from flows.run.pipeline import Build
from flows.stages.audit import chosen_side
from flows.stages.clip_features import pair_features
from scoring.audit.association import Floats
from scoring.audit.rebalancing import rows_to_drop

REASON: Final = "rebalanced"


def rebalanced(build: Build, labels: pa.Table, section: Rebalance) -> tuple[pa.Table, pa.Table]:
    """Return the labels of the pairs that stay, and the others as drops.

    Raises:
        DataError: none would stay.
    """
    labels = sorted_by(labels, "item_id")
    pairs = build.tables.read("pairs", ["pair_id", "sample_a", "sample_b"])
    table = attach(labels, "item_id", pairs, "pair_id", {name: name for name in ("sample_a", "sample_b")})
    told = _told(build, table, section, chosen_side(labels["label"]))
    items = labels["item_id"].to_pylist()
    places = np.argsort([hash_fraction(build.recipe.seed, "rebalance", item) for item in items], kind="stable")
    rank = np.empty(len(items), dtype=np.int64)
    rank[places] = np.arange(len(items))
    leaving = rows_to_drop(told, rank, bound=section.bound)
    if items and len(leaving) == len(items):
        raise DataError(
            f"rebalance: none of {len(items)} pairs would be left, as {', '.join(section.features)} tell all labels the same "
            "way: leave a feature out, or make pairs in which it tells the other way"
        )
    drops = [
        {
            "stage": "filters",
            "row_id": items[row],
            "filter": "rebalance",
            "reason": REASON,
            "evidence": canonical_json({"feature": name, "chosen_has": "more" if told[name][row] > 0 else "less"}),
        }
        for row, name in sorted(leaving.items())
    ]
    stays = np.ones(len(items), dtype=np.bool_)
    stays[list(leaving)] = False
    return labels.filter(pa.array(stays)), pa.Table.from_pylist(drops, schema=DROPS)


def _told(build: Build, pairs: pa.Table, section: Rebalance, chosen: Floats) -> dict[str, Floats]:
    """Return by feature the value of the chosen clip less that of the other; a system or corruption has one for each name."""
    found = pair_features(build, pairs)
    return {
        name: values * chosen
        for name, values in {**found.nuisances, **found.origins}.items()
        if name in section.features or name.partition("=")[0] in section.features
    }
