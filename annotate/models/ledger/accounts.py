"""The ledger's book-keeping: what decides the fate of each request, and the total that each account owes.

To be used inside ``Database.writing``, which keeps all other writers out: rows may be read, thought about and written back.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Self

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, insert, select, update

from annotate.models.judge import Answer, Refusal, Reply
from annotate.models.ledger.column_values import ANSWER_COLUMNS, answer_columns, to_picousd
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger_tables import OPEN_STATES, accounts, losses, requests
from annotate.models.usage import MOST_TOKENS
from contracts.errors import BudgetExceeded

_KEYS_AT_ONCE: Final = 1000
_HIGH: Final = 10**9
_CHANGING: Final = ("account", "state", "owner", "batch", "attempts", "open_picousd", "spent_picousd")
_ROW: Final = ("key", "task", "judge", "model", *_CHANGING)
_ENTRY: Final = tuple(field.name for field in fields(Entry))
_BY_KEY: Final = requests.c.key == bindparam("row_key")
# Made once: to make a statement takes longer than to execute it.
_LOAD: Final = select(*(requests.c[name] for name in _ROW)).where(requests.c.key.in_(bindparam("keys", expanding=True)))
_FILL: Final = update(requests).where(_BY_KEY).values({name: bindparam(name) for name in ANSWER_COLUMNS})
_FORGET: Final = update(requests).where(_BY_KEY).values(dict.fromkeys(ANSWER_COLUMNS))
_CHANGE: Final = update(requests).where(_BY_KEY).values({name: bindparam(name) for name in _CHANGING})
_OWED: Final = select(accounts.c.owed_picousd).where(accounts.c.account == bindparam("payer"))
_OWE: Final = (
    update(accounts)
    .where(accounts.c.account == bindparam("payer"))
    .values(owed_picousd=accounts.c.owed_picousd + bindparam("picousd"))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What decides the fate of one request; see ``ledger_schema.requests``."""

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
        """What it adds to its account's total, in picodollars."""
        return self.open_picousd + self.spent_picousd

    def open_for(self, token: str) -> bool:
        """Whether this owner is the one who asks it."""
        return self.owner == token and self.state in OPEN_STATES

    def claimable(self, alive: frozenset[str]) -> bool:
        """Whether anyone may ask it now."""
        abandoned = self.state in OPEN_STATES and self.batch is None and self.owner not in alive
        return abandoned or self.state == "failed"

    def taken(self, token: str, account: str) -> Self:
        """Return it as it is when an owner takes it: attempts cut off stay booked, with the account that made them."""
        spent = self.booked if account == self.account else 0
        return replace(self, account=account, state="reserved", owner=token, batch=None, open_picousd=0, spent_picousd=spent)

    def sent(self, picousd: int, batch: str | None) -> Self:
        """Return it with one more attempt under way."""
        return replace(self, state="sent", batch=batch, attempts=self.attempts + 1, open_picousd=self.open_picousd + picousd)

    def answered(self, answer: Reply | Refusal) -> Self:
        """Return it with the answer's price in place of the open ones."""
        return replace(
            self,
            state="replied" if isinstance(answer, Reply) else "failed",
            owner=None,
            # A rule's answers were never sent: their attempt is counted here.
            attempts=max(self.attempts, answer.attempts),
            open_picousd=0,
            spent_picousd=self.spent_picousd + to_picousd(answer.cost_usd),
        )

    def answered_late(self, reply: Reply, account: str) -> Self:
        """Return it with the reply to an attempt from before somebody else took it, whose own attempt stays open."""
        cost = to_picousd(reply.cost_usd) if account == self.account else 0
        attempts = max(self.attempts, reply.attempts)
        return replace(self, state="replied", attempts=attempts, spent_picousd=self.spent_picousd + cost)


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield keys by as many as one statement takes easily."""
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield keys[start : start + _KEYS_AT_ONCE]


def load(connection: Connection, keys: Sequence[str]) -> dict[str, Row]:
    """Return key -> row of those of ``keys`` that are there."""
    found = (row for chunk in chunks(keys) for row in connection.execute(_LOAD, {"keys": chunk}).mappings())
    return {row["key"]: Row(**row) for row in found}


def store(connection: Connection, before: Mapping[str, Row], rows: Sequence[Row]) -> None:
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
            lose(connection, old, old.account, old.booked)
    for account, picousd in changes.items():
        book(connection, account, picousd)


def book(connection: Connection, account: str, picousd: int) -> None:
    """Add to what an account owes."""
    if picousd and not connection.execute(_OWE, {"payer": account, "picousd": picousd}).rowcount:
        connection.execute(insert(accounts).values(account=account, owed_picousd=picousd))


def take(
    connection: Connection, entries: Iterable[Entry], *, alive: frozenset[str], token: str, account: str, now: str
) -> list[str]:
    """Make those requests an owner's that nobody alive is asking and nobody has a reply to; return their keys, in order."""
    wanted: dict[str, Entry] = {}
    for entry in entries:
        wanted.setdefault(entry.key, entry)
    before = load(connection, list(wanted))
    fresh = [entry for key, entry in wanted.items() if key not in before]
    if fresh:
        ours = {"account": account, "owner": token, "state": "reserved", "created": now}
        connection.execute(insert(requests), [{name: getattr(entry, name) for name in _ENTRY} | ours for entry in fresh])
    claimed = [row for row in before.values() if row.claimable(alive)]
    if failed := [row.key for row in claimed if row.state == "failed"]:
        connection.execute(_FORGET, [{"row_key": key} for key in failed])
    store(connection, before, [row.taken(token, account) for row in claimed])
    taken = {entry.key for entry in fresh} | {row.key for row in claimed}
    return [key for key in wanted if key in taken]


