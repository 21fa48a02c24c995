"""The budget: what paid calls may cost, as a hard stop before the call that could pass it."""

from dataclasses import dataclass, field

from contracts.errors import BudgetExceeded


@dataclass(kw_only=True)
class Purse:
    """Money spent and promised.

    An open attempt counts at its highest price until its answer says what it cost, so that any number of them may be in
    flight without passing the limit together.

    Attributes:
        judge: who is paid, for messages.
        limit_usd: the budget; None = no paid call is allowed.
        owed_usd: spent so far and open.
        open_usd: request key -> what its attempts may still cost.
    """

    judge: str
    limit_usd: float | None
    owed_usd: float
    open_usd: dict[str, float] = field(default_factory=dict)

    def reserve(self, key: str, price_usd: float) -> None:
        """Promise the highest price of one attempt.

        Raises:
            BudgetExceeded: it could pass the limit; nothing is promised.
        """
        if price_usd == 0:
            return
        if self.limit_usd is None:
            raise BudgetExceeded(f"judge {self.judge!r} costs up to ${price_usd:.6f} a call: set judge.budget_usd")
        if self.owed_usd + price_usd > self.limit_usd:
            raise BudgetExceeded(
                f"judge {self.judge!r}: ${self.owed_usd:.4f} of the budget of ${self.limit_usd:.4f} are spent or promised, and "
                f"the next call may cost ${price_usd:.6f}: raise judge.budget_usd to go on; every reply so far is kept"
            )
        self.owed_usd += price_usd
        self.open_usd[key] = self.open_usd.get(key, 0.0) + price_usd

    def settle(self, key: str, cost_usd: float) -> None:
        """Replace a request's promise by what it cost."""
        self.owed_usd += cost_usd - self.open_usd.pop(key, 0.0)
