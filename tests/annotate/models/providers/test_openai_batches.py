"""OpenAI's batches against a server that speaks their wire format: real SDK, real files, shuffled and broken results."""

import asyncio
import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.models.judge import BatchSession
from annotate.models.providers.openai.client import OpenAI
from annotate.models.request import AttemptError, AttemptFailure, JudgeRequest, LabelledAudio, Refusal, Reply
from tests.annotate.openai_asking import CANARY, api_key
from tests.annotate.openai_asking import judge_of as single
from tests.annotate.openai_server import Options, Server, echo, question, serving
from tests.annotate.openai_wire_format import Sent, completion, error

__all__ = ["api_key"]  # a fixture


def judge_of(server: Server, **options) -> OpenAI:
    return single(server, **{"batches": True} | options)


def asked(count: int, tones: list[str] | None = None) -> list[JudgeRequest]:
    """Return questions whose text would break lines that are split at anything but a line feed."""
    audios = tuple(LabelledAudio(f"Speech {letter}", tone) for letter, tone in zip("AB", tones or [], strict=False))
    return [
        JudgeRequest(key=f"{number:032x}", prompt=f"question {number}\u2028你好\x85\r\n", audios=audios)
        for number in range(count)
    ]


def over(judge: OpenAI, work, clips=None):
    async def main():
        async with judge.open_batches(clips) as line:
            return await work(line)

    return asyncio.run(main())


async def ended(line: BatchSession, batch_id: str):
    """Look at a batch until it has ended, and return all its results."""
    while (state := await line.state(batch_id)) == "running":
        continue
    assert state == "ended"
    return [each async for each in line.results(batch_id)]


def results(server: Server, requests: list[JudgeRequest], clips=None):
    async def work(line):
        batch_id = await line.submit("b-1", requests)
        assert isinstance(batch_id, str)
        return await ended(line, batch_id)

    return over(judge_of(server), work, clips)


def test_a_whole_batch(clips, tones):
    """Every question gets its own reply whatever the order, at half the price."""
    requests = asked(40, tones[:2])
    with serving(Options(seed=1)) as server:
        found = results(server, requests, clips)
        (lines,) = [content for name, content in server.batches.files.items() if name == "file-0"]
    assert [key for key, _ in found] != [request.key for request in requests]  # the server did shuffle
    replies = dict(found)
    assert len(found) == len(replies) == 40
    for request, line in zip(requests, lines.split(b"\n"), strict=False):
        order = json.loads(line)
        assert (order["custom_id"], order["method"], order["url"]) == (request.key, "POST", "/v1/chat/completions")
        prompt, heard = question(order["body"])
        assert prompt == request.prompt
        assert [data[44:] for _, data in heard] == [clips.pcm(tone)[0].tobytes() for tone in tones[:2]]
        assert replies[request.key].text == echo(prompt, heard)
    assert sum(reply.cost_usd for reply in replies.values()) == pytest.approx(server.bill_usd)
    one = replies[requests[0].key]
    assert one.cost_usd == pytest.approx(
        ((one.input_tokens - 15) * 2.5 + 15 * 32 + one.output_tokens * 10) / 2e6  # 1.5 s of audio are 15 tokens
    )
    assert (one.latency_s, one.attempts) == (None, 1)
    assert server.batches.known["batch_0"]["metadata"] == {"name": "b-1"}


def test_a_line_is_the_body_of_a_request(clips, tones):
    """Alone or in a batch, a question is the same request."""
    (request,) = asked(1, tones)

    async def alone():
        async with judge_of(server).open(clips) as line:
            return await line.attempt(request)

    with serving() as server:
        results(server, [request], clips)
        asyncio.run(alone())
    assert list(server.asked.values()) == [2]


