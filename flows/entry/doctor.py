"""What this machine can run, and how to install what is missing."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from contracts import plugins
from contracts.errors import RecipeError, SetupError
from contracts.plugin_environment import Environment
from flows.run.cluster_resources import gpus_here
from flows.run.question import default_key_variables
from scoring.hosted_model import placed_metric, placed_transcriber
from storage.downloads import to_fetch, unobtainable
from storage.environments.child_variables import withheld
from storage.environments.environment_cache import BuiltEnvironment, all_built
from storage.environments.hosted_plugin import hosted_in
from synth.hosted_engine import placed_engine

_PROBED = ("engine", "metric", "asr", "judge")


def examine() -> list[dict[str, object]]:
    """Return one row per engine, metric, judge and device: whether it is ready, and what to do if not.

    Plug-ins of other kinds have a row only if they are broken.

    Loads and fetches no model. A plug-in that fetches one on first use is ready if its server offers it now, a judge or
    speech service if its provider accepts the key.
    """
    secrets = default_key_variables()
    probed = [(kind, name) for kind in _PROBED for name in plugins.names(kind)]
    with ThreadPoolExecutor() as pool:  # servers that do not answer take as long as the slowest of them
        rows = list(pool.map(lambda one: _examined(one[0], one[1], secrets), probed))
    rows += [
        {"kind": kind, "name": name, "ready": False, "what to do": problem}
        for kind in plugins.PACKAGES
        if kind not in _PROBED
        for name, problem in plugins.broken(kind).items()
    ]
    rows += [_environment(found) for found in all_built()]
    rows.append(_gpu())
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    rows.append(
        {
            "kind": "machine",
            "name": f"{len(os.sched_getaffinity(0))} CPUs, {free:.0f} GB free here",
            "ready": free > 1,
            "what to do": None if free > 1 else "free some disk space",
        }
    )
    return rows


def _examined(kind: str, name: str, secrets: frozenset[str]) -> dict[str, object]:
    note = None
    try:
        plugin = _placed(kind, name)
        if unbuilt := [hosted for hosted in hosted_in(plugin) if not hosted.is_built()]:
            problem = _without_gpu(plugin) or unobtainable(plugin)
            note = (
                f"nothing: the first build makes its environment ({unbuilt[0].environment}); what is missing in it shows then"
            )
            return {"kind": kind, "name": name, "ready": problem is None, "what to do": problem or note}
        with withheld(secrets):
            problem = plugin.missing() or _without_gpu(plugin) or unobtainable(plugin)
        if problem is None and hasattr(plugin, "key_problem"):
            problem = plugin.key_problem()
        if problem is None and (files := to_fetch(plugin)):
            note = f"nothing: it fetches {' and '.join(map(str, files))} on first use"
    except (RecipeError, SetupError) as error:
        problem = str(error)
    return {"kind": kind, "name": name, "ready": problem is None, "what to do": problem or note}


def _placed(kind: str, name: str) -> Any:
    """Return a plug-in with its default options where it runs unless a recipe says otherwise."""
    match kind:
        case "engine":
            return placed_engine(name, {}, None)
        case "metric":
            return placed_metric(name, {}, None)
        case "asr":
            return placed_transcriber(name, {}, None)
    return plugins.configure(kind, name)


def _environment(found: BuiltEnvironment) -> dict[str, object]:
    what = f"nothing: Python {found.python_version}, {len(found.packages)} packages, {found.size_mb:.0f} MB in {found.folder}"
    return {
        "kind": "environment",
        "name": str(Environment(requirements=tuple(found.made_of["requirements"]))),
        "ready": True,
        "what to do": what,
    }


def _without_gpu(plugin: Any) -> str | None:
    if not hasattr(plugin, "resources") or not plugin.resources.gpus or gpus_here():
        return None
    return "needs a GPU by default: set device to cpu in the recipe, or run where there is one (--ray)"


def _gpu() -> dict[str, object]:
    found = gpus_here()
    what = None if found else "none here: connect to a Ray cluster that has one (--ray), or use the embedded engines"
    return {"kind": "machine", "name": f"{found} GPUs", "ready": bool(found), "what to do": what}
