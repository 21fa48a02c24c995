"""Who works with a ledger: which processes there are, and which of them are dead, so that others may take over their work.

On the machine where it runs, a process number and the time at which it started say at once whether a process is alive or gone.
About a process elsewhere only its lease says something, which it extends every few seconds. Clocks jump, those of database
servers too: a lease that has run out counts only if it also was not extended while we looked.
"""

import secrets
from dataclasses import dataclass
from typing import Final, Self

from sqlalchemy import Connection, delete, exists, insert, select, update

from annotate.database import Database
from annotate.models.ledger.ledger_tables import OPEN_STATES, batches, owners, requests
from contracts.clocks import elapsed_s
from contracts.processes import Process

LEASE_S: Final = 60.0
"""How long a process elsewhere that does not extend its lease counts as alive."""

_CONFIRM_S: Final = 20.0  # longer than two signs of life are apart, see ``scribe.BEAT_S``

_in_use: Final = set[str]()  # tokens of this process


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """One user of a ledger.

    Attributes:
        token: random, so that it names no other user ever.
        process: where it works.
    """

    token: str
    process: Process

    @classmethod
    def enter(cls) -> Self:
        """Return a new user in this process, which is alive until it leaves."""
        owner = cls(token=secrets.token_hex(16), process=Process.this())
        _in_use.add(owner.token)
        return owner

    def leave(self) -> None:
        """Count as dead from now on, also where the database cannot be told."""
        _in_use.discard(self.token)

    def beat(self, database: Database, connection: Connection) -> None:
        """Extend the lease, inside a transaction; the first time, enter and sweep out the dead who left nothing behind."""
        until = database.now() + LEASE_S
        if connection.execute(update(owners).where(owners.c.token == self.token).values(lease_until=until)).rowcount:
            return
        held = (
            select(requests.c.owner).where(requests.c.owner == owners.c.token, requests.c.state.in_(OPEN_STATES)),
            select(batches.c.owner).where(batches.c.owner == owners.c.token, batches.c.state != "closed"),
        )
        nothing_left = [~exists(query.correlate(owners)) for query in held]
        # Nobody loses anything by that: whoever is alive after all enters again with its next sign of life.
        found = [(row, _is_alive(row)) for row in _rows(database, connection)]
        dead = [row.token for row, alive in found if alive is False or (alive is None and row.over)]
        connection.execute(delete(owners).where(owners.c.token.in_(dead), *nothing_left))
        process = {"host": self.process.space, "pid": self.process.pid, "started": self.process.started}
        connection.execute(insert(owners).values(token=self.token, **process, lease_until=until))


class Others:
    """Tells one user of a ledger who else is alive; remembers which lease it saw first when."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, tuple[float, float]] = {}

    def living(self, connection: Connection) -> frozenset[str]:
        """Return the tokens of all who are, or may be, alive."""
        now, living, seen = elapsed_s(), set[str](), dict[str, tuple[float, float]]()
        for row in _rows(self._database, connection):
            alive = _is_alive(row)
            if alive is None:
                lease_until, since = self._seen.get(row.token, (None, now))
                since = since if lease_until == row.lease_until else now
                seen[row.token] = row.lease_until, since
                alive = now - since < (_CONFIRM_S if row.over else LEASE_S)
            if alive:
                living.add(row.token)
        self._seen = seen
        return frozenset(living)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """An owner as the ledger has it.

    Attributes:
        token: of ``Owner``.
        process: of ``Owner``.
        lease_until: end of its lease, seconds since 1970.
        over: whether that is past, by the database's clock.
    """

    token: str
    process: Process
    lease_until: float
    over: bool


def _rows(database: Database, connection: Connection) -> list[_Row]:
    over = (owners.c.lease_until <= database.now()).label("over")
    return [
        _Row(
            token=row.token,
            process=Process(space=row.host, pid=row.pid, started=row.started),
            lease_until=row.lease_until,
            over=bool(row.over),
        )
        for row in connection.execute(select(owners, over))
    ]


def _is_alive(row: _Row) -> bool | None:
    """Return whether an owner is alive; None = only its lease can tell."""
    if row.process == Process.this():
        return row.token in _in_use
    state = row.process.state()
    return None if state == "unknown" else state == "alive"
