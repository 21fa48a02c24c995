"""Whole runs of asking through batches, what may trouble them, and what they leave in the ledger."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from annotate.models.calls.batch_calls import Batching
from annotate.models.calls.case_state import ListeningSettings, Talk
from annotate.models.inquiry import Case, Inquiry
from annotate.models.judge import Reply, Trouble
from annotate.models.ledger.ledger import Ledger
from tests.annotate.batch_provider import PROBE, Postman, problem_of

DOWN = Trouble(reason="server_error", message="HTTP 503", kind="passing")
BUSY = Trouble(reason="rate_limited", message="HTTP 429", kind="throttled", wait_s=30.0)
BARRED = Trouble(reason="key_refused", message="HTTP 401", kind="everyone", advice="check POSTMAN_KEY")
FAULTY = Trouble(reason="bad_request", message="HTTP 400", kind="request")
SWALLOWED = Trouble(reason="connection_lost", message="no reply to create", kind="passing", lost=True)
NEVER_CAME = Trouble(reason="never_came", message="no reply to create", kind="passing", lost=True)
EXPIRED = Trouble(reason="expired", message="not reached in time", kind="passing")


def batching(judge: Postman, path: Path, **changes: Any) -> Batching:
    terms: dict[str, Any] = {
        "inquiry": Inquiry.of(PROBE, judge),
        "problem_of": problem_of,
        "open_ledger": lambda: Ledger(path, account="a"),
        "clips": None,
        "budget_usd": 1000.0,
    }
    terms |= {name: changes.pop(name) for name in terms.keys() & changes.keys()}
    clock = judge.provider.clock
    return Batching(**{"terms": ListeningSettings(**terms), "now": clock.now, "sleep": clock.sleep} | changes)


def ask(judge: Postman, path: Path, cases: Iterable[Case], **changes: Any) -> dict[str, Talk]:
    """Return row id -> talk of a whole run."""
    talks = [talk for some in batching(judge, path, **changes).talks(cases) for talk in some]
    by_row = {talk.case.row_id: talk for talk in talks}
    assert len(by_row) == len(talks), "a case was answered twice"
    return by_row


def texts(talk: Talk) -> list[str]:
    return [answer.text if isinstance(answer, Reply) else f"! {answer.reason}" for _, answer in talk.trail]


def booked_usd(path: Path) -> float:
    with Ledger(path, account="a") as ledger:
        return ledger.owed_usd()


def states(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT key, state FROM ledger_requests"))


def batch_states(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [state for (state,) in db.execute("SELECT state FROM ledger_batches ORDER BY number")]


def bury(path: Path) -> None:
    """Make everybody who used the ledger look dead."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE ledger_owners SET pid = 4194305")  # more than the kernel gives
