"""The rows of requests: their changes of state, and what these add to the totals that accounts owe.

Use it inside ``Database.writing``, which keeps all other writers out: no row changes between reading it and writing it back.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

from sqlalchemy import Connection, bindparam, insert, select, update

from annotate.models.ledger import reply_audio
from annotate.models.ledger.column_values import ANSWER_COLUMNS, REPLY_COLUMNS, answer_columns, displayed, reply_in, to_picousd
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger_tables import OPEN_STATES, accounts, losses, requests
from annotate.models.request import Answer, Refusal, Reply
from contracts.errors import BudgetExceeded

_KEYS_AT_ONCE: Final = 1000
_CHANGING: Final = ("account", "state", "owner", "batch", "attempts", "open_picousd", "spent_picousd")
_ROW: Final = ("key", "task", "judge", "model", *_CHANGING)
_ENTRY: Final = tuple(field.name for field in fields(Entry))
_BY_KEY: Final = requests.c.key == bindparam("row_key")
# Made once: making a statement takes longer than executing it.
_LOAD: Final = select(*(requests.c[name] for name in _ROW)).where(requests.c.key.in_(bindparam("keys", expanding=True)))
_REPLIES: Final = select(*(requests.c[name] for name in ("key", *REPLY_COLUMNS))).where(
    requests.c.state == "replied", requests.c.key.in_(bindparam("keys", expanding=True))
)
_FILL: Final = update(requests).where(_BY_KEY).values({name: bindparam(name) for name in ANSWER_COLUMNS})
_CLEAR: Final = update(requests).where(_BY_KEY).values(dict.fromkeys(ANSWER_COLUMNS))
_CHANGE: Final = update(requests).where(_BY_KEY).values({name: bindparam(name) for name in _CHANGING})
_OWED: Final = select(accounts.c.owed_picousd).where(accounts.c.account == bindparam("payer"))
_OWE: Final = (
    update(accounts)
    .where(accounts.c.account == bindparam("payer"))
    .values(owed_picousd=accounts.c.owed_picousd + bindparam("picousd"))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestRow:
    """The columns that decide what may happen to a request; see ``ledger_tables.requests``."""

    key: str
    task: str
    judge: str
    model: str
    account: str
    state: str
    owner: str | None
    batch: str | None
    attempts: int
    open_picousd: int
    spent_picousd: int

    @property
    def booked(self) -> int:
        """What the request adds to its account's total, in picodollars."""
        return self.open_picousd + self.spent_picousd

    def open_for(self, token: str) -> bool:
        """Whether this owner has claimed the request and it has no answer."""
        return self.owner == token and self.state in OPEN_STATES

    def claimable(self, alive: frozenset[str]) -> bool:
        """Whether an owner may claim the request now."""
        abandoned = self.state in OPEN_STATES and self.batch is None and self.owner not in alive
        return abandoned or self.state == "failed"

    def claimed(self, token: str, account: str) -> Self:
        """Return the row claimed by an owner: attempts that were cut off stay booked, with the account that made them."""
        spent = self.booked if account == self.account else 0
        return replace(self, account=account, state="reserved", owner=token, batch=None, open_picousd=0, spent_picousd=spent)

    def sent(self, picousd: int, batch: str | None) -> Self:
        """Return the row with one more attempt under way."""
        return replace(self, state="sent", batch=batch, attempts=self.attempts + 1, open_picousd=self.open_picousd + picousd)

    def answered(self, answer: Reply | Refusal) -> Self:
        """Return the row with the answer's price in place of the open ones."""
        return replace(
            self,
            state="replied" if isinstance(answer, Reply) else "failed",
            owner=None,
            # A rule's requests are never sent: their attempt is counted here.
            attempts=max(self.attempts, answer.attempts),
            open_picousd=0,
            spent_picousd=self.spent_picousd + to_picousd(answer.cost_usd),
        )

    def answered_late(self, reply: Reply, account: str) -> Self:
        """Return the row with the reply to an attempt from before another owner claimed it, whose own attempt stays open."""
        cost = to_picousd(reply.cost_usd) if account == self.account else 0
        attempts = max(self.attempts, reply.attempts)
        return replace(self, state="replied", attempts=attempts, spent_picousd=self.spent_picousd + cost)


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield keys in chunks that fit into one statement."""
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]


def load(connection: Connection, keys: Sequence[str]) -> dict[str, RequestRow]:
    """Return key -> row of those ``keys`` that the ledger has."""
    found = (row for chunk in chunks(keys) for row in connection.execute(_LOAD, {"keys": chunk}).mappings())
    return {row["key"]: RequestRow(**row) for row in found}


def replies(connection: Connection, keys: Sequence[str]) -> dict[str, Reply]:
    """Return key -> reply of those ``keys`` that have a reply."""
    found = (row for chunk in chunks(keys) for row in connection.execute(_REPLIES, {"keys": chunk}))
    return {row.key: reply_in(row._asdict()) for row in found}


def history(connection: Connection, row_id: str) -> list[dict[str, Any]]:
    """Return the records of the requests that were first sent for one row, in order, as a person reads them."""
    query = select(requests).where(requests.c.row_id == row_id).order_by(requests.c.repeat, requests.c.key)
    return [displayed(row._asdict()) for row in connection.execute(query)]


def store(connection: Connection, before: Mapping[str, RequestRow], rows: Sequence[RequestRow]) -> None:
    """Write rows back, and book what that changes in what their accounts owe.

    Args:
        connection: inside a transaction.
        before: the rows as they were.
        rows: as they are now. What a row's former account had spent on it becomes that account's loss.
    """
    if not rows:
        return
    connection.execute(_CHANGE, [{"row_key": row.key, **{name: getattr(row, name) for name in _CHANGING}} for row in rows])
    changes: Counter[str] = Counter()
    for row in rows:
        old = before[row.key]
        changes[row.account] += row.booked
        if row.account == old.account:
            changes[row.account] -= old.booked
        else:
            book_loss(connection, old, old.account, old.booked)
    for account, picousd in changes.items():
        book(connection, account, picousd)


def book(connection: Connection, account: str, picousd: int) -> None:
    """Add to what an account owes."""
    if picousd and not connection.execute(_OWE, {"payer": account, "picousd": picousd}).rowcount:
        connection.execute(insert(accounts).values(account=account, owed_picousd=picousd))


def claim(
    connection: Connection, entries: Iterable[Entry], *, alive: frozenset[str], token: str, account: str, now: str
) -> list[str]:
    """Claim requests for an owner unless a living owner has claimed them or they have a reply; return the claimed keys."""
    wanted: dict[str, Entry] = {}
    for entry in entries:
        wanted.setdefault(entry.key, entry)
    before = load(connection, list(wanted))
    fresh = [entry for key, entry in wanted.items() if key not in before]
    if fresh:
        ours = {"account": account, "owner": token, "state": "reserved", "created": now}
        connection.execute(insert(requests), [{name: getattr(entry, name) for name in _ENTRY} | ours for entry in fresh])
    claimable = [row for row in before.values() if row.claimable(alive)]
    if failed := [row.key for row in claimable if row.state == "failed"]:
        connection.execute(_CLEAR, [{"row_key": key} for key in failed])
    store(connection, before, [row.claimed(token, account) for row in claimable])
    claimed = {entry.key for entry in fresh} | {row.key for row in claimable}
    return [key for key in wanted if key in claimed]


def settle(
    connection: Connection, answers: Sequence[Answer], *, token: str, account: str, held: Collection[str], now: str
) -> list[str]:
    """Record answers, and return the keys of requests that were not this owner's to answer: then nothing may be committed.

    Args:
        connection: inside a transaction.
        answers: the answers.
        token: the owner.
        account: the account that pays.
        held: what the owner claimed and has not answered, as it remembers. A reply to one of these is kept even if another
            owner has claimed the request and has no reply yet.
        now: UTC time, for people.
    """
    before = load(connection, [key for key, _ in answers])
    rows, not_ours = dict(before), []
    for key, answer in answers:
        row = rows.get(key)
        if row is not None and row.open_for(token):
            rows[key] = row.answered(answer)
        elif row is not None and isinstance(answer, Reply) and key in held and row.state != "replied":
            rows[key] = row.answered_late(answer, account)
            if row.account != account:
                cost = to_picousd(answer.cost_usd)
                book_loss(connection, row, account, cost)
                book(connection, account, cost)
        else:
            not_ours.append(key)
    store(connection, before, list(rows.values()))
    if answers:
        connection.execute(_FILL, [{"row_key": key, **answer_columns(answer, now)} for key, answer in answers])
    if not not_ours:
        reply_audio.store(connection, answers)
    return not_ours


def book_loss(connection: Connection, row: RequestRow, account: str, picousd: int) -> None:
    """Record what an account spent on a request that is not its own (any more); ``book`` changes its total."""
    if picousd:
        values = {"account": account, "task": row.task, "judge": row.judge, "model": row.model, "spent_picousd": picousd}
        connection.execute(insert(losses).values(values))


def owed(connection: Connection, account: str) -> int:
    """Return what an account owes, in picodollars."""
    return connection.execute(_OWED, {"payer": account}).scalar() or 0


def affordable(
    rows: Mapping[str, RequestRow],
    sends: Sequence[tuple[str, float]],
    *,
    owed: int,
    budget_usd: float | None,
    batch: str | None,
) -> tuple[list[RequestRow], list[str]]:
    """Return the rows that the budget allows, as they are when sent, and the keys of the others.

    Args:
        rows: key -> row before.
        sends: keys and highest prices, served in this order.
        owed: what the account owes before, in picodollars.
        budget_usd: what it may owe after; None = nothing that costs is allowed.
        batch: the batch in which they are sent, if any.

    Raises:
        BudgetExceeded: something costs, and there is no budget.
    """
    sent, unpaid = dict(rows), []
    left = None if budget_usd is None else to_picousd(budget_usd) - owed
    for key, usd in sends:
        price = to_picousd(usd)
        if price and left is None:
            raise BudgetExceeded(
                f"asking costs up to {usd:.6f} dollars: set `budget_usd` in the recipe, or --budget-usd, to allow it"
            )
        if price and left is not None and price > left:
            unpaid.append(key)
            continue
        left = None if left is None else left - price
        sent[key] = sent[key].sent(price, batch)
    return [row for key, row in sent.items() if row is not rows[key]], unpaid
