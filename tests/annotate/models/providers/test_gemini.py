"""The Gemini judge against a server that speaks the wire format: real SDK, real HTTP, every failure it can meet."""

import asyncio
import json
import logging
import traceback

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.judge import Pace
from annotate.models.providers.gemini.client import PLUGIN, Gemini
from annotate.models.request import AttemptFailure, JudgeRequest, LabelledAudio, Refusal, Reply
from contracts import plugins
from contracts.errors import DamagedPart, RecipeError, SetupError
from tests.annotate.gemini_asking import CANARY, LABELS, api_key, attempt, attempts, gemini, spoken, text
from tests.annotate.gemini_files import FileStore
from tests.annotate.gemini_replies import quota_failure, response, retry_info, uploaded_clips
from tests.annotate.gemini_server import (
    AUDIO_TOKENS,
    REPLY_TOKENS,
    TEXT_TOKENS,
    THOUGHT_TOKENS,
    Answer,
    error,
    reply,
    serving,
)

__all__ = ["api_key"]  # a fixture

# gemini-2.5-flash: $0.30 text input, $1.00 audio input, $2.50 output per million tokens.
REPLY_USD = (TEXT_TOKENS * 0.30 + AUDIO_TOKENS * 1.00 + (REPLY_TOKENS + THOUGHT_TOKENS) * 2.50) / 1e6


@pytest.fixture(scope="module")
def ask():
    """One open line for many tests: what the server answers to one question about text -> outcome and requests that it saw."""
    with pytest.MonkeyPatch.context() as patch, serving() as server, asyncio.Runner() as runner:
        patch.setenv("GEMINI_API_KEY", CANARY)
        opened = gemini(server).open(None)
        line = runner.run(opened.__aenter__())

        def asked(answer: Answer) -> tuple[Reply | Refusal | AttemptFailure, int]:
            server.script, before = (lambda _n, _p: answer), server.number
            return runner.run(line.attempt(text("q"))), server.number - before

        yield asked
        runner.run(opened.__aexit__(None, None, None))


