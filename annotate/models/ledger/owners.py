"""Owners: the processes that use a ledger, and which of them are dead, so that others may take over their requests.

On the same machine, a process number and the time at which the process started tell whether it is alive. Of a process on
another machine only its lease is known, which it extends every few seconds. Clocks jump, also those of database servers: an
expired lease counts only if it was also not extended while this process watched it.
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
"""How long a process on another machine that does not extend its lease counts as alive."""

_CONFIRM_S: Final = 20.0  # longer than two extensions are apart, see ``async_writer.HEARTBEAT_S``

_in_use: Final = set[str]()  # tokens of this process


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """One user of a ledger.

    Attributes:
        token: random, so that no other user ever has the same.
        process: the process.
    """

    token: str
    process: Process

    @classmethod
    def register(cls) -> Self:
        """Return a new user in this process, which counts as alive until ``unregister``."""
        owner = cls(token=secrets.token_hex(16), process=Process.this())
        _in_use.add(owner.token)
        return owner

    def unregister(self) -> None:
        """Count as dead from now on, also where the database cannot be reached."""
        _in_use.discard(self.token)

    def sign_off(self, connection: Connection) -> None:
        """Let others claim requests without an answer that are in no batch, and delete the owner; inside a transaction."""
        abandoned = requests.c.owner == self.token, requests.c.state.in_(OPEN_STATES), requests.c.batch.is_(None)
        connection.execute(update(requests).where(*abandoned).values(owner=None))
        connection.execute(delete(owners).where(owners.c.token == self.token))

    def extend_lease(self, database: Database, connection: Connection) -> None:
        """Extend the lease, inside a transaction; the first time, insert the owner and delete dead ones that hold nothing."""
        until = database.now() + LEASE_S
        if connection.execute(update(owners).where(owners.c.token == self.token).values(lease_until=until)).rowcount:
            return
        held = (
            select(requests.c.owner).where(requests.c.owner == owners.c.token, requests.c.state.in_(OPEN_STATES)),
            select(batches.c.owner).where(batches.c.owner == owners.c.token, batches.c.state != "closed"),
        )
        nothing_left = [~exists(query.correlate(owners)) for query in held]
        # No owner loses anything by that: one that is alive after all is inserted again with its next extension.
        found = [(row, _is_alive(row)) for row in _rows(database, connection)]
        dead = [row.token for row, alive in found if alive is False or (alive is None and row.over)]
        connection.execute(delete(owners).where(owners.c.token.in_(dead), *nothing_left))
        process = {"host": self.process.space, "pid": self.process.pid, "started": self.process.started}
        connection.execute(insert(owners).values(token=self.token, **process, lease_until=until))


class OtherOwners:
    """Tells one user of a ledger which owners are alive; remembers when it first saw each lease."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, tuple[float, float]] = {}

    def alive_tokens(self, connection: Connection) -> frozenset[str]:
        """Return the tokens of all owners that are, or may be, alive."""
        now, alive_tokens, seen = elapsed_s(), set[str](), dict[str, tuple[float, float]]()
        for row in _rows(self._database, connection):
            alive = _is_alive(row)
            if alive is None:
                lease_until, since = self._seen.get(row.token, (None, now))
                since = since if lease_until == row.lease_until else now
                seen[row.token] = row.lease_until, since
                alive = now - since < (_CONFIRM_S if row.over else LEASE_S)
            if alive:
                alive_tokens.add(row.token)
        self._seen = seen
        return frozenset(alive_tokens)


@dataclass(frozen=True, kw_only=True, slots=True)
class _OwnerRow:
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


def _rows(database: Database, connection: Connection) -> list[_OwnerRow]:
    over = (owners.c.lease_until <= database.now()).label("over")
    return [
        _OwnerRow(
            token=row.token,
            process=Process(space=row.host, pid=row.pid, started=row.started),
            lease_until=row.lease_until,
            over=bool(row.over),
        )
        for row in connection.execute(select(owners, over))
    ]


def _is_alive(row: _OwnerRow) -> bool | None:
    """Return whether an owner is alive; None = only its lease can tell."""
    if row.process == Process.this():
        return row.token in _in_use
    state = row.process.state()
    return None if state == "unknown" else state == "alive"
