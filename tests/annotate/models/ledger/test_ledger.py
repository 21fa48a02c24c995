"""The ledger keeps what was paid for, in a file and on a server alike."""

import contextlib
import signal

import pytest

from annotate.models.ledger.entries import Batch, Spend
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Refusal, Reply
from contracts.errors import BudgetExceeded, StorageError
from tests.annotate import ledgers
from tests.annotate.ledgers import FULL, balanced, entry, forking, query

place = ledgers.place


@pytest.fixture
def ledger(place):
    with Ledger(place, account="here") as opened:
        yield opened


def test_a_reply_comes_back_whole(ledger):
    """All that was recorded of a reply is read again, and the attempts that went before it count."""
    assert ledger.claim([entry("a")]) == ["a"]
    ledger.mark_sent([("a", 0.9)], 2.0)
    ledger.mark_sent([("a", 0.9)], 2.0)
    ledger.commit([("a", FULL)])
    assert ledger.replies(["a", "b"]) == {"a": FULL}


@pytest.mark.parametrize("text", ["a\x00b", "half a pair \ud83d", "\x1a0000", "語 😀 \r\n\t", ""])
def test_whatever_a_judge_says_can_be_kept(ledger, text):
    """NUL and half a surrogate pair, which databases refuse, are no reason to lose a paid reply."""
    ledger.claim([entry("a"), entry("b")])
    reply = Reply(text=text, model_served=text, raw=text)
    ledger.commit([("a", reply), ("b", Refusal(reason="blocked", message=text, raw=text))])
    assert ledger.replies(["a"]) == {"a": reply}
    assert ledger.history("j-b")[0]["message"] == text


def test_states_follow_the_request(ledger):
    """Reserved, sent, replied; reserved, sent, failed, and claimed again; a reply is final."""
    states = []

    def note() -> None:
        states.append([(row["state"], row["attempts"], row["reason"]) for row in ledger.history("j-a") + ledger.history("j-b")])

    both = [entry("a"), entry("b")]
    assert ledger.claim(both) == ["a", "b"]
    note()
    assert ledger.mark_sent([("a", 0.0), ("b", 0.0)], None) == []
    note()
    ledger.commit([("a", Reply(text="x")), ("b", Refusal(reason="blocked", message="why"))])
    note()
    assert ledger.claim(both) == ["b"]
    note()
    assert states == [
        [("reserved", 0, None), ("reserved", 0, None)],
        [("sent", 1, None), ("sent", 1, None)],
        [("replied", 1, None), ("failed", 1, "blocked")],
        [("replied", 1, None), ("reserved", 1, None)],
    ]


def test_a_claim_is_granted_once(ledger, place):
    """Neither the one who holds a request nor anybody else alive gets it again, until it is given back."""
    assert ledger.claim([entry("b"), entry("a"), entry("b", row_id="other")]) == ["b", "a"]
    assert ledger.claim([entry("a"), entry("c")]) == ["c"]
    with Ledger(place, account="there") as other:
        assert other.claim([entry("a"), entry("b"), entry("c")]) == []
        ledger.mark_sent([("b", 0.0)], None)
        ledger.release(["a", "b", "unheard of"])
        assert other.claim([entry("a"), entry("b"), entry("c")]) == ["a"]
    assert [row["key"] for row in ledger.history("j-b")] == ["b"]
    assert ledger.history("other") == []


def test_only_what_is_ours_and_open_can_be_sent_or_answered(ledger, place):
    """Whoever tries is told what to do, and nothing of the whole group happens."""
    ledger.claim([entry("a"), entry("b")])
    ledger.commit([("a", FULL)])
    with Ledger(place, account="here") as other:
        for stranger in ("a", "unheard of"):
            with pytest.raises(StorageError, match=r"1 of 2 requests .* run the same command again"):
                ledger.mark_sent([("b", 0.0), (stranger, 0.0)], None)
            with pytest.raises(StorageError, match=r"1 of 2 requests"):
                ledger.commit([("b", FULL), (stranger, Reply(text="other"))])
        for key in ("a", "b"):
            with pytest.raises(StorageError, match="1 of 1 requests"):
                other.mark_sent([(key, 0.0)], None)
            with pytest.raises(StorageError, match="1 of 1 requests"):
                other.commit([(key, Reply(text="other"))])
    with pytest.raises(StorageError, match=r"1 of 2 requests \(b\)"):
        ledger.commit([("b", FULL), ("b", Reply(text="twice"))])
    assert ledger.replies(["a", "b"]) == {"a": FULL}
    assert [row["state"] for row in ledger.history("j-b")] == ["reserved"]
    balanced(place)


