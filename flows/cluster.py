"""The Ray cluster: an embedded one on this machine, or a connection to a real one."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import ray
from ray.exceptions import RayError

from contracts.errors import SetupError
from contracts.jobs import Resources

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def cluster(address: str | None = None, *, cpus: int | None = None) -> Iterator[None]:
    """Start an embedded cluster, or connect to the one at ``address`` (``ray://host:10001``, ``host:6379`` or ``auto``).

    The embedded one listens on loopback only, reports nothing to anybody, and dies with this process, even by ``kill -9``.

    Args:
        address: a running cluster; None = embedded.
        cpus: CPUs of the embedded one; None = all that this process may use.

    Raises:
        SetupError: no cluster answers at that address.
    """
    if ray.is_initialized():
        yield
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # makes Ray bind to loopback instead of all interfaces
        os.environ["RAY_AUTH_MODE"] = "disabled"
        ray.init(
            address="local",  # a left-over cluster file must not redirect us
            num_cpus=cpus or len(os.sched_getaffinity(0)),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=False,
        )
    else:
        _reach(address)
        try:
            ray.init(
                address=address,
                runtime_env={"working_dir": str(PROJECT_ROOT), "excludes": [".venv", ".git", "workspaces"]},
                logging_level=logging.ERROR,
            )
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            raise SetupError(f"no Ray cluster answers at {address!r} ({error}); start one or leave --ray out") from error
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Find out at once whether anything listens there: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise SetupError(f"no Ray cluster answers at {address!r} ({error}); start one or leave --ray out") from error


def gpus_here() -> int:
    """Return how many NVIDIA GPUs this machine has, without loading anything."""
    devices = [*Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("dxg")]  # the second one is Windows' subsystem for Linux
    return len(devices)


def check_resources(wanted: dict[str, Resources]) -> None:
    """Refuse work that the cluster could never place: Ray would wait for the missing GPU for ever.

    Args:
        wanted: what asks (for the message) -> what one session of it occupies.

    Raises:
        SetupError: more CPUs or GPUs are wanted at once than the largest node of the cluster has.
    """
    nodes = node_resources()
    for who, need in wanted.items():
        for kind, amount in (("GPU", need.gpus), ("CPU", need.cpus)):
            most = max((node.get(kind, 0.0) for node in nodes), default=0.0)
            if amount > most:
                raise SetupError(
                    f"{who} needs {amount:g} {kind}, but the largest node of this cluster has {most:g}: connect to "
                    f"another cluster with --ray, or leave it out of the recipe"
                )


def node_resources() -> list[dict[str, float]]:
    """Return what each living node of the cluster has in all: ``{"CPU": 2.0, "GPU": 1.0, ...}``."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
