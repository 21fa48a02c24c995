"""The flow ``collect-votes``: carry on a build that waits for people. Only flows live here: Prefect loads it by its path."""

from typing import Any

from prefect import State, flow

from flows.entry.prefect_runs import run_collection
from flows.run.pipeline import open_build


@flow(name="collect-votes", persist_result=False)
def collect_votes(recipe: str = "recipes/unisrm_task1_verified.yaml", workspace: str | None = None) -> str | State[Any] | None:
    """Look whether enough votes are in, and if so build on to the release and return its folder.

    Else it ends in a state that says how many are there, such as ``waiting for votes: 12 of 90``.

    Args:
        recipe: path of the recipe, relative to the project.
        workspace: folder or URL; empty = the recipe's own.
    """
    return run_collection(open_build(recipe, workspace or None))