def test_one_request_on_the_wire(clips, tones):
    """Prompt first, then each clip after its label, as FLAC; key in the header; the settings of the judge."""
    with serving(lambda n, p: Answer(body=reply(f"heard {p}"))) as server:
        got = attempt(gemini(server, temperature=0.5), spoken("hello there", tones), clips)
    assert server.prompts == ["hello there"]
    assert server.audio(0) == [
        (f"[{label}]", "audio/flac", clips.encoded(tone)) for label, tone in zip(LABELS, tones, strict=True)
    ]
    assert server.paths == ["/v1beta/models/gemini-2.5-flash:generateContent"]
    assert server.keys == [CANARY]
    assert server.bodies[0]["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 4096, "candidateCount": 1}
    assert isinstance(got, Reply)
    assert (got.text, got.model_served, got.attempts) == ("heard hello there", "gemini-2.5-flash-001", 1)
    assert (got.input_tokens, got.output_tokens) == (TEXT_TOKENS + AUDIO_TOKENS, REPLY_TOKENS + THOUGHT_TOKENS)
    assert got.cost_usd == pytest.approx(REPLY_USD)
    assert got.latency_s is not None
    assert 0 < got.latency_s < 10
    assert json.loads(got.raw or "")["usageMetadata"]["promptTokensDetails"][1] == {
        "modality": "AUDIO",
        "tokenCount": AUDIO_TOKENS,
    }


def test_a_question_about_text_needs_no_clips():
    """Without audio there is one part, and without token details all of it costs what text costs."""
    made = response("fine", 1000, 0, 1)
    del made["usageMetadata"]["promptTokensDetails"]
    with serving(lambda n, p: Answer(body=made)) as server:
        got = attempt(gemini(server), text("clean this"))
    assert server.bodies[0]["contents"] == [{"parts": [{"text": "clean this"}], "role": "user"}]
    assert isinstance(got, Reply)
    assert got.cost_usd == pytest.approx((1000 * 0.30 + 2.50) / 1e6)


def test_thoughts_are_paid_for_and_left_out():
    """Parts marked as thoughts are no part of the answer; several parts are one answer; the served model may be another."""
    parts = [{"text": "let me see", "thought": True}, {"text": "yes, "}, {"text": "indeed"}]
    made = reply("x", modelVersion="gemini-3-experimental")
    made["candidates"][0]["content"]["parts"] = parts
    with serving(lambda n, p: Answer(body=made)) as server:
        got = attempt(gemini(server), text("q"))
    assert isinstance(got, Reply)
    assert (got.text, got.model_served) == ("yes, indeed", "gemini-3-experimental")


def test_a_reply_without_usage_costs_what_was_reserved(clips, tones):
    """What is unknown is booked at its highest price."""
    made = reply("x")
    del made["usageMetadata"]
    request = spoken("q", tones)
    with serving(lambda n, p: Answer(body=made)) as server:
        judge = gemini(server)

        async def run():
            async with judge.open(clips) as line:
                return await line.attempt(request), await line.estimate(request)

        got, highest = asyncio.run(run())
    assert isinstance(got, Reply)
    assert got.cost_usd == highest.usd > 0


EXHAUSTED = "Resource has been exhausted (e.g. check quota)."
PLAN = "You exceeded your current quota, please check your plan and billing details."
PER_MINUTE, PER_DAY = "GenerateRequestsPerMinutePerProjectPerModel", "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


def refused(status, word, message, *details, **headers):
    return Answer(status=status, body=error(status, word, message, list(details)), headers=headers)


TROUBLES = {
    "429": (refused(429, "RESOURCE_EXHAUSTED", "slow down"), "rate_limited", "throttled", False),
    "429 of a busy server": (refused(429, "RESOURCE_EXHAUSTED", EXHAUSTED), "rate_limited", "throttled", False),
    "429 per minute": (
        refused(429, "RESOURCE_EXHAUSTED", PLAN, quota_failure(PER_MINUTE), retry_info(36)),
        "rate_limited",
        "throttled",
        False,
    ),
    "429 without JSON": (Answer(status=429, body="slow down"), "rate_limited", "throttled", False),
    "429 per day": (
        refused(429, "RESOURCE_EXHAUSTED", PLAN, quota_failure(PER_MINUTE, PER_DAY), retry_info(36)),
        "quota_gone",
        "all_requests",
        False,
    ),
    "429 without an end": (refused(429, "RESOURCE_EXHAUSTED", PLAN), "quota_gone", "all_requests", False),
    "429 for half a day": (
        Answer(status=429, body=error(429, "RESOURCE_EXHAUSTED", "later"), headers={"Retry-After": "40000"}),
        "quota_gone",
        "all_requests",
        False,
    ),
    "429 without credit": (
        refused(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", retry_info(1)),
        "quota_gone",
        "all_requests",
        False,
    ),
    "402": (refused(402, "", "pay"), "quota_gone", "all_requests", False),
    "500": (refused(500, "INTERNAL", "oops"), "server_error", "transient", False),
    "503 in HTML": (Answer(status=503, body="<html>overloaded</html>"), "server_error", "transient", False),
    "504": (refused(504, "DEADLINE_EXCEEDED", "too slow"), "server_error", "transient", True),
    "500 with a list": (Answer(status=500, body=[1]), "server_error", "transient", False),
    "500 with a word": (Answer(status=500, body={"error": "word"}), "server_error", "transient", False),
    "500 of binary": (Answer(status=500, body=b"\xff\xfe"), "server_error", "transient", False),
    "dropped connection": (Answer(body=None), "connection_lost", "transient", True),
    "truncated body": (Answer(body=reply("x"), cut=20), "connection_lost", "transient", True),
    "false gzip": (Answer(body=reply("x"), headers={"Content-Encoding": "gzip"}), "connection_lost", "transient", True),
    "malformed JSON": (Answer(body='{"candidates": ['), "malformed_body", "transient", True),
    "deep JSON": (Answer(body="[" * 100_000), "malformed_body", "transient", True),
    "HTML with 200": (Answer(body="<html>hello</html>"), "malformed_body", "transient", True),
    "empty object": (Answer(body={}), "malformed_body", "transient", True),
    "empty body": (Answer(body=""), "malformed_body", "transient", True),
    "list": (Answer(body=[]), "malformed_body", "transient", True),
    "null": (Answer(body="null"), "malformed_body", "transient", True),
    "wrong shape": (Answer(body={"candidates": "none"}), "malformed_body", "transient", True),
    "400": (refused(400, "INVALID_ARGUMENT", "audio too long"), "bad_request", "request", False),
    "413": (refused(413, "", "too large"), "bad_request", "request", False),
    "400 for the key": (
        refused(400, "INVALID_ARGUMENT", "no", {"@type": "google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}),
        "key_refused",
        "all_requests",
        False,
    ),
    "400 for the country": (refused(400, "FAILED_PRECONDITION", "not available here"), "key_refused", "all_requests", False),
    "401": (refused(401, "UNAUTHENTICATED", "no"), "key_refused", "all_requests", False),
    "403": (refused(403, "PERMISSION_DENIED", "no"), "key_refused", "all_requests", False),
    "404": (refused(404, "NOT_FOUND", "no such model"), "no_such_model", "all_requests", False),
    "302": (Answer(status=302, body="", headers={"Location": "http://portal.example"}), "unreachable", "all_requests", False),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_every_trouble_is_one_request_and_a_value(name, ask):
    """One attempt is one HTTP request whatever comes back; whoever can act is named, and what may have been billed is said."""
    answer, reason, kind, lost = TROUBLES[name]
    got, requests = ask(answer)
    assert requests == 1
    assert isinstance(got, AttemptFailure)
    assert (got.reason, got.kind, got.lost) == (reason, kind, lost)
    assert (got.advice != "") == (kind == "all_requests")


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (Answer(status=429, body=error(429, "RESOURCE_EXHAUSTED", "wait"), headers={"Retry-After": "7"}), 7.0),
        (refused(429, "RESOURCE_EXHAUSTED", "wait", retry_info(2.5)), 2.5),
        (refused(429, "RESOURCE_EXHAUSTED", "wait"), None),
        (Answer(status=503, body="down", headers={"Retry-After": "3"}), 3.0),
    ],
)
def test_the_wait_that_the_server_asks_for_is_said(answer, wait_s, ask):
    """As a header or in the body."""
    got, _ = ask(answer)
    assert isinstance(got, AttemptFailure)
    assert got.wait_s == wait_s


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1000}}, "blocked"),
        ({"candidates": [{"finishReason": "SAFETY", "index": 0}], "usageMetadata": {"promptTokenCount": 1000}}, "blocked"),
        ({"candidates": [{"finishReason": "PROHIBITED_CONTENT", "content": {"role": "model"}}]}, "blocked"),
        (
            {"candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": [{"text": "hm", "thought": True}]}}]},
            "empty_reply",
        ),
        ({"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": ""}]}}]}, "empty_reply"),
        ({"candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": [{"text": "Output B: 1"}]}}]}, "truncated_reply"),
    ],
)
def test_a_reply_without_text_or_its_end_is_a_refusal_with_its_price(body, reason, ask):
    """It is final, its tokens are paid for, and the whole reply is kept."""
    got, _ = ask(Answer(body=body))
    assert isinstance(got, Refusal)
    assert got.reason == reason
    assert json.loads(got.raw or "") == body
    assert got.cost_usd == pytest.approx(1000 * 0.30 / 1e6 if "usageMetadata" in body else Gemini().estimate("q", 0).usd)


