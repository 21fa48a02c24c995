"""The Gemini judge against a server that speaks the wire format: real SDK, real HTTP, every trouble it can meet."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from annotate.inquiry import Inquiry
from annotate.judges.gemini import PLUGIN, Gemini
from annotate.judging import judge_pairs
from annotate.ledger import Ledger
from annotate.tasks.task1 import PLUGIN as TASK
from contracts import plugins
from contracts.errors import BudgetExceeded, RecipeError, SetupError
from storage.blobs import BlobStore
from tests.annotate.conftest import request_table
from tests.annotate.gemini_server import (
    AUDIO_TOKENS,
    REPLY_TOKENS,
    TEXT_TOKENS,
    THOUGHT_TOKENS,
    Answer,
    GeminiServer,
    card,
    error,
    reply,
    serving,
    well,
)

CANARY = "AIzaCanaryCanaryCanary0123456789"
RICH = 100.0

# gemini-2.5-flash: $0.30 text input, $1.00 audio input, $2.50 output per million tokens.
REPLY_USD = (TEXT_TOKENS * 0.30 + AUDIO_TOKENS * 1.00 + (REPLY_TOKENS + THOUGHT_TOKENS) * 2.50) / 1e6


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GEMINI_API_KEY", CANARY)


def gemini(server: GeminiServer, **options) -> Gemini:
    return Gemini(**{"base_url": server.url, "backoff_s": 0.01, "timeout_s": 20.0, "concurrency": 4} | options)


def judged(table: pa.Table, judge: Gemini, ledger: Ledger, clips: BlobStore, budget_usd: float | None = RICH):
    outcomes = list(judge_pairs(table, task=TASK, judge=judge, ledger=ledger, clips=clips, budget_usd=budget_usd))
    return pa.concat_tables([o.rows for o in outcomes]).to_pylist(), pa.concat_tables(
        [o.failures for o in outcomes]
    ).to_pylist()


def test_one_request_on_the_wire(ledger, clips, tones):
    """Prompt first, then each clip after its label, as FLAC; key in the header; the settings of the judge."""
    table = request_table(tones, ["hello there"])
    with serving() as server:
        rows, failures = judged(table, gemini(server, temperature=0.5), ledger, clips)
    assert failures == []
    assert len(server.prompts) == 1
    assert server.prompts[0] == TASK.render(text="hello there", language="en")
    labels = ["[Prompt Speech]", "[Speech A]", "[Speech B]"]
    assert server.audio(0) == [(label, "audio/flac", clips.encoded(tone)) for label, tone in zip(labels, tones, strict=True)]
    assert server.paths == ["/v1beta/models/gemini-2.5-flash:generateContent"]
    assert server.keys == [CANARY]
    assert server.bodies[0]["generationConfig"] == {"temperature": 0.5, "maxOutputTokens": 4096, "candidateCount": 1}
    assert rows[0]["completion"] == card(server.prompts[0])
    assert (rows[0]["model"], rows[0]["model_served"]) == ("gemini-2.5-flash", "gemini-2.5-flash-001")
    assert (rows[0]["input_tokens"], rows[0]["output_tokens"]) == (TEXT_TOKENS + AUDIO_TOKENS, REPLY_TOKENS + THOUGHT_TOKENS)
    (line,) = ledger.story(rows[0]["judgment_id"])
    assert line["spent_usd"] == pytest.approx(REPLY_USD)
    assert '"promptTokensDetails"' in line["raw"]
    assert line["latency_s"] > 0


def test_requests_run_side_by_side_within_the_limit(ledger, clips, tones):
    """Of twelve slow requests four are under way at once, and never more."""
    with serving(lambda n, p: Answer(body=reply(card(p)), delay_s=0.2)) as server:
        rows, _ = judged(request_table(tones, [f"text {n}" for n in range(12)]), gemini(server), ledger, clips)
    assert len(rows) == 12
    assert server.most_at_once == 4


PASSING = {
    "429": Answer(status=429, body=error(429, "RESOURCE_EXHAUSTED", "slow down")),
    "500": Answer(status=500, body=error(500, "INTERNAL", "oops")),
    "503 in HTML": Answer(status=503, body="<html>overloaded</html>"),
    "dropped connection": Answer(body=None),
    "truncated body": Answer(body=reply("x"), cut=20),
    "malformed JSON": Answer(body='{"candidates": ['),
    "HTML with 200": Answer(body="<html>hello</html>"),
    "empty object": Answer(body={}),
    "empty body": Answer(body=""),
    "list": Answer(body=[]),
    "null": Answer(body="null"),
    "wrong shape": Answer(body={"candidates": "none"}),
}


@pytest.mark.parametrize("trouble", PASSING)
def test_passing_troubles_are_tried_again(trouble, ledger, clips, tones):
    """The request is sent again, exactly as often as the server was asked, and the row is as if nothing had been."""
    with serving(lambda n, p: PASSING[trouble] if n < 2 else well(n, p)) as server:
        rows, failures = judged(request_table(tones, ["one"]), gemini(server), ledger, clips)
    assert failures == []
    (line,) = ledger.story(rows[0]["judgment_id"])
    assert (line["attempts"], len(server.prompts)) == (3, 3)
    lost = line["spent_usd"] - REPLY_USD
    if trouble in ("429", "500", "503 in HTML"):
        assert lost == pytest.approx(0)  # an error is not billed
    else:
        highest = gemini(server).estimate_usd(server.prompts[0], 3.0)  # a reply may have been made and billed
        assert lost == pytest.approx(2 * highest)


@pytest.mark.parametrize(
    "asking",
    [
        Answer(status=429, body=error(429, "RESOURCE_EXHAUSTED", "wait"), headers={"Retry-After": "1"}),
        Answer(
            status=429,
            body=error(
                429,
                "RESOURCE_EXHAUSTED",
                "wait",
                [
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"},
                ],
            ),
        ),
    ],
)
def test_the_wait_that_the_server_asks_for_is_kept(asking, ledger, clips, tones):
    """One second as a header or in the body, although the judge's own first wait is a hundredth of that."""
    with serving(lambda n, p: asking if n == 0 else well(n, p)) as server:
        started = time.monotonic()
        rows, _ = judged(request_table(tones, ["one"]), gemini(server), ledger, clips)
    assert len(rows) == 1
    assert time.monotonic() - started >= 1.0


