"""Which ledger or listening test a database is, so that one that is gone, emptied, replaced or an older copy is noticed.

Each has a random identity in a table of its own, which moves with it to another file or server. Who uses it remembers that
identity and how much it held: what it counts only grows.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Column, Connection, MetaData, Table, Text, insert, inspect, select

from contracts.errors import OtherDatabase


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is remembered of a database.

    Attributes:
        identity: random text.
        where: path or URL at which it was, without its password.
        held: what it held at least: name -> number.
    """

    identity: str
    where: str
    held: dict[str, int] = field(default_factory=dict)


def identity_table(name: str, metadata: MetaData) -> Table:
    """Return the table that holds the identity, in one row."""
    return Table(name, metadata, Column("identity", Text, nullable=False))


def read_identity(connection: Connection, table: Table) -> str | None:
    """Return the identity; None where there is none yet."""
    if not inspect(connection).has_table(table.name):
        return None
    return connection.execute(select(table.c.identity)).scalars().first()


def make_identity(connection: Connection, table: Table) -> str:
    """Return the identity, made if there is none yet; inside a transaction that writes."""
    found = read_identity(connection, table)
    if found is None:
        table.create(connection, checkfirst=True)
        found = secrets.token_hex(16)
        connection.execute(insert(table).values(identity=found))
    return found


def require_same(known: Known, identity: str | None, *, what: str, name: str, where: str) -> None:
    """Refuse a database that is not the one remembered.

    Args:
        known: what is remembered.
        identity: of the database; None = it has none, being new or gone.
        what: what it is, for the message.
        name: what the command line calls it.
        where: path or URL, without its password.

    Raises:
        OtherDatabase: says what was there and what to do.
    """
    if identity == known.identity:
        return
    now = "is not there or is empty" if identity is None else "is another one"
    raise OtherDatabase(f"{what} {where} {now}, but this workspace has used one at {_described(known)}; {_advice(name)}")


def require_no_less(known: Known, held: Mapping[str, int], *, what: str, name: str, where: str) -> None:
    """Refuse an older copy of the database that is remembered.

    Raises:
        OtherDatabase: it holds less than it did.
    """
    if lost := [f"{held.get(item, 0)} {item}" for item, number in known.held.items() if held.get(item, 0) < number]:
        raise OtherDatabase(
            f"{what} {where} has only {', '.join(lost)}: it is an older copy, or was damaged; this workspace has used one at "
            f"{_described(known)}; {_advice(name)}"
        )


def _described(known: Known) -> str:
    return f"{known.where} ({', '.join(f'{number} {item}' for item, number in known.held.items()) or 'nothing in it'})"


def _advice(name: str) -> str:
    lost = {
        "ledger": "replies are then bought again where tables lack them, and the budget counts from what it holds",
        "listening": "votes that it lacks are then collected again",
        "secret": "all links sent so far are then void",
    }[name]
    return (
        f"restore it from a backup or name the place where it is now; or go on with what is there by "
        f"`unisrm-data accept RECIPE {name}`: {lost}"
    )
