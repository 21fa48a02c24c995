"""``bench run``: judges through the ledger, metrics, examples, reviews; nothing is asked or measured twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from annotate.models.ledger.ledger import Ledger
from contracts import plugins
from contracts.errors import BudgetExceeded, DataError, RecipeError, SetupError
from flows.benchmark.bench_run import BenchRun, bench_workspace
from flows.benchmark.cost_ahead import cost_ahead
from flows.benchmark.leaderboard import render
from flows.benchmark.measuring import MetricJudge
from flows.benchmark.released_items import OpenRelease
from flows.benchmark.results import read_results
from flows.benchmark.running import Asked, BenchOutcome, Reviewer, prepare, reviewed, run_judge, run_metric
from flows.entry.cli import app
from storage.downloads import WebFile
from storage.workspace import Workspace
from tests.annotate.good_replies import QUALITY, TASK_3_ZH, TASK_4
from tests.annotate.openai_server import Options, question, serving
from tests.flows.benchmark.small_release import (
    A_BETTER,
    B_BETTER,
    rated_clips_release,
    task1_release,
    task3_release,
    task4_release,
)

METRIC = '''
"""How loud a clip is."""

from dataclasses import dataclass

from contracts.jobs import Failure, Resources
from scoring.metric import Measurement


class _Session:
    model, model_version = "peak", "1"

    def measure(self, requests):
        for request in requests:
            with open({log!r}, "a") as log:
                log.write(request.sample_id + "\\n")
            if request.text == "text 11":
                yield Failure(reason="odd_text", message="not this one")
            else:
                yield Measurement(values={{"peak": float(abs(request.waveform).mean()), "nothing": 0.0}})


@dataclass(frozen=True, kw_only=True)
class Peak:
    value_names = ("peak", "nothing")
    better = {{"peak": "lower", "nothing": "higher"}}
    resources = Resources(batch_size=4)

    def missing(self):
        return None

    def installed_version(self):
        return "1"

    def open(self):
        return _Session()


PLUGIN = Peak
'''


def hearing(prompt, audios):
    """Prefer one clip whatever the order: a judge that listens."""
    (_, a), (_, b) = audios[-2:]
    return A_BETTER if a > b else B_BETTER


def opened(release, folder, **changes):
    found = OpenRelease.of(release)
    return BenchRun(workspace=Workspace(folder), **changes), found, found.items(None, "bench")


def options(server) -> dict:
    return {"base_url": server.url, "model": "local-judge", "key_variable": ""}


def judged(release, folder, server, **changes) -> BenchOutcome:
    run, found, items = opened(release, folder)
    return run_judge(run, found, items, "openai", Asked(**{"options": options(server)} | changes))


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Eight pairs with a reference speech each."""
    folder = tmp_path_factory.mktemp("task1")
    return task1_release(folder, 8, prompt_audio="ref", reference_language="en")


def test_a_judge_is_asked_in_both_orders_once(release, tmp_path):
    """A judge that listens says the same in both orders; a second run asks nothing and comes to the same."""
    with serving(answer=hearing) as server:
        first = judged(release, tmp_path / "ws", server, orders="both")
        assert server.counters()["answered"] == 16
        again = judged(release, tmp_path / "ws", server, orders="both")
        assert server.counters()["answered"] == 16
    assert first.results == again.results
    assert first.books.rows_in == first.books.rows_out == 16
    assert first.results.figure("order_consistency").measure.value == 1.0
    assert first.results.figure("first_preferred").measure.value == 0.5
    assert (first.results.judge.name, first.results.task, first.results.replies) == ("local-judge", "task1", 16)
    assert first.results.latency_s > 0
    assert "127.0.0.1" not in str(first.results)  # results are published
    assert '"model":"local-judge"' in first.results.judge.options


def test_a_judge_that_takes_the_first_clip_is_right_as_often_as_a_is(release, tmp_path):
    with serving(answer=lambda *_: A_BETTER) as server:
        found = judged(release, tmp_path / "ws", server).results
    assert found.figure("accuracy").measure.value == 0.5
    assert found.figure("first_preferred").measure.value == 1.0