def test_a_slow_reply_is_given_up_and_asked_again(ledger, clips, tones):
    """A reply that takes longer than the time-out counts as lost."""
    with serving(lambda n, p: Answer(body=reply(card(p)), delay_s=3.0 if n == 0 else 0.0)) as server:
        rows, _ = judged(request_table(tones, ["one"]), gemini(server, timeout_s=1.0), ledger, clips)
    (line,) = ledger.story(rows[0]["judgment_id"])
    assert line["attempts"] == len(server.prompts) >= 2
    assert line["spent_usd"] > REPLY_USD


@pytest.mark.parametrize(
    ("trouble", "reason", "requests"),
    [
        (Answer(status=500, body=error(500, "INTERNAL", "oops")), "server_error", 3),
        (Answer(body="{"), "malformed_body", 3),
        (Answer(body=None), "connection_lost", 3),
        (Answer(status=400, body=error(400, "INVALID_ARGUMENT", "audio too long")), "bad_request", 1),
        (Answer(body={"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 10}}), "blocked", 1),
        (Answer(body={"candidates": [{"finishReason": "SAFETY", "index": 0}]}), "blocked", 1),
        (Answer(body={"candidates": [{"finishReason": "PROHIBITED_CONTENT", "content": {"role": "model"}}]}), "blocked", 1),
        (
            Answer(
                body={"candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": [{"text": "hm", "thought": True}]}}]}
            ),
            "empty_reply",
            1,
        ),
    ],
)
def test_a_hopeless_request_fails_alone(trouble, reason, requests, ledger, *, clips, tones):
    """Its failure row has the reason; all others are judged."""
    with serving(lambda n, p: trouble if "bad" in p.split("reference_text>")[3] else well(n, p)) as server:
        rows, failures = judged(request_table(tones, ["good", "bad", "fine"]), gemini(server, max_attempts=3), ledger, clips)
    assert [row["pair_id"] for row in rows] == ["p0", "p2"]
    assert [(f["subject_id"], f["reason"]) for f in failures] == [("p1", reason)]
    assert len(server.prompts) == 2 + requests
    (line,) = ledger.story(failures[0]["row_id"])
    assert (line["state"], line["reason"], line["open_usd"]) == ("failed", reason, 0.0)


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (Answer(status=401, body=error(401, "UNAUTHENTICATED", "no")), "check the key"),
        (Answer(status=403, body=error(403, "PERMISSION_DENIED", "no")), "check the key"),
        (
            Answer(
                status=400,
                body=error(
                    400,
                    "INVALID_ARGUMENT",
                    "API key not valid.",
                    [
                        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
                    ],
                ),
            ),
            "check the key",
        ),
        (Answer(status=404, body=error(404, "NOT_FOUND", "no such model")), "check the judge's model"),
        (Answer(status=429, body=error(429, "RESOURCE_EXHAUSTED", "daily quota"), headers={"Retry-After": "40000"}), "quota"),
    ],
)
def test_what_is_wrong_with_all_requests_stops_the_run(answer, advice, ledger, clips, tones):
    """No more than the requests already under way are sent, nothing stays booked, and the message says what to do."""
    with serving(lambda n, p: answer) as server, pytest.raises(SetupError, match=advice):
        judged(request_table(tones, [f"text {n}" for n in range(40)]), gemini(server), ledger, clips)
    assert len(server.prompts) <= 4
    assert [line.cost_usd for line in ledger.spend()] == [0.0]