BLOCKED = {"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"}


@pytest.mark.filterwarnings("ignore:.*is not a valid FinishReason")
@pytest.mark.parametrize("finish", [*(each.value for each in types.FinishReason), "stop", "NEW_REASON", None])
def test_only_a_reply_that_ended_by_itself_is_whole(finish):
    """Every finish reason of the SDK, one that it does not know yet, and none: text came with each of them."""
    candidate = {"content": {"parts": [{"text": "Output A: 8, Output B: 1"}]}}
    body = {"candidates": [candidate if finish is None else candidate | {"finishReason": finish}]}
    text = Gemini().text_in(json.dumps(body))
    if finish in ("STOP", "stop"):
        assert text == "Output A: 8, Output B: 1"
        return
    assert isinstance(text, Refusal)
    assert text.reason == {"MAX_TOKENS": "truncated_reply"}.get(finish, "blocked" if finish in BLOCKED else "unfinished_reply")


def test_a_slow_reply_is_given_up():
    """It may have been made and billed."""
    with serving(lambda n, p: Answer(body=reply("late"), delay_s=2.0)) as server:
        got = attempt(gemini(server, timeout_s=0.3), text("q"))
    assert isinstance(got, AttemptFailure)
    assert (got.reason, got.kind, got.lost) == ("timeout", "transient", True)