@pytest.mark.parametrize("container", ["wav", "mp3"])
def test_sizes_add_up_to_the_file(clips, tones, container):
    requests = [*asked(3, tones), JudgeRequest(key="f" * 32, prompt="no audio")]

    async def work(line):
        await line.submit("b", requests)
        return [await line.size(request) for request in requests]

    with serving() as server:
        sizes = over(judge_of(server, audio_format=container), work, clips)
    assert sum(sizes) == len(server.batches.files["file-0"])
    assert sizes[0] == server.batches.files["file-0"].index(b"\n") + 1


def test_the_limits_are_openais():
    """SDK, ``BatchCreateParams.input_file_id``: "up to 50,000 requests, and can be up to 200 MB in size"."""

    async def work(line):
        return line.most_requests, line.most_bytes

    with serving() as server:
        assert over(judge_of(server), work) == (50_000, 200_000_000)


def test_an_estimate_is_half_of_a_single_one(clips, tones):
    (request,) = asked(1, tones)

    async def work(line):
        return await line.estimate(request)

    with serving() as server:
        judge = judge_of(server)
        assert over(judge, work, clips) == judge.estimate(request.prompt, 1.5, batch=True)
        assert judge.estimate(request.prompt, 1.5, batch=True).usd == pytest.approx(judge.estimate(request.prompt, 1.5).usd / 2)


@pytest.mark.parametrize("seed", range(4))
def test_missing_doubled_and_broken_lines(seed):
    """No reply goes to another question, none counts twice; what cannot be read was made, paid for and lost."""
    options = Options(seed=seed, missing=0.1, duplicated=0.2, garbled=0.1, expired=0.1, refused=0.1)
    requests = asked(120)
    with serving(options) as server:
        found = results(server, requests)
    keys = Counter(key for key, _ in found)
    assert max(keys.values()) == 1
    assert set(keys) < {request.key for request in requests}  # some lines are not there
    prompts = {request.key: request.prompt for request in requests}
    kinds: Counter[str] = Counter()
    for key, outcome in found:
        kinds["reply" if isinstance(outcome, Reply) else outcome.reason] += 1
        if isinstance(outcome, Reply):
            assert outcome.text == echo(prompts[key], [])
        else:
            assert isinstance(outcome, AttemptFailure)
            wanted = {"expired": ("transient", False), "bad_request": ("request", False), "malformed_body": ("transient", True)}
            assert (outcome.kind, outcome.lost) == wanted[outcome.reason]
    assert set(kinds) == {"reply", "expired", "bad_request", "malformed_body"}
    assert kinds["reply"] > 50
    assert server.batches.known["batch_0"]["status"] == "expired"


def test_refusals_in_a_batch():
    with serving() as server:
        server.made = lambda body, draw, batch: completion(None, refusal="no")
        ((_, refusal),) = results(server, asked(1))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "blocked"
    assert refusal.cost_usd == pytest.approx((640 * 2.5 + 60 * 32 + 250 * 10) / 2e6)


