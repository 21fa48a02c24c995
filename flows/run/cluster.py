"""The Ray cluster: an embedded one on this machine, or a connection to a running one. Ray's driver has a process of its own.

The build waits for it in short polls with a time-out. A lost cluster is started, or connected to, again a few times, and the
batches in flight are repeated.
"""

import collections
import contextlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from contracts.errors import SetupError
from flows.run.environment import without_secrets
from flows.run.linux_processes import is_running, kill_session
from flows.run.ray_folder import RAY_SUBFOLDER, ray_folder, write_token

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("annotate", "contracts", "corpora", "filters", "flows", "scoring", "splits", "storage", "synth")
"""Packages that are sent to workers of a running cluster. The rest of this folder is not: it may hold keys and data."""

_START_LIMIT_S: Final = 50.0
_REPLY_LIMIT_S: Final = 30.0
_STOP_LIMIT_S: Final = 10.0
_SLICE_S: Final = 1.0
_NODES_EVERY_S: Final = 5.0
_ATTEMPTS: Final = 3

_running: "Cluster | None" = None


class ClusterLost(Exception):
    """Ray's process or one of its daemons is gone or does not answer. The batches in flight have to be repeated."""


class Cluster:
    """A cluster, and the process of Ray's driver. Not thread-safe."""

    def __init__(self, address: str | None, cpus: int | None, secrets: Collection[str], folder: Path) -> None:
        self._address = address
        self._cpus = cpus or len(os.sched_getaffinity(0))
        self._secrets = secrets
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._daemons: list[int] = []
        self._inbox: collections.deque[tuple[Any, ...]] = collections.deque()
        self._nodes: list[dict[str, float]] = []
        self._nodes_at = 0.0
        self._losses = 0

    def start(self) -> None:
        """Start the process and the cluster, or connect to the one at the address.

        Raises:
            SetupError: it did not come up in time, in several attempts.
        """
        while True:
            try:
                self._start()
            except ClusterLost as loss:
                self._note(loss)
            else:
                return

    def restart(self, loss: ClusterLost) -> None:
        """Start again after a loss.

        Raises:
            SetupError: it was lost several times without a finished batch in between, or does not come up.
        """
        self._note(loss)
        self.start()

    def send(self, *message: Any) -> None:
        """Send a message to Ray's process.

        Raises:
            ClusterLost: it is gone.
        """
        if self._connection is None:
            raise ClusterLost("it was not started")
        try:
            self._connection.send(message)
        except OSError as error:
            raise ClusterLost("its process has ended") from error

    def receive(self) -> tuple[Any, ...] | None:
        """Wait a moment for the outcome of a batch; None = none yet, and the cluster answers.

        Raises:
            ClusterLost: the cluster or its process is gone, or does not answer.
        """
        message = self._inbox.popleft() if self._inbox else self._next(_SLICE_S)
        if message is None or time.monotonic() - self._nodes_at > _NODES_EVERY_S:
            self._ask_nodes()
        if message is not None and message[0] == "done":
            self._losses = 0
        return message

    def nodes(self) -> list[dict[str, float]]:
        """Return the total resources of each living node now: ``{"CPU": 2.0, "GPU": 1.0, ...}``.

        Raises:
            SetupError: the cluster was lost and does not come up again.
        """
        while True:
            try:
                self._ask_nodes()
            except ClusterLost as loss:
                self.restart(loss)
            else:
                return self._nodes

    @property
    def nodes_seen(self) -> list[dict[str, float]]:
        """The nodes as of the cluster's last answer, a few seconds ago at most while batches come back."""
        return self._nodes

    def stop(self) -> None:
        """End the process and an embedded cluster. Committed batches do not depend on them."""
        if self._process is None:
            return
        if self._address is not None:
            with contextlib.suppress(ClusterLost, subprocess.TimeoutExpired):
                self.send("stop")
                self._process.wait(_STOP_LIMIT_S)
        if self._process.returncode is None:  # until it is waited for, its process id is not reused
            kill_session(self._process.pid)
        self._process.wait()
        assert self._connection is not None
        self._connection.close()
        self._process = self._connection = None
        self._inbox.clear()

    def _ask_nodes(self) -> None:
        self.send("ping")
        while (message := self._expect(_REPLY_LIMIT_S))[0] != "nodes":
            self._inbox.append(message)
        self._nodes, self._nodes_at = message[1], time.monotonic()
        if self._address is None and not self._nodes:
            raise ClusterLost("its node does not answer")

    def _start(self) -> None:
        if self._address is not None:
            _reach(self._address)
        shutil.rmtree(self._folder / RAY_SUBFOLDER, ignore_errors=True)
        ours, theirs = socket.socketpair()
        arguments = [str(theirs.fileno()), self._address or str(self._folder), *([] if self._address else [str(self._cpus)])]
        with theirs, (self._folder / "ray_process.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "flows.run.ray_process", *arguments],
                env=self._environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # keeps the terminal's Ctrl-C away from Ray, and lets all its processes be found
                cwd=self._code(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._connection = Connection(ours.detach())
        self._daemons = []
        message = self._expect(_START_LIMIT_S)
        if message[0] == "failed":
            if self._address is not None:
                raise SetupError(f"no Ray cluster answers at {self._address!r} ({message[1]}); start one or leave --ray out")
            raise ClusterLost(message[1])
        _, self._daemons, self._nodes = message

    def _environment(self) -> dict[str, str]:
        environment = without_secrets(os.environ, self._secrets) | {"RAY_USAGE_STATS_ENABLED": "0"}
        if self._address is None:
            environment |= {
                "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # makes Ray bind to loopback instead of all interfaces
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(write_token(self._folder)),
            }
            for name in ("RAY_AUTH_TOKEN", "RAY_ADDRESS"):
                environment.pop(name, None)
        return environment

    def _code(self) -> Path | None:
        """Return the folder in which Ray's process runs: for a running cluster a copy of the code to send there."""
        if self._address is None:
            return None
        code = self._folder / "code"
        shutil.rmtree(code, ignore_errors=True)
        for package in PACKAGES:
            shutil.copytree(
                PROJECT_ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__", ".*"), symlinks=False
            )
        return code

    def _note(self, loss: ClusterLost) -> None:
        self.stop()
        self._losses += 1
        what = "the embedded Ray cluster" if self._address is None else f"the Ray cluster at {self._address!r}"
        if self._losses >= _ATTEMPTS:
            advice = "run the same command again" if self._address is None else "see to it, or leave --ray out"
            raise SetupError(f"{what} failed {self._losses} times in a row ({loss}); what is done is safe: {advice}")
        logging.getLogger(__name__).warning("%s failed (%s); starting again", what, loss)

    def _expect(self, limit_s: float) -> tuple[Any, ...]:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if (message := self._next(_SLICE_S)) is not None:
                return message
        raise ClusterLost(f"no answer within {limit_s:.0f} s")

    def _next(self, wait_s: float) -> tuple[Any, ...] | None:
        """Return the next message; None = none yet."""
        assert self._connection is not None
        assert self._process is not None
        try:
            if self._connection.poll(wait_s):
                message: tuple[Any, ...] = self._connection.recv()
                return message
        except (EOFError, OSError) as error:
            raise ClusterLost("its process has ended") from error
        if not is_running(self._process.pid):
            raise ClusterLost("its process has ended")
        if not all(is_running(pid) for pid in self._daemons):
            raise ClusterLost("one of its daemons has ended")
        return None


@contextlib.contextmanager
def cluster(address: str | None = None, *, cpus: int | None = None, secrets: Collection[str] = ()) -> Iterator[Cluster]:
    """Start an embedded cluster, or connect to the one at ``address`` (``ray://host:10001``, ``host:6379`` or ``auto``).

    The embedded one listens on loopback only, requires a token, reports no usage, leaves no files behind, and ends with this
    process, even by ``kill -9``. Inside another such block, that block's cluster is used.

    Args:
        address: address of a running cluster; None = embedded.
        cpus: CPUs of the embedded one; None = all that this process may use.
        secrets: names of environment variables that no process of the cluster gets, beside those that look like secrets.

    Raises:
        SetupError: no cluster answers at that address, or the embedded one does not start.
    """
    global _running  # noqa: PLW0603 - a process has one cluster
    if _running is not None:
        yield _running
        return
    with ray_folder() as folder:
        started = Cluster(address, cpus, secrets, folder)
        try:
            started.start()
            _running = started
            yield started
        finally:
            _running = None
            started.stop()


def _reach(address: str) -> None:
    """Check at once whether anything listens there: Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise SetupError(f"no Ray cluster answers at {address!r} ({error}); start one or leave --ray out") from error


def running_cluster() -> Cluster:
    """Return the cluster of the surrounding ``cluster()`` block."""
    assert _running is not None
    return _running