def test_replies_under_way_survive_a_stop(ledger, clips, tones):
    """Three good replies are on their way when the key is refused: they are kept and not asked again."""
    refused = Answer(status=403, body=error(403, "PERMISSION_DENIED", "no"))
    table = request_table(tones, [f"text {n}" for n in range(8)])
    with serving(lambda n, p: refused if n == 0 else Answer(body=reply(card(p)), delay_s=0.3)) as server:
        with pytest.raises(SetupError):
            judged(table, gemini(server), ledger, clips)
        assert len(server.prompts) == 4
        server.script = well
        rows, _ = judged(table, gemini(server), ledger, clips)
    assert len(rows) == 8
    assert max(Counter(server.answered).values()) == 1


def test_an_unreachable_server_stops_the_run(ledger, clips, tones):
    """Nothing listens there: no failure rows for a hundred thousand pairs, but one clear error."""
    with serving() as server:
        url = server.url
    judge = Gemini(base_url=url, backoff_s=0.01, max_attempts=2)
    with pytest.raises(SetupError, match="check the network"):
        judged(request_table(tones, ["one", "two"]), judge, ledger, clips)


def test_the_bill_never_passes_the_budget(ledger, clips, tones):
    """Calls stop before the one that could pass it; a larger budget goes on without asking anything twice."""
    table = request_table(tones, [f"text {n}" for n in range(30)])
    with serving() as server:
        judge = gemini(server)
        budget = judge.estimate_usd(TASK.render(text="text 10", language="en"), 3.0) + 9 * REPLY_USD
        with pytest.raises(BudgetExceeded):
            judged(table, judge, ledger, clips, budget_usd=budget)
        assert 9 <= len(server.prompts) < 30
        assert len(server.prompts) * REPLY_USD <= budget
        rows, _ = judged(table, judge, ledger, clips, budget_usd=RICH)
    assert len(rows) == 30
    assert len(server.prompts) == 30
    assert sum(line.cost_usd for line in ledger.spend()) == pytest.approx(30 * REPLY_USD)


def test_without_a_budget_nothing_is_sent(ledger, clips, tones):
    """A paid judge needs an explicit budget."""
    with serving() as server, pytest.raises(BudgetExceeded, match=r"set judge\.budget_usd"):
        judged(request_table(tones, ["one"]), gemini(server), ledger, clips, budget_usd=None)
    assert server.prompts == []


def test_a_repair_goes_over_the_wire_as_well(ledger, clips, tones):
    """A reply cut at its token limit is kept, and the second one is asked with the reason."""
    cut = reply("<think>\n[Speech A]")
    with serving(lambda n, p: Answer(body=cut) if n == 0 else well(n, p)) as server:
        rows, _ = judged(request_table(tones, ["one"]), gemini(server), ledger, clips)
    assert len(server.prompts) == 2
    assert server.prompts[1].startswith(server.prompts[0])
    assert rows[0]["input_tokens"] == 2 * (TEXT_TOKENS + AUDIO_TOKENS)
    assert [line["repeat"] for line in ledger.story(rows[0]["judgment_id"])] == [0, 1]


def test_the_key_shows_up_nowhere(ledger, clips, tones, *, caplog, capfd, tmp_path):
    """A server that echoes the key in errors and replies: not in messages, tracebacks, logs, output, ledger or tables."""
    caplog.set_level(logging.DEBUG)
    echoes = [
        Answer(status=500, body=error(500, "INTERNAL", f"key {CANARY} has trouble")),
        Answer(body=f'{{"candidates": "{CANARY}"}}'),
        Answer(body=reply(f"I saw {CANARY}", modelVersion=f"m-{CANARY}")),
        Answer(status=400, body=error(400, "INVALID_ARGUMENT", f"bad {CANARY}")),
        Answer(status=403, body=error(403, "PERMISSION_DENIED", f"{CANARY} is not allowed")),
    ]
    seen = ""
    with serving() as server:
        judge = gemini(server, max_attempts=1, concurrency=1)
        for number, answer in enumerate(echoes):
            server.script = lambda _n, _p, answer=answer: answer
            try:
                seen += repr(judged(request_table(tones, [f"text {number}"]), judge, ledger, clips))
            except SetupError:
                seen += traceback.format_exc()
        seen += repr(judge)
    assert "PERMISSION_DENIED" in seen
    seen += caplog.text + "".join(capfd.readouterr())
    ledger._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert server.keys == [CANARY] * len(server.keys)
    assert CANARY not in seen
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes()


