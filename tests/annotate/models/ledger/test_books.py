"""Whatever happens in whatever order: the total that an account owes is the sum over its requests, and covers its bill."""

import contextlib
import random
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from annotate.models.ledger import owners
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Refusal, Reply
from contracts.errors import StorageError
from tests.annotate.ledgers import balanced, entry, query


@pytest.fixture(autouse=True, scope="module")
def _asleep_is_dead():
    """Who fell asleep elsewhere counts as dead at the first look."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owners, "_CONFIRM_S", 0.0)
        yield


KEYS = ["a", "b", "c"]
BUDGET_USD = 5.0
ACCOUNTS = ("here", "here", "there")  # of three processes


class Books(RuleBasedStateMachine):
    """Three processes that do everything that they may, and what a provider would bill their accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="books"))
        self.place = str(self.folder / "ledger.sqlite")
        self.ledgers = [Ledger(self.place, account=account) for account in ACCOUNTS]
        # By process: attempts under way with their prices, and batches with theirs. And what was billed.
        self.under_way: list[dict[str, list[float]]] = [{} for _ in ACCOUNTS]
        self.batches: list[dict[str, float]] = [{} for _ in ACCOUNTS]
        self.billed = dict.fromkeys(ACCOUNTS, 0.0)
        self.replied: dict[str, str] = {}
        self.named = 0

    who = st.integers(0, len(ACCOUNTS) - 1)
    keys = st.lists(st.sampled_from(KEYS), unique=True, min_size=1)
    prices = st.integers(0, 10).map(lambda dimes: dimes / 10)

    def claim(self, who: int, keys: list[str]) -> list[str]:
        claimed = self.ledgers[who].claim([entry(key) for key in keys])
        assert [key for key in claimed if key in self.replied] == []
        return claimed

    def leave(self, who: int, keys: Iterable[str], price: float) -> None:
        for key in keys:
            self.under_way[who].setdefault(key, []).append(price)

    @rule(who=who, keys=keys, price=prices)
    def send(self, who: int, keys: list[str], price: float) -> None:
        claimed = self.claim(who, keys)
        unpaid = self.ledgers[who].mark_sent([(key, price) for key in claimed], BUDGET_USD)
        self.ledgers[who].release(keys)
        self.leave(who, set(claimed) - set(unpaid), price)

    @rule(who=who, key=st.sampled_from(KEYS), price=prices)
    def send_again(self, who: int, key: str, price: float) -> None:
        # Not ours any more, or in a batch: then nothing may have happened, which the invariants see.
        with contextlib.suppress(StorageError):
            if not self.ledgers[who].mark_sent([(key, price)], BUDGET_USD):
                self.leave(who, [key], price)

    @rule(who=who, keys=keys, price=prices)
    def intend(self, who: int, keys: list[str], price: float) -> None:
        claimed = self.claim(who, keys)
        self.named += 1
        sends = [(key, price) for key in claimed]
        if not self.ledgers[who].record_batch(f"batch{self.named}", "gemini", "m", sends, BUDGET_USD):
            self.batches[who][f"batch{self.named}"] = price
            self.leave(who, claimed, price)
        self.ledgers[who].release(keys)

    @precondition(lambda self: any(self.under_way))
    @rule(choice=st.integers(0, 99), dear=st.booleans(), refused=st.booleans())
    def answer(self, choice: int, dear: bool, refused: bool) -> None:
        under_way = [(who, key) for who in range(len(ACCOUNTS)) for key in sorted(self.under_way[who])]
        who, key = under_way[choice % len(under_way)]
        prices = self.under_way[who].pop(key)
        cost = sum(prices) if dear else min(prices) / 2
        self.billed[ACCOUNTS[who]] += cost
        name = f"{who} {choice}"
        answer = Refusal(reason="blocked", message="", cost_usd=cost) if refused else Reply(text=name, cost_usd=cost)
        try:
            self.ledgers[who].commit([(key, answer)])
        except StorageError:
            # Somebody took it over: only a reply to what nobody has a reply to is kept then.
            assert refused or key in self.replied
            return
        assert key not in self.replied
        if not refused:
            self.replied[key] = name

    @precondition(lambda self: any(self.batches))
    @rule(choice=st.integers(0, 99), lost=st.booleans())
    def close(self, choice: int, lost: bool) -> None:
        batches = [(who, name) for who in range(len(ACCOUNTS)) for name in self.batches[who]]
        who, name = batches[choice % len(batches)]
        keys, price = self.ledgers[who].batch_keys(name), self.batches[who].pop(name)
        self.ledgers[who].close_batch(name, lost=lost)
        for key in keys:
            self.under_way[who].pop(key, None)
            self.billed[ACCOUNTS[who]] += price if lost else 0.0

    @rule(who=who)
    def fall_asleep(self, who: int) -> None:
        query(
            self.place,
            f"UPDATE ledger_owners SET host = 'far', lease_until = 0 WHERE token = '{self.ledgers[who]._owner.token}'",
        )

    @rule(who=who)
    def die(self, who: int) -> None:
        self.ledgers[who].close()
        waiting = {key for name in self.batches[who] for key in self.ledgers[who - 1].batch_keys(name)}
        # What was under way may be billed, and nobody ever hears of it; batches are taken over by whoever comes.
        self.billed[ACCOUNTS[who]] += sum(sum(prices) for key, prices in self.under_way[who].items() if key not in waiting)
        self.under_way[who].clear()
        self.ledgers[who] = Ledger(self.place, account=ACCOUNTS[who])
        prices = {name: price for batches in self.batches for name, price in batches.items()}
        self.batches[who].clear()
        for batch in self.ledgers[who].open_batches("gemini", "m"):
            for former in range(len(ACCOUNTS)):
                self.batches[former].pop(batch.name, None)
            self.batches[who][batch.name] = prices[batch.name]
            for key in self.ledgers[who].batch_keys(batch.name):
                for under_way in self.under_way:
                    under_way.pop(key, None)
                self.leave(who, [key], prices[batch.name])

    @invariant()
    def books_balance(self) -> None:
        owed = balanced(self.place)
        for account in set(ACCOUNTS):
            assert owed.get(account, 0) / 1e12 >= self.billed[account] - 1e-9
            spent = sum(line.cost_usd for line in self.ledgers[ACCOUNTS.index(account)].spend())
            assert abs(owed.get(account, 0) / 1e12 - spent) < 1e-9

    @invariant()
    def replies_stay(self) -> None:
        found = self.ledgers[0].replies(KEYS)
        assert {key: reply.text for key, reply in found.items()} == self.replied

    def teardown(self) -> None:
        for ledger in self.ledgers:
            ledger.close()
        shutil.rmtree(self.folder)


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


