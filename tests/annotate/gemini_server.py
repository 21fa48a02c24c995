"""A local server that speaks the Gemini API's wire format: real HTTP, real JSON, and the failures a test asks for.

As a process of its own: ``python -m tests.annotate.gemini_server --port 8123 --options '{"faults": {"server_error": 0.1}}'``
prints its address as one line and serves until it is stopped; ``GET /counters`` says what it counted.
"""

import argparse
import contextlib
import importlib
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.annotate.gemini_batch_jobs import BatchPlan, JobStore
from tests.annotate.gemini_faults import BEFORE, Faults, Gate, throttled
from tests.annotate.gemini_files import FileStore, gone
from tests.annotate.gemini_http import Server, handler
from tests.annotate.gemini_replies import (
    AUDIO_TOKENS,
    REPLY_TOKENS,
    TEXT_TOKENS,
    THOUGHT_TOKENS,
    Answer,
    audio_tokens,
    card,
    error,
    identity,
    inline_clips,
    is_speech,
    prompt_of,
    reply,
    response,
    spoken,
    uploaded_clips,
)

__all__ = [
    "AUDIO_TOKENS",
    "REPLY_TOKENS",
    "TEXT_TOKENS",
    "THOUGHT_TOKENS",
    "Answer",
    "BatchPlan",
    "Bill",
    "Faults",
    "GeminiServer",
    "card",
    "error",
    "reply",
    "serving",
    "well",
]

Script = Callable[[int, str], Answer]
"""Number of a request and its prompt -> what the server does with it."""
Text = Callable[[str, list[tuple[str, bytes]]], str]
"""Prompt, and label and bytes of each clip -> the text of the reply."""


@dataclass
class Bill:
    """What a provider would charge, at gemini-2.5-flash's list price in US dollars per million tokens."""

    text_usd: float = 0.30
    audio_usd: float = 1.00
    output_usd: float = 2.50
    batch_factor: float = 0.5
    text_tokens: int = 0
    audio_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0

    def add(self, usage: dict[str, Any], *, batch: bool = False) -> None:
        """Charge one reply."""
        audio = sum(part["tokenCount"] for part in usage.get("promptTokensDetails", []) if part["modality"] == "AUDIO")
        text = usage["promptTokenCount"] - audio
        output = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
        self.text_tokens += text
        self.audio_tokens += audio
        self.output_tokens += output
        usd = (text * self.text_usd + audio * self.audio_usd + output * self.output_usd) / 1e6
        self.usd += usd * (self.batch_factor if batch else 1.0)


