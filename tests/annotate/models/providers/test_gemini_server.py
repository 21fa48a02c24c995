"""The server that stands in for Gemini: its storms, its limits, and what it counts."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from annotate.models.providers.gemini.client import Gemini
from annotate.models.request import AttemptFailure, Reply
from tests.annotate.gemini_asking import api_key, attempt, attempts, gemini, text
from tests.annotate.gemini_faults import Faults, Gate
from tests.annotate.gemini_server import (
    GeminiServer,
    serving,
)

__all__ = ["api_key"]  # a fixture


STORM = Faults(
    seed=3,
    throttled=0.05,
    server_error=0.05,
    dropped=0.05,
    dropped_late=0.05,
    truncated=0.05,
    malformed=0.05,
    empty=0.05,
    html=0.05,
)


def weathered(server: GeminiServer, count: int) -> tuple[list[Reply], float, float]:
    """Ask until everything is answered; return replies, what they cost, and what the lost attempts may have cost."""

    async def one(line, request):
        booked = 0.0
        while not isinstance(got := await line.attempt(request), Reply):
            assert got.kind in ("throttled", "transient")
            booked += (await line.estimate(request)).usd * got.lost
        return got, booked

    async def run():
        async with gemini(server).open(None) as line:
            return await asyncio.gather(*(one(line, text(f"question {n}")) for n in range(count)))

    done = asyncio.run(run())
    return [got for got, _ in done], sum(got.cost_usd for got, _ in done), sum(booked for _, booked in done)


def test_a_storm_is_the_same_storm_again_and_its_bill_is_covered():
    """Four in ten sendings go wrong: nothing answered is sent again, the books cover the bill, and a seed repeats it all."""
    with serving(faults=STORM, text=lambda prompt, _: prompt.upper()) as server:
        replies, paid, booked = weathered(server, 150)
        deadline = time.monotonic() + 10
        while (first := server.counters())["answered"] < 150 and time.monotonic() < deadline:
            time.sleep(0.01)  # the server counts an answer after it has been written
    assert [got.text for got in replies] == [f"QUESTION {n}" for n in range(150)]
    assert set(first["struck"]) == {
        name for name in Faults.__dataclass_fields__ if name not in ("seed", "latency_s", "retry_after_s")
    }
    assert (first["answered"], first["different"], first["repeated"]) == (150, 150, 0)
    assert first["requests"] == 150 + sum(first["struck"].values())
    assert paid < first["bill"]["usd"] <= paid + booked
    with serving(faults=STORM, text=lambda prompt, _: prompt.upper()) as server:
        weathered(server, 150)
        assert server.counters()["struck"] == first["struck"]


def test_the_server_turns_away_what_is_too_fast():
    """Of five requests in a window for three, two are told when to come again."""
    with serving(gate=Gate(most=3, window_s=30.0)) as server:
        got = attempts(gemini(server), [text(f"q{n}") for n in range(5)])
    waits = [answer.wait_s for answer in got if isinstance(answer, AttemptFailure)]
    assert len(waits) == 2
    assert all(25 < wait_s <= 30 for wait_s in waits)
    assert server.counters()["turned_away"] == 2


def test_the_server_notices_a_question_asked_twice():
    """Otherwise no test that relies on it could fail."""
    with serving() as server:
        attempt(gemini(server), text("q"))
        attempt(gemini(server), text("q"))
    assert (server.repeated, list(server.answered.values())) == (1, [2])


def test_the_server_runs_as_a_process_of_its_own():
    """It says its address, answers, and shows its counters."""
    options = {"faults": {"latency_s": 0.01}, "text": "tests.annotate.gemini_replies:identity_text", "model_served": "other"}
    command = [sys.executable, "-m", "tests.annotate.gemini_server", "--options", json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4], text=True) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            got = attempt(Gemini(base_url=url), text("who?"))
            with contextlib.closing(urllib.request.urlopen(f"{url}/counters", timeout=5)) as page:
                counters = json.load(page)
        finally:
            server.terminate()
    assert isinstance(got, Reply)
    assert (got.text, got.model_served) == ("who?", "other")
    assert (counters["answered"], counters["repeated"]) == (1, 0)
    assert counters["bill"]["usd"] == pytest.approx(got.cost_usd)
