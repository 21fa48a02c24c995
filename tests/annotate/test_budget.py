"""A budget is a hard stop before the call that could pass it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.budget import Purse
from contracts.errors import BudgetExceeded

prices = st.floats(0, 3)


def test_open_calls_count_at_their_highest_price():
    """Two calls in flight cannot pass the limit together; the answer frees what it did not cost."""
    purse = Purse(judge="j", limit_usd=1.0, owed_usd=0.0)
    purse.reserve("a", 0.6)
    with pytest.raises(BudgetExceeded, match=r"\$0\.6000 of the budget of \$1\.0000"):
        purse.reserve("b", 0.6)
    purse.settle("a", 0.1)
    purse.reserve("b", 0.6)
    assert purse.owed_usd == pytest.approx(0.7)


def test_without_a_budget_only_free_calls_are_allowed():
    """A paid judge in a recipe without a budget asks nothing."""
    purse = Purse(judge="gemini", limit_usd=None, owed_usd=0.0)
    purse.reserve("a", 0.0)
    with pytest.raises(BudgetExceeded, match=r"set judge\.budget_usd"):
        purse.reserve("a", 0.001)


@given(limit=st.floats(0, 5), calls=st.lists(st.tuples(prices, st.floats(0, 1), st.booleans())))
def test_the_limit_is_never_passed(limit: float, calls: list[tuple[float, float, bool]]):
    """Whatever is asked and answered in whatever order, the bill stays within the limit."""
    purse, bill = Purse(judge="j", limit_usd=limit, owed_usd=0.0), 0.0
    for number, (price, share, answered) in enumerate(calls):
        try:
            purse.reserve(str(number), price)
        except BudgetExceeded:
            continue
        bill += price * share
        if answered:
            purse.settle(str(number), price * share)
    assert bill <= limit + 1e-9
    assert purse.owed_usd <= limit + 1e-9
