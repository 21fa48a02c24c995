"""Batches in the ledger: requests that are sent together, and may be answered much later, to another process.

A batch is recorded under a name of ours before it is submitted, so that after a crash it can be found at the provider and
adopted. Use it inside ``Database.writing``.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from annotate.models.ledger.accounts import book, chunks
from annotate.models.ledger.entries import Batch
from annotate.models.ledger.ledger_tables import batches, requests


def add(connection: Connection, batch: Batch, *, account: str, owner: str, now: str) -> bool:
    """Add a new batch, and return whether its name was free."""
    if connection.execute(select(batches.c.number).where(batches.c.name == batch.name)).first() is not None:
        return False
    values = {"name": batch.name, "judge": batch.judge, "model": batch.model, "state": batch.state, "size": batch.size}
    connection.execute(insert(batches).values(**values, account=account, owner=owner, created=now))
    return True


def is_open(connection: Connection, name: str, owner: str) -> bool:
    """Return whether an owner has an open batch of that name."""
    found = select(batches.c.number).where(batches.c.name == name, batches.c.owner == owner, batches.c.state != "closed")
    return connection.execute(found).first() is not None


def set_batch_id(connection: Connection, name: str, batch_id: str) -> None:
    """Record the provider's id."""
    connection.execute(update(batches).where(batches.c.name == name).values(state="submitted", batch_id=batch_id))


def unanswered(connection: Connection, name: str) -> list[str]:
    """Return the keys of a batch's requests without an answer."""
    return list(connection.execute(select(requests.c.key).where(*_unanswered(name)).order_by(requests.c.key)).scalars())


def open_prices(connection: Connection, name: str) -> list[tuple[str, int]]:
    """Return the same keys with their open prices, in picodollars."""
    columns = requests.c.key, requests.c.open_picousd
    return [tuple(row) for row in connection.execute(select(*columns).where(*_unanswered(name)).order_by(requests.c.key))]


def close(connection: Connection, name: str, *, lost: bool) -> None:
    """Close a batch; see ``Ledger.close_batch``."""
    members, price = requests.c.batch == name, requests.c.open_picousd
    spent = requests.c.spent_picousd + (price if lost else 0)
    if not lost:
        by_account = select(requests.c.account, func.sum(price)).where(members).group_by(requests.c.account)
        for account, released in connection.execute(by_account).all():
            book(connection, account, -int(released))
    connection.execute(update(requests).where(members).values(open_picousd=0, spent_picousd=spent))
    connection.execute(update(requests).where(*_unanswered(name)).values(state="reserved", owner=None, batch=None))
    connection.execute(update(batches).where(batches.c.name == name).values(state="closed"))


def adopt(
    connection: Connection, judge: str, model: str, keys: Sequence[str], *, account: str, owner: str, others: frozenset[str]
) -> list[Batch]:
    """Adopt the open batches of dead owners, and return all of this owner's; see ``Ledger.open_batches``."""
    holding = select(requests.c.batch).where(requests.c.batch.is_not(None), requests.c.state == "sent").distinct()
    holders = {
        name for chunk in chunks(keys) for name in connection.execute(holding.where(requests.c.key.in_(chunk))).scalars()
    }
    wanted = (
        or_(batches.c.account == account, batches.c.owner == owner, batches.c.name.in_(sorted(holders))),
        batches.c.judge == judge,
        batches.c.model == model,
        batches.c.state != "closed",
        batches.c.owner.not_in(sorted(others)),
    )
    columns = [batches.c[name] for name in ("name", "batch_id", "judge", "model", "state", "size")]
    found = [Batch(**row._asdict()) for row in connection.execute(select(*columns).where(*wanted).order_by(batches.c.number))]
    for batch in found:
        connection.execute(update(batches).where(batches.c.name == batch.name).values(owner=owner))
        connection.execute(update(requests).where(*_unanswered(batch.name)).values(owner=owner))
    return found


def _unanswered(name: str) -> tuple[ColumnElement[bool], ...]:
    return requests.c.batch == name, requests.c.state == "sent"
