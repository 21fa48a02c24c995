"""Asking one by one: several processes on a ledger, the flow of requests, and memory."""

import contextlib
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pytest

from annotate.models.calls.case_state import Conversation
from annotate.models.inquiry import Case
from annotate.models.judge import Pace
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import Reply
from tests.annotate.batch_provider import BILLED_USD, Provider
from tests.annotate.batch_provider import FakeBatchSession as BatchSession
from tests.annotate.live_runs import FAULTY, FakeSession, Probe, after, case, cases, entry

# Sharing a ledger.

_NEIGHBOUR = """
import os, sys
from annotate.models.request import Reply
from annotate.models.ledger.entries import Entry
from annotate.models.ledger.ledger import Ledger

keys = [f"k{n}" for n in range(20)]
ledger = Ledger(sys.argv[1], account="tests")
entries = [Entry(key=key, judge="probe", model="probe-1", task="probe", prompt_version="v", row_id="row") for key in keys]
assert ledger.claim(entries) == keys
ledger.mark_sent([(key, 0.0) for key in keys], None)
print("claimed", flush=True)
sys.stdin.readline()
ledger.commit([(key, Reply(text="from the neighbour")) for key in keys[:10]])
print("committed", flush=True)
sys.stdin.readline()
os._exit(9)
"""


def test_what_another_process_asks_is_waited_for_and_never_asked_twice(runs):
    """Its replies are taken; what it leaves behind when it dies is asked here; everything else goes on meanwhile."""
    root = Path(__file__).parents[4]
    neighbour = subprocess.Popen(
        [sys.executable, "-c", _NEIGHBOUR, str(runs.path)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert neighbour.stdout.readline() == "claimed\n"
        session = FakeSession()
        texts: dict[str, str] = {}
        for conversations in runs.calls(Probe(session=session)).conversations(cases(100)):
            texts |= {conversation.case.request.key: conversation.exchanges[0][1].text for conversation in conversations}
            if len(texts) in (80, 90):  # all that could be had
                assert not set(session.sends) & {f"k{n}" for n in range(20)}
                neighbour.stdin.write("go on\n")
                neighbour.stdin.flush()
        assert neighbour.wait(10) == 9
    finally:
        neighbour.kill()
        neighbour.communicate()
    assert {key for key, text in texts.items() if text == "from the neighbour"} == {f"k{n}" for n in range(10)}
    assert session.sends == {f"k{n}": 1 for n in range(10, 100)}


@dataclass(frozen=True, kw_only=True)
class Both(Probe):
    """A judge that is asked one by one here, and through batches by others."""

    has_batches: ClassVar[bool] = True
    provider: Provider

    @contextlib.asynccontextmanager
    async def open_batches(self, clips: object) -> AsyncIterator[Any]:
        yield BatchSession(self.provider, 5, 10_000)


@pytest.mark.parametrize("account", ["tests", "another recipe"])
def test_a_batch_whose_owner_dies_is_taken_up(runs, account):
    """What it answers is taken, what it does not answer is asked here, and who handed it in pays for it."""
    provider = Provider(lasts_s=0.0, fate=lambda request, _: "answer" if request.key == "k1" else FAULTY)
    judge = Both(session=FakeSession(), provider=provider)
    got: dict[str, Any] = {}
    with Ledger(runs.path, account=account) as owner:
        owner.claim([entry("k0"), entry("k1")])
        owner.record_batch("theirs", "probe", "probe-1", [("k0", 0.5), ("k1", 0.5)], 1.0)
        owner.record_batch_id("theirs", provider.create("theirs", [case(0).request, case(1).request]))
        for conversations in runs.calls(judge).conversations(cases(20)):
            got |= {conversation.case.row_id: conversation.exchanges[0][1] for conversation in conversations}
            if len(got) == 18:  # all that could be had
                assert provider.calls["state"] == 0
                owner.close()
    assert got["row1"].text == "good: k1"
    assert got["row0"].text == "to k0"
    assert len(got) == 20
    with Ledger(runs.path, account=account) as payer:
        assert payer.owed_usd() == pytest.approx(BILLED_USD)


def test_two_runs_at_once_ask_nothing_twice(runs):
    """Both get every answer, and no question is asked by both."""
    lines = [FakeSession(respond=lambda *_: after(0.002, Reply(text="yes"))) for _ in range(2)]
    got: list[list[Conversation]] = [[], []]

    def run(number: int) -> None:
        got[number] = runs.ask(cases(300), Probe(session=lines[number]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(conversations) for conversations in got] == [300, 300]
    assert lines[0].sends + lines[1].sends == {f"k{n}": 1 for n in range(300)}


# Flow and memory.


def test_requests_flow_while_the_caller_is_busy_but_not_without_end(runs):
    """A caller that takes nothing more stops the reading of cases after a bounded number, and all come when it goes on."""
    read = 0

    def counted() -> Iterator[Case]:
        nonlocal read
        for number in range(2000):
            read += 1
            yield case(number)

    session = FakeSession()
    conversations = runs.calls(Probe(session=session, pace=Pace(concurrency=100))).conversations(counted())
    got = len(next(conversations))
    seen = -1
    while seen != len(session.sends):  # until nothing moves any more
        seen = len(session.sends)
        time.sleep(0.5)
    assert 1000 < seen <= read < 1800
    assert got + sum(len(arrived) for arrived in conversations) == 2000


def test_a_rule_answers_a_crowd_and_memory_stays_flat(runs):
    """Free answers without a network are committed in groups; nothing is kept of what was taken."""
    count = 12_000
    process = psutil.Process()
    rule = Probe(session=FakeSession(sends=_Nothing(), answers=_Nothing()), facts=("wer",), repeatable=True)
    seen, base = 0, 0
    for conversations in runs.calls(rule).conversations(case(number) for number in range(count)):
        seen += len(conversations)
        if not base and seen >= count // 4:
            base = process.memory_info().rss
    assert seen == count
    assert process.memory_info().rss - base < 50e6


class _Nothing(Counter[str]):
    """Counts nothing, so that the test itself keeps no keys."""

    def __setitem__(self, key: str, value: int) -> None:
        assert value == 1
