"""Gemini's batches against a server that shuffles, drops, doubles and tears their results: real SDK, real files, real HTTP."""

import asyncio
import json
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.providers.gemini.batches import GeminiBatches
from annotate.models.providers.gemini.client import Gemini
from annotate.models.providers.gemini.http_client import ADVICE
from annotate.models.providers.gemini.uploads import ClipUploads
from annotate.models.request import AttemptError, AttemptFailure, JudgeRequest, LabelledAudio, Refusal, Reply
from contracts.errors import StorageError
from tests.annotate.gemini_asking import CANARY, api_key, gemini
from tests.annotate.gemini_files import FileStore
from tests.annotate.gemini_replies import identity, uploaded_clips
from tests.annotate.gemini_server import Answer, BatchPlan, GeminiServer, error, reply, serving

__all__ = ["api_key"]  # a fixture


def questions(count: int) -> list[JudgeRequest]:
    return [JudgeRequest(key=f"{n:032x}", prompt=f"question {n}") for n in range(count)]


def spoken(prompt: str, tones: list[str]) -> JudgeRequest:
    return JudgeRequest(
        key=prompt, prompt=prompt, audios=tuple(LabelledAudio(f"Speech {n}", tone) for n, tone in enumerate(tones))
    )


def planned(**plan):
    """Serve batches that all go by one plan; a reply says what was asked."""
    return serving(text=lambda prompt, _clips: f"answer to {prompt}"), BatchPlan(**plan)


def drive(judge: Gemini, work, clips=None):
    """Run ``work`` with an open batch line."""

    async def run():
        async with judge.open_batches(clips) as line:
            return await work(line)

    return asyncio.run(run())


async def over(line, batch_id):
    """Poll until the batch is over; each look at it brings the server's batch nearer to its end."""
    for _ in range(10):
        if (state := await line.state(batch_id)) != "running":
            return state
    raise AssertionError("still running")


async def finish(line, batch_id):
    """Poll until the batch is over and return all its results, in their order."""
    assert await over(line, batch_id) == "ended"
    return [entry async for entry in line.results(batch_id)]


def through(server: GeminiServer, requests: list[JudgeRequest], clips=None, **options):
    async def work(line):
        return await finish(line, await line.submit("batch one", requests))

    return drive(gemini(server, **options), work, clips)


def test_results_are_matched_by_key():
    """The server returns 60 lines in another order: each answer is that of its own question, at half the price."""
    serve, plan = planned(polls=3)
    with serve as server:
        server.jobs.plan = lambda _: plan
        requests = questions(60)
        results = through(server, requests)
    assert [key for key, _ in results] != [request.key for request in requests]
    assert {key: answer.text for key, answer in results} == {r.key: f"answer to {r.prompt}" for r in requests}
    assert sum(answer.cost_usd for _, answer in results) == pytest.approx(server.bill.usd)
    bill = server.bill
    assert bill.usd == pytest.approx((bill.text_tokens * 0.30 + bill.output_tokens * 2.50) / 2e6)
    one = results[0][1]
    assert (one.model_served, one.latency_s, one.attempts) == ("gemini-2.5-flash-001", None, 1)
    assert json.loads(one.raw)["modelVersion"] == "gemini-2.5-flash-001"
    assert next(iter(server.jobs.jobs.values())).display_name == "batch one"


def test_a_line_is_the_request_that_would_be_sent_alone(clips, tones):
    """In a batch and one by one, the same question is the same request to the last byte, clips included."""
    request = spoken("which?", tones)
    with serving() as server:
        through(server, [request], clips)

        async def alone():
            async with gemini(server).open(clips) as line:
                await line.attempt(request)

        asyncio.run(alone())
    in_batch, single = server.bodies
    assert identity(in_batch) == identity(single)
    assert server.repeated == 1


def test_large_clips_go_by_address(clips, tones):
    """Two questions that share their clips: each is uploaded once, and the lines stay small."""
    with serving() as server:
        results = through(server, [spoken("one", tones), spoken("two", tones)], clips, inline_mb=0.001)
    assert [type(answer) for _, answer in results] == [Reply, Reply]
    assert sorted(server.files.uploads) == sorted([*tones, "batch one"])
    assert uploaded_clips(server.bodies[0]) == uploaded_clips(server.bodies[1])


