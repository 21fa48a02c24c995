"""The process in which Ray's driver lives: a child of the build, which it tells what became of each batch.

Ray reads its settings when it is imported, hangs or ends its whole process when one of its daemons dies, and passes its
environment on to every worker. So it has a process of its own, whose environment was chosen before it began, and whose end
costs the build nothing.

Messages are tuples over one connection, the first item of each is its kind. The build sends ``run``, ``close``, ``ping`` and
``stop``; this process sends ``started`` or ``failed``, then ``done``, ``died`` or ``refused`` for each ``run``, and ``nodes``
for each ``ping``. When the connection ends, the build has ended, and all of Ray ends with it: a second process sees to that,
because Ray may hold this one's interpreter, so that no thread of it runs (when a worker died while it started, say).
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
from flows.run.ray_folder import RAYS_OWN
from flows.run.worker import Worker

_STAND_IN: Final = subprocess.list2cmdline(["sh", "-c", "exec tail --pid=$PPID -f /dev/null"])
"""A process that does nothing and ends with its parent, the raylet."""

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
    except Exception as error:  # noqa: BLE001 - whatever it is, the build says it in one line
        connection.send(("failed", " ".join(str(error).split())))
        return
    connection.send(("started", pids, _nodes()))
    _serve(connection, events)


def _watch(connection: Connection, folder: Path | None) -> NoReturn:
    """Wait for the end of the build, and end the whole session. The build, where it lives, kills this process, too."""
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
    """Take what the build sends, and end with it."""
    try:
        while True:
            events.put(connection.recv())
    except (EOFError, OSError):
        os._exit(1)


def _start_embedded(folder: Path, cpus: int) -> list[int]:
    """Start a cluster that only this user can reach, and return its daemons' process ids.

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
        _temp_dir=str(folder / RAYS_OWN),
    )
    daemons = worker._global_node.all_processes.values()  # noqa: SLF001 - Ray does not say it in any other way
    return [info.process.pid for group in daemons for info in group]


def _leave_agents_out() -> None:
    """Start neither dashboard, autoscaler, log monitor nor agents: nobody looks at them, and the job API is one of them.

    Ray offers no setting for that. The raylet insists on two agents and on the ports of theirs that it finds in files.
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
            given |= {"--dashboard_agent_command": _STAND_IN, "--runtime_env_agent_command": _STAND_IN}
            command = [f"{name}={given[name]}" if (name := word.split("=")[0]) in given else word for word in command]
        return start(command, kind, **options)

    services.start_ray_process = start_without_agents


def _inside(module: str) -> Any:
    """Return one of Ray's private modules: the version of Ray is pinned, and a test looks at what is left out."""
    return importlib.import_module(f"ray._private.{module}")


def _connect(address: str, code: Path) -> list[int]:
    """Connect to a running cluster, whose workers get the code in this folder and nothing else."""
    import ray

    ray.init(address=address, runtime_env={"working_dir": str(code)}, logging_level=logging.ERROR, log_to_driver=False)
    return []


def _nodes() -> list[dict[str, float]]:
    """Return what each living node of the cluster has in all: ``{"CPU": 2.0, "GPU": 1.0, ...}``."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _serve(connection: Connection, events: "queue.Queue[tuple[Any, ...]]") -> None:
    """Put batches to actors and say what came of them, until told to stop. No call in here waits for a batch."""
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
                    ray.kill(actor)  # an unavailable actor may come back; its batch goes to another one
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
                ray.util.list_named_actors(all_namespaces=True)  # asks the GCS, unlike ray.nodes(), which knows by itself
                connection.send(("nodes", _nodes()))
            case ("stop",):
                ray.shutdown()
                return


if __name__ == "__main__":
    main()
