"""What this machine can do, and how to get what it lacks."""

import os
import shutil
from pathlib import Path

from contracts import plugins
from contracts.errors import SetupError
from flows.cluster import gpus_here

_PROBED = ("engine", "metric", "asr", "judge")


def examine() -> list[dict[str, object]]:
    """Return one row per engine, metric, judge and device: whether it is ready, and what to do if not. Loads no model."""
    rows: list[dict[str, object]] = []
    for kind in _PROBED:
        for name in plugins.names(kind):
            try:
                problem = plugins.configure(kind, name).missing()
            except SetupError as error:
                problem = str(error)
            rows.append({"kind": kind, "name": name, "ready": problem is None, "what to do": problem})
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


def _gpu() -> dict[str, object]:
    found = gpus_here()
    what = None if found else "none here: connect to a Ray cluster that has one (--ray), or use the embedded engines"
    return {"kind": "machine", "name": f"{found} GPUs", "ready": bool(found), "what to do": what}