def test_no_key_is_said_before_anything_runs(monkeypatch, ledger, clips, tones):
    """Both names of the variable work; without either, the judge says so."""
    assert Gemini().missing() is None
    monkeypatch.delenv("GEMINI_API_KEY")
    assert "set the environment variable GEMINI_API_KEY or GOOGLE_API_KEY" in (Gemini().missing() or "")
    with pytest.raises(SetupError, match="GEMINI_API_KEY"):
        judged(request_table(tones, ["one"]), Gemini(base_url="http://127.0.0.1:1"), ledger, clips)
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    assert Gemini().missing() is None


def test_options_are_checked():
    """A model without a price, a wrong price and a useless limit are recipe errors."""
    assert plugins.load("judge", "gemini") is PLUGIN
    assert plugins.configure("judge", "gemini", {"model": "gemini-2.0-flash"}).price.output == 0.40
    assert Gemini(model="new", usd_per_million=[1, 2, 3]).price.audio_input == 2
    for options in (
        {"model": "unheard-of"},
        {"usd_per_million": [1, 2]},
        {"usd_per_million": [1, 2, -3]},
        {"concurrency": 0},
        {"modle": "x"},
    ):
        with pytest.raises(RecipeError):
            plugins.configure("judge", "gemini", options)


def test_free_running_settings_do_not_change_the_key():
    """Only what can change an answer is a parameter."""
    assert Gemini(concurrency=2, timeout_s=9.0, base_url="http://x", max_attempts=1).params() == Gemini().params()
    assert Gemini(temperature=0.7).params() != Gemini().params()


BUILDER = """
import sys
from annotate.judges.gemini import Gemini
from annotate.judging import judge_pairs
from annotate.ledger import Ledger
from annotate.tasks.task1 import PLUGIN
from storage.blobs import BlobStore
from storage.workspace import Workspace
from tests.annotate.conftest import request_table
url, ledger, workspace, *tones = sys.argv[1:]
with Ledger(ledger) as ledger:
    judge = Gemini(base_url=url, concurrency=4)
    table = request_table(tones, [f"text {number}" for number in range(120)])
    list(judge_pairs(table, task=PLUGIN, judge=judge, ledger=ledger, clips=BlobStore(Workspace(workspace)), budget_usd=100.0))
"""


def test_kill_in_the_middle_asks_nothing_twice(tmp_path, clips, tones):
    """Killed with SIGKILL while judging: every reply in the ledger stays bought, and only what was under way is repeated."""
    path, root = tmp_path / "ledger.sqlite", str(Path(__file__).parents[2])
    table = request_table(tones, [f"text {number}" for number in range(120)])
    with serving(lambda n, p: Answer(body=reply(card(p)), delay_s=0.03)) as server:
        command = [sys.executable, "-c", BUILDER, server.url, str(path), str(tmp_path / "workspace"), *tones]
        with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": root}) as builder:
            while len(server.answered) < 60 and builder.poll() is None:
                time.sleep(0.005)
            os.kill(builder.pid, signal.SIGKILL)
        time.sleep(0.2)  # the server notices the end of what was under way
        before = len(server.prompts)
        kept = replied_prompts(path, server, table)
        assert 60 - 4 <= len(kept) < 120
        with Ledger(path) as ledger:
            rows, failures = judged(table, gemini(server), ledger, clips)
    assert (len(rows), failures) == (120, [])
    assert kept.isdisjoint(server.prompts[before:])
    assert len(server.prompts) - len(set(server.prompts)) <= 4


def replied_prompts(path: Path, server: GeminiServer, table: pa.Table) -> set[str]:
    """Return the prompts whose replies the ledger holds."""
    cases = list(Inquiry.of(TASK, gemini(server)).cases(table))
    with contextlib.closing(Ledger(path)) as ledger:
        missing = set(ledger.missing([case.request.key for case in cases]))
    return {case.request.prompt for case in cases if case.request.key not in missing}
