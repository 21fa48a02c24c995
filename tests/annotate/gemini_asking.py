"""The Gemini judge over the real SDK and a local server, for its tests."""

import asyncio
import os

import pytest

from annotate.models.providers.gemini.client import Gemini
from annotate.models.request import AttemptFailure, JudgeRequest, LabelledAudio, Refusal, Reply
from tests.annotate.gemini_server import GeminiServer

CANARY = "AIzaCanaryCanaryCanary0123456789"
LABELS = ("Prompt Speech", "Speech A", "Speech B")


@pytest.fixture(autouse=True)
def api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GEMINI_API_KEY", CANARY)


def gemini(server: GeminiServer, **options) -> Gemini:
    return Gemini(**{"base_url": server.url, "timeout_s": 10.0} | options)


def text(prompt: str) -> JudgeRequest:
    return JudgeRequest(key=f"key of {prompt}", prompt=prompt)


def spoken(prompt: str, tones: list[str]) -> JudgeRequest:
    audios = tuple(LabelledAudio(label, tone) for label, tone in zip(LABELS, tones, strict=False))
    return JudgeRequest(key=f"key of {prompt}", prompt=prompt, audios=audios)


def attempts(judge: Gemini, requests: list[JudgeRequest], clips=None) -> list[Reply | Refusal | AttemptFailure]:
    """Open a line and make one attempt at each request, side by side."""

    async def run():
        async with judge.open(clips) as line:
            return await asyncio.gather(*(line.attempt(request) for request in requests))

    return asyncio.run(run())


def attempt(judge: Gemini, request: JudgeRequest, clips=None) -> Reply | Refusal | AttemptFailure:
    return attempts(judge, [request], clips)[0]
