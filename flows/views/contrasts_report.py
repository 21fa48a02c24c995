"""What became of pairs by how their worse clip was made, for the report: counts, verdicts, drops and labels per corruption."""

from collections import Counter, defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach
from flows.run.pipeline import Build
from flows.run.wanted import wanted_rows
from flows.stages.verification import released_splits


def contrasts_content(build: Build) -> dict[str, Any]:
    """Return the content of the report's section; without rows as long as there are no pairs."""
    splits = list(build.recipe.splits.released())
    counts = defaultdict[str, Counter[str]](Counter)
    reasons = defaultdict[str, Counter[str]](Counter)
    for row in _pairs(build).to_pylist():
        corruption = row["corruption_a"] or row["corruption_b"]
        if corruption is None:
            continue
        good = "b" if row["corruption_a"] is not None else "a"
        found = counts[corruption]
        found["pairs"] += 1
        if row["verdict"] is not None:
            found["judged"] += 1
            found["agrees"] += row["verdict"] == good
        if row["reason"] is not None:
            reasons[corruption][row["reason"]] += 1
        if row["label"] is not None:
            found[f"label {row['label']}"] += 1
        if row["split"] is not None:
            found[f"split {row['split']}"] += 1
    return {
        "splits": splits,
        "rows": [(name, counts[name], sorted(reasons[name].items())) for name in sorted(counts)],
    }


def _pairs(build: Build) -> pa.Table:
    """Return the pairs with corruptions, verdict of the judge, reason of a drop, label, and the split that releases them."""
    pairs = build.tables.read("pairs", ["pair_id", "sample_a", "sample_b"])
    samples = wanted_rows(build, "samples")
    for side in ("a", "b"):
        pairs = attach(pairs, f"sample_{side}", samples, "sample_id", {f"corruption_{side}": "corruption"})
    pairs = attach(pairs, "pair_id", build.tables.read("rulings", ["pair_id", "verdict"]), "pair_id", {"verdict": "verdict"})
    drops = build.tables.read("drops@filters", ["row_id", "reason"])
    pairs = attach(pairs, "pair_id", drops, "row_id", {"reason": "reason"})
    pairs = attach(pairs, "pair_id", build.tables.read("labels", ["item_id", "label"]), "item_id", {"label": "label"})
    assigned = released_splits(build)
    assigned = assigned.filter(pc.is_in(assigned["split"], value_set=pa.array(list(build.recipe.splits.released()))))
    return attach(pairs, "pair_id", assigned, "item_id", {"split": "split"})