def test_a_reply_out_of_format_is_wrong_and_no_second_one_is_asked_for(release, tmp_path):
    """The papers ask once."""
    with serving(answer=lambda *_: "Speech A, I think.") as server:
        found = judged(release, tmp_path / "ws", server).results
        assert server.counters()["answered"] == 8
    assert found.unreadable == {"unparsable_reply": 8}
    assert (found.figure("accuracy").measure.value, found.figure("unreadable").measure.value) == (0.0, 1.0)


def test_a_model_that_is_named_by_its_path_goes_by_the_last_part(release, tmp_path):
    with serving(answer=hearing) as server:
        found = judged(
            release, tmp_path / "ws", server, options=options(server) | {"model": "/models/checkpoints/run-7"}
        ).results
    assert (found.judge.name, found.judge.model) == ("run-7", "run-7")
    assert "checkpoints" not in str(found)


def test_votes_are_requests_of_their_own(release, tmp_path):
    with serving(answer=hearing) as server:
        found = judged(release, tmp_path / "ws", server, votes=3).results
        assert server.counters()["answered"] == 24
    assert found.figure("voting_accuracy", votes="3").measure.value == found.figure("accuracy").measure.value


def test_a_paid_judge_needs_a_budget_and_stops_at_it(release, tmp_path):
    with serving(answer=hearing) as server:
        paid = options(server) | {"usd_per_million": [2.5, 32.0, 10.0]}
        run, found, items = opened(release, tmp_path / "ws")
        with pytest.raises(BudgetExceeded):
            run_judge(run, found, items, "openai", Asked(options=paid))
        run, *_ = opened(release, tmp_path / "ws", budget_usd=100.0)
        outcome = run_judge(run, found, items, "openai", Asked(options=paid))
        bill = server.counters()["bill_usd"]
    assert outcome.results.cost_usd == pytest.approx(bill)
    with Ledger(tmp_path / "ws" / "ledger.sqlite", account="bench") as ledger:
        assert ledger.owed_usd() == pytest.approx(bill)


def test_what_it_would_cost_is_said_before(release, tmp_path):
    """The sum of the judge's own estimates: the bill is not above it, and nothing is left to send afterwards."""
    with serving(answer=hearing) as server:
        how = Asked(options=options(server) | {"usd_per_million": [2.5, 32.0, 10.0]}, orders="both")
        run, found, items = opened(release, tmp_path / "ws", budget_usd=100.0)
        prepared = prepare(run, found, items, "openai", how)
        prepared.take_clips(run, found, items)
        ahead = cost_ahead(run, prepared.question)
        assert server.counters()["requests"] == 0
        cost = run_judge(run, found, items, "openai", how).results.cost_usd
    assert (ahead.requests, ahead.left) == (16, 16)
    assert 0 < cost <= ahead.most_usd
    assert (cost_ahead(run, prepared.question).left, cost_ahead(run, prepared.question).most_usd) == (0, 0)


def test_batches_answer_as_live_requests_do(release, tmp_path):
    with serving(answer=hearing) as server:
        batched = options(server) | {"batches": True}
        found = judged(release, tmp_path / "batch", server, options=batched, mode="batch", poll_s=0.02).results
        live = judged(release, tmp_path / "live", server).results
    assert found.figures == live.figures


def test_single_clips_are_scored_in_the_tasks_form(tmp_path):
    """Task 2: seven aspects of each clip, of which the release has two."""
    made = [{"overall": one, "noise": 3.0} for one in (1.5, 2.5, 4.0)]
    with serving(answer=lambda *_: QUALITY) as server:
        found = judged(rated_clips_release(tmp_path / "made", made), tmp_path / "ws", server).results
    assert (found.task, found.about) == ("quality", "samples")
    assert found.figure("bin_accuracy", scale="noise").measure.value == 1.0
    assert found.figure("bin_accuracy", scale="overall").measure.value == 1 / 3
    assert "equal" in found.figure("pearson", scale="overall").measure.why


