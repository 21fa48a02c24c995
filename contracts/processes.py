"""Which process this is, and whether another one is still there, whatever any clock says.

A process number alone proves nothing: it means another process on another machine, in another container or after a restart,
and it is given again. The kernel's boot id and the pid namespace say where a number is valid; the start time says which of
its bearers is meant.
"""

import functools
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

_GONE: Final = frozenset("ZX")  # a zombie does nothing any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One process.

    Attributes:
        space: the kernel's boot id and the pid namespace, inside which ``pid`` means something; empty = not known, as on
            systems without ``/proc``.
        pid: process number.
        started: when it started, in clock ticks since boot; 0 = not known.
    """

    space: str
    pid: int
    started: int

    @classmethod
    def this(cls) -> Self:
        """Return the process that asks."""
        pid = os.getpid()
        return cls(space=_space(), pid=pid, started=_started_once(pid))

    def state(self) -> Literal["alive", "gone", "unknown"]:
        """Return whether the process is there; ``unknown`` where that cannot be seen from here, as on another machine."""
        if not self.space or self.space != _space():
            return "unknown"
        started = _started(self.pid)
        if started is not None:
            return "alive" if started == self.started else "gone"
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return "gone"
        except PermissionError:
            pass
        return "unknown"  # /proc hides the processes of other users


@functools.cache
def _space() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


@functools.cache
def _started_once(pid: int) -> int:
    return _started(pid) or 0


def _started(pid: int) -> int | None:
    """Return when a process started; -1 = it has ended and nobody has taken notice; None = not to be seen from here."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return -1 if fields[0] in _GONE else int(fields[19])
