"""The flow ``reannotate``: judge existing pairs again. Only flows live here: Prefect loads this file by its path."""

from typing import Any

from prefect import flow

from flows.entry.prefect_runs import run_reannotation
from flows.run.pipeline import open_build


@flow(name="reannotate", persist_result=False)
def reannotate(  # noqa: PLR0917  # a flow's parameters come by name
    recipe: str = "recipes/demo.yaml",
    workspace: str | None = None,
    judge: str | None = None,
    task: str | None = None,
    options: dict[str, Any] | None = None,
    mode: str | None = None,
    pairs: int | None = None,
) -> dict[str, Any]:
    """Put the pairs of a recipe to a judge once more and return the counts.

    Args:
        recipe: path of the recipe, relative to the project.
        workspace: folder or URL; empty = the recipe's own.
        judge: judge plug-in; empty = the recipe's own judge, one more time.
        task: task plug-in; empty = the recipe's.
        options: options of the judge, beside (own judge) or instead of (another judge) the recipe's.
        mode: live or batch; empty = the recipe's.
        pairs: ask about so many pairs only; empty = all.
    """
    opened = open_build(recipe, workspace or None)
    return run_reannotation(opened, judge=judge or None, task=task or None, options=options, mode=mode or None, pairs=pairs)