LINES = {
    "no response, no error": ({"custom_id": "k"}, "malformed_body"),
    "body is no object": ({"custom_id": "k", "response": {"status_code": 200, "body": "x"}}, "malformed_body"),
    "no status": ({"custom_id": "k", "response": {"body": {}}, "error": {"code": "x", "message": "m"}}, "server_error"),
    "cancelled": ({"custom_id": "k", "response": None, "error": {"code": "batch_cancelled", "message": "m"}}, "expired"),
    "429": ({"custom_id": "k", "response": {"status_code": 429, "body": error(429, None, "slow").body}}, "rate_limited"),
    "500": ({"custom_id": "k", "response": {"status_code": 500, "body": None}}, "server_error"),
    "quota": (
        {"custom_id": "k", "response": {"status_code": 429, "body": error(429, "insufficient_quota", "").body}},
        "quota_gone",
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_one_line(name):
    line, reason = LINES[name]
    with serving() as server:
        batch_id = ready(server, json.dumps(line).encode())
        ((key, outcome),) = over(judge_of(server), lambda opened: ended(opened, batch_id))
    assert (key, outcome.reason) == ("k", reason)


def ready(server: Server, content: bytes, **batch) -> str:
    """Put a batch that has ended, with that output file, on the server."""
    file_id = server.batches.upload(content)["id"]
    server.batches.known["batch_x"] = {"id": "batch_x", "status": "completed", "output_file_id": file_id} | batch
    return "batch_x"


@pytest.fixture
def served():
    with serving() as server:
        yield server


@given(
    content=st.binary(max_size=200) | st.text(st.sampled_from('{}[]":,custom_idresponse012\n'), max_size=200).map(str.encode)
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_is_a_defect(served, content):
    """A file of rubbish gives nothing or failures, and hides no good line after it."""
    good = json.dumps({"custom_id": "good", "response": {"status_code": 200, "body": completion("fine")}}).encode()
    batch_id = ready(served, content.replace(b"good", b"") + b"\n" + good)
    found = dict(over(judge_of(served), lambda opened: ended(opened, batch_id)))
    assert isinstance(found.pop("good"), Reply)
    assert all(isinstance(outcome, AttemptFailure) for outcome in found.values())


# Names


def test_found_by_its_name_on_any_page():
    async def work(line):
        ids = {name: await line.submit(name, asked(1)) for name in names}
        assert {name: await line.find(name) for name in names[::50]} == {name: ids[name] for name in names[::50]}
        return await line.find("another")

    names = [f"name-{number}" for number in range(205)]
    with serving() as server:
        assert over(judge_of(server), work) is None


def test_accepted_while_the_connection_broke():
    """The caller learns that it may have been accepted, and finds it; it is there once."""

    async def work(line):
        assert await line.find("b-1") is None
        lost = await line.submit("b-1", asked(2))
        assert isinstance(lost, AttemptFailure)
        assert (lost.reason, lost.kind, lost.lost) == ("connection_lost", "transient", True)
        found = await line.find("b-1")
        return found, await ended(line, found)

    with serving(Options(drop_create=True)) as server:
        found, outcomes = over(judge_of(server), work)
    assert found == "batch_0"
    assert sorted(key for key, _ in outcomes) == [request.key for request in asked(2)]
    assert len(server.batches.known) == 1


def test_batches_of_others_without_metadata():
    with serving() as server:
        ready(server, b"", metadata=None)
        ready(server, b"", id="batch_x", metadata="odd")
        assert over(judge_of(server), lambda line: line.find("b-1")) is None


# States


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("validating", "running"),
        ("in_progress", "running"),
        ("finalizing", "running"),
        ("cancelling", "running"),
        ("completed", "ended"),
        ("failed", "ended"),
        ("expired", "ended"),
        ("cancelled", "ended"),
    ],
)
def test_states(status, state):
    with serving(Options(polls=100)) as server:
        batch_id = ready(server, b"", status=status)
        server.batches.look = lambda each: Sent(body=server.batches.known[each])
        assert over(judge_of(server), lambda line: line.state(batch_id)) == state


def test_a_state_nobody_knows():
    with serving() as server:
        batch_id = ready(server, b"", status="dreaming")
        failure = over(judge_of(server), lambda line: line.state(batch_id))
    assert (failure.reason, failure.kind, failure.lost) == ("malformed_body", "transient", False)


def test_a_batch_that_is_gone():
    async def work(line):
        return await line.state("batch_9"), [each async for each in line.results("batch_9")]

    with serving() as server:
        assert over(judge_of(server), work) == ("gone", [])


def test_files_that_are_gone():
    """A provider deletes them after a while: nothing can be had of them, and nothing stops."""
    with serving() as server:
        batch_id = ready(server, b"")
        server.batches.files.clear()
        assert over(judge_of(server), lambda line: ended(line, batch_id)) == []


# Failed validation


def failed(errors, count=3):
    with serving(Options(batch_errors=tuple(errors))) as server:
        return results(server, asked(count))


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        ("token_limit_exceeded", "rate_limited", "throttled"),
        ("billing_hard_limit_reached", "quota_gone", "all_requests"),
        ("model_not_found", "no_such_model", "all_requests"),
        ("invalid_url", "bad_request", "all_requests"),
    ],
)
def test_what_is_wrong_with_all(code, reason, kind):
    found = failed([{"code": code, "message": "Enqueued token limit reached", "line": None, "param": None}])
    assert [key for key, _ in found] == [request.key for request in asked(3)]
    assert {(failure.reason, failure.kind, failure.lost) for _, failure in found} == {(reason, kind, False)}
    assert all(failure.advice for _, failure in found if kind == "all_requests")


