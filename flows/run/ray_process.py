"""The process of Ray's driver: a child of the build, to which it reports the outcome of each batch.

Ray reads its settings when it is imported, hangs or ends its whole process when one of its daemons dies, and passes its
environment on to every worker. So it has a process of its own, with a chosen environment, whose end does not end the build.

Messages are tuples over one connection, the first item of each is its kind. The build sends ``limit``, ``run``, ``close``,
``ping`` and ``stop``; this process sends ``started`` or ``failed``, then ``done``, ``died``, ``returned`` or ``refused`` for
each ``run``, and ``nodes`` for each ``ping``. When the connection ends, the build has ended, and a second process ends all of
Ray: in this one Ray may hold the interpreter's lock, for example when a worker dies while it starts, so that no thread runs.
"""

import functools
import importlib
import logging
import os
import queue
import select
import shutil
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NoReturn

from flows.run.linux_processes import kill_session
from flows.run.ray_folder import RAY_SUBFOLDER
from flows.run.worker import Worker

_IDLE_AGENT: Final = subprocess.list2cmdline(["sh", "-c", "exec tail --pid=$PPID -f /dev/null"])
"""Command of a process that does nothing and ends with its parent, the raylet."""

_NO_PORT: Final = -1


def main() -> None:
    """Run with a descriptor of the connection and either the embedded cluster's folder and CPUs, or a cluster's address."""
    connection, where = Connection(int(sys.argv[1])), sys.argv[2]
    embedded = len(sys.argv) > 3
    if os.fork() == 0:
        _watch(connection, Path(where) if embedded else None)
    events: queue.Queue[tuple[Any, ...]] = queue.Queue()
    threading.Thread(target=_listen, args=(connection, events), daemon=True).start()
    try:
        pids = _start_embedded(Path(where), int(sys.argv[3])) if embedded else _connect(where, Path.cwd())
    except Exception as error:  # noqa: BLE001 - the build reports it in one line
        connection.send(("failed", " ".join(str(error).split())))
        return
    connection.send(("started", pids, _nodes()))
    _serve(connection, events)


def _watch(connection: Connection, folder: Path | None) -> NoReturn:
    """Wait for the end of the build, then kill the whole session. A build that is still alive kills this process, too."""
    try:
        watched = select.poll()
        watched.register(connection, select.POLLRDHUP)
        while not watched.poll():
            pass
        kill_session(os.getsid(0), spare=os.getpid())
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os._exit(0)


def _listen(connection: Connection, events: "queue.Queue[tuple[Any, ...]]") -> None:
    """Put the build's messages into a queue, and end this process when the build ends."""
    try:
        while True:
            events.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)


def _start_embedded(folder: Path, cpus: int) -> list[int]:
    """Start a cluster that only this user can reach, and return the process ids of its daemons.

    Raises:
        RuntimeError: Ray would listen to the network, or take requests without the token.
    """
    import ray

    constants, authentication, worker = map(_inside, ("ray_constants", "authentication.authentication_utils", "worker"))
    if constants.ENABLE_RAY_CLUSTER or not authentication.is_token_auth_enabled():
        raise RuntimeError("Ray did not take its settings: it would listen to the network, or without a token")
    _leave_agents_out()
    ray.init(
        address="local",  # a left-over cluster file must not redirect us
        num_cpus=cpus,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
        _temp_dir=str(folder / RAY_SUBFOLDER),
    )
    daemons = worker._global_node.all_processes.values()  # noqa: SLF001 - Ray has no public way to ask
    return [info.process.pid for group in daemons for info in group]


def _leave_agents_out() -> None:
    """Start neither dashboard, autoscaler, log monitor nor agents: they are not used, and one of them serves the job API.

    Ray has no setting for that. The raylet requires two agents and files with their ports.
    """
    node, services, raylet = _inside("node"), _inside("services"), importlib.import_module("ray._raylet")
    for daemon in ("start_api_server", "start_monitor", "start_log_monitor"):
        assert hasattr(node.Node, daemon)
        setattr(node.Node, daemon, lambda *_, **__: None)
    start = services.start_ray_process
    ports = [
        raylet.METRICS_AGENT_PORT_NAME,
        raylet.METRICS_EXPORT_PORT_NAME,
        raylet.DASHBOARD_AGENT_LISTEN_PORT_NAME,
        raylet.RUNTIME_ENV_AGENT_PORT_NAME,
    ]

    def start_without_agents(command: list[str], kind: str, **options: Any) -> Any:
        if kind == "raylet":
            given = dict(word.split("=", 1) for word in command if "=" in word)
            for port in ports:
                raylet.persist_port(given["--session_dir"], given["--node_id"], port, _NO_PORT)
            given |= {"--dashboard_agent_command": _IDLE_AGENT, "--runtime_env_agent_command": _IDLE_AGENT}
            command = [f"{name}={given[name]}" if (name := word.split("=")[0]) in given else word for word in command]
        return start(command, kind, **options)

    services.start_ray_process = start_without_agents


