"""Listening tests for tests: short tones, a store, the app, and a listener who goes by the pages."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annotate.people.store.annotators import ADMIN
from annotate.people.store.item import Item, ItemClip
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.vote_store import Store
from annotate.people.web.app import make_app
from annotate.people.web.audio import ClipFiles
from annotate.people.web.buckets import Allowance
from annotate.people.web.connection_limits import Config, Server
from annotate.people.web.site import ListeningSite
from contracts.plugins import configure
from storage.blobs import BlobStore
from storage.workspace import Workspace

SECRET = "a secret of the tests, long enough"
RATE_HZ = 16000
FREE = Allowance(burst=10_000, per_s=1000.0)
NASTY = "<script>alert(1)</script> \" ' & {{ 7*7 }} </blockquote><img src=x onerror=alert(1)>"


class Clock:
    """A clock that goes on by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def tone(blobs: BlobStore, number: int, *, duration_s: float = 0.3) -> ItemClip:
    """Return a clip that no other number has."""
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    pcm = (6000 * np.sin(2 * np.pi * (220 + 7 * number) * time_s)).astype(np.int16)
    return ItemClip(audio_id=blobs.put(pcm, RATE_HZ), duration_s=duration_s)


def items(blobs: BlobStore, count: int, *, clips: int = 2, gold: int = 0, duration_s: float = 0.3, **more: Any) -> list[Item]:
    """Return items of which the first ones are gold; any answer to those is right."""
    made = []
    text = more.pop("text", None)
    offered = ("A", "B", "invalid") if clips == 2 else ()
    for number in range(count):
        played = tuple(tone(blobs, clips * number + which, duration_s=duration_s) for which in range(clips))
        made.append(
            Item(
                item_id=f"item{number}",
                subject_id=f"pair{number}",
                language="en",
                text=text or f"Sentence number {number}.",
                clips=played,
                gold=offered if number < gold else (),
                **more,
            )
        )
    return made


@dataclass(kw_only=True)
class Opened:
    """A store and its app."""

    store: Store
    app: Starlette
    blobs: BlobStore
    clock: Clock | None
    site: ListeningSite

    def link(self, annotator_id: str) -> str:
        return f"/i/{self.app.state.tokens.invitation(annotator_id, self.store.revocation_count(annotator_id))}"

    def invite(self, name: str = "Ann") -> str:
        return self.store.invite(name, {"en": "native", "zh": "native"}).annotator_id

    def admin_link(self) -> str:
        return f"/admin/i/{self.app.state.tokens.admin_invitation(self.store.revocation_count(ADMIN))}"


def open_site(
    folder: Path,
    protocol: str = "unisrm",
    *,
    base_url: str = "http://testserver",
    clock: Clock | None = None,
    protocol_options: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    **options: Any,
) -> Opened:
    """Open a test without qualification and gold, unless its settings say otherwise."""
    folder.mkdir(exist_ok=True)
    blobs = BlobStore(Workspace(folder / "workspace"))
    said = {"qualification": 0, "gold_every": 0, **(settings or {})}
    agreed = ListeningSettings(protocol=configure("protocol", protocol, protocol_options or {}), protocol_name=protocol, **said)
    store = Store(folder / "votes.sqlite", agreed, **({"clock": clock} if clock else {}))
    site = options.pop(
        "site", ListeningSite(base_url=base_url, title="Which voice?", contact="lab@example.org", pay="10 credits")
    )
    options = {"per_client": FREE, **options}
    app = make_app(store, secret=SECRET, audio=options.pop("audio", ClipFiles(blobs)), site=site, **options)
    return Opened(store=store, app=app, blobs=blobs, clock=clock, site=site)


@contextlib.contextmanager
def served(folder: Path, protocol: str = "unisrm", **options: Any) -> Iterator[Opened]:
    """Serve a test on a free port of this machine."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    opened = open_site(folder, protocol, base_url=url, **options)
    server = Server(Config(opened.app, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if time.monotonic() > deadline:
            raise TimeoutError("the server does not start")
        time.sleep(0.01)
    try:
        yield opened
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
        opened.store.close()


@dataclass
class Listener:
    """A listener who sends what the pages would send."""

    opened: Opened
    annotator_id: str
    client: TestClient = field(init=False)
    csrf: str = ""

    def __post_init__(self) -> None:
        self.client = TestClient(self.opened.app, base_url=self.opened.site.base_url, raise_server_exceptions=True)
        self.client.get(self.opened.link(self.annotator_id))
        self.csrf = csrf_of(self.client.get("/").text)

    def post(self, path: str, said: Any, **headers: str) -> Any:
        sent = {"origin": self.opened.site.origin, "x_csrf_token": self.csrf, **headers}
        return self.client.post(
            path, json=said, headers={name.replace("_", "-"): value for name, value in sent.items() if value}
        )

    def prepare(self) -> "Listener":
        """Consent and pass the headphone check."""
        assert self.post("/consent", {"agree": "yes"}).status_code == 200
        challenge = self.opened.app.state.challenges.current(self.annotator_id)
        said = {
            "challenge": challenge.challenge_id,
            "quiet": "yes",
            "headphones": "yes",
            "hearing": "yes",
            "fluent": "yes",
            "answers": challenge.answers,
        }
        assert self.post("/check", said).status_code == 200
        return self

    def item(self) -> str:
        """Return the assignment on the page."""
        return assignment_of(self.client.get("/next").text)

    def hear(self, assignment: str, slots: Sequence[str] = ("0", "1")) -> None:
        for slot in slots:
            self.play(assignment, slot, "started")
            self.opened.clock.now += 1.0
            self.play(assignment, slot, "ended")

    def play(self, assignment: str, slot: str, what: str) -> Any:
        return self.post("/played", {"assignment": assignment, "slot": slot, "what": what})

    def vote(self, assignment: str, **form: str) -> Any:
        return self.post("/vote", {"assignment": assignment, "form": {name: [word] for name, word in form.items()}})


def csrf_of(page: str) -> str:
    return re.search(r'data-csrf="([0-9a-f]*)"', page).group(1)


def assignment_of(page: str) -> str:
    return re.search(r'data-assignment="([^"]+)"', page).group(1)
