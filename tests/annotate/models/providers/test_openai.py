"""The OpenAI judge over the real SDK and real HTTP: what it sends, what it books, what it refuses."""

import asyncio
import dataclasses
import json
import subprocess
import sys
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.judge import Judge
from annotate.models.prices import PRICES, Price
from annotate.models.providers.openai.chat import answer
from annotate.models.providers.openai.client import OpenAI
from annotate.models.providers.openai.http_client import OPENAI_URL
from annotate.models.request import AttemptFailure, Refusal, Reply
from contracts import plugins
from contracts.errors import DamagedPart, RecipeError, SetupError
from tests.annotate.openai_asking import CANARY, api_key, attempt, attempts, judge_of, request
from tests.annotate.openai_server import Options, echo, identity, question, serving
from tests.annotate.openai_wire_format import Sent, completion, error

__all__ = ["api_key"]  # a fixture


def test_it_is_a_judge():
    judge: Judge = OpenAI()
    assert (judge.name, judge.model, judge.has_batches, judge.tasks) == ("openai", "gpt-audio", True, None)
    assert judge.version.startswith("openai 3.")
    assert "openai" in plugins.names("judge")


# HTTP


def test_one_request_on_the_wire(clips, tones):
    """Prompt first, then each clip after its label, as the WAV of the very samples; key in the header; one request."""
    with serving(Options(key=CANARY)) as server:
        reply = attempt(judge_of(server, temperature=0.5), request("What is heard?", tones), clips)
    (body,), (headers,) = server.bodies, server.headers
    prompt, heard = question(body)
    assert prompt == "What is heard?"
    assert [part["text"] for part in body["messages"][0]["content"] if part["type"] == "text"][1:] == [
        "[Prompt Speech]",
        "[Speech A]",
        "[Speech B]",
    ]
    assert [(container, data[44:]) for container, data in heard] == [("wav", clips.pcm(tone)[0].tobytes()) for tone in tones]
    settings = {name: value for name, value in body.items() if name != "messages"}
    assert settings == {"model": "gpt-audio", "temperature": 0.5, "max_completion_tokens": 4096}
    assert headers["authorization"] == f"Bearer {CANARY}"
    assert reply.text == echo(prompt, heard)
    assert reply.raw is not None
    assert json.loads(reply.raw)["choices"][0]["message"]["content"] == reply.text


def test_a_question_about_text_is_a_plain_message():
    with serving() as server:
        reply = attempt(judge_of(server, model="gpt-4.1", temperature=None))
    assert server.bodies == [
        {"model": "gpt-4.1", "max_completion_tokens": 4096, "messages": [{"role": "user", "content": "Which one is better?"}]}
    ]
    assert isinstance(reply, Reply)


def test_clips_as_mp3(clips, tones):
    with serving() as server:
        attempt(judge_of(server, audio_format="mp3"), request(tones=tones), clips)
    assert [container for container, _ in question(server.bodies[0])[1]] == ["mp3"] * 3


def test_what_a_reply_says(clips, tones):
    """Usage by modality: 3 s of audio are 30 tokens; reasoning is part of the output; the price is that of gpt-audio."""
    with serving(Options(model_served="gpt-audio-2025-08-28", reasoning_tokens=100), lambda prompt, clips: "x" * 400) as server:
        reply = attempt(judge_of(server), request("y" * 400, tones), clips)
    assert isinstance(reply, Reply)
    assert (reply.model_served, reply.attempts) == ("gpt-audio-2025-08-28", 1)
    assert (reply.input_tokens, reply.output_tokens) == (110 + 30, 100 + 100)
    assert reply.cost_usd == pytest.approx((110 * 2.50 + 30 * 32.00 + 200 * 10.00) / 1e6)
    assert server.bill_usd == pytest.approx(reply.cost_usd)
    assert 0 < reply.latency_s < 20


def test_a_rerouted_model_is_told():
    with serving(Options(reroute=1.0)) as server:
        assert attempt(judge_of(server)).model_served == "gpt-audio-other"


