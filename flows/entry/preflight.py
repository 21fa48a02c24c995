"""Checks before any work that this machine or cluster can do what is left."""

import sys
from collections.abc import Callable, Sequence, Set
from contextlib import ExitStack
from typing import Any

from contracts.errors import SetupError
from contracts.jobs import Resources
from flows.listening.store import store_place
from flows.run.cluster import cluster
from flows.run.cluster_resources import check_resources, gpus_here
from flows.run.judge_readiness import unready_judges
from flows.run.kind import asking_stages
from flows.run.marks import finished
from flows.run.pipeline import Build, Stage
from flows.run.prepared import prepare_on_cluster
from flows.run.question import judge_of
from flows.run.questions import ledger_place, lost_ledger
from flows.run.services import services_of
from storage.downloads import unobtainable
from storage.environments.child_variables import withheld
from storage.environments.hosted_plugin import hosted_in


def preflight(build: Build, stages: tuple[Stage[Any], ...], stack: ExitStack) -> None:
    """Check before any work that this machine or cluster can do what is left.

    Starts, or connects to, the cluster if a stage with work left needs it; it runs until ``stack`` ends.

    Raises:
        SetupError: an engine, model, key, CPU or GPU is missing; the message names all of them.
    """
    left = check_machine(build, stages)
    needs = _needs(build, stages, left)
    if left & {stage.name for stage in stages if stage.on_cluster}:
        stack.enter_context(cluster(build.ray_address, secrets=build.secrets))
        check_resources(_resources(needs))
        if build.ray_address is not None:
            prepare_on_cluster(needs)


def check_machine(build: Build, stages: tuple[Stage[Any], ...]) -> set[str]:
    """Return the names of the stages with possible work: the first unfinished one and all after it.

    Raises:
        SetupError: an engine, model or key for them is missing on this machine, and there is no cluster; an environment of an
            engine or model cannot be built or does not work; the recipe demands a version that an engine or metric here, or an
            existing sample, does not have; or the workspace is in a bucket and no database is configured for replies and votes.
            The message names all problems.
        StorageError: replies may have to be bought, and the ledger is not the one that the workspace used, or unreadable.
    """
    first = next((number for number, stage in enumerate(stages) if finished(stage, build) is None), len(stages))
    left = {stage.name for stage in stages[first:]}
    # A cluster's workers may have engines and models that are missing here.
    here = left if build.ray_address is None else set[str]()
    # Services are called from here, wherever engines run.
    services = services_of(build, stages, left)
    needs = {who: plugin for who, plugin in _needs(build, stages, here).items() if who not in services}
    hosted = {who: plugin for who, plugin in needs.items() if hosted_in(plugin)}
    problems = [
        f"{who}: {problem}"
        for who, plugin in needs.items()
        if who not in hosted and (problem := plugin.missing() or unobtainable(plugin))
    ]
    problems += [f"{who}: {problem}" for who, plugin in services.items() if build.check_keys and (problem := plugin.missing())]
    if build.ray_address is None and not gpus_here():
        asking = [who for who, resources in _resources(needs).items() if resources.gpus]
        problems += [f"{who}: needs a GPU and this machine has none; run it on a cluster with --ray ADDRESS" for who in asking]
    problems += unready_judges(build, left, stages[first : first + 1], lambda judge: judge.missing())
    problems += _without_a_place(build, left, pays=bool(services))
    with withheld(build.secrets):
        if not problems:  # building takes minutes and gigabytes, so what is missing beside comes first
            problems = [f"{who}: {problem}" for who, plugin in hosted.items() if (problem := _unprepared(who, plugin))]
        if left and not problems:
            problems = [problem for stage in stages for problem in stage.wrong_versions(build, stage.name in here)]
    if problems:
        raise SetupError("; ".join(problems))
    if (services or _pays(build, left)) and (lost := lost_ledger(build)) is not None:
        raise lost
    problems = unready_judges(build, left, stages[first : first + 1], lambda judge: judge.missing() or judge.key_problem())
    problems += [
        f"{who}: {problem}" for who, plugin in services.items() if build.check_keys and (problem := plugin.key_problem())
    ]
    if problems:
        raise SetupError("; ".join(problems))
    return left


def _unprepared(who: str, plugin: Any) -> str | None:
    """Build the environment of an engine or model, and return why that or the plug-in in it does not work; None = it does."""
    for hosted in hosted_in(plugin):
        if not hosted.is_built():
            print(f"unisrm-data: building the environment of {who} ({hosted.environment})", file=sys.stderr)
        try:
            hosted.build()
        except SetupError as error:
            return str(error)
    return plugin.missing() or unobtainable(plugin)


def _pays(build: Build, left: set[str]) -> bool:
    """Tell whether replies may have to be bought."""
    return any(
        not judge_of(role).facts for stage, asking in asking_stages(build) if stage in left for role in asking.roles(build)
    )


def _without_a_place(build: Build, left: set[str], *, pays: bool) -> list[str]:
    """Return why replies and votes could not be stored; checked before hours of synthesis."""
    places: list[Callable[[Build], str]] = []
    if pays or any(asking.roles(build) for stage, asking in asking_stages(build) if stage in left):
        places.append(ledger_place)
    if build.recipe.listening is not None and build.recipe.listening.stage in left:
        places.append(store_place)
    problems: list[str] = []
    for place in places:
        try:
            place(build)
        except SetupError as error:
            problems.append(str(error))
    return problems


def _resources(needs: dict[str, Any]) -> dict[str, Resources]:
    """Return the resources of one session of each engine and metric."""
    return {who: plugin.resources for who, plugin in needs.items()}


def _needs(build: Build, stages: Sequence[Stage[Any]], left: Set[str]) -> dict[str, Any]:
    """Return the engines and models that the stages left need."""
    return {who: plugin for stage in stages if stage.name in left for who, plugin in stage.needs(build).items()}
