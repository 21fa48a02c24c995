"""Only a reply that ended by itself is whole: every finish reason of both SDKs, in any case, alone and in a batch.

Real SDKs against the servers of the other tests. Text came with each reply; a cut ``Output B: 10`` looks whole as ``1``.
"""

import asyncio
import json
import typing

import pytest
from google.genai import types
from openai.types.chat.chat_completion import Choice as Completed
from openai.types.chat.chat_completion_chunk import Choice as Streamed

from annotate.models.request import JudgeRequest, Reply
from tests.annotate import gemini_asking, gemini_server, openai_asking, openai_server
from tests.annotate.gemini_replies import response
from tests.annotate.openai_wire_format import Sent, completion

TEXT = "Output A: 8, Output B: 1"


def spellings(reasons):
    """Return each reason in small and capital letters and as it is, and what is none or unknown."""
    told = {form for reason in reasons for form in (reason, reason.lower(), reason.upper(), reason.title())}
    return [*sorted(told), None, "", " stop ", "stopped", "STOP_SEQUENCE", "no_such_reason"]


GEMINI = spellings(reason.value for reason in types.FinishReason)
_LITERALS = {
    reason
    for choice in (Completed, Streamed)
    for part in (choice.model_fields["finish_reason"].annotation,)
    for literal in (part, *typing.get_args(part))
    for reason in typing.get_args(literal)
    if isinstance(reason, str)
}
OPENAI = spellings([*_LITERALS, "eos", "eos_token", "end_turn", "abort"])  # the latter of vLLM, SGLang, TGI and others

BLOCKED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"}


def outcome_of_gemini(finish):
    """What becomes of it, as ``annotate.models.providers.gemini.reply`` documents."""
    ending = (finish or "").upper()
    if ending == "STOP":
        return "whole"
    return {"MAX_TOKENS": "truncated_reply"}.get(ending, "blocked" if ending in BLOCKED else "unfinished_reply")


def outcome_of_openai(finish):
    """What becomes of it, as ``annotate.models.providers.openai.chat`` documents."""
    ending = (finish or "").lower()
    if ending in {"stop", "eos", "eos_token", "end_turn"}:
        return "whole"
    return {"length": "truncated_reply", "content_filter": "blocked"}.get(ending, "unfinished_reply")


def outcomes(answers):
    """Return what became of each reply; one that was refused was paid for and is kept."""
    assert all(json.loads(answer.raw) for answer in answers)
    return ["whole" if isinstance(answer, Reply) and answer.text == TEXT else answer.reason for answer in answers]


def asked(reasons):
    """Return a request for each reason: its prompt says which."""
    return [JudgeRequest(key=f"{number:032x}", prompt=json.dumps(reason)) for number, reason in enumerate(reasons)]


def put(judge, requests, *, batch):
    """Return the answers in the order of the requests."""

    async def alone():
        async with judge.open(None) as line:
            return await asyncio.gather(*(line.attempt(request) for request in requests))

    async def together():
        async with judge.open_batches(None) as line:
            batch_id = await line.submit("batch", requests)
            while await line.state(batch_id) == "running":
                pass
            found = dict([each async for each in line.results(batch_id)])
        return [found[request.key] for request in requests]

    return asyncio.run(together() if batch else alone())


def test_the_reasons_are_those_of_the_sdks():
    """The walk is over something: what both providers say most is in it."""
    assert {"STOP", "MAX_TOKENS", "SAFETY", "FINISH_REASON_UNSPECIFIED"} <= set(GEMINI)
    assert {"stop", "length", "content_filter", "tool_calls", "function_call"} <= set(OPENAI)


@pytest.mark.filterwarnings("ignore:.*is not a valid FinishReason")
@pytest.mark.parametrize("batch", [False, True])
def test_gemini(monkeypatch, batch):
    """``STOP`` alone is whole."""
    monkeypatch.setenv("GEMINI_API_KEY", gemini_asking.CANARY)

    def script(_number, prompt):
        body = response(TEXT, 10, 0, 8)
        body["candidates"][0]["finishReason"] = json.loads(prompt)
        return gemini_server.Answer(body=body)

    with gemini_server.serving(script) as server:
        answers = put(gemini_asking.gemini(server), asked(GEMINI), batch=batch)
    assert dict(zip(GEMINI, outcomes(answers), strict=True)) == {finish: outcome_of_gemini(finish) for finish in GEMINI}


@pytest.mark.parametrize("batch", [False, True])
def test_openai(monkeypatch, batch):
    """``stop`` and what engines behind compatible servers say in its place."""
    monkeypatch.setenv("OPENAI_API_KEY", openai_asking.CANARY)

    def made(body, *_draw, **_batch):
        return completion(TEXT, finish=json.loads(body["messages"][-1]["content"]), heard=0)

    with openai_server.serving() as server:
        server.script = lambda _number, body: Sent(body=made(body))
        server.made = made
        answers = put(openai_asking.judge_of(server, batches=True), asked(OPENAI), batch=batch)
    assert dict(zip(OPENAI, outcomes(answers), strict=True)) == {finish: outcome_of_openai(finish) for finish in OPENAI}