@pytest.mark.parametrize(
    ("served", "name"),
    [
        ("/srv/models/SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct.Q4_1.gguf"),
        ("/data/Qwen2.5-Omni-7B/", "Qwen2.5-Omni-7B"),
        ("./qwen.gguf", "qwen.gguf"),
        ("~/models/qwen.gguf", "qwen.gguf"),
        (r"C:\models\qwen.gguf", "qwen.gguf"),
        (r"\\server\share\qwen.gguf", "qwen.gguf"),
        ("Qwen/Qwen2.5-Omni-7B", "Qwen/Qwen2.5-Omni-7B"),
        ("gpt-audio-2025-08-28", "gpt-audio-2025-08-28"),
    ],
)
def test_a_model_named_by_its_path_is_named_by_its_file(served, name):
    """Servers name a local model by where it lies there; rows hold that name and are released. A Hub id stays whole."""
    with serving(Options(model_served=served)) as server:
        assert attempt(judge_of(server)).model_served == name


def test_the_environment_does_not_choose_the_server(monkeypatch):
    """``OPENAI_BASE_URL`` would change the model that answers behind the recipe's back."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")

    async def main():
        async with OpenAI().open(None) as line:
            return str(line.http.client.base_url).rstrip("/"), line.http.client.max_retries

    assert asyncio.run(main()) == (OPENAI_URL, 0)


def test_names_of_the_account_stay_at_openai(monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    with serving() as server:
        attempt(judge_of(server))
    assert not {"openai-organization", "openai-project"} & set(server.headers[0])


def test_another_key(monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "abc")
    with serving(Options(key="abc")) as server:
        assert isinstance(attempt(judge_of(server, key_variable="OTHER_KEY")), Reply)
        assert attempt(judge_of(server)).advice == "check the key in OPENAI_API_KEY"


def test_no_key_for_a_server_of_ones_own(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving() as server:
        assert isinstance(attempt(judge_of(server, key_variable="")), Reply)
    assert server.headers[0]["authorization"] == "Bearer none"


# Size, estimates, configuration


def test_too_much_audio_is_not_sent(clips, tones):
    """3 s of 16 kHz WAV are 96,132 bytes."""
    with serving() as server:
        refusal = attempt(judge_of(server, max_audio_mb=0.096), request(tones=tones), clips)
        assert isinstance(refusal, Refusal)
        assert (refusal.reason, refusal.attempts, refusal.cost_usd) == ("audio_too_large", 0, 0.0)
        assert server.bodies == []
        assert isinstance(attempt(judge_of(server, max_audio_mb=0.097), request(tones=tones), clips), Reply)


def test_a_missing_clip_is_no_trouble_of_the_network(clips):
    with serving() as server, pytest.raises(DamagedPart):
        attempt(judge_of(server), request(tones=["ab" * 16]), clips)


@given(prompt=st.text(max_size=300), text=st.text(min_size=1, max_size=300).filter(str.strip), halves=st.integers(0, 40))
def test_no_answer_costs_more_than_estimated(prompt, text, halves):
    """The server counts 10 tokens a second and a token for four bytes; a reply is at most as long as allowed."""
    judge = OpenAI(max_output_tokens=512)
    estimate = judge.estimate(prompt, halves / 2)
    sent, heard = len(prompt.encode()) + 10 + halves * 5, halves * 5
    body = completion(text, sent=sent, heard=heard, back=512)
    reply = answer(body, "", price=judge.price, highest=estimate)
    assert reply.cost_usd <= estimate.usd
    assert reply.input_tokens <= estimate.input_tokens
    assert judge.estimate(prompt, halves / 2, batch=True).usd == pytest.approx(estimate.usd / 2)


def test_a_line_estimates_by_the_clips_own_length(clips, tones):
    async def main():
        async with OpenAI().open(clips) as line:
            return await line.estimate(request("hello", tones))

    assert asyncio.run(main()) == OpenAI().estimate("hello", 3.0)


def test_params_are_what_changes_an_answer():
    assert OpenAI().params() == {"temperature": 0.0, "max_output_tokens": 4096, "audio_format": "wav"}
    one, other = (OpenAI(base_url=url, model="qwen").params() for url in ("http://a:1/v1", "http://b:1/v1"))
    assert one != other
    assert OpenAI(base_url="http://a:1/v1/", model="qwen", concurrency=99, timeout_s=1).params() == one


def test_prices():
    assert OpenAI().price == PRICES["gpt-audio"]
    assert OpenAI(model="x", usd_per_million=[1, 2, 3]).price == Price(text_input=1, audio_input=2, output=3)
    local = OpenAI(model="Qwen/Qwen2.5-Omni-7B", base_url="http://localhost:8000/v1")
    assert local.estimate("x" * 1000, 60).usd == 0
    assert OpenAI(model="gpt-4.1", base_url="https://proxy.example/v1").price == PRICES["gpt-4.1"]


def test_batches_are_openais_unless_said_otherwise():
    local = {"model": "m", "base_url": "http://localhost:8000/v1"}
    assert OpenAI().has_batches
    assert not OpenAI(**local).has_batches
    assert OpenAI(**local, batches=True).has_batches
    with pytest.raises(SetupError, match="has no batches"):
        asyncio.run(OpenAI(**local).open_batches(None).__aenter__())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "gpt-4.1-2025-04-14"}, "no price is known"),
        ({"usd_per_million": [1, 2]}, "three numbers"),
        ({"concurrency": 0}, "concurrency"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"base_url": "localhost:8000"}, "base_url must be an address"),
        ({"base_url": "http://u:p@localhost/v1"}, "must not hold a login"),
        ({"base_url": "http://localhost:99999/v1"}, "base_url must be an address"),
        ({"key_variable": ""}, "only a server of one's own"),
        ({"audio_format": "flac"}, "wav"),
        ({"temprature": 1}, "Did you mean 'temperature'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(RecipeError, match=message):
        plugins.configure("judge", "openai", options)


def test_pace_from_a_recipe():
    judge = plugins.configure("judge", "openai", {"concurrency": 3, "tokens_per_minute": 5000, "temperature": None})
    assert (judge.pace.concurrency, judge.pace.tokens_per_minute, judge.temperature) == (3, 5000, None)
    assert {field.name for field in dataclasses.fields(judge.pace)} < {field.name for field in dataclasses.fields(judge)}


@pytest.mark.parametrize("value", ["", "  ", "two words", "schl\u00fcssel", "line\nbreak"])
def test_a_key_that_is_none(monkeypatch, value):
    monkeypatch.setenv("OPENAI_API_KEY", value)
    problem = OpenAI().missing()
    assert problem is not None
    assert "OPENAI_API_KEY" in problem
    assert value.strip() == "" or value not in problem
    with pytest.raises(SetupError, match="OPENAI_API_KEY"):
        asyncio.run(OpenAI().open(None).__aenter__())


# Exactly one request each, at once


def test_many_at_once_each_sent_once(clips, tones):
    """100 requests, 16 at a time, a tenth of them dropped on the way: 100 arrive, and every reply is to its own question."""
    options = Options(seed=3, jitter_s=0.01, faults={"drop_before": 0.05, "drop_after": 0.05, "server_error": 0.05})
    asked = [request(f"question {number}", [tones[number % 3]], key=str(number)) for number in range(100)]

    async def main():
        async with judge.open(clips) as line:
            gate = asyncio.Semaphore(16)

            async def one(each):
                async with gate:
                    return await line.attempt(each)

            return await asyncio.gather(*map(one, asked))

    with serving(options) as server:
        judge = judge_of(server)
        found = asyncio.run(main())
    assert len(server.bodies) == len({identity(body) for body in server.bodies}) == 100
    replies = [(each, reply) for each, reply in zip(asked, found, strict=True) if isinstance(reply, Reply)]
    failures = [reply for reply in found if isinstance(reply, AttemptFailure)]
    assert len(replies) == server.counters()["answered"]
    assert len(failures) == sum(server.faults.values()) > 5
    assert {failure.reason for failure in failures} == {"connection_lost", "server_error"}
    for each, reply in replies:
        tone = clips.pcm(each.audios[0].audio_id)[0].tobytes()
        (heard,) = [question(body)[1] for body in server.bodies if question(body)[0] == each.prompt]
        assert heard[0][1][44:] == tone
        assert reply.text == echo(each.prompt, heard)


def test_the_bill_is_never_understated():
    """What is booked for replies, and at the highest price for lost ones, covers what the server bills."""
    faults = {"drop_after": 0.2, "truncated": 0.1, "malformed": 0.1, "html": 0.1, "empty": 0.1, "drop_before": 0.1}
    with serving(Options(seed=5, faults=faults)) as server:
        judge = judge_of(server)
        found = attempts(judge, [request(f"question {number}") for number in range(60)])
    highest = judge.estimate("question 59", 0).usd
    booked = sum(
        highest if isinstance(each, AttemptFailure) and each.lost else getattr(each, "cost_usd", 0.0) for each in found
    )
    assert server.counters()["answered"] == sum(isinstance(each, Reply) for each in found) < 60
    assert 0 < server.bill_usd <= booked


# The server as a process


def test_the_server_as_a_process_of_its_own():
    """It tells its address, enforces its limit, and counts over HTTP."""
    options = {"requests_per_minute": 3, "minute_s": 60, "answer": "tests.annotate.openai_server:echo"}
    command = [sys.executable, "-m", "tests.annotate.openai_server", json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = json.loads(process.stdout.readline())["url"]
        found = attempts(OpenAI(base_url=url, model="m"), [request(f"q{number // 2}") for number in range(4)])
        with urllib.request.urlopen(url.removesuffix("/v1") + "/counters?all=1") as reply:
            counters = json.load(reply)
        process.kill()
    assert [type(each) for each in found] == [Reply, Reply, Reply, AttemptFailure]
    assert 50 < found[3].wait_s <= 60
    assert (counters["requests"], counters["distinct"], counters["answered"], counters["answered_twice"]) == (4, 2, 3, 1)
    assert sorted(counters["answers"].values()) == [1, 2]
    assert counters["bill_usd"] > 0


def test_credit_runs_out():
    with serving(Options(credit_usd=1e-9)) as server:
        found = attempts(judge_of(server), [request()] * 2)
    assert isinstance(found[0], Reply)
    assert found[1].reason == "quota_gone"


SCOPES = "You have insufficient permissions for this operation. Missing scopes: api.model.read."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": CANARY, "models": ("gpt-audio", "gpt-4.1")}, None),
        ({"key": "sk-another", "models": ("gpt-audio",)}, "HTTP 401: Incorrect API key provided: "),
        ({"models_route": lambda key: error(401, "invalid_api_key", f"No such key: {key}")}, "HTTP 401: No such key: "),
        ({"models_route": lambda key: error(403, None, "Country, region, or territory not supported")}, "HTTP 403"),
        ({"models_route": lambda key: error(403, None, SCOPES)}, None),
        ({"models_route": lambda key: error(401, None, SCOPES)}, None),
        ({"key": CANARY}, None),  # a compatible server without the route
        ({"models_route": lambda key: error(429, "rate_limit_exceeded", "busy")}, None),
        ({"models_route": lambda key: error(500, None, "oops")}, None),
        ({"models_route": lambda key: Sent(body={"object": "list", "data": [{"id": "qwen"}]})}, None),
    ],
)
def test_a_refused_key_is_found_out_for_nothing(options, said):
    """Asking for the models tells it: one line with the variable, never the key. What says nothing of the key is no error."""
    with serving(Options(**options)) as server:
        problem = judge_of(server).key_problem()
        assert server.bodies == []
    if said is None:
        assert problem is None
        return
    assert problem.startswith(f"the API key in OPENAI_API_KEY is refused: {said}")
    assert "check the key in OPENAI_API_KEY" in problem
    assert CANARY not in problem
    assert CANARY[-4:] not in problem
    assert "\n" not in problem


def test_who_wants_no_key_or_does_not_answer_refuses_none():
    """A server of one's own may start later; nobody is asked where no key is sent."""
    with serving(Options(models_route=lambda key: error(401, None, "no"))) as server:
        assert judge_of(server, key_variable="").key_problem() is None
    assert OpenAI(base_url="http://127.0.0.1:9/v1").key_problem() is None
