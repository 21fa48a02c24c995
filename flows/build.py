"""The flow ``build-unisrm-data``: from a recipe to a release. Only flows live here: Prefect loads this file by its path."""

from typing import Any

from prefect import State, flow

from flows.entry.prefect_runs import as_state, run_build
from flows.run.pipeline import open_build


@flow(name="build-unisrm-data", persist_result=False)
def build_unisrm_data(
    recipe: str = "recipes/demo.yaml", workspace: str | None = None, until: str | None = None, ray: str | None = None
) -> str | State[Any] | None:
    """Build the data set of a recipe and return the release's folder; a build that waits for people ends in a state named so.

    Args:
        recipe: path of the recipe, relative to the project.
        workspace: folder or URL; empty = the recipe's own.
        until: last stage to run; empty = all.
        ray: address of a Ray cluster; empty = an embedded one.
    """
    return as_state(run_build(open_build(recipe, workspace or None, ray or None, collections=True), until or None))
