"""All stages, in order."""

from contextlib import ExitStack
from typing import Any, Final

from contracts import plugins
from contracts.errors import SetupError
from contracts.jobs import Resources
from flows.cluster import check_resources, cluster
from flows.decide import DECIDING
from flows.gather import GATHERING
from flows.pipeline import Build, Stage, finished
from flows.publish import PUBLISHING

STAGES: Final[tuple[Stage, ...]] = (*GATHERING, *DECIDING, *PUBLISHING)


def preflight(build: Build, stages: tuple[Stage, ...], stack: ExitStack) -> None:
    """Find out before any work whether this machine or cluster can do what is left to do.

    Starts (or connects to) the cluster if a stage that has something to do needs it; it runs until ``stack`` ends.

    Raises:
        SetupError: an engine, model, key, CPU or GPU is missing; the message names all of them.
    """
    left = {stage.name for stage in stages if finished(stage, build) is None}
    needs = _needs(build, left)
    if build.ray_address is None:  # a cluster's workers may have what this machine lacks
        problems = [f"{who}: {problem}" for who, plugin in needs.items() if (problem := plugin.missing())]
        if problems:
            raise SetupError("; ".join(problems))
    if left & {stage.name for stage in stages if stage.on_cluster}:
        stack.enter_context(cluster(build.ray_address))
        check_resources(
            {
                who: plugin.resources
                for who, plugin in needs.items()
                if isinstance(getattr(plugin, "resources", None), Resources)
            }
        )


def _needs(build: Build, left: set[str]) -> dict[str, Any]:
    needs: dict[str, Any] = {}
    if "samples" in left:
        needs |= {f"system {name}": engine for name, engine in build.recipe.engines.items()}
    if "metrics" in left:
        needs |= {
            f"metric {metric.name}": plugins.configure("metric", metric.name, metric.options) for metric in build.recipe.metrics
        }
    if "judgments" in left:
        judge = build.recipe.judge
        needs[f"judge {judge.name}"] = plugins.configure("judge", judge.name, judge.options)
    return needs
