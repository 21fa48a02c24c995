"""What runs in a Ray worker: sessions that stay open and run batches. It does not depend on Ray."""

import errno
import pickle
import socket
import traceback
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from contracts.errors import SetupError, StorageError, UnisrmError
from contracts.jobs import Job, JobSession, Outcome
from storage.environments.host_process import SessionDied, SessionError
from storage.workspace import Workspace

_ENVIRONMENT: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

WorkspaceProbe = tuple[Workspace, str]
"""A workspace, and a file in it that every worker must see."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A session's ``run`` or ``open`` raised.

    Attributes:
        reason: name of the error.
        message: what it says.
        fatal: every other request would fail, too, so the stage stops with this error.
        died: the session's own process ended, as a worker may; the next batch opens another one.
    """

    reason: str
    message: str
    fatal: UnisrmError | None = None
    died: bool = False


def request(job: Job, rows: pa.Table, probe: WorkspaceProbe | None) -> bytes:
    """Return the argument of ``Worker.run``. Only workers unpickle it: Ray's driver need not be able to import the job."""
    # A pickled slice of a table holds the whole table, and a batch is a slice of all that waits.
    rows_alone = pa.BufferOutputStream()
    with pa.ipc.new_stream(rows_alone, rows.schema) as stream:
        stream.write_table(rows)
    return pickle.dumps((job, rows_alone.getvalue().to_pybytes(), probe))


def reply(data: bytes) -> Outcome | Broken:
    """Return the result of ``Worker.run``."""
    result = pickle.loads(data)  # noqa: S301 - from our own worker
    assert isinstance(result, Outcome | Broken)
    return result


class Worker:
    """Hosts sessions in a worker process; each job is opened once and stays open."""

    def __init__(self) -> None:
        self._sessions: dict[Job, JobSession] = {}

    def run(self, data: bytes) -> bytes:
        """Run a batch in its job's session."""
        job, rows, probe = pickle.loads(data)  # noqa: S301 - from our own driver
        return pickle.dumps(self._run(job, pa.ipc.open_stream(rows).read_all(), probe))

    def _run(self, job: Job, batch: pa.Table, probe: WorkspaceProbe | None) -> Outcome | Broken:
        opening = job not in self._sessions
        try:
            if opening:
                _confirm(probe)
                self._sessions[job] = job.open()
                opening = False
            return self._sessions[job].run(batch)
        except (StorageError, SetupError) as error:
            return Broken(reason=type(error).__name__, message=str(error), fatal=type(error)(str(error)))
        except SessionDied as error:
            del self._sessions[job]
            return Broken(reason="worker_died", message=str(error), died=True)
        except Exception as error:  # noqa: BLE001 - the one boundary where any error of an engine becomes a row
            last = traceback.extract_tb(error.__traceback__)[-1]
            reason, message = type(error).__name__, f"{error} ({last.name}, line {last.lineno})"
            if isinstance(error, SessionError):
                reason, message = error.reason, str(error)
            if opening:
                return Broken(reason=reason, message=message, fatal=SetupError(f"{job.stage}: {reason}: {message}"))
            if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
                return Broken(reason=reason, message=message, fatal=StorageError(f"{job.stage}: {error}"))
            return Broken(reason=reason, message=message)


def _confirm(probe: WorkspaceProbe | None) -> None:
    """Check that this node sees the driver's workspace, before it writes clips to a folder that no other node sees."""
    if probe is not None and not probe[0].exists(probe[1]):
        raise SetupError(
            f"a worker on {socket.gethostname()} does not see the workspace {probe[0].url}: put it into a bucket or a folder "
            "that all nodes share"
        )
