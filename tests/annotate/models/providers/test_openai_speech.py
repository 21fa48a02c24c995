"""Speech over the real SDK and a local server that speaks OpenAI's form."""

import asyncio
import hashlib
import json

import pytest

from annotate.models.request import AttemptFailure, JudgeRequest, Reply
from contracts.errors import SetupError
from contracts.plugins import configure
from synth.engines.openai_speech import OpenAISpeech
from tests.annotate import openai_asking
from tests.annotate.openai_asking import CANARY
from tests.annotate.openai_server import Options, serving
from tests.annotate.openai_wire_format import Sent, error
from tests.annotate.spoken_audio import RATE_HZ, audio_of, seconds_of

api_key = openai_asking.api_key

TEXT = "The birch canoe slid on the smooth planks."


def engine_of(server, **options) -> OpenAISpeech:
    return OpenAISpeech(**{"base_url": server.url, "timeout_s": 20.0} | options)


def attempt(engine: OpenAISpeech, text: str = TEXT, voice: str = "nova"):
    async def main():
        async with engine.open(None) as session:
            request = JudgeRequest(key="k", prompt=text, voice=voice, longest_s=20.0)
            return await session.estimate(request), await session.attempt(request)

    return asyncio.run(main())


def test_one_request_carries_the_options_and_nothing_else():
    """What OpenAI's reference names, and nothing at its default."""
    with serving() as server:
        attempt(engine_of(server))
        attempt(engine_of(server, model="tts-1", speed=1.5, response_format="flac"), voice="onyx")
        attempt(engine_of(server, instructions="Speak slowly."))
    plain = {"model": "gpt-4o-mini-tts", "input": TEXT, "voice": "nova", "response_format": "wav"}
    assert server.bodies == [
        plain,
        {"model": "tts-1", "input": TEXT, "voice": "onyx", "response_format": "flac", "speed": 1.5},
        plain | {"instructions": "Speak slowly."},
    ]
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {CANARY}"}


@pytest.mark.parametrize("container", ["wav", "flac", "pcm", "mp3", "opus"])
def test_the_audio_is_kept_as_it_came(container):
    """With what it is, who spoke, and how long that took; the raw reply holds no audio."""
    with serving(Options(model_served="tts-1-1106")) as server:
        _, reply = attempt(engine_of(server, response_format=container))
    assert isinstance(reply, Reply)
    assert reply.audio == audio_of(TEXT, "nova", container, RATE_HZ)
    about = json.loads(reply.text)
    assert about["sha256"] == hashlib.sha256(reply.audio).hexdigest()
    assert about["media_type"].startswith("audio/")
    assert reply.model_served == "tts-1-1106"
    assert reply.latency_s > 0
    raw = json.loads(reply.raw)
    assert raw["model"] == "tts-1-1106"
    assert raw["request_id"].startswith("req_")
    assert (reply.input_tokens, reply.output_tokens) == (None, None), "it states no usage"


def test_a_server_that_names_no_model_leaves_it_open():
    with serving() as server:
        assert attempt(engine_of(server))[1].model_served is None


def test_a_model_that_bills_characters_is_booked_exactly():
    """tts-1: $15 per million characters (bill of 2025-11-02: 4,095 characters, $0.061425)."""
    with serving(Options(usd_per_million_characters=15.0)) as server:
        estimate, reply = attempt(engine_of(server, model="tts-1"))
        assert reply.cost_usd == estimate.usd == pytest.approx(len(TEXT) * 15e-6)
        assert server.bill_usd == pytest.approx(reply.cost_usd)
    assert OpenAISpeech(model="tts-1").estimate("x" * 4095, 300.0).usd == pytest.approx(0.061425)


def test_a_model_that_bills_tokens_is_booked_from_above():
    """By the length of the audio, which was the bill of 2025-11-02: 268 s cost $0.06471, the text $0.0005262."""
    with serving(Options(usd_per_million=(0.6, 0.0, 12.0))) as server:
        estimate, reply = attempt(engine_of(server))
        assert server.bill_usd < reply.cost_usd < estimate.usd
        assert reply.cost_usd < 2 * server.bill_usd
    text = "x" * 4096
    booked = OpenAISpeech().estimate(text, 268.0).usd
    assert 0.06471 + 0.0005262 < booked < 1.2 * 0.0652362
    assert seconds_of(TEXT) > 3


def test_a_model_on_a_server_of_ones_own_is_free():
    with serving() as server:
        assert (
            attempt(engine_of(server, model="kokoro", key_variable="", voice_names=("af_sky",)), voice="af_sky")[1].cost_usd
            == 0
        )