def _inside(module: str) -> Any:
    """Return one of Ray's private modules: the version of Ray is pinned, and a test checks which daemons run."""
    return importlib.import_module(f"ray._private.{module}")


def _connect(address: str, code: Path) -> list[int]:
    """Connect to a running cluster and send its workers the code in this folder, nothing else."""
    import ray

    ray.init(address=address, runtime_env={"working_dir": str(code)}, logging_level=logging.ERROR, log_to_driver=False)
    return []


def _nodes() -> list[dict[str, float]]:
    """Return the total resources of each living node: ``{"CPU": 2.0, "GPU": 1.0, ...}``."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _serve(connection: Connection, events: "queue.Queue[tuple[Any, ...]]") -> None:
    """Give batches to actors and report their outcomes until the message ``stop``. No call in here waits for a batch."""
    import ray

    actors = _Actors(connection, events)
    while True:
        match events.get():
            case ("limit", pool, most):
                actors.limit(pool, most)
            case ("run", number, pool, options, data):
                actors.run(number, pool, options, data)
            case ("finished", number, future):
                actors.finish(number, future)
            case ("close",):
                actors.close()
            case ("ping",):
                ray.util.list_named_actors(all_namespaces=True)  # asks the GCS, unlike ray.nodes(), which answers from a cache
                connection.send(("nodes", _nodes()))
            case ("stop",):
                ray.shutdown()
                return


@dataclass(kw_only=True, eq=False)
class _Actor:
    """A worker, and the numbers of the batches that it has, the one that it works on first."""

    handle: Any
    pool: int
    batches: list[int] = field(default_factory=list)


class _Actors:
    """The workers of all pools."""

    def __init__(self, connection: Connection, events: "queue.Queue[tuple[Any, ...]]") -> None:
        import ray
        from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError, WorkerCrashedError

        self._deaths = (RayActorError, WorkerCrashedError, OutOfMemoryError, NodeDiedError, ObjectLostError)
        self._connection, self._events = connection, events
        self._kill = ray.kill
        self._class: Any = ray.remote(Worker)
        self._limits: dict[int, int] = {}
        self._pools: dict[int, list[_Actor]] = {}
        self._busy: dict[int, _Actor] = {}

    def limit(self, pool: int, most: int) -> None:
        """Keep no more actors in a pool than this; those that are busy finish what they have."""
        self._limits[pool] = most
        self._let_idle_ones_go(pool)

    def run(self, number: int, pool: int, options: dict[str, float], data: bytes) -> None:
        """Give a batch to an idle actor, to a new one where there is room, or to one that has a single batch."""
        actors = self._pools.setdefault(pool, [])
        actor = min(actors, key=lambda one: len(one.batches), default=None)
        if actor is None or (actor.batches and len(actors) < self._limits[pool]):
            actor = _Actor(handle=self._class.options(**options, max_restarts=0).remote(), pool=pool)
            actors.append(actor)
        actor.batches.append(number)
        self._busy[number] = actor
        actor.handle.run.remote(data).future().add_done_callback(functools.partial(self._done, number))

    def _done(self, number: int, future: "Future[bytes]") -> None:
        self._events.put(("finished", number, future))

    def finish(self, number: int, future: "Future[bytes]") -> None:
        """Report what came of a batch; one that a lost actor had not begun goes back."""
        if (actor := self._busy.pop(number, None)) is None:
            return
        error = future.exception()
        if error is None:
            actor.batches.remove(number)
            self._connection.send(("done", number, future.result()))
            self._let_idle_ones_go(actor.pool)
            return
        if actor in self._pools[actor.pool]:
            self._pools[actor.pool].remove(actor)
            self._kill(actor.handle)  # an unavailable actor may come back, but its batches go to others
        if isinstance(error, self._deaths):
            self._connection.send(("died" if number == actor.batches[0] else "returned", number))
        else:  # the job itself cannot reach or run on a worker
            self._connection.send(("refused", number, " ".join(str(error).split())))

    def _let_idle_ones_go(self, pool: int) -> None:
        actors = self._pools.get(pool, [])
        idle = [actor for actor in actors if not actor.batches]
        for actor in idle[: max(0, len(actors) - self._limits[pool])]:
            actors.remove(actor)
            self._kill(actor.handle)

    def close(self) -> None:
        """End all actors, whatever they do."""
        for actors in self._pools.values():
            for actor in actors:
                self._kill(actor.handle)
        self._pools.clear()
        self._busy.clear()


if __name__ == "__main__":
    main()
