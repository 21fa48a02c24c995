"""Whole runs through batches, the failures that may happen, and what they leave in the ledger."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from annotate.models.calls.batch_calls import BatchCalls
from annotate.models.calls.case_state import CallContext, Conversation
from annotate.models.inquiry import Case, Inquiry
from annotate.models.ledger.ledger import Ledger
from annotate.models.request import AttemptFailure, Reply
from tests.annotate.batch_provider import PROBE, Postman, problem_of

DOWN = AttemptFailure(reason="server_error", message="HTTP 503", kind="transient")
BUSY = AttemptFailure(reason="rate_limited", message="HTTP 429", kind="throttled", wait_s=30.0)
BARRED = AttemptFailure(reason="key_refused", message="HTTP 401", kind="all_requests", advice="check POSTMAN_KEY")
FAULTY = AttemptFailure(reason="bad_request", message="HTTP 400", kind="request")
SWALLOWED = AttemptFailure(reason="connection_lost", message="no reply to create", kind="transient", lost=True)
NEVER_CAME = AttemptFailure(reason="never_came", message="no reply to create", kind="transient", lost=True)
EXPIRED = AttemptFailure(reason="expired", message="not reached in time", kind="transient")


def batching(judge: Postman, path: Path, **changes: Any) -> BatchCalls:
    context: dict[str, Any] = {
        "inquiry": Inquiry.of(PROBE, judge),
        "problem_of": problem_of,
        "open_ledger": lambda: Ledger(path, account="a"),
        "clips": None,
        "budget_usd": 1000.0,
    }
    context |= {name: changes.pop(name) for name in context.keys() & changes.keys()}
    clock = judge.provider.clock
    return BatchCalls(**{"context": CallContext(**context), "now": clock.now, "sleep": clock.sleep} | changes)


def ask(judge: Postman, path: Path, cases: Iterable[Case], **changes: Any) -> dict[str, Conversation]:
    """Return row id -> conversation of a whole run."""
    conversations = [conversation for some in batching(judge, path, **changes).conversations(cases) for conversation in some]
    by_row = {conversation.case.row_id: conversation for conversation in conversations}
    assert len(by_row) == len(conversations), "a case was answered twice"
    return by_row


def texts(conversation: Conversation) -> list[str]:
    return [answer.text if isinstance(answer, Reply) else f"! {answer.reason}" for _, answer in conversation.exchanges]


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