def test_what_is_wrong_with_one_line():
    """Its request is refused; the others, which the provider dropped with it, may be asked again."""
    found = dict(failed([{"code": "invalid_json_line", "message": "not parseable", "line": 2}]))
    assert [found[request.key].kind for request in asked(3)] == ["transient", "request", "transient"]
    assert "not parseable" in found[asked(3)[1].key].message


@pytest.mark.parametrize("errors", [None, [], {"data": None}, {"data": [None]}, {"data": [{"line": [1]}]}, "odd"])
def test_failed_without_a_reason(errors):
    with serving() as server:
        line = json.dumps({"custom_id": "k"}).encode()
        batch_id = ready(server, b"", status="failed", errors=errors, input_file_id=server.batches.upload(line)["id"])
        ((key, failure),) = over(judge_of(server), lambda opened: ended(opened, batch_id))
    assert (key, failure.kind) == ("k", "all_requests")


def test_failed_and_nobody_knows_its_requests():
    """Nothing was asked, so that nothing was paid: the failure says so of all of them."""

    async def work(line):
        with pytest.raises(AttemptError) as raised:
            await anext(line.results(batch_id))
        return raised.value.failure

    with serving() as server:
        errors = {"data": [{"code": "token_limit_exceeded", "message": "full"}]}
        batch_id = ready(server, b"", status="failed", errors=errors, input_file_id="file-gone")
        failure = over(judge_of(server), work)
    assert (failure.reason, failure.kind, failure.lost) == ("rate_limited", "request", False)


# The network


def test_a_download_that_breaks():
    """It raises before anything of it is believed, and the next time all is there."""

    async def work(line):
        batch_id = await line.submit("b-1", asked(50))
        while await line.state(batch_id) == "running":
            continue
        server.batches.cut = 100
        with pytest.raises(AttemptError) as raised:
            await anext(line.results(batch_id))
        server.batches.cut = 0
        return raised.value.failure, [each async for each in line.results(batch_id)]

    with serving() as server:
        failure, found = over(judge_of(server), work)
    assert (failure.reason, failure.kind, failure.lost) == ("connection_lost", "transient", False)
    assert len(found) == 50


def test_troubles_of_the_network():
    """Nothing is lost by looking: only a batch that was handed in may have been accepted."""

    async def work(line):
        return [
            await line.submit("b", asked(1)),
            await line.find("b"),
            await line.state("batch_0"),
            await raised(line.results("batch_0")),
        ]

    async def raised(found):
        try:
            return [each async for each in found]
        except AttemptError as error:
            return error.failure

    with serving(Options(key="another")) as server:
        refused = over(judge_of(server), work)
    gone = over(judge_of(server), work)
    assert {(failure.reason, failure.kind, failure.lost) for failure in refused} == {("key_refused", "all_requests", False)}
    assert {(failure.reason, failure.kind, failure.lost) for failure in gone} == {("unreachable", "transient", False)}
    assert CANARY not in repr(refused) + repr(gone)


def test_a_reply_that_quotes_the_key():
    with serving(answer=lambda prompt, audios: f"your key is {CANARY}") as server:
        ((_, reply),) = results(server, asked(1))
    assert reply.text == "your key is ***"
    assert CANARY not in repr(reply)
