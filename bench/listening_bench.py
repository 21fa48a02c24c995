"""A hundred listeners at once over HTTP, and ``kill -9`` of the server in the middle: no vote is lost or counted twice."""

import asyncio
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from annotate.people.store.item import Item, ItemClip
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.vote_store import Store
from annotate.people.web.app import make_app
from annotate.people.web.audio import ClipFiles
from annotate.people.web.buckets import Allowance
from annotate.people.web.serving import serve
from annotate.people.web.site import ListeningSite
from annotate.people.web.tokens import Tokens
from contracts.plugins import configure
from storage.blobs import BlobStore
from storage.workspace import Workspace

SECRET = "a secret of the bench, long enough"  # noqa: S105  # of a test on this machine
RATE_HZ = 16000
TONES = 40
PATIENCE_S = 60


def terms() -> ListeningSettings:
    """Return the terms of the test: three votes on every pair, no qualification."""
    return ListeningSettings(protocol=configure("protocol", "unisrm"), protocol_name="unisrm", qualification=0, gold_every=0)


def prepare(folder: Path, annotators: int, pairs: int, clip_s: float) -> list[str]:
    """Fill a test with pairs of tones and invite listeners; return their ids."""
    blobs = BlobStore(Workspace(folder / "workspace"))
    time_s = np.arange(round(clip_s * RATE_HZ)) / RATE_HZ
    waves = [(6000 * np.sin(2 * np.pi * (200 + 10 * number) * time_s)).astype(np.int16) for number in range(TONES)]
    tones = [ItemClip(audio_id=blobs.put(wave, RATE_HZ), duration_s=clip_s) for wave in waves]
    with Store(folder / "votes.sqlite", terms()) as store:
        store.add_items(
            Item(
                item_id=f"item{number}",
                subject_id=f"pair{number}",
                language="en",
                text=f"Sentence {number}.",
                clips=(tones[number % TONES], tones[(number + 1 + number // TONES % (TONES - 1)) % TONES]),
            )
            for number in range(pairs)
        )
        ids = [store.invite(f"Listener {number}", {"en": "native"}).annotator_id for number in range(annotators)]
        for annotator_id in ids:
            store.consent(annotator_id)
            store.confirm_equipment(annotator_id)
    return ids


def run_server(folder: str, port: int) -> None:
    """Serve the test of a folder; runs in a process of its own."""
    free = Allowance(burst=100_000, per_s=1000.0)
    store = Store(Path(folder) / "votes.sqlite", terms())
    audio = ClipFiles(BlobStore(Workspace(Path(folder) / "workspace")))
    site = ListeningSite(base_url=f"http://127.0.0.1:{port}")
    serve(make_app(store, secret=SECRET, audio=audio, site=site, per_client=free), "127.0.0.1", port)


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the server and return its process."""
    code = f"from bench.listening_bench import run_server; run_server({str(folder)!r}, {port})"
    return subprocess.Popen([sys.executable, "-c", code])


@dataclass
class Storm:
    """What listeners saw.

    Attributes:
        votes: (listener, how many before) -> value in the order of playing, as acknowledged.
        waits_s: how long each acknowledged vote's request took.
        again: requests that were sent again, as there was no answer.
        lost: acknowledged votes that the store does not have, or has otherwise.
        doubled: votes of the store beyond one per listener and pair.
    """

    votes: dict[tuple[str, int], str] = field(default_factory=dict)
    waits_s: list[float] = field(default_factory=list)
    again: int = 0
    lost: int = 0
    doubled: int = 0

    @property
    def p95_s(self) -> float:
        """Return the 95th percentile of the vote requests."""
        return float(np.percentile(self.waits_s, 95))


class Listener:
    """One listener: asks for an item, hears both clips, votes, and sends again what got no answer."""

    def __init__(self, session: aiohttp.ClientSession, url: str, annotator_id: str, storm: Storm) -> None:
        self._session = session
        self._url = url
        self._annotator = annotator_id
        self._storm = storm
        self._headers: dict[str, str] = {}
        self._rng = random.Random(annotator_id)

    async def listen(self, clip_s: float, until: float) -> None:
        """Vote until the time is over."""
        await asyncio.sleep(self._rng.uniform(0, 2 * clip_s))
        await self._ask("GET", f"/i/{Tokens(SECRET).invitation(self._annotator)}")
        page = await self._ask("GET", "/")
        csrf = re.search(r'data-csrf="(\w+)"', page)
        assert csrf
        self._headers = {"Origin": self._url, "X-CSRF-Token": csrf[1]}
        while time.monotonic() < until:
            page = await self._ask("GET", "/next")
            found = re.search(r'data-assignment="([^"]+)"', page)
            if not found:
                raise RuntimeError(f"no item: {page[:200]}")
            assignment = found[1]
            await self._ask("GET", "/upcoming")
            for slot in ("0", "1"):
                await self._ask("GET", f"/audio/{assignment}/{slot}")
                await self._ask("POST", "/played", {"assignment": assignment, "slot": slot, "what": "started"})
                await asyncio.sleep(clip_s)
                await self._ask("POST", "/played", {"assignment": assignment, "slot": slot, "what": "ended"})
            await self._vote(assignment)

    async def _vote(self, assignment: str) -> None:
        value = self._rng.choice(["A", "B", "invalid"])
        reply = await self._ask("POST", "/vote", {"assignment": assignment, "form": {"value": [value]}}, timed=True)
        number = re.search(r'"number":(\d+)', reply)
        assert number
        key = (self._annotator, int(number[1]))
        if key in self._storm.votes:
            raise RuntimeError(f"two votes got one receipt: {key}")
        self._storm.votes[key] = value

    async def _ask(self, method: str, path: str, said: object = None, *, timed: bool = False) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            began = time.monotonic()
            try:
                async with self._session.request(method, self._url + path, json=said, headers=self._headers) as reply:
                    text = await reply.text(errors="replace")
            except (aiohttp.ClientError, ConnectionError):
                if time.monotonic() > deadline:
                    raise
                self._storm.again += 1
                await asyncio.sleep(self._rng.uniform(0.1, 0.5))
                continue
            # A clip whose start was lost with the server is as good as played.
            if reply.status != 200:
                raise RuntimeError(f"{method} {path.split('/')[1]}: {reply.status} {text[:200]}")
            if timed:
                self._storm.waits_s.append(time.monotonic() - began)
            return text


def raise_storm(folder: Path, *, annotators: int, seconds: float, clip_s: float, kills: int = 1) -> Storm:
    """Let listeners vote at once for some seconds, kill the server in between, and count what is lost or doubled."""
    ids = prepare(folder, annotators, max(200, round(annotators * seconds / (2 * clip_s))), clip_s)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = start_server(folder, port)
    storm = Storm()

    async def rage() -> None:
        nonlocal server
        url = f"http://127.0.0.1:{port}"
        await _up(url)
        until = time.monotonic() + seconds

        async def murder() -> None:
            nonlocal server
            for _ in range(kills):
                await asyncio.sleep(seconds / (kills + 1))
                server.kill()
                await asyncio.to_thread(server.wait)
                server = start_server(folder, port)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(murder())
            for annotator_id in ids:
                tasks.create_task(_one(url, annotator_id, storm, clip_s, until))

    try:
        asyncio.run(rage())
    finally:
        server.kill()
        server.wait()
    _count(folder, storm)
    return storm


async def _one(url: str, annotator_id: str, storm: Storm, clip_s: float, until: float) -> None:
    # One connection each, as browsers have their own.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await Listener(session, url, annotator_id, storm).listen(clip_s, until)


async def _up(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/health") as reply:
                    reply.raise_for_status()
                    return
            except aiohttp.ClientError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)


def _count(folder: Path, storm: Storm) -> None:
    turned = {"A": "B", "B": "A", "invalid": "invalid"}
    with Store(folder / "votes.sqlite", terms()) as store:
        answers = store.answers().to_pylist()
        pairs = store.votes().select(["pair_id", "annotator_id"]).to_pylist()
    kept = {
        (row["annotator_id"], row["number"]): row["value"] if row["order"] == "ab" else turned[row["value"]] for row in answers
    }
    storm.lost = sum(kept.get(key) != value for key, value in storm.votes.items())
    storm.doubled = len(answers) - len({(row["annotator_id"], row["subject_id"]) for row in answers})
    storm.doubled += len(pairs) - len({(row["annotator_id"], row["pair_id"]) for row in pairs})


def run(*, annotators: int = 100, seconds: float = 60.0, clip_s: float = 2.0) -> list[dict[str, object]]:
    """Measure; clips of two seconds, so a listener votes every four seconds, sooner than any person does."""
    with tempfile.TemporaryDirectory() as name:
        storm = raise_storm(Path(name), annotators=annotators, seconds=seconds, clip_s=clip_s)
    print(
        f"  {len(storm.votes)} votes of {annotators} listeners in {seconds:g} s, {storm.again} requests sent again, "
        f"{storm.lost} lost, {storm.doubled} doubled; vote request p50 {np.percentile(storm.waits_s, 50) * 1000:.0f} ms, "
        f"p95 {storm.p95_s * 1000:.0f} ms, longest {max(storm.waits_s) * 1000:.0f} ms",
        file=sys.stderr,
    )
    return [
        {
            "name": f"listening test, {annotators} listeners at once, {len(storm.votes)} votes, p95 of a vote request (s)",
            "value": round(storm.p95_s, 4),
            "baseline": None,
            "ratio": None,
            "target": "< 0.2 s",
            "ok": storm.p95_s < 0.2,
        },
        {
            "name": "listening test, acknowledged votes lost or doubled over kill -9 of the server",
            "value": storm.lost + storm.doubled,
            "baseline": None,
            "ratio": None,
            "target": "0",
            "ok": storm.lost + storm.doubled == 0,
        },
    ]
