"""Totals over the requests of a ledger."""

from typing import Final

from sqlalchemy import ColumnElement, Connection, case, func, select

from annotate.models.ledger.column_values import to_usd
from annotate.models.ledger.entries import Spend
from annotate.models.ledger.ledger_tables import losses, requests
from annotate.models.usage import MOST_TOKENS

_HIGH: Final = 10**9


def spend(connection: Connection, account: str) -> list[Spend]:
    """Return what an account owes and what it got, by task, judge and model."""
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
    sums_by_group = connection.execute(select(*groups, *sums).where(columns.account == account).group_by(*groups))
    found: dict[tuple[str, str, str], tuple[int, ...]] = {}
    for task, judge, model, *numbers in sums_by_group:
        *counts, spent_high, spent_low, open_high, open_low = map(int, numbers)
        found[task, judge, model] = (*counts, (spent_high + open_high) * _HIGH + spent_low + open_low)
    lost = connection.execute(
        select(*(losses.c[name] for name in (*whose, "spent_picousd"))).where(losses.c.account == account)
    )
    for task, judge, model, picousd in lost:
        *counts, before = found.get((task, judge, model), (0, 0, 0, 0, 0))
        found[task, judge, model] = (*counts, before + picousd)
    return [
        Spend(
            task=task,
            judge=judge,
            model=model,
            replied=replied,
            failed=failed,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd=to_usd(picousd),
        )
        for (task, judge, model), (replied, failed, input_tokens, output_tokens, picousd) in sorted(found.items())
    ]


def held(connection: Connection) -> dict[str, int]:
    """Return totals of all accounts, in numbers that only grow: replies, and picodollars spent."""
    replies = func.coalesce(func.sum(case((requests.c.state == "replied", 1), else_=0)), 0)
    replied, *paid = connection.execute(select(replies, *_money(requests.c.spent_picousd))).one()
    lost = connection.execute(select(*_money(losses.c.spent_picousd))).one()
    spent = sum(int(high or 0) * _HIGH + int(low or 0) for high, low in (paid, lost))
    return {"replies": int(replied), "picodollars spent": spent}


def _tokens(column: ColumnElement[int]) -> ColumnElement[int]:
    """Sum up counts, without those that no request can have had: older versions stored whatever a provider stated."""
    return func.coalesce(func.sum(case((column.between(1, MOST_TOKENS), column), else_=0)), 0)


def _money(column: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Sum up the upper and the lower digits: the sum of two large amounts may be no 64-bit number."""
    return func.sum(column // _HIGH), func.sum(column % _HIGH)
