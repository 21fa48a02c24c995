"""What the recipe's metrics measure of clips as acoustic features, as language models read them."""

from typing import Final

import pyarrow as pa

from flows.run.pipeline import Build
from flows.stages.metrics import current_facts
from scoring.feature import Feature, features_of, table

_ROWS_AT_ONCE: Final = 4096


def feature_tables(build: Build) -> pa.Table:
    """Return ``sample_id, features``: what was measured of each clip, one feature a line; null = nothing was."""
    features, facts = _features(build), current_facts(build)
    batches = facts.select(list(features)).to_batches(max_chunksize=_ROWS_AT_ONCE)
    tables = [table(features, row) or None for batch in batches for row in batch.to_pylist()]
    return pa.table({"sample_id": facts["sample_id"], "features": pa.array(tables, pa.string())})


def feature_names(build: Build) -> str:
    """Return the features that may be measured, one a line, each with its unit."""
    return "\n".join(f"{one.title}, in {one.unit}" if one.unit else one.title for one in _features(build).values())


def _features(build: Build) -> dict[str, Feature]:
    """Return value name -> feature, of all metrics of the recipe."""
    return {name: feature for metric in build.recipe.metrics for name, feature in features_of(metric.name).items()}
