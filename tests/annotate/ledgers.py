"""Ledgers of both kinds for tests, and the books that they must balance."""

import multiprocessing
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from annotate.models.ledger.entries import Entry
from annotate.models.request import Reply

forking = multiprocessing.get_context("fork")
"""Processes that share what is imported; to import it again would take each of them a second or two."""

FULL = Reply(
    text="<think>", model_served="m-1", input_tokens=5, output_tokens=7, cost_usd=0.5, latency_s=1.5, attempts=2, raw='{"a": 1}'
)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new ledger may be: a file, and a database of a real server."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.sqlite")
    server = request.getfixturevalue("postgres_server")
    return server.fresh("ledger")


def entry(key: str, **changes) -> Entry:
    facts = {"key": key, "row_id": f"j-{key}", "judge": "gemini", "model": "m", "task": "task1", "prompt_version": "v"}
    return Entry(**facts | changes)


def query(place: str, sql: str) -> list[tuple]:
    """Look into a ledger, or change it, past all of our code."""
    if "://" in place:
        with psycopg.connect(place, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []
    with closing(sqlite3.connect(place)) as connection, connection:
        return connection.execute(sql).fetchall()


def balanced(place: str) -> dict[str, int]:
    """Return account -> picodollars owed, after a look at whether that is the sum over its requests and losses."""
    sums = """
        SELECT account, sum(picousd) FROM (
            SELECT account, open_picousd + spent_picousd AS picousd FROM ledger_requests
            UNION ALL SELECT account, spent_picousd FROM ledger_losses) AS booked
        GROUP BY account"""
    owed = dict(query(place, "SELECT account, owed_picousd FROM ledger_accounts"))
    expected = {account: int(picousd) for account, picousd in query(place, sums)}
    assert {account: picousd for account, picousd in owed.items() if picousd} == {a: p for a, p in expected.items() if p}
    return owed


def running(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python script in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