def test_money_is_booked_when_it_may_be_owed(place):
    """Open attempts count in full, answers at their price, and attempts cut off by a crash stay booked."""
    with Ledger(place, account="here") as ledger:
        ledger.claim([entry("a"), entry("b")])
        ledger.mark_sent([("a", 1.0), ("b", 0.25)], 9.0)
        ledger.mark_sent([("a", 1.0)], 9.0)
        assert ledger.owed_usd() == 2.25
        ledger.commit([("a", FULL)])
        assert ledger.owed_usd() == 0.75
    with Ledger(place, account="here") as ledger:
        assert ledger.owed_usd() == 0.75
        assert ledger.claim([entry("a"), entry("b")]) == ["b"]
        assert ledger.owed_usd() == 0.75
        ledger.mark_sent([("b", 0.25)], 9.0)
        ledger.commit([("b", Refusal(reason="blocked", message="", cost_usd=0.125))])
        assert ledger.spend() == [
            Spend(task="task1", judge="gemini", model="m", replied=1, failed=1, input_tokens=5, output_tokens=7, cost_usd=0.875)
        ]
        assert (ledger.history("j-b")[0]["spent_usd"], ledger.history("j-b")[0]["open_usd"]) == (0.375, 0.0)
    assert balanced(place) == {"here": 875 * 10**9}


def test_the_budget_is_kept_to_the_last_cent(place):
    """Ten dimes make a dollar: binary fractions neither hide one nor forbid the last; free attempts always go."""
    with Ledger(place, account="here") as ledger:
        ledger.claim([entry(f"k{number}") for number in range(13)])
        sends = [(f"k{number}", 0.1) for number in range(11)]
        assert ledger.mark_sent(sends, 1.0) == ["k10"]
        assert ledger.owed_usd() == 1.0
        assert ledger.mark_sent([("k10", 0.1), ("k11", 0.0)], 1.0) == ["k10"]
        with pytest.raises(BudgetExceeded, match="`budget_usd` in the recipe"):
            ledger.mark_sent([("k12", 0.0), ("k10", 0.1)], None)
        assert ledger.mark_sent([("k12", 0.0)], None) == []
        ledger.commit([("k0", Reply(text="x", cost_usd=0.0))])
        with Ledger(place, account="here") as same, Ledger(place, account="there") as other:
            for using, expected in ((same, ["late"]), (other, [])):
                assert using.claim([entry("late")]) == ["late"]
                assert using.mark_sent([("late", 0.2)], 1.0) == expected
                using.release(["late"])
        assert ledger.mark_sent([("k10", 0.1)], 1.0) == []
    assert balanced(place) == {"here": 10**12, "there": 2 * 10**11}


@pytest.mark.parametrize("price", [-0.1, float("nan"), float("inf")])
def test_no_price_is_taken_for_what_it_is_not(ledger, place, price):
    """A price below nothing, or none at all, would make room in the budget."""
    ledger.claim([entry("a")])
    with pytest.raises(ValueError, match="no price"):
        ledger.mark_sent([("a", price)], 1.0)
    with pytest.raises(ValueError, match="no price"):
        ledger.commit([("a", Reply(text="x", cost_usd=price))])
    assert balanced(place) == {}


