"""Processes of this machine, as the kernel shows them: who lives, and the end of a whole session of them. Linux only."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

_KILL_LIMIT_S: Final = 5.0


def _state(pid: int) -> tuple[str, int] | None:
    """Return the state letter and the session of a process; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")[2].split()
    except OSError:
        return None
    return (fields[0], int(fields[3])) if fields else None


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not merely waiting for its parent to take note of its end."""
    state = _state(pid)
    return state is not None and state[0] not in "ZX"


def session_members(session: int) -> list[int]:
    """Return the processes of a session that are running, whoever started them."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if (state := _state(pid)) is not None and state[1] == session and state[0] not in "ZX"]


def kill_session(session: int, *, spare: int | None = None) -> None:
    """``kill -9`` all processes of a session.

    Args:
        session: its number, which is the process id of its first process.
        spare: the one process that may stay.
    """
    deadline = time.monotonic() + _KILL_LIMIT_S
    # More than one look: what is killed may have started something just before.
    while (pids := [pid for pid in session_members(session) if pid != spare]) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