def test_an_address_must_live_as_long_as_a_batch(clips, tones):
    """A clip that expires tomorrow is good enough for a request now, and uploaded again for a batch."""
    with serving(files=FileStore(lifetime_s=30 * 3600.0)) as server:

        async def work(line):
            for name in ("one", "two"):
                await line.submit(name, [spoken(name, tones[:1])])

        drive(gemini(server, inline_mb=0.001), work, clips)
    assert server.files.uploads == [tones[0], "one", tones[0], "two"]


def test_damaged_results_cost_only_their_own_lines():
    """Missing, torn, doubled and strange lines: what is whole is returned under its key, and nothing under a wrong one."""
    serve, plan = planned(seed=5, finished=0.8, duplicated=0.2, malformed=0.2, unknown_keys=3)
    with serve as server:
        server.jobs.plan = lambda _: plan
        requests = {request.key: request.prompt for request in questions(100)}
        results = through(server, questions(100))
    known = [(key, answer) for key, answer in results if key in requests]
    assert len(results) - len(known) == 3
    assert all(answer.text == f"answer to {requests[key]}" for key, answer in known)
    assert 40 < len(dict(known)) < 80
    assert len(known) > len(dict(known))


@pytest.mark.parametrize(
    ("entry", "reason", "kind", "lost"),
    [
        ({"error": {"code": 3, "message": "audio too long"}}, "bad_request", "request", False),
        ({"error": {"code": 13, "message": "internal"}}, "server_error", "transient", False),
        ({"error": {"code": 14, "message": "unavailable"}}, "server_error", "transient", False),
        ({"error": {"code": 4, "message": "deadline"}}, "server_error", "transient", False),
        ({"error": {"code": 8, "message": "busy"}}, "rate_limited", "throttled", False),
        ({"error": {"code": 500, "message": "internal"}}, "server_error", "transient", False),
        ({"error": {"message": "who knows"}}, "server_error", "transient", False),
        ({"status": {"code": 3, "message": "audio too long"}}, "bad_request", "request", False),
        (
            {"error": {"code": 7, "message": "no permission to access the File x or it may not exist."}},
            "expired",
            "transient",
            False,
        ),
        ({"response": {}}, "malformed_body", "transient", True),
        ({"response": {"candidates": 3}}, "malformed_body", "transient", True),
        ({}, "malformed_body", "transient", True),
    ],
)
def test_a_line_without_an_answer_says_why(entry, reason, kind, lost):
    """Codes of google.rpc and of HTTP; a reply that cannot be read was paid for."""
    with serving() as server:
        name = server.files.make(json.dumps({"key": "k", **entry}).encode() + b"\n")

        async def work(line):
            batch_id = await line.submit("b", questions(1))
            await line.state(batch_id)
            await line.state(batch_id)
            server.jobs.jobs[batch_id].results = name
            return [entry async for entry in line.results(batch_id)]

        ((key, got),) = drive(gemini(server), work)
    assert key == "k"
    assert isinstance(got, AttemptFailure)
    assert (got.reason, got.kind, got.lost) == (reason, kind, lost)


def test_refusals_come_in_batches_too():
    """A blocked prompt is final, with its price."""
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1000}}
    with serving(lambda n, p: Answer(body=body)) as server:
        ((_, got),) = through(server, questions(1))
    assert isinstance(got, Refusal)
    assert got.reason == "blocked"
    assert got.cost_usd == pytest.approx(1000 * 1.00 / 2e6)  # without details, input counts as the dearer kind


def test_an_expired_batch_keeps_its_finished_lines():
    """What was done before the time was over is there."""
    serve, plan = planned(state="EXPIRED", finished=0.5)
    with serve as server:
        server.jobs.plan = lambda _: plan
        results = through(server, questions(40))
    assert 10 < len(results) < 30
    assert all(isinstance(answer, Reply) for _, answer in results)


@pytest.mark.filterwarnings("ignore:.*is not a valid JobState")  # the SDK knows the state by its other name only
@pytest.mark.parametrize("state", ["SUCCEEDED", "PARTIALLY_SUCCEEDED", "CANCELLED", "EXPIRED", "FAILED"])
def test_every_end_is_an_end(state):
    """With results to fetch, whatever its name."""
    serve, plan = planned(state=state)
    with serve as server:
        server.jobs.plan = lambda _: plan
        assert len(through(server, questions(3))) == 3