def test_what_another_account_paid_for_costs_nothing(place):
    """Its replies are free; of a request that it lost, its money stays with it, and only new attempts cost us."""
    with Ledger(place, account="rich") as rich:
        rich.claim([entry("a"), entry("b"), entry("c")])
        rich.mark_sent([("a", 1.0), ("b", 1.0), ("c", 1.0)], 9.0)
        rich.commit([("a", FULL), ("c", Refusal(reason="blocked", message="", cost_usd=0.25))])
    with Ledger(place, account="poor") as poor:
        assert poor.replies(["a"]) == {"a": FULL}
        assert (poor.owed_usd(), poor.spend()) == (0.0, [])
        assert poor.claim([entry("a"), entry("b"), entry("c")]) == ["b", "c"]
        poor.mark_sent([("b", 0.5)], 0.5)
        poor.commit([("b", Reply(text="x", cost_usd=0.125))])
        assert [(line.replied, line.cost_usd) for line in poor.spend()] == [(1, 0.125)]
        assert poor.replies(["b"])["b"].cost_usd == 0.125
    with Ledger(place, account="rich") as rich:
        assert [(line.replied, line.failed, line.cost_usd) for line in rich.spend()] == [(1, 0, 1.75)]
    assert balanced(place) == {"rich": 175 * 10**10, "poor": 125 * 10**9}


def test_spend_is_told_by_task_judge_and_model(ledger):
    """Each of them has its line, in order."""
    facts = [("task3", "gemini", "m"), ("task1", "openai", "n"), ("task1", "openai", "m")]
    for number, (task, judge, model) in enumerate(facts):
        ledger.claim([entry(f"k{number}", task=task, judge=judge, model=model)])
        ledger.commit([(f"k{number}", Reply(text="", cost_usd=number + 1.0, input_tokens=number))])
    told = [(line.task, line.judge, line.model, line.input_tokens, line.cost_usd) for line in ledger.spend()]
    assert told == [("task1", "openai", "m", 2, 3.0), ("task1", "openai", "n", 1, 2.0), ("task3", "gemini", "m", 0, 1.0)]


def test_several_steps_can_be_one(ledger, place):
    """All that is done together happens, or nothing of it."""
    with ledger.together():
        ledger.claim([entry("a")])
        ledger.mark_sent([("a", 0.5)], 1.0)

    def fail_in_the_end() -> None:
        with ledger.together():
            ledger.commit([("a", FULL)])
            ledger.claim([entry("b")])
            ledger.commit([("unheard of", FULL)])

    with pytest.raises(StorageError, match="not reserved"):
        fail_in_the_end()
    assert (ledger.replies(["a"]), ledger.owed_usd(), ledger.history("j-b")) == ({}, 0.5, [])
    ledger.commit([("a", FULL)])
    assert ledger.replies(["a"]) == {"a": FULL}


def test_a_batch_is_recorded_before_it_leaves(ledger, place):
    """Its requests are sent in it, nobody gets them, answers come in any order, and what is left can be asked again."""
    keys = ["a", "b", "c", "d"]
    ledger.claim([entry(key) for key in keys])
    assert ledger.record_batch("first", "gemini", "m", [(key, 0.25) for key in keys], 1.0) == []
    intended = Batch(name="first", batch_id=None, judge="gemini", model="m", state="intended", size=4)
    assert ledger.open_batches("gemini", "m") == [intended]
    assert ledger.open_batches("gemini", "other") == []
    ledger.record_batch_id("first", "batches/7")
    with Ledger(place, account="here") as same:
        assert same.claim([entry(key) for key in keys]) == []
        assert same.open_batches("gemini", "m") == []  # its owner lives
    ledger.commit([("d", FULL), ("b", Refusal(reason="blocked", message=""))])
    assert ledger.batch_keys("first") == ["a", "c"]
    assert ledger.owed_usd() == 1.0
    ledger.close_batch("first", lost=False)
    assert (ledger.owed_usd(), ledger.open_batches("gemini", "m"), ledger.batch_keys("first")) == (0.5, [], [])
    assert ledger.claim([entry(key) for key in keys]) == ["a", "b", "c"]
    balanced(place)


def test_the_price_of_a_lost_batch_stays_booked(ledger, place):
    """It may have been billed, whatever became of it."""
    ledger.claim([entry("a"), entry("b")])
    ledger.record_batch("first", "gemini", "m", [("a", 0.25), ("b", 0.25)], 1.0)
    ledger.close_batch("first", lost=True)
    assert ledger.claim([entry("a"), entry("b")]) == ["a", "b"]
    assert (ledger.owed_usd(), ledger.history("j-a")[0]["spent_usd"]) == (0.5, 0.25)
    balanced(place)


