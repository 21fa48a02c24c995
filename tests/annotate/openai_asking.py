"""Asking the OpenAI judge in tests."""

import asyncio
import os

import pytest

from annotate.models.providers.openai.client import OpenAI
from annotate.models.request import JudgeRequest, LabelledAudio
from tests.annotate.openai_server import Server

CANARY = "sk-proj-CanaryCanaryCanary0123456789"


@pytest.fixture(autouse=True)
def api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OPENAI_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)


def judge_of(server: Server, **options) -> OpenAI:
    return OpenAI(**{"base_url": server.url, "timeout_s": 20.0, "model": "gpt-audio"} | options)


def request(prompt: str = "Which one is better?", tones: list[str] | None = None, key: str = "k1") -> JudgeRequest:
    labels = ["Prompt Speech", "Speech A", "Speech B"]
    audios = [LabelledAudio(label, tone) for label, tone in zip(labels, tones or [], strict=False)]
    return JudgeRequest(key=key, prompt=prompt, audios=tuple(audios))


def attempts(judge: OpenAI, requests, clips=None):
    async def main():
        async with judge.open(clips) as line:
            return [await line.attempt(each) for each in requests]

    return asyncio.run(main())


def attempt(judge: OpenAI, asked: JudgeRequest | None = None, clips=None):
    return attempts(judge, [asked or request()], clips)[0]
