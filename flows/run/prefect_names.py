"""Start-up hook of Prefect's command line: ``prefect deployment run build-unisrm-data`` works without ``<flow>/``.

Prefect wants ``<flow>/<deployment>``. Ours share their names, so a bare name of one of ours can only mean one thing. Active
where ``prefect.toml`` switches plug-ins on, which the project's own does; both spellings are documented.
"""

import sys

from prefect.plugins import HookContext, SetupResult, register_hook

DEPLOYMENTS = frozenset({"build-unisrm-data", "collect-votes"})


@register_hook
def setup_environment(*, ctx: HookContext) -> SetupResult | None:  # noqa: ARG001 - Prefect's signature
    """Complete a bare deployment name in this process's arguments; changes no environment."""
    if sys.argv[1:3] == ["deployment", "run"]:
        sys.argv[3:] = [f"{word}/{word}" if word in DEPLOYMENTS else word for word in sys.argv[3:]]
    return None