def test_a_batch_goes_as_a_whole_or_not_at_all(ledger, place):
    """Without money for all of it nothing is recorded; a taken name, a sent request and a closed batch are refused."""
    ledger.claim([entry(key) for key in "abc"])
    assert ledger.record_batch("first", "gemini", "m", [("a", 0.75), ("b", 0.75)], 1.0) == ["b"]
    assert (ledger.open_batches("gemini", "m"), ledger.owed_usd()) == ([], 0.0)
    with pytest.raises(BudgetExceeded):
        ledger.record_batch("first", "gemini", "m", [("a", 0.75)], None)
    ledger.mark_sent([("b", 0.25)], 1.0)
    with pytest.raises(StorageError, match=r"1 of 2 requests \(b\)"):
        ledger.record_batch("first", "gemini", "m", [("a", 0.25), ("b", 0.25)], 1.0)
    ledger.record_batch("first", "gemini", "m", [("a", 0.25)], 1.0)
    with pytest.raises(StorageError, match="named first already"):
        ledger.record_batch("first", "gemini", "m", [("c", 0.25)], 1.0)
    with pytest.raises(StorageError, match="not reserved"):
        ledger.mark_sent([("a", 0.0)], None)
    ledger.close_batch("first", lost=False)
    for act in (lambda: ledger.close_batch("first", lost=True), lambda: ledger.record_batch_id("first", "x")):
        with pytest.raises(StorageError, match="first is no open batch of this process"):
            act()
    assert ledger.owed_usd() == 0.25
    balanced(place)


def test_a_batch_outlives_its_process(place):
    """Whoever comes next adopts it with its requests, oldest first, and nobody asks them meanwhile."""
    with Ledger(place, account="here") as dying:
        dying.claim([entry(key) for key in "abcd"])
        dying.record_batch("z", "gemini", "m", [("a", 0.25), ("b", 0.25)], 1.0)
        dying.record_batch("y", "gemini", "m", [("c", 0.25)], 1.0)
        dying.record_batch_id("y", "batches/8")
        dying.commit([("a", FULL)])
    with Ledger(place, account="there") as stranger:
        assert stranger.open_batches("gemini", "m") == []
        assert stranger.claim([entry(key) for key in "abcd"]) == ["d"]
    with Ledger(place, account="here") as heir, Ledger(place, account="here") as late:
        assert [(batch.name, batch.batch_id) for batch in heir.open_batches("gemini", "m")] == [("z", None), ("y", "batches/8")]
        assert late.open_batches("gemini", "m") == []
        with pytest.raises(StorageError, match="not reserved"):
            late.commit([("b", FULL)])
        heir.commit([("b", Reply(text="late but paid"))])
        heir.close_batch("z", lost=False)
        assert heir.replies(["b"])["b"].text == "late but paid"
    balanced(place)


def test_a_batch_of_the_dead_is_adopted_by_whoever_wants_its_answers(place):
    """Or nobody else could ever ask its questions; who handed it in still pays for it."""
    with Ledger(place, account="here") as dying:
        dying.claim([entry(key) for key in "abc"])
        dying.record_batch("z", "gemini", "m", [("a", 0.25), ("b", 0.25)], 1.0)
        dying.record_batch("y", "gemini", "m", [("c", 0.25)], 1.0)
        dying.commit([("b", FULL)])
        with Ledger(place, account="there") as stranger:
            assert stranger.open_batches("gemini", "m", wanted=["a"]) == []  # its owner lives
    with Ledger(place, account="there") as stranger, Ledger(place, account="here") as late:
        assert stranger.open_batches("gemini", "m", wanted=["b", "unknown"]) == []  # no answer is owed to these
        assert stranger.open_batches("gemini", "other", wanted=["a"]) == []
        assert [batch.name for batch in stranger.open_batches("gemini", "m", wanted=["a"])] == ["z"]
        assert [batch.name for batch in stranger.open_batches("gemini", "m")] == ["z"]  # it stays ours
        assert [batch.name for batch in late.open_batches("gemini", "m")] == ["y"]
        stranger.commit([("a", Reply(text="paid by another one", cost_usd=0.125))])
        stranger.close_batch("z", lost=False)
        assert (stranger.owed_usd(), late.owed_usd()) == (0.0, 0.125 + FULL.cost_usd + 0.25)
    balanced(place)