def test_a_dialogue_is_heard_with_the_turns_before(tmp_path, peak):
    """Task 4: all turns as audio, then both candidates; a metric hears the candidates alone (UniSRM, Table 12)."""
    release = task4_release(tmp_path / "made")
    with serving(answer=lambda *_: TASK_4) as server:
        found = judged(release, tmp_path / "ws", server).results
        assert {len(question(body)[1]) for body in server.bodies} == {4}
    assert (found.task, found.judge.inputs.history) == ("task4", "given")
    assert found.figure("accuracy").measure.value == 0.5  # always B
    run, opened_release, items = opened(release, tmp_path / "ws")
    measured = run_metric(run, opened_release, items, MetricJudge.of("peak", {}, None), Asked(options={})).results
    assert (measured.task, measured.judge.inputs.history, measured.judge.inputs.prompt) == ("task4", "not given", "not given")
    table = render([found, measured], "md")
    assert "| local-judge | 50.00" in table
    assert "| peak | " in table


def test_chinese_scenes_are_judged_in_chinese(tmp_path):
    """Task 3: the prompt and the reply are in the language of the row, and the column is that of Chinese."""
    with serving(answer=lambda *_: TASK_3_ZH) as server:
        found = judged(task3_release(tmp_path / "made"), tmp_path / "ws", server).results
        assert all("末班车刚刚开走" in question(body)[0] for body in server.bodies)
    assert found.unreadable == {}
    assert found.figure("accuracy", language="zh").measure.value == 0.5
    assert "T3-Zh acc" in render([found], "md")


def test_nothing_but_failures_is_no_result(release, tmp_path, peak):
    """A metric that measures none of the clips is not one that is always wrong."""
    run, found, items = opened(task1_release(tmp_path / "made", 4, text="text 11"), tmp_path / "ws")
    with pytest.raises(DataError, match=r"metric peak gave none of 4 answers \(odd_text 4\)"):
        run_metric(run, found, items, MetricJudge.of("peak", {}, None), Asked(options={}))


def test_examples_come_before_the_question_and_are_the_same_for_all(release, tmp_path):
    """Four pairs of another split with their clips and labels; other requests than those without examples."""
    with serving(answer=hearing) as server:
        found = judged(release, tmp_path / "ws", server, shots=4, seed=3).results
        asked = [question(body) for body in server.bodies]
        assert len(asked) == 8
        judged(release, tmp_path / "ws", server)
        assert server.counters()["answered"] == 16
    prompts, clips = [prompt for prompt, _ in asked], [audios for _, audios in asked]
    assert all(prompt.startswith("First come pairs") and "better, 4 in number" in prompt for prompt in prompts)
    assert {prompt.split("The question follows")[0] for prompt in prompts} == {prompts[0].split("The question follows")[0]}
    assert {len(one) for one in clips} == {3 * (4 + 1)}
    assert all(one[:12] == clips[0][:12] for one in clips)
    assert found.judge.name == "local-judge (4-shot)"
    assert "4 examples: pair-" in found.judge.inputs.note
    assert "pair-0006" not in found.judge.inputs.note  # the bench begins with 00060


@pytest.mark.parametrize(("changes", "message"), [
    ({"shots": 2, "shots_from": "bench"}, "must not come from the split that is judged"),
    ({"shots": 60}, "has 6 pairs"),
    ({"task": "quality"}, "about samples"),
    ({"task": "task3"}, "has no column scenario_description"),
])  # fmt: skip
def test_what_cannot_be_asked_is_refused_before_anything_is(release, tmp_path, changes, message):
    with serving(answer=hearing) as server, pytest.raises(RecipeError, match=message):
        judged(release, tmp_path / "ws", server, **changes)
    assert server.counters()["requests"] == 0


def test_the_rule_judges_by_the_measurements_of_the_release(tmp_path):
    names = plugins.load("judge", "objective").facts
    good, bad = ([{"metric": name, "value": value} for name in names] for value in (0.9, 0.1))
    release = task1_release(tmp_path / "made", 4, metrics_a=good, metrics_b=bad, prompt_audio="ref")
    run, found, items = opened(release, tmp_path / "ws")
    outcome = run_judge(run, found, items, "objective", Asked(options={}))
    assert outcome.results.unreadable == {}
    inputs = outcome.results.judge.inputs
    assert (inputs.audio, inputs.prompt, inputs.history) == ("not given", "not given", "not part of the task")
    assert "measured values: wer" in inputs.note
    without = task1_release(tmp_path / "other", 4)
    run, found, items = opened(without, tmp_path / "ws")
    with pytest.raises(RecipeError, match="has no measurements of sim"):
        run_judge(run, found, items, "objective", Asked(options={}))