BROKEN = {
    "html": Sent(body="<html>Bad gateway</html>", kind="text/html"),
    "json": Sent(body={"error": None}),
    "half": Sent(body=audio_of(TEXT, "nova", "wav")[:20_000], kind="audio/wav"),
    "empty": Sent(body=b"", kind="audio/wav"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_decode_is_no_answer_but_may_be_billed(name):
    """It is asked for again, and its price stays booked."""
    with serving() as server:
        server.script = lambda _number, _body: BROKEN[name]
        _, failure = attempt(engine_of(server))
    assert isinstance(failure, AttemptFailure)
    assert (failure.reason, failure.kind, failure.lost) == ("malformed_body", "transient", True)


def test_a_reply_that_was_cut_off_is_lost():
    with serving() as server:
        server.script = lambda _number, _body: Sent(body=audio_of(TEXT, "nova", "wav"), kind="audio/wav", cut=1000)
        _, failure = attempt(engine_of(server))
    assert (failure.reason, failure.lost) == ("connection_lost", True)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (error(429, "rate_limit_exceeded", "slow down", headers={"retry-after": "3"}), ("rate_limited", "throttled")),
        (error(429, "insufficient_quota", "pay first", "insufficient_quota"), ("quota_gone", "all_requests")),
        (error(401, "invalid_api_key", f"Incorrect API key: {CANARY}"), ("key_refused", "all_requests")),
        (error(404, "model_not_found", "no such model"), ("no_such_model", "all_requests")),
        (error(400, None, "Invalid voice", param="voice"), ("bad_request", "all_requests")),
        (error(400, None, "string too long", param="input"), ("bad_request", "request")),
        (error(500, None, "oops"), ("server_error", "transient")),
    ],
)
def test_errors_mean_what_they_mean_for_judges(sent, expected):
    """And none of them shows the key."""
    body = dict(sent.body["error"])
    param = sent.body.get("param")
    scripted = Sent(sent.status, {"error": body | ({"param": param} if param else {})}, sent.headers)
    with serving() as server:
        server.script = lambda _number, _body: scripted
        _, failure = attempt(engine_of(server))
    assert (failure.reason, failure.kind) == expected
    assert CANARY not in repr(failure)


def test_without_a_key_nothing_opens(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(SetupError, match="engine 'openai_speech': no API key: set the environment variable OPENAI_API_KEY"):
        attempt(OpenAISpeech())


def test_a_refused_key_is_told_before_anything_is_asked():
    refuse = lambda _key: error(401, "invalid_api_key", "Incorrect API key provided")  # noqa: E731
    with serving(Options(models_route=refuse)) as server:
        assert "the API key in OPENAI_API_KEY is refused" in engine_of(server).key_problem()
        assert not server.bodies


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model": "tts-9"}, "no price is known for 'tts-9'"),
        ({"model": "tts-1", "instructions": "Sing."}, "tts-1 takes no instructions"),
        ({"base_url": "gpu1:8000"}, "base_url must be an address"),
        ({"base_url": "http://me:secret@gpu1/v1"}, "must not hold a login"),
        ({"key_variable": ""}, "key_variable must name a variable"),
        ({"voice_names": []}, "must name at least one"),
        ({"voice_names": ["a", "a"]}, "a voice is named twice"),
        ({"usd_per_million": [1, 2, 3]}, "two numbers"),
        ({"usd_per_million": [1, 2], "usd_per_million_characters": 3}, "bills tokens or characters"),
        ({"speed": 9}, "speed"),
        ({"response_format": "aac"}, "response_format"),
        ({"license": "free for all"}, "no licence"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, why):
    with pytest.raises(Exception, match=why):
        configure("engine", "openai_speech", options)


def test_older_models_have_fewer_voices():
    assert len(OpenAISpeech().voices()) == 13
    assert len(OpenAISpeech(model="tts-1").voices()) == 9
    assert {voice.model for voice in OpenAISpeech(model="tts-1").voices()} == {"tts-1"}


def test_the_address_of_a_server_changes_the_clip_but_is_not_released():
    """Two servers' models are two models, whatever their names; an address in a data set is nobody's business."""
    here, there = (OpenAISpeech(model="m", base_url=f"http://gpu{n}.lab.example:8000/v1").params() for n in (1, 2))
    assert here != there
    assert here == OpenAISpeech(model="m", base_url="http://gpu1.lab.example:8000/v1/").params()
    assert "lab" not in json.dumps([here, there])
    assert OpenAISpeech().params() == {"model": "gpt-4o-mini-tts", "response_format": "wav"}
