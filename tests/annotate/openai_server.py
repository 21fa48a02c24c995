"""A local server that speaks OpenAI's wire format: chat completions, speech, files and batches, with the failures one asks for.

In a test: ``with serving(Options(...)) as server``. As a process of its own::

    python -m tests.annotate.openai_server '{"port": 0, "seed": 7, "faults": {"drop_after": 0.02}}'

It prints one line of JSON with its ``url`` and serves until it is killed; ``GET /counters`` tells what it saw and what its
bill is, ``GET /counters?all=1`` also how often each request was asked and answered. A request is known by the sha256 of its
canonical body, so that it is the same one in a batch and alone. Troubles are drawn from the seed, the request and how often
it was asked before, so that they do not depend on the order of arrival.
"""

import base64
import contextlib
import email.parser
import email.policy
import hashlib
import importlib
import io
import json
import math
import random
import socket
import sys
import threading
import time
import wave
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.annotate.openai_server_batches import Batches
from tests.annotate.openai_wire_format import Sent, completion, error, identity
from tests.annotate.spoken_audio import RATE_HZ, TYPES, audio_of, seconds_of

Answer = Callable[[str, list[tuple[str, bytes]]], str]
"""Prompt and clips (format and bytes) -> reply."""

FAULTS = ("rate_limited", "quota_gone", "server_error", "drop_before", "drop_after", "truncated", "malformed", "html", "empty")
"""``drop_after``, ``truncated``, ``malformed``, ``html`` and ``empty`` lose an answer that was made and is billed."""


@dataclass(frozen=True)
class Options:
    """What the server does.

    Attributes:
        port: 0 = any free one.
        seed: of the failures.
        answer: ``module:function`` that answers; None = ``echo``.
        key: the only key that it takes; None = any.
        models: models that it has; None = any, and it cannot list them.
        models_route: header with the key -> what it says where one asks for its models; None = that list.
        model_served: model that it says has answered; None = the one asked for, ``reroute`` of them another.
        reroute: share of answers by ``<model>-other``.
        latency_s: before each answer.
        jitter_s: longest addition to it.
        faults: fault -> probability.
        retry_after_s: what a 429 asks for.
        requests_per_minute: limit, over a sliding window; None = none.
        minute_s: length of its minute.
        credit_usd: bill at which the quota is gone; None = never.
        usd_per_million: text input, audio input, output (of audio, where it speaks).
        usd_per_million_characters: of a text that it speaks; None = it bills tokens.
        speech_rate_hz: rate at which it speaks.
        reasoning_tokens: of each answer.
        polls: how often a batch is looked at until it has ended.
        shuffled: whether its replies are in another order.
        missing: share of replies that its files lack.
        duplicated: share of replies that are there twice.
        garbled: share of lines cut in half.
        expired: share of requests that it does not finish in its day.
        refused: share of requests that it refuses with a status of 400.
        drop_create: whether it accepts a batch and then breaks the connection, the first time.
        batch_errors: errors of its validation, which then fails.
    """

    port: int = 0
    seed: int = 0
    answer: str | None = None
    key: str | None = None
    models: tuple[str, ...] | None = None
    models_route: Callable[[str | None], Sent] | None = None
    model_served: str | None = None
    reroute: float = 0.0
    latency_s: float = 0.0
    jitter_s: float = 0.0
    faults: dict[str, float] = field(default_factory=dict)
    retry_after_s: float = 0.05
    requests_per_minute: float | None = None
    minute_s: float = 60.0
    credit_usd: float | None = None
    usd_per_million: tuple[float, float, float] = (2.50, 32.00, 10.00)
    usd_per_million_characters: float | None = None
    speech_rate_hz: int = RATE_HZ
    reasoning_tokens: int = 0
    polls: int = 2
    shuffled: bool = True
    missing: float = 0.0
    duplicated: float = 0.0
    garbled: float = 0.0
    expired: float = 0.0
    refused: float = 0.0
    drop_create: bool = False
    batch_errors: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if unknown := set(self.faults) - set(FAULTS):
            raise ValueError(f"no such faults: {unknown}")


