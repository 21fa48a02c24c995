"""Gemini's speech over the real SDK and a local server."""

import asyncio
import base64
import json

import pytest

from annotate.models.request import AttemptFailure, JudgeRequest, Refusal, Reply
from contracts.plugins import configure
from synth.engines.gemini_speech import GeminiSpeech
from tests.annotate import gemini_asking
from tests.annotate.gemini_asking import CANARY
from tests.annotate.gemini_replies import Answer, error, identity, is_speech
from tests.annotate.gemini_server import Bill, serving
from tests.annotate.spoken_audio import audio_of, seconds_of

api_key = gemini_asking.api_key

TEXT = "The birch canoe slid on the smooth planks."
PCM = "audio/L16;codec=pcm;rate=24000"


def attempt(server, text: str = TEXT, voice: str = "Puck", **options):
    engine = GeminiSpeech(**{"base_url": server.url, "timeout_s": 20.0} | options)

    async def main():
        async with engine.open(None) as session:
            request = JudgeRequest(key="k", prompt=text, voice=voice, longest_s=20.0)
            return await session.estimate(request), await session.attempt(request)

    return asyncio.run(main())


def body(parts, finish="STOP", **usage):
    """A reply with these parts."""
    counts = {"promptTokenCount": 30, "candidatesTokenCount": 90, "totalTokenCount": 120} | usage
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": finish, "index": 0}
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": "gemini-3.8-flash-tts-001"}


def sound(data: bytes, kind: str = PCM):
    return {"inlineData": {"mimeType": kind, "data": base64.b64encode(data).decode()}}


def scripted(reply):
    with serving(lambda _number, _prompt: Answer(body=reply)) as server:
        return attempt(server)


def test_one_request_asks_for_audio_in_that_voice():
    """As the API documents it; the most that may come back is what was booked."""
    with serving() as server:
        estimate, _ = attempt(server)
    [asked] = server.bodies
    assert is_speech(asked)
    assert asked["contents"][0]["parts"] == [{"text": f"Read the following text aloud, exactly as it is written:\n\n{TEXT}"}]
    same = {
        "contents": asked["contents"],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "candidateCount": 1,
            "maxOutputTokens": estimate.output_tokens,
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Puck"}}},
        },
    }
    assert identity(asked) == identity(same)
    assert server.paths == ["/v1beta/models/gemini-3.8-flash-tts:generateContent"]
    assert estimate.output_tokens == 21 * 25


def test_the_audio_is_kept_and_the_rest_of_the_reply_beside_it():
    """The raw reply has everything but the audio, once, not twice."""
    with serving(model_served="gemini-3.8-flash-tts-001") as server:
        _, reply = attempt(server)
    assert isinstance(reply, Reply)
    assert reply.audio == audio_of(TEXT, "Puck", "pcm")
    assert json.loads(reply.text)["media_type"] == PCM
    assert reply.model_served == "gemini-3.8-flash-tts-001"
    raw = json.loads(reply.raw)
    assert raw["candidates"][0]["content"]["parts"][0]["inlineData"] == {"mimeType": PCM, "data": ""}
    assert raw["usageMetadata"]["candidatesTokenCount"] == reply.output_tokens
    assert len(reply.raw) < 1000


def test_usage_is_billed_as_stated():
    """25 tokens a second of audio; the price page's numbers for gemini-2.5-flash-preview-tts."""
    with serving(bill=Bill(text_usd=0.5, output_usd=10.0)) as server:
        estimate, reply = attempt(server, model="gemini-2.5-flash-preview-tts")
        assert reply.cost_usd == pytest.approx(server.bill.usd)
    assert reply.output_tokens == pytest.approx(25 * seconds_of(TEXT), abs=1)
    assert reply.cost_usd < estimate.usd


def test_audio_in_several_parts_is_put_together():
    pcm = audio_of(TEXT, "Puck", "pcm")
    _, reply = scripted(body([sound(pcm[:1000]), {"text": ""}, sound(pcm[1000:])]))
    assert reply.audio == pcm


def test_a_reply_without_usage_is_booked_at_its_highest_price():
    reply = body([sound(audio_of(TEXT, "Puck", "pcm"))])
    del reply["usageMetadata"]
    estimate, found = scripted(reply)
    assert found.cost_usd == estimate.usd


@pytest.mark.parametrize(
    ("reply", "reason", "message"),
    [
        (body([{"text": "Sure, here it is:"}]), "no_audio", "did not speak (STOP), but wrote: Sure, here it is:"),
        (body([], "OTHER"), "no_audio", "did not speak (OTHER)"),
        (body([sound(b"\0\0" * 500)], "MAX_TOKENS"), "truncated_reply", "longer than 21 s"),
        (body([sound(b"\0\0" * 500)], "SAFETY"), "blocked", "SAFETY"),
        (body([sound(b"\0\0" * 500)], "OTHER"), "unfinished_reply", "OTHER"),
        (
            {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 30}},
            "blocked",
            "PROHIBITED_CONTENT",
        ),
    ],
)
def test_a_reply_that_did_not_speak_to_the_end_is_refused_and_paid(reply, reason, message):
    """What it cost is booked; the reply is kept for a person to read."""
    _, found = scripted(reply)
    assert isinstance(found, Refusal)
    assert found.reason == reason
    assert message in found.message
    assert found.cost_usd > 0
    assert json.loads(found.raw)


@pytest.mark.parametrize(
    "parts",
    [
        [{"inlineData": {"mimeType": PCM, "data": "%%%"}}],
        [sound(b"\0\0\0")],
        [sound(b"\0\0" * 500, "audio/L16")],
        [sound(b"no wav at all", "audio/wav")],
        [sound(b"\0\0" * 500), sound(b"\0\0" * 500, "audio/L16;rate=16000")],
        [{"inlineData": "x"}],
    ],
)
def test_what_does_not_decode_is_no_answer_but_may_be_billed(parts):
    _, failure = scripted(body(parts))
    assert isinstance(failure, AttemptFailure)
    assert (failure.reason, failure.kind, failure.lost) == ("malformed_body", "transient", True)


def test_an_error_shows_no_key():
    refused = Answer(400, error(400, "INVALID_ARGUMENT", f"API key not valid: {CANARY}", [{"reason": "API_KEY_INVALID"}]))
    with serving(lambda _number, _prompt: refused) as server:
        _, failure = attempt(server)
    assert failure.reason == "key_refused"
    assert CANARY not in repr(failure)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model": "gemini-9-tts"}, "no price is known for 'gemini-9-tts'"),
        ({"base_url": "localhost"}, "base_url must start with http"),
        ({"voice_names": []}, "must name at least one"),
        ({"voice_names": ["Puck", "Puck"]}, "a voice is named twice"),
        ({"usd_per_million": [1]}, "two numbers"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, why):
    with pytest.raises(Exception, match=why):
        configure("engine", "gemini_speech", options)