def test_nobody_listens():
    """Nothing was sent, so nothing can be lost."""
    with serving() as server:
        url = server.url
    got = attempt(Gemini(base_url=url), text("q"))
    assert isinstance(got, AttemptFailure)
    assert (got.reason, got.kind, got.lost) == ("unreachable", "transient", False)
    assert "network" in got.advice


def test_a_missing_clip_is_said(clips):
    """A file that vanished from the workspace is for a person, not for the provider."""
    with serving() as server, pytest.raises(DamagedPart, match="restore the file from a backup"):
        attempt(gemini(server), spoken("q", ["0" * 32]), clips)
    assert server.prompts == []


def test_a_request_too_large_is_sent_by_address(clips, tones):
    """Two requests at once share three clips: each is uploaded once, waited for, and named by address in both."""
    files = FileStore(polls=1)
    with serving(files=files) as server:
        got = attempts(gemini(server, inline_mb=0.001), [spoken("one", tones), spoken("two", tones)], clips)
    assert [type(answer) for answer in got] == [Reply, Reply]
    assert sorted(files.uploads) == sorted(tones)
    assert server.audio(0) == []
    named = [uploaded_clips(body) for body in server.bodies]
    assert named[0] == named[1]
    assert [label for label, _ in named[0]] == [f"[{label}]" for label in LABELS]
    assert [files.resolve(uri) for _, uri in named[0]] == [clips.encoded(tone) for tone in tones]