def echo(prompt: str, audios: list[tuple[str, bytes]]) -> str:
    """Answer with a digest of what was asked, so that a mixed-up reply is seen."""
    heard = hashlib.sha256(prompt.encode() + b"".join(clip for _, clip in audios)).hexdigest()[:16]
    return f"echo {heard}: {prompt[:40]}"


def question(body: dict[str, Any]) -> tuple[str, list[tuple[str, bytes]]]:
    """Return prompt and clips of a body."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content, []
    clips = [part["input_audio"] for part in content if part["type"] == "input_audio"]
    return content[0]["text"], [(clip["format"], base64.b64decode(clip["data"], validate=True)) for clip in clips]


def seconds(clips: list[tuple[str, bytes]]) -> float:
    """Return the length of WAV clips; an MP3 counts as 80 kbit/s."""
    total = 0.0
    for container, data in clips:
        if container == "wav":
            with wave.open(io.BytesIO(data)) as opened:
                total += opened.getnframes() / opened.getframerate()
        else:
            total += len(data) * 8 / 80_000
    return total


class Server:
    """What it saw and what it owes its maker."""

    def __init__(self, options: Options, answer: Answer | None = None) -> None:
        self.options = options
        self.url = ""
        self.script: Callable[[int, dict[str, Any]], Sent | None] | None = None
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.bill_usd = 0.0
        self.at_once = 0
        self.most_at_once = 0
        self._window: deque[float] = deque()
        self._lock = threading.RLock()
        self.batches = Batches(self)
        self._answer = answer or _named(options.answer) or echo

    def counters(self, everything: bool = False) -> dict[str, Any]:
        """Return the counts as JSON has them."""
        with self._lock:
            counts: dict[str, Any] = {
                "requests": sum(self.asked.values()),
                "distinct": len(self.asked),
                "answered": sum(self.answered.values()),
                "answered_different": len(self.answered),
                "answered_twice": sum(count - 1 for count in self.answered.values()),
                "faults": dict(self.faults),
                "bill_usd": self.bill_usd,
                "most_at_once": self.most_at_once,
                "batches": len(self.batches.known),
            }
            return counts | ({"asked": dict(self.asked), "answers": dict(self.answered)} if everything else {})

    def complete(self, body: dict[str, Any], headers: dict[str, str]) -> Sent:
        """Do with one chat completion, or one request for speech, what the options say."""
        with self._lock:
            number, key = len(self.bodies), identity(body)
            self.bodies.append(body)
            self.headers.append(headers)
            self.asked[key] += 1
            draw = random.Random(f"{self.options.seed}/{key}/{self.asked[key]}")
        if self.script is not None and (scripted := self.script(number, body)) is not None:
            return scripted
        if (refused := self._refusal(body)) is not None:
            return refused
        time.sleep(self.options.latency_s + draw.random() * self.options.jitter_s)
        fault = self._fault(draw)
        if fault is not None:
            with self._lock:
                self.faults[fault] += 1
        if fault == "rate_limited":
            return self.too_fast(self.options.retry_after_s)
        if fault == "quota_gone":
            return NO_CREDIT
        if fault == "server_error":
            return error(draw.choice((500, 503)), None, "The server had an error", "server_error")
        if fault == "drop_before":
            return Sent()
        made = self.spoken(body) if "input" in body else Sent(body=self.made(body, draw))  # from here on it is billed
        if fault == "drop_after":
            return Sent()
        if fault == "html":
            return Sent(body="<html><body>Bad gateway</body></html>", kind="text/html")
        if fault == "malformed" and isinstance(made.body, bytes):
            return Sent(body=made.body[: len(made.body) // 2], kind="application/octet-stream")
        if fault == "malformed":
            return Sent(body=json.dumps(made.body)[:-20])
        if fault == "empty":
            return Sent(body={})
        return replace(made, cut=10 if fault == "truncated" else 0)

    def _fault(self, draw: random.Random) -> str | None:
        value = draw.random()
        for name, share in sorted(self.options.faults.items()):
            if value < share:
                return name
            value -= share
        return None

    def too_fast(self, wait_s: float) -> Sent:
        """Return what a client gets that asks too fast."""
        headers = {
            "retry-after-ms": f"{wait_s * 1000:.0f}",
            "retry-after": f"{math.ceil(wait_s)}",
            "x-ratelimit-remaining-requests": "0",
        }
        return error(429, "rate_limit_exceeded", "Rate limit reached for requests", "requests", headers=headers)

    def _refusal(self, body: dict[str, Any]) -> Sent | None:
        options = self.options
        if options.models is not None and body["model"] not in options.models:
            return error(404, "model_not_found", f"The model `{body['model']}` does not exist or you do not have access to it.")
        with self._lock:
            if options.credit_usd is not None and self.bill_usd >= options.credit_usd:
                return NO_CREDIT
            if options.requests_per_minute is not None:
                now = time.monotonic()
                while self._window and self._window[0] <= now - options.minute_s:
                    self._window.popleft()
                if len(self._window) >= options.requests_per_minute:
                    self.faults["too_fast"] += 1
                    return self.too_fast(self._window[0] + options.minute_s - now)
                self._window.append(now)
        return None

    def made(self, body: dict[str, Any], draw: random.Random, *, batch: bool = False) -> dict[str, Any]:
        """Answer a body and bill it."""
        prompt, clips = question(body)
        text = self._answer(prompt, clips)
        heard = math.ceil(seconds(clips) * 10)
        sent = math.ceil(len(prompt.encode()) / 4) + 10 + heard
        back = math.ceil(len(text.encode()) / 4) + self.options.reasoning_tokens
        rates = self.options.usd_per_million
        served = self.options.model_served or body["model"] + ("-other" if draw.random() < self.options.reroute else "")
        with self._lock:
            usd = (sent - heard) * rates[0] + heard * rates[1] + back * rates[2]
            self.bill_usd += usd / 1e6 * (0.5 if batch else 1.0)
        return completion(text, model=served, sent=sent, heard=heard, back=back, reasoning=self.options.reasoning_tokens)

    def spoken(self, body: dict[str, Any]) -> Sent:
        """Speak a text and bill it: by characters, or by tokens of the text and of the audio, 20.12 a second."""
        text, container = body["input"], body.get("response_format", "mp3")
        with self._lock:
            if self.options.usd_per_million_characters is not None:
                self.bill_usd += len(text) * self.options.usd_per_million_characters / 1e6
            else:
                sent = math.ceil(len((text + body.get("instructions", "")).encode()) / 4)
                rates = self.options.usd_per_million
                self.bill_usd += (sent * rates[0] + seconds_of(text) * 20.12 * rates[2]) / 1e6
        headers = {"x-request-id": f"req_{identity(body)[:12]}"}
        if self.options.model_served is not None:
            headers["openai-model"] = self.options.model_served
        sound = audio_of(text, body["voice"], container, self.options.speech_rate_hz)
        return Sent(body=sound, kind=TYPES[container], headers=headers)

    def settle(self, body: dict[str, Any], draw: random.Random) -> dict[str, Any]:
        """Answer one line of a batch, for good."""
        with self._lock:
            self.asked[identity(body)] += 1
            self.answered[identity(body)] += 1
        return self.made(body, draw, batch=True)

    def entered(self) -> None:
        """Count a request that begins."""
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)

    def left(self, body: dict[str, Any], sent: Sent, delivered: bool) -> None:
        """Count a request that is over; one well answered counts as answered."""
        with self._lock:
            self.at_once -= 1
            well = delivered and sent.status == 200 and not sent.cut
            if well and (sent.kind in TYPES.values() or (isinstance(sent.body, dict) and sent.body.get("choices"))):
                self.answered[identity(body)] += 1


NO_CREDIT = error(429, "insufficient_quota", "You exceeded your current quota, please check your plan.", "insufficient_quota")


def _named(name: str | None) -> Answer | None:
    if name is None:
        return None
    module, _, function = name.partition(":")
    found: Answer = getattr(importlib.import_module(module), function)
    return found


def _uploaded(kind: str, data: bytes) -> bytes:
    """Return the file of a multipart form."""
    header = f"Content-Type: {kind}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(header + data)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
    assert parts["purpose"].get_payload(decode=True) == b"batch"
    content = parts["file"].get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: Server

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlsplit(self.path).path
        if not self._allowed():
            return
        if path in ("/v1/chat/completions", "/v1/audio/speech"):
            body = json.loads(data)
            self.seen.entered()
            sent, delivered = Sent(), False
            try:
                sent = self.seen.complete(body, {name.lower(): value for name, value in self.headers.items()})
                delivered = self._send(sent)
            finally:
                self.seen.left(body, sent, delivered)
        elif path == "/v1/files":
            self._send(Sent(body=self.seen.batches.upload(_uploaded(self.headers["Content-Type"], data))))
        elif path == "/v1/batches":
            self._send(self.seen.batches.create(json.loads(data)))
        else:
            self._send(error(404, None, f"Unknown request URL: POST {path}"))

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        words = parts.path.strip("/").split("/")
        if words == ["counters"]:
            self._send(Sent(body=self.seen.counters("all" in query)))
        elif words == ["v1", "models"] and self.seen.options.models_route is not None:
            self._send(self.seen.options.models_route(self.headers["Authorization"]))
        elif not self._allowed():
            return
        elif words == ["v1", "models"] and self.seen.options.models is not None:
            listed = [{"id": name, "object": "model", "created": 0, "owned_by": "us"} for name in self.seen.options.models]
            self._send(Sent(body={"object": "list", "data": listed}))
        elif words == ["v1", "batches"]:
            self._send(Sent(body=self.seen.batches.listed(int(query.get("limit", 20)), query.get("after"))))
        elif words[:2] == ["v1", "batches"]:
            self._send(self.seen.batches.look(words[2]))
        elif words[:2] == ["v1", "files"] and words[2] in self.seen.batches.files:
            batches = self.seen.batches
            self._send(Sent(body=batches.files[words[2]], kind="application/octet-stream", cut=batches.cut))
        else:
            self._send(error(404, None, f"Unknown request URL: GET {parts.path}"))

    def _allowed(self) -> bool:
        key = self.seen.options.key
        given = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if key is None or given == key:
            return True
        self._send(error(401, "invalid_api_key", f"Incorrect API key provided: {given[:8]}****{given[-4:]}."))
        return False

    def _send(self, sent: Sent) -> bool:
        if sent.body is None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return False
        body = sent.body
        data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(sent.status)
        for name, value in {"Content-Type": sent.kind, "Content-Length": str(len(data)), **sent.headers}.items():
            self.send_header(name, value)
        head = b"".join(self._headers_buffer) + b"\r\n"  # type: ignore[attr-defined]
        self._headers_buffer = []
        self.close_connection = bool(sent.cut)
        try:
            self.wfile.write(head + data[: len(data) - sent.cut])  # at once: two writes would wait for each other's receipt
        except OSError:  # a client that was killed or gave up
            self.close_connection = True
            return False
        return True

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


def listen(options: Options, answer: Answer | None = None) -> tuple[_Listener, Server]:
    """Return a bound listener and what it will see."""
    seen = Server(options, answer)
    listener = _Listener(("127.0.0.1", options.port), type("Handler", (_Handler,), {"seen": seen}))
    seen.url = f"http://127.0.0.1:{listener.server_address[1]}/v1"
    return listener, seen


@contextlib.contextmanager
def serving(options: Options | None = None, answer: Answer | None = None) -> Iterator[Server]:
    """Serve on loopback while the context is open."""
    listener, seen = listen(options or Options(), answer)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def main() -> None:
    """Serve until killed; the options are the first argument, as JSON."""
    listener, seen = listen(Options(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}")))
    print(json.dumps({"url": seen.url}), flush=True)
    listener.serve_forever()


if __name__ == "__main__":
    main()
