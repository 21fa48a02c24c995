"""A real Ray cluster of several nodes on this machine: each node has one CPU, and is a session of processes of its own."""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flows.run.linux_processes import descendants, kill_descendants, kill_session

START_S = 400.0
"""Limit for a node to start on a busy machine."""

_NODE = ("--block", "--num-cpus", "1", "--disable-usage-stats", "--include-log-monitor", "false")
_HEAD = ("--head", "--port", "0", "--no-monitor", "--include-dashboard", "false")
"""Options; they leave out daemons that the tests do not need, each of which takes seconds to start."""

_STARTED = "Ray runtime started"
_ABORTED = "Timed out waiting for file"
"""Message of a raylet whose agents took more than 15 seconds to start: it aborts, which ``ray start`` does not notice for minutes."""


@dataclass
class RayNodes:
    """A cluster; its first node is the head.

    Attributes:
        folder: where Ray keeps its files. Its path is short, because it is part of the names of Unix sockets.
        environment: variables of whoever connects to it.
        address: its address, once the head has started.
        nodes: first process of each living node by its process id, the head's first.
    """

    folder: Path
    environment: dict[str, str]
    address: str = ""
    nodes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, variables: Mapping[str, str] | None = None) -> int:
        """Start a node and return the process id of its first process.

        Args:
            variables: environment of the node, beside that of this process.
        """
        head = (*_HEAD, "--ray-client-server-port", str(free_port()), "--temp-dir", str(self.folder))
        where = ("--address", self.address) if self.address else head
        aborted, log = self._aborted(), self.folder / f"{secrets.token_hex(4)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [Path(sys.executable).with_name("ray"), "start", *_NODE, *where],
                env=os.environ | self.environment | (variables or {}),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.nodes[process.pid] = process
        wait_until(
            lambda: process.poll() is not None or _STARTED in log.read_text(errors="replace") or self._aborted() > aborted
        )
        assert process.poll() is None, log.read_text(errors="replace")
        if self._aborted() > aborted:
            self.kill(process.pid)
            return self.start(variables)
        self.address = self.address or (self.folder / "ray_current_cluster").read_text().strip()
        return process.pid

    def _aborted(self) -> int:
        """Return how many raylets have aborted while they started."""
        return sum(_ABORTED in log.read_text(errors="replace") for log in self.folder.glob("session_2*/logs/raylet*.err"))

    def kill(self, node: int) -> None:
        """``kill -9`` all processes of a node at once, as if its machine had lost power."""
        kill_descendants(node)  # engines have sessions of their own
        kill_session(node)
        self.nodes.pop(node).wait()

    def runs_on(self, node: int, program: str) -> bool:
        """Tell whether a node runs a program whose command line contains this."""
        return any(program in _command(pid) for pid in descendants(node))

    def stop(self) -> None:
        """Kill all nodes."""
        for node in reversed(list(self.nodes)):
            self.kill(node)


@contextlib.contextmanager
def ray_nodes(count: int, variables: Mapping[str, str] | None = None) -> Iterator[RayNodes]:
    """Run a cluster of so many nodes, which requires a token.

    Args:
        count: number of nodes to start with.
        variables: environment of all of them, beside that of this process.
    """
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        token = Path(folder, "token")
        token.write_text(secrets.token_hex(32))
        token.chmod(0o600)
        environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            "RAY_raylet_start_wait_time_s": f"{START_S:.0f}",
            "PYTHONUNBUFFERED": "1",  # it is read from the log that a node has started
        }
        cluster = RayNodes(Path(folder), environment)
        try:
            for _ in range(count):
                cluster.start(variables)
            yield cluster
        finally:
            cluster.stop()


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_until(condition: Callable[[], object], limit_s: float = START_S) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s"
        time.sleep(0.1)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""
