"""The process of Ray's driver: a child of the build, to which it reports the outcome of each batch.

Ray reads its settings when it is imported, hangs or ends its whole process when one of its daemons dies, and passes its
environment on to every worker. So it has a process of its own, with a chosen environment, whose end does not end the build.

Messages are tuples over one connection, the first item of each is its kind. The build sends ``run``, ``close``, ``ping`` and
``stop``; this process sends ``started`` or ``failed``, then ``done``, ``died`` or ``refused`` for each ``run``, and ``nodes``
for each ``ping``. When the connection ends, the build has ended, and a second process ends all of Ray: in this one Ray may hold
the interpreter's lock, for example when a worker dies while it starts, so that no thread runs.
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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NoReturn

from flows.run.processes import kill_session
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
    from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError, WorkerCrashedError

    deaths = (RayActorError, WorkerCrashedError, OutOfMemoryError, NodeDiedError, ObjectLostError)
    actor_class: Any = ray.remote(Worker)
    idle: list[Any] = []
    busy: dict[int, Any] = {}

    def done(number: int, future: "Future[bytes]") -> None:
        events.put(("finished", number, future))

    while True:
        match events.get():
            case ("run", number, options, data):
                actor = busy[number] = idle.pop() if idle else actor_class.options(**options, max_restarts=0).remote()
                actor.run.remote(data).future().add_done_callback(functools.partial(done, number))
            case ("finished", number, future) if number in busy:
                actor = busy.pop(number)
                error = future.exception()
                if error is None:
                    idle.append(actor)
                    connection.send(("done", number, future.result()))
                elif isinstance(error, deaths):
                    ray.kill(actor)  # an unavailable actor may come back, but its batch goes to another one
                    connection.send(("died", number))
                else:  # the job itself cannot reach or run on a worker
                    ray.kill(actor)
                    connection.send(("refused", number, " ".join(str(error).split())))
            case ("close",):
                for actor in [*idle, *busy.values()]:
                    ray.kill(actor)
                idle.clear()
                busy.clear()
            case ("ping",):
                ray.util.list_named_actors(all_namespaces=True)  # asks the GCS, unlike ray.nodes(), which answers from a cache
                connection.send(("nodes", _nodes()))
            case ("stop",):
                ray.shutdown()
                return


if __name__ == "__main__":
    main()
