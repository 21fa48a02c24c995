"""HTTP requests to an OpenAI-compatible server: the failure that each error means, and that no secret comes through."""

import contextlib
import datetime as dt
import email.utils
import json
import logging
import math
import socket
import threading
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.chat_completion import Choice

from annotate.models.prices import Price
from annotate.models.providers.openai.chat import answer, text_of
from annotate.models.providers.openai.client import OpenAI
from annotate.models.providers.openai.http_client import asked_to_wait_s
from annotate.models.request import AttemptFailure, Estimate, Refusal, Reply
from tests.annotate.openai_asking import CANARY, api_key, attempt, attempts, judge_of, request
from tests.annotate.openai_server import NO_CREDIT, Server, serving
from tests.annotate.openai_wire_format import Sent, completion, error

__all__ = ["api_key"]  # a fixture


def scripted(server: Server, sent: Sent, **options):
    server.script = lambda number, body: sent
    return attempt(judge_of(server, **options))


# Troubles: exactly one request each

OUTCOMES = {
    "rate limit": (
        error(429, "rate_limit_exceeded", "Rate limit reached", "requests", headers={"retry-after": "7"}),
        {"reason": "rate_limited", "kind": "throttled", "lost": False, "wait_s": 7.0},
    ),
    "rate limit, precisely": (
        error(429, "rate_limit_exceeded", "Rate limit reached", headers={"retry-after": "1", "retry-after-ms": "250"}),
        {"reason": "rate_limited", "kind": "throttled", "wait_s": 0.25},
    ),
    "rate limit, by its window": (
        error(
            429,
            "rate_limit_exceeded",
            "Rate limit reached",
            headers={
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-reset-requests": "20ms",
            },
        ),
        {"kind": "throttled", "wait_s": 360.0},
    ),
    "too large for a minute": (
        error(429, "rate_limit_exceeded", "Request too large for gpt-audio on tokens per min (TPM)", "tokens"),
        {"reason": "bad_request", "kind": "request"},
    ),
    "quota": (NO_CREDIT, {"reason": "quota_gone", "kind": "all_requests", "lost": False}),
    "credit, elsewhere": (error(402, None, "Insufficient Balance"), {"reason": "quota_gone", "kind": "all_requests"}),
    "500": (error(500, None, "oops", "server_error"), {"reason": "server_error", "kind": "transient", "lost": False}),
    "503": (
        error(503, None, "overloaded", "server_error", headers={"retry-after": "3"}),
        {"reason": "server_error", "kind": "transient", "lost": False, "wait_s": 3.0},
    ),
    "504": (Sent(504, "<html>", kind="text/html"), {"reason": "server_error", "kind": "transient", "lost": True}),
    "409": (error(409, None, "lock"), {"reason": "server_error", "kind": "transient", "lost": False}),
    "408": (error(408, None, "slow"), {"reason": "timeout", "kind": "transient", "lost": False}),
    "dropped": (Sent(), {"reason": "connection_lost", "kind": "transient", "lost": True}),
    "truncated": (Sent(body=completion("x"), cut=9), {"reason": "connection_lost", "kind": "transient", "lost": True}),
    "malformed": (Sent(body='{"choices": ['), {"reason": "malformed_body", "kind": "transient", "lost": True}),
    "html": (Sent(body="<html>", kind="text/html"), {"reason": "malformed_body", "kind": "transient", "lost": True}),
    "empty object": (Sent(body={}), {"reason": "malformed_body", "kind": "transient", "lost": True}),
    "a list": (Sent(body=[1]), {"reason": "malformed_body", "kind": "transient", "lost": True}),
    "no choice": (Sent(body={"choices": []}), {"reason": "malformed_body", "lost": True}),
    "null choice": (Sent(body={"choices": [None]}), {"reason": "malformed_body", "lost": True}),
    "no message": (Sent(body={"choices": [{"index": 0}]}), {"reason": "malformed_body", "lost": True}),
    "text of another type": (Sent(body={"choices": [{"message": {"content": 7}}]}), {"reason": "malformed_body"}),
    "nested without end": (Sent(body="[" * 100_000), {"reason": "malformed_body", "lost": True}),
    "bytes that are no text": (Sent(body=b"\xff\xfe\x00"), {"reason": "malformed_body", "lost": True}),
    "bad request": (error(400, None, "Invalid audio"), {"reason": "bad_request", "kind": "request", "lost": False}),
    "too long": (error(400, "context_length_exceeded", "Too long", param="messages"), {"kind": "request"}),
    "413": (Sent(413, "too large", kind="text/plain"), {"reason": "bad_request", "kind": "request"}),
    "422": (Sent(422, {"detail": "no audio"}), {"reason": "bad_request", "kind": "request"}),
    "policy": (error(400, "content_filter", "Filtered"), {"reason": "blocked", "kind": "request"}),
    "temperature": (
        error(400, "unsupported_value", "Unsupported value: 'temperature'", param="temperature"),
        {
            "reason": "bad_request",
            "kind": "all_requests",
            "advice": "this model takes no such temperature: change the options",
        },
    ),
    "key": (error(401, "invalid_api_key", "Incorrect"), {"reason": "key_refused", "kind": "all_requests"}),
    "forbidden": (error(403, None, "Country not supported"), {"reason": "key_refused", "kind": "all_requests"}),
    "model": (error(404, "model_not_found", "No such model"), {"reason": "no_such_model", "kind": "all_requests"}),
    "model, by vLLM": (
        Sent(404, {"object": "error", "message": "The model `q` does not exist.", "type": "NotFoundError", "code": 404}),
        {"reason": "no_such_model", "kind": "all_requests", "message": "HTTP 404: The model `q` does not exist."},
    ),
    "model, as a parameter": (error(400, None, "invalid model ID", param="model"), {"reason": "no_such_model"}),
    "elsewhere": (Sent(307, "", {"Location": "/v1/elsewhere"}), {"reason": "unreachable", "kind": "all_requests"}),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_troubles(name):
    sent, wanted = OUTCOMES[name]
    with serving() as server:
        failure = scripted(server, sent)
    assert isinstance(failure, AttemptFailure)
    assert {field: getattr(failure, field) for field in wanted} == wanted
    assert len(server.bodies) == 1
    assert failure.kind != "all_requests" or failure.advice
    assert "\n" not in failure.message
    assert len(failure.message) <= 600


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        failure = attempt(OpenAI(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1", model="m"))
    assert (failure.reason, failure.kind, failure.lost) == ("unreachable", "transient", False)


def test_a_name_that_does_not_resolve():
    failure = attempt(OpenAI(base_url="http://no-such-host.invalid/v1", model="m"))
    assert (failure.reason, failure.kind, failure.lost) == ("unreachable", "transient", False)


def test_a_server_that_never_answers():
    """The answer may have been made: it counts as lost."""
    over = threading.Event()
    with serving() as server:
        server.script = lambda number, body: over.wait(20) and None
        failure = attempt(judge_of(server, timeout_s=0.3))
        over.set()
    assert (failure.reason, failure.kind, failure.lost) == ("timeout", "transient", True)
    assert failure.message == "no reply within 0.3 s"


def test_a_server_that_answers_byte_by_byte():
    """Each byte comes in time, the whole does not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def drip():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                for _ in range(60):  # 3 s, then the connection ends by itself
                    if over.wait(0.05):
                        break
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        failure = attempt(OpenAI(base_url=url, model="m", timeout_s=0.5))
        over.set()
        thread.join()
    assert (failure.reason, failure.lost) == ("timeout", True)


REFUSALS = {
    "declined": (completion(None, refusal="I can't help with that."), "blocked"),
    "filtered": (completion("half a rep", finish="content_filter"), "blocked"),
    "all spent on thoughts": (completion("", finish="length"), "empty_reply"),
    "no text": (completion(None), "empty_reply"),
    "white space": (completion(" \n"), "empty_reply"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_paid_for(name):
    """700 tokens of input, 60 of them audio, and 250 of output, at the prices of gpt-audio."""
    body, reason = REFUSALS[name]
    with serving() as server:
        refusal = scripted(server, Sent(body=body))
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.attempts) == (reason, 1)
    assert refusal.cost_usd == pytest.approx((640 * 2.5 + 60 * 32 + 250 * 10) / 1e6)
    assert json.loads(refusal.raw) == body


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": 5},
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"audio_tokens": 6}},
        {"prompt_tokens": "5", "completion_tokens": 1},
        {"prompt_tokens": 5, "completion_tokens": 1},  # how much of it is audio?
    ],
)
def test_without_usage_the_highest_price_is_booked(usage, clips, tones):
    with serving() as server:
        server.script = lambda number, body: Sent(body=completion("x") | {"usage": usage})
        judge = judge_of(server)
        reply = attempt(judge, request(tones=tones), clips)
    assert reply.cost_usd == pytest.approx(judge.estimate(request().prompt, 3.0).usd)


def test_unknown_fields_and_missing_ones_do_no_harm():
    """A compatible server need not send all that OpenAI sends."""
    with serving() as server:
        body = {"choices": [{"message": {"content": "ok", "reasoning_content": "hm"}, "finish_reason": "eos"}]}
        reply = scripted(server, Sent(body=body), model="qwen2.5-omni")
    assert (reply.model_served, reply.input_tokens, reply.cost_usd) == (None, None, 0.0)


CONTENT = {
    "none": ({"content": "ok"}, "ok"),
    "vLLM, DeepSeek": ({"content": "ok", "reasoning_content": "hm"}, "<think>hm</think>ok"),
    "OpenRouter": ({"content": "ok", "reasoning": "hm"}, "<think>hm</think>ok"),
    "both names": ({"content": "ok", "reasoning": "hm", "reasoning_content": "hm"}, "<think>hm</think>ok"),
    "null": ({"content": "ok", "reasoning": None, "reasoning_content": ""}, "ok"),
    "another type": ({"content": "ok", "reasoning": {"effort": "high"}}, "ok"),
    "its own beside ours": ({"content": "<think>card</think>", "reasoning_content": "hm"}, "<think>card</think>"),
}


@pytest.mark.parametrize("name", CONTENT)
def test_what_a_server_took_out_of_a_reply_is_put_back(name):
    """Reasoning parsers move the think block to a field of its own."""
    message, text = CONTENT[name]
    body = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert text_of(body) == text
    assert OpenAI(base_url="http://127.0.0.1:1/v1", model="m").text_in(json.dumps(body)) == text


# Every finish reason that OpenAI's SDK knows, and those of servers: vLLM (abort, error), SGLang (abort), LiteLLM and others.
UNFINISHED = {
    "tool_calls",
    "function_call",
    "abort",
    "error",
    "length",
    "content_filter",
    "stop_sequence",
    "repetition",
    "",
    None,
}
KNOWN = set(typing.get_args(Choice.model_fields["finish_reason"].annotation))


@pytest.mark.parametrize("finish", sorted((UNFINISHED | KNOWN) - {"stop"}, key=str))
def test_only_a_reply_that_ended_by_itself_is_whole(finish):
    """``Output A: 8, Output B: 10`` prefers B; cut to ``... Output B: 1`` it prefers A."""
    body = {"choices": [{"message": {"content": "Output A: 8, Output B: 1"}, "finish_reason": finish}]}
    refusal = text_of(body)
    assert isinstance(refusal, Refusal)
    expected = {"length": "truncated_reply", "content_filter": "blocked"}.get(finish, "unfinished_reply")
    assert refusal.reason == expected


@pytest.mark.parametrize("finish", ["stop", "STOP", "Stop", "eos_token", "end_turn"])
def test_the_case_of_a_finish_reason_does_not_matter(finish):
    assert text_of({"choices": [{"message": {"content": "x"}, "finish_reason": finish}]}) == "x"


def test_a_choice_without_a_finish_reason_has_not_ended():
    refusal = text_of({"choices": [{"message": {"content": "Output A: 8, Output B: 1"}}]})
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "unfinished_reply"


def test_a_reply_that_reached_its_longest_length_is_refused():
    """What is left of ``10`` could be ``1``."""
    with serving() as server:
        body = {"choices": [{"message": {"content": "Output A: 2, Output B: 1"}, "finish_reason": "length"}]}
        refusal = scripted(server, Sent(body=body))
    assert (refusal.reason, "max_output_tokens" in refusal.message, "Output B: 1" in refusal.raw) == (
        "truncated_reply",
        True,
        True,
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "usage", "refusal", "prompt_tokens"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


HIGHEST = Estimate(input_tokens=1000, output_tokens=1000, usd=1.0)


@given(body=json_values)
def test_no_body_is_a_defect(body):
    found = answer(body, json.dumps(body), price=Price(text_input=1, audio_input=2, output=3), highest=HIGHEST)
    assert isinstance(found, Reply | Refusal | AttemptFailure)
    assert not isinstance(found, Reply) or found.text.strip()


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset-requests"]), st.text()))
def test_no_header_is_a_defect(headers):
    wait_s = asked_to_wait_s(headers)
    assert wait_s is None or 0 <= wait_s < math.inf


def test_waits():
    """Periods as OpenAI's guide to rate limits prints them."""
    soon = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30))
    assert asked_to_wait_s({"retry-after": soon}) == pytest.approx(30, abs=2)
    assert asked_to_wait_s({"retry-after": "Mon, 01 Jan 2001 00:00:00 GMT"}) == 0
    assert asked_to_wait_s({}) is None
    # A date goes by the clock of whoever names it, not by ours, which may be hours off.
    sent = {"date": "Mon, 01 Jan 2001 00:00:00 GMT", "retry-after": "Mon, 01 Jan 2001 00:00:07 GMT"}
    assert asked_to_wait_s(sent) == 7
    assert asked_to_wait_s(sent | {"date": "soon"}) == 0
    assert asked_to_wait_s({"x-ratelimit-reset-requests": "1h2m3.5s"}) == pytest.approx(3723.5)
    assert asked_to_wait_s({"x-ratelimit-reset-requests": "120ms", "x-ratelimit-reset-tokens": "1s"}) == pytest.approx(0.12)


# Secrets


def test_the_key_is_nowhere(caplog, clips, tones):
    """Not in a reply that quotes it, an error that shows its ends, a raw body, or the log of any library."""
    caplog.set_level(logging.DEBUG)
    quoting = [
        Sent(body=completion(f"your key is {CANARY}")),
        Sent(body=completion(None, refusal=f"no {CANARY}")),
        error(401, "invalid_api_key", f"Incorrect API key provided: {CANARY}."),
        error(401, "invalid_api_key", "Incorrect API key provided: sk-proj-********6789."),
        error(401, "invalid_api_key", "Incorrect API key provided: gsk_abc1****6789."),
        error(400, None, f"bad {CANARY}"),
        error(429, "rate_limit_exceeded", CANARY),
        Sent(body=f"<html>{CANARY}</html>", kind="text/html"),
        Sent(500, CANARY, kind="text/plain"),
        Sent(),
    ]
    with serving() as server:
        server.script = lambda number, body: quoting[number]
        found = attempts(judge_of(server), [request(tones=tones)] * len(quoting), clips)
    assert len(server.bodies) == len(quoting)
    told = repr(found) + caplog.text + repr(judge_of(server)) + repr(judge_of(server).params())
    assert CANARY not in told
    assert "6789" not in told
    assert "gsk_" not in told, "the ends of another provider's key"
    assert found[0].text == "your key is ***"
