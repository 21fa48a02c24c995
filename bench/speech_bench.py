"""Buying speech: 1,000 requests to each paid speech service through faults and kills, its bill against the ledger."""

import contextlib
import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotate.models.ledger.ledger import Ledger
from bench.annotation_bench import ROOT, counters, lines, replied, row
from bench.speech_process import VOICES, requests
from tests.annotate.spoken_audio import audio_of

REQUESTS = 1_000
KILLS = 5
CONCURRENCY = 32
GEMINI_STORM = {
    "latency_s": 0.2, "retry_after_s": 0.2, "throttled": 0.02, "server_error": 0.03, "dropped": 0.02, "dropped_late": 0.02,
    "truncated": 0.02, "malformed": 0.02, "empty": 0.01, "html": 0.01,
}  # fmt: skip
OPENAI_STORM = {
    "rate_limited": 0.02, "server_error": 0.03, "drop_before": 0.02, "drop_after": 0.02, "truncated": 0.02, "malformed": 0.02,
    "empty": 0.01, "html": 0.01,
}  # fmt: skip
_PACE = {"concurrency": CONCURRENCY, "max_attempts": 12, "backoff_s": 0.05, "timeout_s": 20.0}


@contextlib.contextmanager
def provider(engine: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the local provider as a process of its own, and yield its address and the options of an engine that asks it."""
    if engine == "gemini_speech":
        settings: dict[str, Any] = {"faults": GEMINI_STORM, "bill": {"text_usd": 0.5, "output_usd": 10.0}}
        command, options = ["tests.annotate.gemini_server", "--options", json.dumps(settings)], {"usd_per_million": [0.5, 10.0]}
    else:
        settings = {"faults": OPENAI_STORM, "latency_s": 0.1, "jitter_s": 0.2, "usd_per_million": [0.6, 0.0, 12.0]}
        command, options = ["tests.annotate.openai_server", json.dumps(settings)], {"usd_per_million": [0.6, 12.0]}
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        yield url.removesuffix("/v1"), {"base_url": url, **options, **_PACE}
    finally:
        process.kill()
        process.wait()


def seen(url: str) -> dict[str, Any]:
    """Return what the provider counted: requests, answers, different answered requests, and its bill."""
    counted = counters(url)
    usd = counted["bill_usd"] if "bill_usd" in counted else counted["bill"]["usd"]
    return {**{name: counted[name] for name in ("requests", "answered", "answered_different")}, "bill_usd": usd}


def settled(url: str) -> dict[str, Any]:
    """Return what the provider counted, once all that it had under way has ended."""
    before, now = None, seen(url)
    while now != before:
        time.sleep(1.0)
        before, now = now, seen(url)
    return now


def speaker(rows: int, engine: str, options: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    """Start a process that has texts spoken."""
    command = [sys.executable, "-m", "bench.speech_process", "--rows", str(rows), "--engine", engine, "--folder", str(folder)]
    keys = {"GEMINI_API_KEY": "bench-key-of-gemini", "OPENAI_API_KEY": "bench-key-of-openai"}
    command += ["--options", json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | keys)


def whole_audio(ledger: Path, rows: int, engine: str) -> int:
    """Return how many different texts have, byte for byte, the audio that the provider made of them."""
    container = "pcm" if engine == "gemini_speech" else "wav"
    texts = requests(rows, VOICES[engine])["text"].to_pylist()
    made = {hashlib.sha256(audio_of(text, VOICES[engine], container)).hexdigest() for text in texts}
    with contextlib.closing(sqlite3.connect(ledger)) as database:
        kept = [hashlib.sha256(data).hexdigest() for (data,) in database.execute("SELECT data FROM ledger_audio")]
    return len(made & set(kept)) if len(kept) == len(set(kept)) else 0


def storm(engine: str, rows: int = REQUESTS, kills: int = KILLS, seed: int = 1) -> dict[str, Any]:
    """Have texts spoken through faults, killed ``kills`` times at random moments, and return what was counted.

    A reply that the provider had sent when the process died, and that had not reached the ledger, died with it: it is asked for
    again, and counts under ``lost_in_flight``. No other request may be answered twice.
    """
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, provider(engine) as (url, options):
        folder, lost, worst = Path(name), 0, 0
        ledger = folder / "ledger.sqlite"
        for number in range(kills):
            process = speaker(rows, engine, options, folder)
            share = (number + rng.random()) / (kills + 1)
            while seen(url)["answered"] < share * rows and process.poll() is None:
                time.sleep(0.02)
            process.kill()
            process.wait()
            here = settled(url)["answered_different"] - (replied(ledger).get("replied", 0) if ledger.exists() else 0)
            lost, worst = lost + here, max(worst, here)
        said = lines(speaker(rows, engine, options, folder))
        counted, states = settled(url), replied(ledger)
        with Ledger(ledger, account="bench") as opened:
            booked = opened.owed_usd()
        again = lines(speaker(rows, engine, options, folder))
        return {
            "engine": engine,
            "requests": rows,
            "states": states,
            "clips": said[-1]["done"],
            "clips_again": again[-1]["done"],
            "asked_afterwards": seen(url)["requests"] - counted["requests"],
            "whole_audio": whole_audio(ledger, rows, engine),
            "sent": counted["requests"],
            "answered": counted["answered"],
            "answered_again": counted["answered"] - counted["answered_different"],
            "lost_in_flight": lost,
            "most_lost_at_once": worst,
            "bill_usd": counted["bill_usd"],
            "booked_usd": booked,
            "rss_mb": [line["rss_mb"] for line in said],
        }


def run() -> list[dict[str, Any]]:
    """Measure."""
    table: list[dict[str, Any]] = []
    for engine in VOICES:
        found = storm(engine)
        print(json.dumps(found), file=sys.stderr)
        again = max(found["answered_again"] - found["lost_in_flight"], 0)
        worst, booked, bill, clips = found["most_lost_at_once"], found["booked_usd"], found["bill_usd"], found["whole_audio"]
        table += [
            row(f"{engine}, 1,000 requests, faults and 5 kills: audio kept", clips, REQUESTS, "== 1", ok=clips == REQUESTS),
            row(f"{engine}: answered again, of what was not lost in flight", again, None, "== 0", ok=again == 0),
            row(f"{engine}: replies lost at the worst kill", worst, CONCURRENCY, "<= 1", ok=worst <= CONCURRENCY),
            row(f"{engine}: booked, of the provider's bill, USD", booked, bill, ">= 1", ok=booked >= bill),
        ]
    return table


if __name__ == "__main__":
    for line in run():
        print(line)
