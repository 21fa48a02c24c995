"""One process that asks: through the ledger, or as a plain loop over the same SDK. It prints a line of JSON a second.

A line has the time, how many requests are done, the memory, and the CPU time (user and system, all threads) so far.
"""

import argparse
import asyncio
import importlib
import json
import os
import time
from pathlib import Path

import psutil
import pyarrow as pa

from annotate.models.judging import judge_rows
from annotate.models.ledger.ledger import Ledger
from annotate.models.providers.gemini.client import Gemini
from contracts import plugins

TASK = "clean_text"


def requests(rows: int) -> pa.Table:
    """Return so many texts to clean."""
    texts = [f"sentence number {row} has no comma and it has no full stop either does it" for row in range(rows)]
    ids = [f"{row:032x}" for row in range(rows)]
    return pa.table({"subject_id": ids, "text": texts, "language": ["en"] * rows})


def report(done: int, **facts: object) -> None:
    """Print how far it is and how much memory it takes."""
    rss_mb = psutil.Process().memory_info().rss / 1e6
    print(
        json.dumps({"at": time.time(), "done": done, "rss_mb": round(rss_mb, 1), "cpu_s": time.process_time(), **facts}),
        flush=True,
    )


def ask(table: pa.Table, judge: Gemini, ledger: Path, budget_usd: float) -> None:
    """Ask through the ledger."""
    task = plugins.configure("task", TASK)
    done = failed = 0
    last = 0.0
    for outcome in judge_rows(
        table, task=task, judge=judge, stage="texts", open_ledger=lambda: Ledger(ledger), budget_usd=budget_usd
    ):
        done += outcome.rows.num_rows
        failed += outcome.failures.num_rows
        if time.monotonic() - last > 1:
            last = time.monotonic()
            report(done, failed=failed)
    report(done, failed=failed)


def loop(table: pa.Table, judge: Gemini) -> None:
    """Do the same without a ledger: a semaphore, the SDK, and a list of replies."""
    asyncio.run(_loop(table, judge))


async def _loop(table: pa.Table, judge: Gemini) -> None:
    import httpx2
    from google import genai
    from google.genai import errors, types

    task = plugins.configure("task", TASK)
    places = asyncio.Semaphore(judge.concurrency)
    replies: list[str] = []
    async with httpx2.AsyncClient(limits=httpx2.Limits(max_connections=judge.concurrency)) as http:
        options = types.HttpOptions(base_url=judge.base_url, api_version="v1beta", httpx_async_client=http)
        client = genai.Client(vertexai=False, api_key=os.environ["GEMINI_API_KEY"], http_options=options)
        config = types.GenerateContentConfig(temperature=0.0, max_output_tokens=judge.max_output_tokens)

        async def one(text: str) -> None:
            async with places:
                prompt = task.render("en", text=text, language="en")
                reply = None
                while reply is None:
                    try:
                        reply = await client.aio.models.generate_content(model=judge.model, contents=prompt, config=config)
                    except errors.ClientError as refused:
                        if refused.code != 429:
                            raise
                        await asyncio.sleep(1.0)
                task.parse(reply.text)
                replies.append(reply.text)

        await asyncio.gather(*(one(text) for text in table["text"].to_pylist()))
    report(len(replies))


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--ledger", type=Path)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rpm", type=float)
    parser.add_argument("--budget", type=float, default=1000.0)
    parser.add_argument("--attempts", type=int, default=6)
    given = parser.parse_args()
    judge = Gemini(
        base_url=given.url,
        concurrency=given.concurrency,
        requests_per_minute=given.rpm,
        max_output_tokens=256,
        max_attempts=given.attempts,
        backoff_s=0.05,
        timeout_s=20.0,
    )
    table = requests(given.rows)
    importlib.import_module("google.genai")  # seconds, which are neither side's
    report(0)
    if given.ledger:
        ask(table, judge, given.ledger, given.budget)
    else:
        loop(table, judge)


if __name__ == "__main__":
    main()
