"""Whether a machine or cluster has the CPUs and GPUs that work needs; Ray would wait for missing ones for ever."""

from pathlib import Path

from contracts.errors import SetupError
from contracts.jobs import Resources
from flows.run.cluster import running_cluster


def gpus_here() -> int:
    """Return how many NVIDIA GPUs this machine has, without loading anything."""
    devices = [*Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("dxg")]  # the second one under WSL
    return len(devices)


def check_resources(wanted: dict[str, Resources]) -> None:
    """Refuse work that no node of the cluster can run.

    Args:
        wanted: name for the message -> resources of one session.

    Raises:
        SetupError: a session needs more CPUs or GPUs than the largest node has.
    """
    nodes = running_cluster().nodes()
    for who, need in wanted.items():
        for kind, amount in (("GPU", need.gpus), ("CPU", need.cpus)):
            most = max((node.get(kind, 0.0) for node in nodes), default=0.0)
            if amount > most:
                raise SetupError(
                    f"{who} needs {amount:g} {kind}, but the largest node of this cluster has {most:g}: connect to "
                    f"another cluster with --ray, or leave it out of the recipe"
                )