def write_on(place: str, test) -> None:
    """Commit replies without end, and acknowledge each."""
    with Ledger(place) as ledger:
        for number in range(10**9):
            ledger.claim([entry(f"k{number}")])
            ledger.mark_sent([(f"k{number}", 0.0)], None)
            ledger.commit([(f"k{number}", Reply(text="x" * 2000))])
            test.send(f"k{number}")


def test_kill_leaves_every_acknowledged_reply(place):
    """Killed in the middle of writing: all replies that were acknowledged are there, and the file is sound."""
    test, there = forking.Pipe()
    writer = forking.Process(target=write_on, args=(place, there), daemon=True)
    writer.start()
    there.close()
    acknowledged = [test.recv() for _ in range(50)]
    writer.kill()
    with contextlib.suppress(EOFError):
        while True:
            acknowledged.append(test.recv())
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    with Ledger(place) as ledger:
        replies = ledger.replies(acknowledged)
        assert set(replies) == set(acknowledged)
        assert all(reply.text == "x" * 2000 for reply in replies.values())
        assert ledger.claim([entry(f"k{len(acknowledged)}"), entry(f"k{len(acknowledged) + 1}")])
    if "://" not in place:
        assert query(place, "PRAGMA integrity_check") == [("ok",)]


def test_ten_thousand_keys_are_one_question(ledger):
    """There is no limit to the keys of one call, though there is one to those of a statement."""
    keys = [f"k{number}" for number in range(10_000)]
    assert ledger.claim([entry(key) for key in keys]) == keys
    ledger.commit([(key, Reply(text=key)) for key in keys[:5000]])
    assert {key: reply.text for key, reply in ledger.replies(keys).items()} == {key: key for key in keys[:5000]}
    assert ledger.claim([entry(key) for key in keys]) == []
    ledger.release(keys)
    assert ledger.claim([entry(key) for key in reversed(keys)]) == keys[:4999:-1]


def test_what_is_asked_often_is_found_by_an_index(tmp_path):
    """No statement of the daily work reads a whole table, so that a million requests are as fast as a thousand."""
    place = str(tmp_path / "ledger.sqlite")
    with Ledger(place, account="here") as ledger:
        seen: list[str] = []
        ledger._database.connection.connection.dbapi_connection.set_trace_callback(seen.append)
        ledger.claim([entry("a"), entry("b")])
        ledger.mark_sent([("a", 0.5)], 1.0)
        ledger.commit([("a", FULL)])
        ledger.replies(["a"])
        ledger.release(["b"])
        ledger.history("j-a")
        ledger.spend()
        ledger.claim([entry("b")])
        ledger.record_batch("first", "gemini", "m", [("b", 0.5)], 2.0)
        ledger.open_batches("gemini", "m")
        ledger.batch_keys("first")
        ledger.close_batch("first", lost=True)
        ledger._database.connection.connection.dbapi_connection.set_trace_callback(None)
    statements = {sql for sql in seen if "ledger_requests" in sql and sql.split()[0] in {"SELECT", "UPDATE", "DELETE"}}
    assert len(statements) > 10
    plans = {sql: [row[3] for row in query(place, f"EXPLAIN QUERY PLAN {sql}")] for sql in statements}
    assert [sql for sql, plan in plans.items() if any(step.startswith("SCAN ledger_requests") for step in plan)] == []
    (sums,) = (plan for sql, plan in plans.items() if "GROUP BY" in sql and "task" in sql)
    assert any("USING COVERING INDEX" in step for step in sums)


def test_a_process_that_hangs_up_is_no_obstacle(place):
    """Leaving the ledger gives back what was not sent, and what was sent can be asked again at its old price."""
    with Ledger(place, account="here") as first:
        first.claim([entry("a"), entry("b")])
        first.mark_sent([("a", 0.5)], 1.0)
    with Ledger(place, account="here") as second:
        assert second.claim([entry("a"), entry("b")]) == ["a", "b"]
        assert second.owed_usd() == 0.5
    assert query(place, "SELECT count(*) FROM ledger_owners") == [(0,)]
