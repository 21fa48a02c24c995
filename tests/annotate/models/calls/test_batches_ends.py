"""Calls through batches: the budget, other processes, what earlier runs left, and the end of this one."""

import itertools
import threading
from pathlib import Path

import pytest

from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Refusal, Reply
from contracts.errors import BudgetExceeded, SetupError
from tests.annotate.batch_provider import BILLED_USD, HIGHEST_USD, Postman, Provider, case
from tests.annotate.batch_runs import (
    ask,
    batch_states,
    batching,
    booked_usd,
    bury,
    states,
    texts,
)

# Money.


def test_a_batch_shrinks_to_the_money(provider: Provider, path: Path):
    """Three highest prices fit at first; what the answers leave over pays for the next, and the bill stays in the budget."""
    conversations = ask(Postman(provider=provider), path, [case(n) for n in range(6)], budget_usd=0.0301)
    assert len(conversations) == 6
    assert len(next(iter(provider.jobs.values())).requests) == 3
    assert provider.bill_usd <= 0.0301


def test_the_budget_stops_before_it_could_be_passed(provider: Provider, path: Path):
    """When nothing fits and nothing is open; with more money the same command goes on."""
    with pytest.raises(BudgetExceeded, match=r"\$0\.0200 of the budget of \$0\.0299 are spent or owed.*raise budget_usd"):
        ask(Postman(provider=provider), path, [case(n) for n in range(20)], budget_usd=0.0299)
    assert provider.bill_usd <= 0.0299
    assert len(ask(Postman(provider=provider), path, [case(n) for n in range(20)], budget_usd=1.0)) == 20
    assert set(provider.bills.values()) == {1}


def test_no_budget_is_no_paid_request(provider: Provider, path: Path):
    """Nothing leaves."""
    with pytest.raises(BudgetExceeded, match="budget_usd"):
        ask(Postman(provider=provider), path, [case(1)], budget_usd=None)
    assert provider.calls["submit"] == 0


# Others, earlier runs, and the end of this one.


def entry(n: int) -> Entry:
    return Entry(key=f"k{n:06d}", judge="postman", model="postman-1", task="probe", prompt_version="v", row_id=f"row{n}")


def test_what_another_process_asks_is_waited_for(provider: Provider, path: Path):
    """Its reply is ours as well; what it gives up is asked here."""
    with Ledger(path, account="b") as other:
        other.claim([entry(1), entry(2)])
        waits = itertools.count()

        async def sleep(seconds: float) -> None:
            await provider.clock.sleep(seconds)
            if next(waits) == 4:
                other.mark_sent([("k000001", 0.01), ("k000002", 0.01)], 1.0)
                other.commit([("k000001", Reply(text="good: from b")), ("k000002", Refusal(reason="interrupted", message="-"))])

        conversations = ask(Postman(provider=provider), path, [case(n) for n in range(4)], sleep=sleep)
    assert texts(conversations["row1"]) == ["good: from b"]
    assert texts(conversations["row2"]) == ["good: k000002"]
    assert provider.bills == {"k000000": 1, "k000002": 1, "k000003": 1}


def test_what_the_dead_left_is_taken_up_while_waiting(provider: Provider, path: Path):
    """A batch of a process that dies during our run is adopted, and its answers are ours."""
    with Ledger(path, account="a") as other:
        other.claim([entry(1)])
        assert other.record_batch("theirs", "postman", "postman-1", [("k000001", HIGHEST_USD)], 1.0) == []
        other.record_batch_id("theirs", provider.create("theirs", [case(1).request]))
        died: list[int] = []

        async def sleep(seconds: float) -> None:
            await provider.clock.sleep(seconds)
            if provider.clock.now() > 1200.0 and not died:
                died.append(1)
                bury(path)

        conversations = ask(Postman(provider=provider), path, [case(n) for n in range(3)], sleep=sleep)
        assert (texts(conversations["row1"]), died) == (["good: k000001"], [1])
        assert provider.bills.total() == 3


def test_what_another_account_left_is_taken_up(provider: Provider, path: Path):
    """A recipe was renamed, or shares the ledger with one that died: its batch is not waited for by nobody for ever."""
    with Ledger(path, account="renamed") as other:
        other.claim([entry(1)])
        assert other.record_batch("theirs", "postman", "postman-1", [("k000001", HIGHEST_USD)], 1.0) == []
        other.record_batch_id("theirs", provider.create("theirs", [case(1).request]))
    conversations = ask(Postman(provider=provider), path, [case(n) for n in range(3)])
    assert texts(conversations["row1"]) == ["good: k000001"]
    assert provider.bills.total() == 3
    assert booked_usd(path) == pytest.approx(2 * BILLED_USD)  # who handed it in pays for it
    assert batch_states(path) == ["closed", "closed"]


def test_closing_the_iterator_leaves_the_batches_with_the_provider(provider: Provider, path: Path):
    """The next run hands in nothing again, polls them and goes on."""
    cases = [case(n, tricky=n == 1) for n in range(25)]
    conversations = batching(Postman(provider=provider), path).conversations(cases)
    first = next(conversations)
    conversations.close()
    assert batch_states(path).count("submitted") >= 2
    assert len(first) <= 5
    assert len(ask(Postman(provider=provider), path, cases)) == 25
    assert set(provider.bills.values()) == set(provider.names.values()) == {1}


def test_an_interrupt_while_waiting_leaves_everything_recorded(provider: Provider, path: Path):
    """Ctrl-C loses nothing and cancels nothing."""

    async def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(Postman(provider=provider), path, [case(n) for n in range(9)], sleep=interrupted)
    assert batch_states(path) == ["submitted", "submitted"]
    assert len(ask(Postman(provider=provider), path, [case(n) for n in range(9)])) == 9
    assert (provider.calls["submit"], provider.bills.total()) == (2, 9)


def test_no_thread_is_left(provider: Provider, path: Path):
    """Whether it ran to its end or was closed early."""
    before = threading.active_count()
    ask(Postman(provider=provider), path, [case(n) for n in range(9)])
    conversations = batching(Postman(provider=provider), path).conversations([case(n) for n in range(9, 30)])
    next(conversations)
    conversations.close()
    assert threading.active_count() <= before


def test_collecting_settles_what_is_open_and_hands_in_nothing(provider: Provider, path: Path):
    """A build that went over to asking one by one first gets what an earlier one has paid for."""
    conversations = batching(Postman(provider=provider), path).conversations([case(n) for n in range(17)])
    next(conversations)
    conversations.close()
    submitted = provider.calls["submit"]
    assert submitted == len(batch_states(path)) == 4
    assert batch_states(path).count("submitted") >= 3  # the first may be closed already
    batching(Postman(provider=provider), path).collect()
    assert provider.calls["submit"] == submitted
    assert set(batch_states(path)) == {"closed"}
    assert sum(state == "replied" for state in states(path).values()) == 17
    batching(Postman(provider=provider, lacks="no key"), path).collect()  # nothing is open, so nothing is needed


def test_collecting_asks_for_the_key_only_when_a_batch_is_open(provider: Provider, path: Path):
    """Then it is a setup error, because the replies are paid for and would be lost."""
    conversations = batching(Postman(provider=provider), path).conversations([case(n) for n in range(12)])
    next(conversations)
    conversations.close()
    with pytest.raises(SetupError, match="set POSTMAN_KEY"):
        batching(Postman(provider=provider, lacks="set POSTMAN_KEY"), path).collect()
