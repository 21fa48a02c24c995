"""What the recipe's metrics measure of clips as acoustic features, as language models read them."""

import pyarrow as pa

from contracts import plugins
from flows.run.pipeline import Build
from flows.stages.metrics import current_facts
from scoring.feature import Feature, table


def features_of(metrics: list[str]) -> dict[str, Feature]:
    """Return value name -> feature, of all of these metrics that measure features."""
    return {
        name: feature for metric in metrics for name, feature in getattr(plugins.load("metric", metric), "features", {}).items()
    }


def feature_tables(build: Build) -> pa.Table:
    """Return ``sample_id, features``: what was measured of each clip, one feature a line; null = nothing was."""
    features, facts = features_of([metric.name for metric in build.recipe.metrics]), current_facts(build)
    tables = [table(features, row) or None for row in facts.select(list(features)).to_pylist()]
    return pa.table({"sample_id": facts["sample_id"], "features": pa.array(tables, pa.string())})


def feature_names(build: Build) -> str:
    """Return the features that may be measured, one a line, each with its unit."""
    features = features_of([metric.name for metric in build.recipe.metrics]).values()
    return "\n".join(f"{one.title}, in {one.unit}" if one.unit else one.title for one in features)