def test_states_before_the_end_and_after_the_last():
    """Running, cancelled without results, and unknown to the server."""
    serve, plan = planned(polls=2)
    with serve as server:
        server.jobs.plan = lambda _: plan

        async def work(line):
            batch_id = await line.submit("b", questions(2))
            states = [await line.state(batch_id) for _ in range(2)]
            await line.http.client.aio.batches.cancel(name=batch_id)
            states.append(await line.state(batch_id))
            states.append([entry async for entry in line.results(batch_id)])
            return [*states, await line.state("batches/never")]

        assert drive(gemini(server), work) == ["running", "running", "ended", [], "gone"]


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ({"code": 16, "message": "API key expired"}, "key_refused"),
        ({"code": 7, "message": "billing is not enabled"}, "key_refused"),
        ({"code": 5, "message": "model not found"}, "no_such_model"),
        ({"code": 8, "message": "You exceeded your current quota, please check your plan and billing details."}, "quota_gone"),
        ({"code": 13, "message": "internal"}, None),
        ({"code": 3, "message": "line 7 is no JSON"}, None),
        ({"code": 8, "message": "busy"}, None),
    ],
)
def test_a_batch_that_failed_as_a_whole_says_whether_any_other_would(why, reason):
    """Key, model and quota are for a person; after anything else its requests are simply without an answer."""
    serve, plan = planned(state="FAILED", error=why, polls=0)
    with serve as server:
        server.jobs.plan = lambda _: plan

        async def work(line):
            batch_id = await line.submit("b", questions(2))
            return await line.state(batch_id), [entry async for entry in line.results(batch_id)]

        state, results = drive(gemini(server), work)
    assert results == []
    if reason is None:
        assert state == "ended"
    else:
        assert isinstance(state, AttemptFailure)
        assert (state.reason, state.kind, state.lost) == ("batch_failed", "all_requests", False)
        assert state.advice == ADVICE[reason]


def test_a_batch_accepted_without_a_word_is_found():
    """The connection ends after the batch was created: its name finds it, over several pages of others."""
    with serving(text=lambda prompt, _: prompt) as server:
        server.jobs.plan = lambda number: BatchPlan(accept_and_drop=number == 2)

        async def work(line):
            told = [await line.submit(f"batch {n}", questions(n + 1)) for n in range(7)]
            found = [await line.find(f"batch {n}") for n in range(7)]
            return told, found, await line.find("batch"), await finish(line, found[2])

        told, found, never, results = drive(gemini(server), work)
    assert isinstance(told[2], AttemptFailure)
    assert (told[2].reason, told[2].lost) == ("connection_lost", True)
    assert told[:2] + told[3:] == found[:2] + found[3:]
    assert len(set(found)) == 7
    assert never is None
    assert len(results) == 3


@pytest.mark.parametrize(
    ("refusal", "reason", "kind"),
    [
        (Answer(status=429, body=error(429, "RESOURCE_EXHAUSTED", "too many")), "rate_limited", "throttled"),
        (Answer(status=403, body=error(403, "PERMISSION_DENIED", "no")), "key_refused", "all_requests"),
        (Answer(status=500, body=error(500, "INTERNAL", "oops")), "server_error", "transient"),
    ],
)
def test_a_batch_that_was_not_accepted_is_no_batch(refusal, reason, kind):
    """Neither of the two steps leaves anything behind that could be billed."""
    with serving() as server:

        async def work(line):
            server.jobs.plan = lambda _: BatchPlan(refuse=refusal)
            at_create = await line.submit("b", questions(2))
            server.files.refuse.append(refusal)
            at_upload = await line.submit("b", questions(2))
            return at_create, at_upload, await line.find("b")

        *failures, found = drive(gemini(server), work)
    assert [(t.reason, t.kind, t.lost) for t in failures] == [(reason, kind, False)] * 2
    assert found is None


@pytest.mark.parametrize("body", ["<html>hello</html>", "{}", "[]", "null", '{"metadata": {"state": 3}}'])
def test_a_strange_answer_to_a_creation_may_hide_a_batch(body):
    """Whether there is a batch now only its name can tell."""
    with serving() as server:
        server.jobs.plan = lambda _: BatchPlan(refuse=Answer(body=body))
        got = drive(gemini(server), lambda line: line.submit("b", questions(1)))
    assert isinstance(got, AttemptFailure)
    assert (got.reason, got.lost) == ("malformed_body", True)