def settle(
    connection: Connection, answers: Sequence[Answer], *, token: str, account: str, held: Collection[str], now: str
) -> list[str]:
    """Record answers, and return the keys of those that were not this owner's to give: then nothing may be committed.

    Args:
        connection: inside a transaction.
        answers: what came.
        token: the owner.
        account: who pays for it.
        held: what the owner claimed and has not answered, as it remembers. A reply to one of these is kept even if somebody
            else took the request over and has none yet.
        now: UTC time, for people.
    """
    before = load(connection, [key for key, _ in answers])
    rows, strangers = dict(before), []
    for key, answer in answers:
        row = rows.get(key)
        if row is not None and row.open_for(token):
            rows[key] = row.answered(answer)
        elif row is not None and isinstance(answer, Reply) and key in held and row.state != "replied":
            rows[key] = row.answered_late(answer, account)
            if row.account != account:
                cost = to_picousd(answer.cost_usd)
                lose(connection, row, account, cost)
                book(connection, account, cost)
        else:
            strangers.append(key)
    store(connection, before, list(rows.values()))
    if answers:
        connection.execute(_FILL, [{"row_key": key, **answer_columns(answer, now)} for key, answer in answers])
    return strangers


def lose(connection: Connection, row: Row, account: str, picousd: int) -> None:
    """Keep what an account spent on a request that is not its own (any more); its total is another matter."""
    if picousd:
        values = {"account": account, "task": row.task, "judge": row.judge, "model": row.model, "spent_picousd": picousd}
        connection.execute(insert(losses).values(values))


def owed(connection: Connection, account: str) -> int:
    """Return what an account owes, in picodollars."""
    return connection.execute(_OWED, {"payer": account}).scalar() or 0


def affordable(
    rows: Mapping[str, Row], sends: Sequence[tuple[str, float]], *, owed: int, budget_usd: float | None, batch: str | None
) -> tuple[list[Row], list[str]]:
    """Return the rows that can be paid for, as they are when sent, and the keys of the others.

    Args:
        rows: key -> row before.
        sends: keys and highest prices, served in this order.
        owed: what the account owes before, in picodollars.
        budget_usd: what it may owe after; None = nothing that costs is allowed.
        batch: in which they are sent, if they are.

    Raises:
        BudgetExceeded: something costs, and there is no budget.
    """
    sent, unpaid = dict(rows), []
    left = None if budget_usd is None else to_picousd(budget_usd) - owed
    for key, usd in sends:
        price = to_picousd(usd)
        if price and left is None:
            raise BudgetExceeded(f"asking costs up to {usd:.6f} dollars: set `budget_usd` in the recipe to allow it")
        if price and left is not None and price > left:
            unpaid.append(key)
            continue
        left = None if left is None else left - price
        sent[key] = sent[key].sent(price, batch)
    return [row for key, row in sent.items() if row is not rows[key]], unpaid


def summed(connection: Connection, account: str) -> dict[tuple[str, str, str], tuple[int, ...]]:
    """Return (task, judge, model) -> replied, failed, input tokens, output tokens and picodollars owed, of one account."""
    columns, whose = requests.c, ("task", "judge", "model")
    sums = [
        func.sum(case((columns.state == "replied", 1), else_=0)),
        func.sum(case((columns.state == "failed", 1), else_=0)),
        _tokens(columns.input_tokens),
        _tokens(columns.output_tokens),
        *_money(columns.spent_picousd),
        *_money(columns.open_picousd),
    ]
    groups = [columns[name] for name in whose]
    asked = connection.execute(select(*groups, *sums).where(columns.account == account).group_by(*groups))
    found: dict[tuple[str, str, str], tuple[int, ...]] = {}
    for task, judge, model, *numbers in asked:
        *counts, spent_high, spent_low, open_high, open_low = map(int, numbers)
        found[task, judge, model] = (*counts, (spent_high + open_high) * _HIGH + spent_low + open_low)
    lost = connection.execute(
        select(*(losses.c[name] for name in (*whose, "spent_picousd"))).where(losses.c.account == account)
    )
    for task, judge, model, picousd in lost:
        *counts, before = found.get((task, judge, model), (0, 0, 0, 0, 0))
        found[task, judge, model] = (*counts, before + picousd)
    return found


def held(connection: Connection) -> dict[str, int]:
    """Return how much all accounts have, in numbers that only grow: replies, and picodollars spent."""
    replies = func.coalesce(func.sum(case((requests.c.state == "replied", 1), else_=0)), 0)
    replied, *paid = connection.execute(select(replies, *_money(requests.c.spent_picousd))).one()
    lost = connection.execute(select(*_money(losses.c.spent_picousd))).one()
    spent = sum(int(high or 0) * _HIGH + int(low or 0) for high, low in (paid, lost))
    return {"replies": int(replied), "picodollars spent": spent}


def _tokens(column: ColumnElement[int]) -> ColumnElement[int]:
    """Sum up counts, without those that no request can have had: older versions stored whatever a provider said."""
    return func.coalesce(func.sum(case((column.between(1, MOST_TOKENS), column), else_=0)), 0)


def _money(column: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Sum up the upper and the lower digits: the sum of two large amounts may be no 64-bit number."""
    return func.sum(column // _HIGH), func.sum(column % _HIGH)
