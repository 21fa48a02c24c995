"""Processes of this machine, by ``/proc``: which are running, and killing a whole session. Linux only."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

_KILL_LIMIT_S: Final = 3.0


class _Stat(NamedTuple):
    """Fields of ``/proc/PID/stat``."""

    state: str
    parent: int
    session: int

    @property
    def runs(self) -> bool:
        """Whether it is neither a zombie nor dead."""
        return self.state not in "ZX"


def _stat(pid: int) -> _Stat | None:
    """Return the state of a process; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()
    except OSError:
        return None
    return _Stat(fields[0], int(fields[1]), int(fields[3])) if fields else None


def _all() -> dict[int, _Stat]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {pid: stat for pid in pids if (stat := _stat(pid)) is not None}


def is_running(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    stat = _stat(pid)
    return stat is not None and stat.runs


def session_members(session: int) -> list[int]:
    """Return the processes of a session that are running, whoever started them."""
    return [pid for pid, stat in _all().items() if stat.session == session and stat.runs]


def descendants(pid: int) -> list[int]:
    """Return the running descendants of a process, and all members of their sessions, which may be orphans."""
    seen = _all()
    family, grown = {pid}, True
    while grown:
        more = {one for one, stat in seen.items() if stat.parent in family or stat.session in family - {pid}} - family
        family |= more
        grown = bool(more)
    return [one for one in family - {pid} if seen[one].runs]


def kill_session(session: int, *, spare: int | None = None) -> None:
    """``kill -9`` all processes of a session.

    Args:
        session: its number, which is the process id of its first process.
        spare: a process to leave alive.
    """
    _kill_all(lambda: [pid for pid in session_members(session) if pid != spare])


def kill_descendants(pid: int) -> None:
    """``kill -9`` all descendants of a process. Does nothing on systems other than Linux."""
    if sys.platform == "linux":
        _kill_all(lambda: descendants(pid))


def _kill_all(find: Callable[[], list[int]]) -> None:
    deadline = time.monotonic() + _KILL_LIMIT_S
    # Repeated, because a killed process may have started another one just before.
    while (pids := find()) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