@dataclass
class GeminiServer:
    """What the server does and what it saw.

    Attributes:
        script: decides over each request; None = ``text`` and ``faults`` do.
        text: the text of a reply.
        faults: what goes wrong.
        gate: the limit on requests per minute.
        model_served: name of the model that answers; None = the usual one.
        models: key -> what is said of a model, for nothing; None = there is no such route.
        keep: whether prompts and bodies are kept; a large run only counts.
        prompts, bodies, keys, paths: of every request for a reply, in order.
        sent: how often each request was sent, by the sha256 of its body.
        answered: how often each was answered in full, one by one or in a batch whose results were fetched.
        repeated: how many requests were sent although they had been answered.
        bill: the price of all replies made, lost ones included.
    """

    script: Script | None = None
    text: Text = lambda prompt, _clips: card(prompt)
    faults: Faults = field(default_factory=Faults)
    gate: Gate = field(default_factory=Gate)
    model_served: str | None = None
    models: Callable[[str], Answer] | None = None
    keep: bool = True
    url: str = ""
    prompts: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    number: int = 0
    most_at_once: int = 0
    at_once: int = 0
    bill: Bill = field(default_factory=Bill)
    files: FileStore = field(default_factory=FileStore)
    lock: Any = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.jobs = JobStore(files=self.files, respond=self._in_a_batch)

    def audio(self, number: int) -> list[tuple[str, str, bytes]]:
        """Return label, mime type and bytes of each clip inside a request."""
        return inline_clips(self.bodies[number])

    def counters(self) -> dict[str, Any]:
        """Return what was counted, as JSON."""
        with self.lock:
            return {
                "requests": sum(self.sent.values()),
                "different": len(self.sent),
                "answered": sum(self.answered.values()),
                "answered_different": len(self.answered),
                "repeated": self.repeated,
                "turned_away": self.gate.turned_away,
                "struck": dict(self.struck),
                "most_at_once": self.most_at_once,
                "batches": len(self.jobs.jobs),
                "uploads": len(self.files.uploads),
                "bill": asdict(self.bill),
            }

    def arrive(self, body: dict[str, Any], key: str, path: str) -> tuple[str, int, int]:
        """Note a request; return its identity, how often it was sent before, and its number."""
        name, prompt = identity(body), prompt_of(body)
        with self.lock:
            nth, number = self.sent[name], self.number
            self.sent[name] += 1
            self.number += 1
            self.repeated += self.answered[name] > 0
            if self.keep:
                self.prompts.append(prompt)
                self.bodies.append(body)
                self.keys.append(key)
                self.paths.append(path)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        return name, nth, number

    def decide(self, body: dict[str, Any], name: str, nth: int, number: int) -> Answer:
        """Return what one request gets."""
        if (wait_s := self.gate.wait_s()) is not None:
            return throttled(math.ceil(wait_s * 100) / 100, in_header=False)
        kind = self.faults.kind(name, nth)
        delay_s = self.faults.delay_s(name, nth)
        if kind is not None:
            with self.lock:
                self.struck[kind] += 1
        if kind in BEFORE:
            return self.faults.struck(kind, None, name, nth)
        answer = self.script(number, prompt_of(body)) if self.script is not None else self._answer(body)
        if answer.status == 200 and isinstance(answer.body, dict) and "usageMetadata" in answer.body:
            with self.lock:
                self.bill.add(answer.body["usageMetadata"])
        time.sleep(delay_s)
        return answer if kind is None else self.faults.struck(kind, answer, name, nth)

    def _answer(self, body: dict[str, Any]) -> Answer:
        if is_speech(body):
            return Answer(body=spoken(body) | ({"modelVersion": self.model_served} if self.model_served else {}))
        clips = [(label, data) for label, _, data in inline_clips(body)]
        for label, uri in uploaded_clips(body):
            data = self.files.resolve(uri)
            if data is None:
                return gone(uri[uri.index("files/") :])
            clips.append((label, data))
        prompt = prompt_of(body)
        text = self.text(prompt, clips)
        longest = body.get("generationConfig", {}).get("maxOutputTokens", 1 << 20)
        made = response(text, len(prompt) // 4 + 1, audio_tokens([data for _, data in clips]), min(longest, len(text) // 4 + 1))
        return Answer(body=made | ({"modelVersion": self.model_served} if self.model_served else {}))

    def _in_a_batch(self, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        name, _, number = self.arrive(body, "", "batch")
        with self.lock:
            self.at_once -= 1
        answer = self.script(number, prompt_of(body)) if self.script is not None else self._answer(body)
        made: dict[str, Any] = answer.body
        if "usageMetadata" in made:
            with self.lock:
                self.bill.add(made["usageMetadata"], batch=True)
        return name, made

    def delivered(self, path: str) -> None:
        """Note that a file of results was fetched whole."""
        for job in self.jobs.jobs.values():
            if job.results is not None and path.startswith(f"/v1beta/{job.results}:download"):
                with self.lock:
                    self.answered.update(job.delivered)
                    job.delivered.clear()


def well(_number: int, prompt: str) -> Answer:
    """Answer every request well, with the same token counts."""
    return Answer(body=reply(card(prompt)))


@contextlib.contextmanager
def serving(script: Script | None = None, *, port: int = 0, **settings: Any) -> Iterator[GeminiServer]:
    """Serve on loopback while the context is open; ``settings`` are those of ``GeminiServer``."""
    seen = GeminiServer(script=script, **settings)
    server = Server(("127.0.0.1", port), handler(seen))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    seen.url = seen.files.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serve as a process of its own."""
    parser = argparse.ArgumentParser(description="A local server that speaks the Gemini API's wire format.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--options", default="{}", help="JSON: faults, bill, batch, requests_per_minute, model_served, text, keep"
    )
    given = parser.parse_args()
    options = json.loads(given.options)
    settings: dict[str, Any] = {
        "faults": Faults(**options.get("faults", {})),
        "gate": Gate(most=options.get("requests_per_minute"), window_s=options.get("window_s", 60.0)),
        "model_served": options.get("model_served"),
        "keep": options.get("keep", False),
        "bill": Bill(**options.get("bill", {})),
    }
    if "text" in options:  # module:function
        module, _, function = options["text"].partition(":")
        settings["text"] = getattr(importlib.import_module(module), function)
    with serving(port=given.port, **settings) as server:
        plan = BatchPlan(**options.get("batch", {}))
        server.jobs.plan = lambda _number: plan
        print(json.dumps({"url": server.url}), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