def test_books_balance_on_a_server(postgres_server):
    """The same sums in PostgreSQL, after each of a few hundred steps drawn by chance."""
    place, chance = postgres_server.fresh("books"), random.Random(7)
    with Ledger(place, account="here") as here, Ledger(place, account="there") as there:
        for step in range(150):
            ledger, keys = chance.choice([here, there]), chance.sample(KEYS, 2)
            act = chance.choice(["claim", "send", "send", "reply", "refuse", "back", "batch", "lose", "sleep"])
            with contextlib.suppress(StorageError):  # not ours, and so nothing may have happened
                match act:
                    case "claim":
                        ledger.claim([entry(f"{key}.{step // 15}") for key in keys])
                    case "send":
                        ledger.mark_sent([(f"{key}.{step // 15}", 0.1) for key in keys[:1]], BUDGET_USD)
                    case "reply":
                        ledger.commit([(f"{keys[0]}.{step // 15}", Reply(text="x", cost_usd=chance.random() / 10))])
                    case "refuse":
                        ledger.commit([(f"{keys[0]}.{step // 15}", Refusal(reason="x", message="", cost_usd=0.01))])
                    case "back":
                        ledger.release([f"{key}.{step // 15}" for key in keys])
                    case "batch":
                        ledger.record_batch(f"b{step}", "gemini", "m", [(f"{keys[0]}.{step // 15}", 0.1)], BUDGET_USD)
                    case "lose":
                        for batch in ledger.open_batches("gemini", "m"):
                            ledger.close_batch(batch.name, lost=bool(chance.getrandbits(1)))
                    case "sleep":
                        query(
                            place,
                            f"UPDATE ledger_owners SET host = 'far', lease_until = 0 WHERE token = '{ledger._owner.token}'",
                        )
            balanced(place)
    owed = balanced(place)
    assert 0 < owed["here"] <= BUDGET_USD * 10**12 + 10**11
    assert owed["there"] > 0
