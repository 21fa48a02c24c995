"""Calls through batches against servers that speak the two wire formats: real SDKs, real files, real ledger."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from annotate.models.calls.batch_calls import BatchCalls
from annotate.models.calls.batch_polling import PollSchedule
from annotate.models.calls.case_state import CallContext
from annotate.models.inquiry import Inquiry
from annotate.models.judge import Judge
from annotate.models.ledger.ledger import Ledger
from annotate.models.providers.gemini.client import Gemini
from annotate.models.providers.openai.client import OpenAI
from annotate.models.request import Reply
from tests.annotate import gemini_server, openai_server
from tests.annotate.batch_provider import PROBE, case
from tests.annotate.batch_runs import booked_usd
from tests.annotate.gemini_batch_jobs import BatchPlan

COUNT = 120


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "GEMINI_", "OPENAI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GEMINI_API_KEY", "AIzaCanaryCanaryCanary0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-CanaryCanaryCanary0123456789")


async def hurry(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))


def asked(judge: Judge, path: Path) -> None:
    """Ask, and check that each case got the reply to its own prompt."""
    began = time.monotonic()
    batching = BatchCalls(
        context=CallContext(
            inquiry=Inquiry.of(PROBE, judge),
            problem_of=lambda *_: None,
            open_ledger=lambda: Ledger(path, account="a"),
            clips=None,
            budget_usd=100.0,
        ),
        poll_schedule=PollSchedule(poll_s=0.01, search_s=0.01),
        most_held=250,  # 50 to a batch
        now=lambda: began + 1000 * (time.monotonic() - began),
        sleep=hurry,
    )
    conversations = [conversation for some in batching.conversations(case(n) for n in range(COUNT)) for conversation in some]
    assert len({conversation.case.row_id for conversation in conversations}) == len(conversations) == COUNT
    for conversation in conversations:
        ((request, answer),) = conversation.exchanges
        assert isinstance(answer, Reply), answer
        assert request.prompt in answer.text.splitlines()[0].split(" / ")


def test_openai(tmp_path: Path):
    """Shuffled, doubled, torn, missing and expired lines, and an acceptance that was lost."""
    options = openai_server.Options(missing=0.1, duplicated=0.2, garbled=0.1, expired=0.1, drop_create=True)
    with openai_server.serving(options, answer=lambda prompt, heard: f"{prompt} / said") as server:
        asked(OpenAI(base_url=server.url, timeout_s=20.0, model="gpt-4.1-mini", batches=True), tmp_path / "l")
    names = [batch["metadata"]["name"] for batch in server.batches.known.values()]
    assert len(names) == len(set(names)) > 3
    assert 0 < server.bill_usd <= booked_usd(tmp_path / "l")


def test_gemini(tmp_path: Path):
    """The same of the other provider, whose batches may also fail line by line."""
    with gemini_server.serving(text=lambda prompt, _clips: f"{prompt} / said") as server:
        dropped: list[bool] = []

        def plan_of(_: object) -> BatchPlan:
            dropped.append(not dropped)
            if dropped[-1]:
                return BatchPlan(polls=2, accept_and_drop=True)
            shares = {"duplicated": 0.2, "malformed": 0.1, "failing": 0.1, "finished": 0.9}
            return BatchPlan(seed=len(dropped), polls=2, unknown_keys=2, **shares)

        server.jobs.plan = plan_of
        asked(Gemini(base_url=server.url, timeout_s=10.0), tmp_path / "l")
    names = [job.display_name for job in server.jobs.jobs.values()]
    assert len(names) == len(set(names)) > 3
    assert 0 < server.bill.usd <= booked_usd(tmp_path / "l")