def test_ten_clips_go_as_one_request(clips, tones):
    """A dialogue of ten clips stays inside the request up to the limit, and leaves it one byte later."""
    history = JudgeRequest(
        key="k", prompt="who is friendly?", audios=tuple(LabelledAudio(f"Turn {n}", tones[n % 3]) for n in range(10))
    )
    body_mb = sum(-(-len(clips.encoded(audio.audio_id)) // 3) * 4 for audio in history.audios) / 1e6
    with serving() as server:
        attempt(gemini(server, inline_mb=body_mb + 0.01), history, clips)
        attempt(gemini(server, inline_mb=body_mb - 0.001), history, clips)
    assert len(server.audio(0)) == 10
    assert (len(server.audio(1)), len(uploaded_clips(server.bodies[1]))) == (0, 10)
    assert sorted(server.files.uploads) == sorted(tones)


def test_a_file_that_is_gone_is_uploaded_again(clips, tones):
    """The API says 403 of a file that it dropped: that is no refused key, and the next attempt brings the file anew."""
    with serving() as server:

        async def run():
            async with gemini(server, inline_mb=0.001).open(clips) as line:
                first = await line.attempt(spoken("one", tones[:1]))
                for file in server.files.files.values():
                    file.until = 0.0
                return first, await line.attempt(spoken("two", tones[:1])), await line.attempt(spoken("two", tones[:1]))

        first, gone, again = asyncio.run(run())
    assert isinstance(first, Reply)
    assert isinstance(gone, AttemptFailure)
    assert (gone.reason, gone.kind, gone.lost) == ("expired", "transient", False)
    assert isinstance(again, Reply)
    assert server.files.uploads == [tones[0]] * 2


def test_a_file_about_to_expire_is_uploaded_again(clips, tones):
    """A clip must outlive the request that names it."""
    with serving(files=FileStore(lifetime_s=300.0)) as server:

        async def run():
            async with gemini(server, inline_mb=0.001).open(clips) as line:
                return [await line.attempt(spoken(prompt, tones[:1])) for prompt in ("one", "two")]

        assert [type(answer) for answer in asyncio.run(run())] == [Reply, Reply]
    assert len(server.files.uploads) == 2


@pytest.mark.parametrize(
    ("files", "reason", "kind"),
    [
        (FileStore(refuse=[refused(500, "INTERNAL", "oops")]), "server_error", "transient"),
        (FileStore(refuse=[refused(403, "PERMISSION_DENIED", "no")]), "key_refused", "all_requests"),
        (FileStore(refuse=[refused(429, "RESOURCE_EXHAUSTED", "slow down")]), "rate_limited", "throttled"),
        (FileStore(refuse=[Answer(body={})]), "malformed_body", "transient"),
        (FileStore(refuse=[Answer()]), "connection_lost", "transient"),
        (FileStore(ends_in="FAILED"), "server_error", "transient"),
        (FileStore(polls=1000), "timeout", "transient"),
    ],
)
def test_a_failed_upload_costs_nothing(files, reason, kind, clips, tones):
    """Nothing was asked, so nothing is lost; the next attempt uploads again."""
    with serving(files=files) as server:
        got = attempt(gemini(server, inline_mb=0.001, timeout_s=1.0), spoken("q", tones), clips)
    assert isinstance(got, AttemptFailure)
    assert (got.reason, got.kind, got.lost) == (reason, kind, False)
    assert server.prompts == []


@given(prompt=st.text(min_size=1, max_size=400), audio_s=st.floats(0, 3600))
def test_no_reply_costs_more_than_the_estimate(prompt, audio_s):
    """Four characters a token and 32 tokens a second of audio stay below it; a batch costs half."""
    judge = Gemini()
    most, half = judge.estimate(prompt, audio_s), judge.estimate(prompt, audio_s, batch=True)
    usd = (len(prompt) / 4 * 0.30 + 32 * audio_s * 1.00 + 4096 * 2.50) / 1e6
    assert usd < most.usd < usd * 1.1 + 0.001
    assert half.usd == pytest.approx(most.usd / 2)
    assert most.output_tokens == 4096


def test_the_estimate_hears_the_clips(clips, tones):
    """Three clips of 0.5, 1 and 1.5 s count as 1 + 1 + 2 seconds; the server's bill stays below."""
    with serving() as server:

        async def run():
            async with gemini(server).open(clips) as line:
                request = spoken("q", tones)
                return await line.estimate(request), await line.attempt(request)

        most, got = asyncio.run(run())
    labels = "[Prompt Speech][Speech A][Speech B]"
    assert most == Gemini().estimate("q" + labels, 4.0)
    assert most.input_tokens >= 4 * 32 + len(labels)
    assert server.bill.audio_tokens == 96
    assert isinstance(got, Reply)
    assert got.cost_usd == pytest.approx(server.bill.usd)
    assert server.bill.usd < most.usd


def test_the_key_shows_up_nowhere(clips, tones, *, caplog, capfd):
    """A server that echoes the key in errors and replies, plain or escaped: not in messages, raw bodies, logs or output."""
    caplog.set_level(logging.DEBUG)
    escaped = json.dumps(reply("I saw KEY")).replace("KEY", "\\u0041" + CANARY[1:])
    echoes = [
        refused(500, "INTERNAL", f"key {CANARY} has trouble"),
        refused(429, "RESOURCE_EXHAUSTED", f"key {CANARY} is busy"),
        Answer(body=f'{{"candidates": "{CANARY}"}}'),
        Answer(body=f"<html>{CANARY}</html>"),
        Answer(body=reply(f"I saw {CANARY}", modelVersion=f"m-{CANARY}")),
        Answer(body=escaped),
        refused(400, "INVALID_ARGUMENT", f"bad {CANARY}"),
        refused(403, "PERMISSION_DENIED", f"{CANARY} is not allowed"),
    ]
    with serving(lambda n, p: echoes[n]) as server:
        judge = gemini(server)
        requests = [spoken(f"q{n}", tones) for n in range(len(echoes))]
        seen = repr(judge) + repr(attempts(judge, requests, clips))
    assert server.keys == [CANARY] * len(echoes)
    assert "PERMISSION_DENIED" in seen
    assert "I saw ***" in seen
    seen += caplog.text + "".join(capfd.readouterr())
    assert CANARY not in seen


def test_a_placeholder_is_no_secret(monkeypatch):
    """A proxy without keys gets any word for one, and that word stays in the replies."""
    monkeypatch.setenv("GEMINI_API_KEY", "none")
    with serving(lambda n, p: Answer(body=reply("there is none"))) as server:
        got = attempt(gemini(server), text("q"))
    assert isinstance(got, Reply)
    assert got.text == "there is none"


def test_no_key_is_said_before_anything_runs(monkeypatch):
    """Both names of the variable work; without either, or with a key that cannot be sent, the judge says so and not the key."""
    assert Gemini().missing() is None
    monkeypatch.setenv("GEMINI_API_KEY", "k\u00e9y with spaces")
    said = Gemini().missing() or ""
    assert "copy it again" in said
    assert "k\u00e9y" not in said
    monkeypatch.delenv("GEMINI_API_KEY")
    assert "set the environment variable GEMINI_API_KEY or GOOGLE_API_KEY" in (Gemini().missing() or "")
    with pytest.raises(SetupError, match="GEMINI_API_KEY"):
        attempt(Gemini(base_url="http://127.0.0.1:1"), text("q"))
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    assert Gemini().missing() is None


def test_options_are_checked():
    """A model without a price, a wrong price and a useless limit are recipe errors."""
    assert plugins.load("judge", "gemini") is PLUGIN
    assert plugins.configure("judge", "gemini", {"model": "gemini-2.0-flash"}).price.output == 0.40
    assert Gemini(model="new", usd_per_million=[1, 2, 3]).price.audio_input == 2
    wrong = [
        {"model": "unheard-of"},
        {"usd_per_million": [1, 2]},
        {"usd_per_million": [1, 2, -3]},
        {"concurrency": 0},
        {"requests_per_minute": 0},
        {"max_output_tokens": 0},
        {"inline_mb": 0},
        {"batch_requests": 0},
        {"base_url": "api.example"},
        {"modle": "x"},
    ]
    for options in wrong:
        with pytest.raises(RecipeError):
            plugins.configure("judge", "gemini", options)


def test_free_running_settings_do_not_change_the_key():
    """Only what can change an answer is a parameter; what sets the pace is the pace."""
    hasty = Gemini(concurrency=2, timeout_s=9.0, base_url="http://x", max_attempts=1, requests_per_minute=60, batch_mb=1)
    assert hasty.params() == Gemini().params()
    assert Gemini(temperature=0.7).params() != Gemini().params()
    assert hasty.pace == Pace(concurrency=2, timeout_s=9.0, max_attempts=1, requests_per_minute=60)


def test_a_defect_is_not_hidden(monkeypatch, clips, tones):
    """What is no failure of provider or network comes out as it is."""

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("annotate.models.providers.gemini.uploads.ClipUploads.parts", broken)
    with serving() as server, pytest.raises(ZeroDivisionError) as raised:
        attempt(gemini(server), spoken("q", tones), clips)
    assert CANARY not in "".join(traceback.format_exception(raised.value))
