"""Who works with a ledger: which processes there are, and which of them are dead, so that others may take over their work.

A process proves that it is alive by extending its lease. On the machine where it runs nobody needs to wait for that: its
process number and the time at which it started say at once whether it is gone.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Connection, delete, exists, insert, select, update

from annotate.database import Database
from annotate.ledger_schema import OPEN_STATES, batches, owners, requests

LEASE_S: Final = 60.0
"""How long a process that shows no sign of life counts as alive."""

_GONE: Final = frozenset("ZX")  # a zombie sends nothing any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """One user of a ledger.

    Attributes:
        token: random, so that it names no other user ever.
        host: the kernel's boot id and the pid namespace, inside which ``pid`` means something; empty = not known.
        pid: process number.
        started: when the process started, in clock ticks since boot.
    """

    token: str
    host: str
    pid: int
    started: int

    @classmethod
    def this_process(cls) -> Self:
        """Return a new user in this process."""
        pid = os.getpid()
        return cls(token=secrets.token_hex(16), host=_host(), pid=pid, started=_started(pid) or 0)

    @property
    def gone(self) -> bool:
        """Whether its process has surely ended."""
        if not self.host or self.host != _host():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        started = _started(self.pid)
        return started is not None and started != self.started

    def beat(self, database: Database, connection: Connection) -> None:
        """Extend the lease, inside a transaction; the first time, enter and sweep out who left nothing behind."""
        until = database.now() + LEASE_S
        if connection.execute(update(owners).where(owners.c.token == self.token).values(lease_until=until)).rowcount:
            return
        alive = living(database, connection)
        held = (
            select(requests.c.owner).where(requests.c.owner == owners.c.token, requests.c.state.in_(OPEN_STATES)),
            select(batches.c.owner).where(batches.c.owner == owners.c.token, batches.c.state != "closed"),
        )
        nothing_left = [~exists(query.correlate(owners)) for query in held]
        connection.execute(delete(owners).where(owners.c.token.not_in(sorted(alive)), *nothing_left))
        values = {"token": self.token, "host": self.host, "pid": self.pid, "started": self.started, "lease_until": until}
        connection.execute(insert(owners).values(values))


def living(database: Database, connection: Connection) -> frozenset[str]:
    """Return the tokens of all who are alive."""
    columns = owners.c.token, owners.c.host, owners.c.pid, owners.c.started
    rows = connection.execute(select(*columns).where(owners.c.lease_until > database.now()))
    return frozenset(owner.token for owner in (Owner(**row._asdict()) for row in rows) if not owner.gone)


def _host() -> str:
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def _started(pid: int) -> int | None:
    """Return when a process started; -1 = it is there no more; None = not to be seen from here."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return -1 if fields[0] in _GONE else int(fields[19])