@pytest.mark.parametrize(("options_given", "message"), [
    ([], "name one of --judge and --metric"),
    (["--judge", "objective", "--metric", "wer"], "name one of --judge and --metric"),
    (["--metric", "wer", "--votes", "3"], "are for judges"),
    (["--judge", "objective", "--value", "wer"], "is for metrics"),
    (["--judge", "objective", "--shots", "2"], "learns nothing from examples"),
    (["--judge", "objective", "--orders", "random"], "unknown: take stored or both"),
    (["--judge", "objective", "--review", "groundedness"], "belong together"),
])  # fmt: skip
def test_options_that_do_not_go_together_are_refused(release, tmp_path, options_given, message):
    with pytest.raises(RecipeError, match=message):
        CliRunner().invoke(
            app, ["bench", "run", release, "--workspace", str(tmp_path / "ws"), *options_given], catch_exceptions=False
        )


def test_a_plan_needs_no_key(release, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    arguments = [
        "bench",
        "run",
        release,
        "--workspace",
        str(tmp_path / "ws"),
        "--judge",
        "openai",
        "--option",
        "model=gpt-audio",
    ]
    done = CliRunner().invoke(app, [*arguments, "--plan"], catch_exceptions=False)
    assert "8 of 8 requests are to be sent" in done.output
    with pytest.raises(SetupError, match="OPENAI_API_KEY"):
        CliRunner().invoke(app, [*arguments, "--budget-usd", "1"], catch_exceptions=False)


@pytest.fixture
def peak(tmp_path, monkeypatch):
    """A metric of a folder of plug-ins, and its log of measured clips."""
    log = tmp_path / "measured.txt"
    (tmp_path / "plugins" / "metric").mkdir(parents=True)
    (tmp_path / "plugins" / "metric" / "peak.py").write_text(METRIC.format(log=str(log)))
    monkeypatch.setenv("UNISRM_PLUGINS", str(tmp_path / "plugins"))
    yield log
    sys.modules.pop("unisrm_plugins.metric.peak", None)


def test_a_metric_judges_by_its_own_direction_and_measures_once(release, tmp_path, peak):
    """Lower is better; a clip that cannot be measured leaves its pair without an answer."""
    run, found, items = opened(release, tmp_path / "ws")
    judge = MetricJudge.of("peak", {}, None)
    outcome = run_metric(run, found, items, judge, Asked(options={}))
    measured = peak.read_text().split()
    assert len(measured) == len(set(measured))
    expected = {}
    for row in items.rows.to_pylist():
        a, b = (abs(run.blobs.waveform(row[f"audio_{side}"])[0]).mean() for side in "ab")
        expected[row["pair_id"]] = None if row["text"] == "text 11" else ("a" if a < b else "b")
    assert dict(zip(*outcome.answers.select(["item_id", "verdict"]).to_pydict().values(), strict=True)) == expected
    assert outcome.results.unreadable == {"odd_text": 2}
    assert outcome.results.judge.name == "peak"
    again = run_metric(run, found, items, judge, Asked(options={}))
    assert again.results == outcome.results
    assert peak.read_text().split() == measured


def test_what_a_metric_lacks_is_said_before_anything_is_measured(release, tmp_path, peak, monkeypatch):
    """Reference speech, which no retry brings, and weights, with what to do."""
    run, found, items = opened(task1_release(tmp_path / "made", 4, prompt_audio=None), tmp_path / "ws")
    with pytest.raises(RecipeError, match=r"metric sim compares clips with reference speech, and release .* has none"):
        run_metric(run, found, items, MetricJudge.of("sim", {}, None), Asked(options={}))
    weights = WebFile(url="file:///nowhere/weights.pt", path=tmp_path / "weights.pt")
    monkeypatch.setattr(plugins.load("metric", "peak"), "downloads", lambda _: (weights,), raising=False)
    with pytest.raises(
        SetupError,
        match=r"metric peak: its weights are not on this machine and cannot be fetched: .* bring it here .*weights.pt",
    ):
        run_metric(run, found, items, MetricJudge.of("peak", {}, None), Asked(options={}))
    assert not peak.exists()


def test_equal_values_are_ties_and_wrong(release, tmp_path, peak):
    run, found, items = opened(release, tmp_path / "ws")
    results = run_metric(run, found, items, MetricJudge.of("peak", {}, "nothing"), Asked(options={})).results
    assert results.judge.name == "peak nothing"
    assert results.figure("ties").measure.value == 6 / 8
    assert results.figure("accuracy").measure.value == 0.0


def test_a_metric_scores_single_clips_on_every_scale_without_rounding(tmp_path, peak):
    release = rated_clips_release(tmp_path / "made", [{"overall": one, "noise": 3.0} for one in (1.5, 2.5, 4.0)])
    run, found, items = opened(release, tmp_path / "ws")
    results = run_metric(run, found, items, MetricJudge.of("peak", {}, None), Asked(options={})).results
    assert results.figure("pearson", scale="overall").measure.n == 3
    assert results.figure("bin_accuracy", scale="overall") is None


def test_metrics_say_which_value_is_better_or_cannot_judge():
    assert {MetricJudge.of(name, {}, None).better for name in ("wer", "fad")} == {"lower"}
    assert {MetricJudge.of(name, {}, None).better for name in ("sim", "distillmos", "dnsmos", "utmos", "audiobox")} == {
        "higher"
    }
    assert {MetricJudge.of("audiobox", {}, f"audiobox_{axis}").better for axis in ("ce", "cu", "pc", "pq")} == {"higher"}
    assert MetricJudge.of("dnsmos", {}, "dnsmos_p808").label == "dnsmos dnsmos_p808"
    with pytest.raises(RecipeError, match="does not say which"):
        MetricJudge.of("silence", {}, None)
    with pytest.raises(RecipeError, match="no value 'speed'"):
        MetricJudge.of("sim", {}, "speed")


def test_a_review_gives_the_mean_of_its_scores(release, tmp_path):
    """Evidence groundedness: 2 for answers in favour of A, 1 for the others."""

    def answer(prompt, audios):
        if audios:
            return hearing(prompt, audios)
        return json.dumps({"score": 2 if "Speech A is better" in prompt else 1, "reason": "It names a word."})

    with serving(answer=answer) as server:
        run, found, items = opened(release, tmp_path / "ws")
        outcome = run_judge(run, found, items, "openai", Asked(options=options(server)))
        reviewer = Reviewer(task="groundedness", judge="openai", options=options(server) | {"model": "local-text"})
        results = reviewed(run, items, outcome, reviewer, seed=0).results
    verdicts = outcome.answers["verdict"].to_pylist()
    expected = sum(1 + (verdict == "a") for verdict in verdicts) / 8
    measure = results.figure("groundedness").measure
    assert (measure.value, measure.n) == (expected, 8)
    assert results.figure("groundedness", language="en").measure.value == expected


def test_a_builds_workspace_is_no_place_for_a_benchmark(release, tmp_path):
    (tmp_path / "ws" / "tables" / "pairs").mkdir(parents=True)
    with pytest.raises(RecipeError, match="is that of a build"):
        bench_workspace(str(tmp_path / "ws"), OpenRelease.of(release))


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(release, tmp_path):
    """Kill -9 amid the requests: what was answered is not asked again, but for the one in flight; the books balance."""
    target = tmp_path / "gpt.bench.json"
    with serving(Options(latency_s=0.3), hearing) as server:
        program = [str(Path(sys.executable).with_name("unisrm-data")), "bench", "run", release, "--judge", "openai"]
        for name, value in (options(server) | {"concurrency": 1}).items():
            program += ["--option", f"{name}={json.dumps(value)}"]
        program += ["--workspace", str(tmp_path / "ws"), "-o", str(target)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
        running = subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while server.counters()["answered"] < 3 and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
        running.wait()
        before = server.counters()["answered"]
        assert 3 <= before < 8
        assert not target.exists()
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        counts = server.counters(everything=True)
    assert len(counts["answers"]) == 8
    assert sum(counts["answers"].values()) <= 8 + 1
    assert "judgments: 8 judgments -> 8" in done.stdout
    results = read_results(target)
    assert (results.items, results.replies, results.unreadable) == (8, 8, {})
