"""A local server that speaks the Gemini API's wire format: real HTTP, real JSON, and the troubles a test asks for."""

import base64
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from annotate.scorecard import Assessment
from annotate.tasks.task1 import DIMENSIONS, compose

TEXT_TOKENS, AUDIO_TOKENS, REPLY_TOKENS, THOUGHT_TOKENS = 700, 96, 250, 50


@dataclass(frozen=True)
class Answer:
    """What the server does with one request: ``body`` None drops the connection; ``cut`` bytes of it are promised and not sent."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int = 0


def card(prompt: str, *, tied: bool = False) -> str:
    """Return a well-formed Task 1 reply whose scores depend on the prompt."""
    digits = [int(digit, 16) % 11 for digit in hashlib.sha256(prompt.encode()).hexdigest()[:8]]
    digits[7] = (digits[7] + (sum(digits[:4]) == sum(digits[4:]))) % 11
    names = [dimension.name for dimension in DIMENSIONS]
    words = dict.fromkeys(names, "as heard")
    a = Assessment(scores=dict(zip(names, digits[:4], strict=True)), explanations=words)
    b = Assessment(scores=dict(zip(names, digits[:4] if tied else digits[4:], strict=True)), explanations=words)
    return compose(a, b, "One is better. The other is worse.")


def reply(text: str, **changes: Any) -> dict[str, Any]:
    """Return a generateContent response as the API documents it."""
    return {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": TEXT_TOKENS + AUDIO_TOKENS,
            "candidatesTokenCount": REPLY_TOKENS,
            "thoughtsTokenCount": THOUGHT_TOKENS,
            "totalTokenCount": TEXT_TOKENS + AUDIO_TOKENS + REPLY_TOKENS + THOUGHT_TOKENS,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": TEXT_TOKENS},
                {"modality": "AUDIO", "tokenCount": AUDIO_TOKENS},
            ],
        },
        "modelVersion": "gemini-2.5-flash-001",
        "responseId": "r-1",
    } | changes


def error(status: int, word: str, message: str, details: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return an error body as the API documents it."""
    return {"error": {"code": status, "message": message, "status": word, "details": details or []}}


@dataclass
class GeminiServer:
    """What the server saw; ``script`` decides, by the number of the request and its prompt, what it does."""

    script: Callable[[int, str], Answer]
    url: str = ""
    prompts: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def audio(self, number: int) -> list[tuple[str, str, bytes]]:
        """Return label, mime type and bytes of each clip of a request."""
        parts = self.bodies[number]["contents"][0]["parts"]
        blobs = [part["inlineData"] for part in parts[2::2]]
        kinds = [blob.get("mimeType") or blob["mime_type"] for blob in blobs]  # protobuf's JSON knows a field by both names
        return [
            (label["text"], kind, base64.urlsafe_b64decode(blob["data"]))
            for label, kind, blob in zip(parts[1::2], kinds, blobs, strict=True)
        ]


def well(_number: int, prompt: str) -> Answer:
    """Answer every request well."""
    return Answer(body=reply(card(prompt)))


@contextlib.contextmanager
def serving(script: Callable[[int, str], Answer] = well) -> Iterator[GeminiServer]:
    """Serve on loopback while the context is open."""
    seen = GeminiServer(script=script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["contents"][0]["parts"][0]["text"]
            with seen.lock:
                number = len(seen.prompts)
                seen.prompts.append(prompt)
                seen.bodies.append(body)
                seen.keys.append(self.headers["x-goog-api-key"])
                seen.paths.append(self.path)
                seen.at_once += 1
                seen.most_at_once = max(seen.most_at_once, seen.at_once)
            try:
                self.answer(seen.script(number, prompt), prompt)
            finally:
                with seen.lock:
                    seen.at_once -= 1

        def answer(self, answer: Answer, prompt: str) -> None:
            time.sleep(answer.delay_s)
            if answer.body is None:
                self.close_connection = True
                return
            data = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
            if answer.status == 200 and not answer.cut:
                with seen.lock:
                    seen.answered.append(prompt)
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client that was killed or gave up
                self.wfile.write(data[: len(data) - answer.cut])
            self.close_connection = bool(answer.cut)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