def test_results_that_do_not_arrive_whole_are_not_used():
    """A download torn in the middle is a failure now, not an answer missing for ever."""
    with serving() as server:

        async def work(line):
            batch_id = await line.submit("b", questions(20))
            server.files.torn = 1
            with pytest.raises(AttemptError) as raised:
                await finish(line, batch_id)
            whole = await finish(line, batch_id)
            server.files.files[server.jobs.jobs[batch_id].results].until = 0.0
            with pytest.raises(AttemptError) as late:
                await finish(line, batch_id)
            with pytest.raises(AttemptError) as unknown:
                _ = [entry async for entry in line.results("batches/never")]
            return raised.value.failure, whole, late.value.failure, unknown.value.failure

        torn, whole, late, unknown = drive(gemini(server), work)
    assert (torn.reason, torn.kind) == ("connection_lost", "transient")
    assert len(whole) == 20
    for failure in (late, unknown):
        assert (failure.reason, failure.kind, failure.lost) == ("expired", "request", True)
    assert sum(server.answered.values()) == 20


def test_a_download_that_stalls_is_given_up():
    """As long as data comes a download may take any time, but not when it stops."""
    with serving() as server:

        async def work(line):
            batch_id = await line.submit("b", questions(1))
            await over(line, batch_id)
            get, server.files.get = server.files.get, lambda name: Answer(body="{}", delay_s=2.0)
            with pytest.raises(AttemptError) as raised:
                _ = [entry async for entry in line.results(batch_id)]
            server.files.get = get
            return raised.value.failure

        failure = drive(gemini(server, timeout_s=0.5), work)
    assert (failure.reason, failure.kind) == ("timeout", "transient")


@given(prompt=st.text(max_size=300), key=st.text("0123456789abcdef", min_size=32, max_size=64))
def test_a_line_never_takes_more_than_its_size(prompt, key):
    """Whatever the characters: a batch filled by ``size`` stays below the provider's limit."""
    uploads = ClipUploads(None, None, inline_bytes=20_000_000, lives_s=0.0)
    line = GeminiBatches(judge=Gemini(), http=None, uploads=uploads)
    size = asyncio.run(line.size(JudgeRequest(key=key, prompt=prompt)))
    taken = len(line._line(key, [{"text": prompt}]))
    assert taken <= size <= taken + 1000


def test_the_size_of_a_line_with_clips(clips, tones):
    """The bytes that the server got, inside the line or beside it, are within two percent or a few hundred bytes."""
    for inline_mb in (20.0, 0.001):
        with serving() as server:
            request = spoken("which is \u201cbetter\u201d?", tones)

            async def work(line, request=request):
                await line.submit("b", [request])
                return await line.size(request)

            size = drive(gemini(server, inline_mb=inline_mb), work, clips)
            taken = len(next(iter(file.data for file in server.files.files.values() if file.display_name == "b")))
        assert taken <= size <= taken * 1.02 + 1000


def test_limits_and_estimates():
    """Those of the judge; in a batch a request costs half."""
    with serving() as server:

        async def work(line):
            return line.most_requests, line.most_bytes, await line.estimate(questions(1)[0])

        judge = gemini(server, batch_requests=7, batch_mb=2.5)
        assert drive(judge, work) == (7, 2_500_000, judge.estimate("question 0", 0.0, batch=True))


def test_a_full_disk_is_said_in_one_line(tmp_path, monkeypatch):
    """The file of a batch does not fit: the message says what to do, and nothing was sent."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serving() as server:

        async def work(line):
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
            try:
                await line.submit("b", questions(1000))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

        with pytest.raises(StorageError, match="set TMPDIR to a larger disk, or lower the judge's batch_mb"):
            drive(gemini(server), work)
    assert server.files.uploads == []
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_in_no_file_and_no_answer(capfd, caplog):
    """Echoed in lines, errors and states, it comes out as stars."""
    caplog.set_level("DEBUG")
    echoed = {"code": 16, "message": f"{CANARY} expired"}
    with serving(lambda n, p: Answer(body=reply(f"I saw {CANARY}"))) as server:
        server.jobs.plan = lambda number: [
            BatchPlan(),
            BatchPlan(failing=1.0, line_error=echoed),
            BatchPlan(state="FAILED", error=echoed, polls=0),
            BatchPlan(refuse=Answer(status=403, body=error(403, "PERMISSION_DENIED", f"{CANARY} is not allowed"))),
        ][number]

        async def work(line):
            good, bad, failed = [await line.submit(f"b{n}", questions(2)) for n in range(3)]
            seen = [await finish(line, good), await finish(line, bad), await line.state(failed)]
            return [*seen, await line.submit("b3", questions(2))]

        seen = repr(drive(gemini(server), work)) + caplog.text + "".join(capfd.readouterr())
    assert seen.count("***") >= 6
    assert CANARY not in seen
    assert all(CANARY.encode() not in file.data for file in server.files.files.values() if not file.made_here)
