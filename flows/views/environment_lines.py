"""Lines of plans about the environments of engines and models that are yet to be built."""

from flows.run.kind import Line, stages_of
from flows.run.pipeline import Build
from flows.views.plan_lines import is_finished, plan_line
from storage.environments.environment_cache import download_size, key_here
from storage.environments.hosted_plugin import HostedPlugin, hosted_in

_UNKNOWN = "its size is unknown: no package index answers, or the requirements exclude each other"


def environment_lines(build: Build) -> list[Line]:
    """Return one line per environment that a build would build on this machine, with what it would download.

    The package index is asked; nothing is downloaded. Nodes of a cluster may have or lack other environments than this machine.
    """
    users: dict[str, list[str]] = {}
    unbuilt: dict[str, HostedPlugin] = {}
    for stage in stages_of(build):
        if not is_finished(stage, build):
            needed = [(who, hosted) for who, plugin in stage.needs(build).items() for hosted in hosted_in(plugin)]
            for who, hosted in needed:
                if not hosted.is_built():
                    key = key_here(hosted.environment)
                    unbuilt[key] = hosted
                    users.setdefault(key, []).append(who)
    lines = []
    for key, plugin in unbuilt.items():
        known = download_size(plugin.environment)
        note = (
            _UNKNOWN
            if known is None
            else f"{known[0]} packages, at most {known[1]:,.0f} MB to download, about twice that on disk"
        )
        line = plan_line("environment", 0, disk_mb=0.0 if known is None else round(2 * known[1], 1))
        lines.append(line | {"note": f"of {' and '.join(users[key])} ({plugin.environment}): {note}"})
    return lines
