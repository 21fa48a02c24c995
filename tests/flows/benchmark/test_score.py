"""``bench score`` from a release and a file to the file of results."""

from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats
from typer.testing import CliRunner

from contracts.errors import DamagedPart, DataError, RecipeError
from flows.benchmark.item_tasks import required_task, task_of_items
from flows.benchmark.judge_answers import JUDGE_ANSWERS, on_scale
from flows.benchmark.leaderboard import render
from flows.benchmark.released_items import OpenRelease
from flows.benchmark.results import read_results, write_results
from flows.entry.cli import app
from scoring.bench.figure import Figure
from scoring.reliability.measures import Measure
from tests.annotate.good_replies import QUALITY
from tests.flows.benchmark.small_release import (
    A_BETTER,
    B_BETTER,
    items_of,
    json_lines,
    rated_clips_release,
    rated_pairs_release,
    task1_release,
)

DIMENSIONS = ("Text Fidelity & Intelligibility", "Speaker Similarity to Prompt Speech")


def scored(tmp_path, release, rows, *options):
    target = tmp_path / "model.bench.json"
    arguments = ["bench", "score", release, str(json_lines(tmp_path / "model.jsonl", rows)), "-o", str(target), *options]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return read_results(target), done.output


@pytest.fixture
def release(tmp_path):
    better = [{"dimension": name, "score": 8.0} for name in DIMENSIONS]
    worse = [{"dimension": name, "score": 3.0} for name in DIMENSIONS]
    return task1_release(tmp_path / "ws", 8, scores_a=better, scores_b=worse)


def test_an_oracle_scores_one_and_an_always_a_judge_the_share_of_a(tmp_path, release):
    items = items_of(release)
    labels = items.rows["label"].to_pylist()
    oracle = [
        {"item_id": item, "reply": A_BETTER if label == "a" else B_BETTER}
        for item, label in zip(items.ids, labels, strict=True)
    ]
    found, said = scored(tmp_path, release, oracle)
    best = found.figure("accuracy").measure
    assert (best.value, best.n, best.high) == (1.0, 8, 1.0)
    assert best.low < 1
    assert "accuracy" in said
    always, _ = scored(tmp_path, release, [{"item_id": item, "reply": A_BETTER} for item in items.ids])
    assert always.figure("accuracy").measure.value == labels.count("a") / 8
    assert always.figure("first_preferred").measure.value == 1.0
    # Both dimensions of the release are in favour of A in every row.
    assert [always.figure("accuracy", dimension=name).measure.value for name in DIMENSIONS] == [1.0, 1.0]


def test_the_file_says_what_was_compared_with_what(tmp_path, release):
    items = items_of(release)
    rows = [
        {"item_id": item, "reply": "" if number == 0 else A_BETTER, "cost_usd": 0.25} for number, item in enumerate(items.ids)
    ]
    found, said = scored(tmp_path, release, rows, "--name", "My <b>model</b>")
    assert (found.release, found.configuration, found.split, found.task) == (items.release, "task1", "bench", "task1")
    assert release.endswith(found.release)
    assert (found.judge.name, found.items, found.replies, found.cost_usd) == ("My <b>model</b>", 8, 8, 2.0)
    assert found.unreadable == {"empty_reply": 1}
    assert found.figure("unreadable").measure.value == 1 / 8
    assert "empty_reply 1" in said
    assert pq.read_table(tmp_path / "model.answers.parquet")["item_id"].to_pylist() == items.ids


def test_rated_pairs_have_errors_by_gap(tmp_path):
    release = rated_pairs_release(tmp_path / "ws", 12)
    items = items_of(release)
    right = [{"item_id": item, "score_a": 1, "score_b": 0} for item in items.ids]
    found, _ = scored(tmp_path, release, right)
    assert found.figure("accuracy", corpus="somos").measure.value == 1.0
    assert found.figure("accuracy", gap="<= 0.5").measure.n == 6  # gaps of 1.2 / (1 + number % 4)
    assert found.figure("error", gap_bin="1").measure.value == 0.0


def test_clips_have_pearsons_correlation_with_the_mean_before_rounding(tmp_path):
    truth = [1.4, 2.6, 3.3, 4.6]
    release = rated_clips_release(tmp_path / "ws", [{"overall": one} for one in truth])
    said = [1, 3, 2, 5]
    rows = [{"item_id": f"clip-{number}", "score": score} for number, score in enumerate(said)]
    found, _ = scored(tmp_path, release, rows)
    measure = found.figure("pearson", scale="overall").measure
    assert measure.value == pytest.approx(stats.pearsonr(truth, said).statistic)
    assert found.figure("bin_accuracy", scale="overall").measure.value == np.mean([True, True, False, True])


def test_clips_of_few_leakage_groups_have_intervals_over_clips(tmp_path):
    """All in one group: over other clips of it."""
    truth = np.random.default_rng(3).uniform(1, 5, 30)
    release = rated_clips_release(tmp_path / "ws", [{"overall": one} for one in truth], leakage_group="g")
    said = truth + np.random.default_rng(4).normal(size=30)
    found, _ = scored(tmp_path, release, [{"item_id": f"clip-{number}", "score": one} for number, one in enumerate(said)])
    measure = found.figure("pearson", scale="overall").measure
    interval = stats.pearsonr(truth, said).confidence_interval(0.95)
    assert found.intervals_over == "clips"
    assert (measure.low, measure.high) == pytest.approx((interval.low, interval.high), abs=0.15)


def test_the_majority_of_votes_is_printed(tmp_path, release):
    rows = [{"item_id": item, "verdict": "a", "vote": vote} for item in items_of(release).ids for vote in range(3)]
    _, said = scored(tmp_path, release, rows)
    assert [line.split()[:4] for line in said.splitlines() if "voting" in line] == [
        ["voting_accuracy", f"{number}", "votes", "0.5000"] for number in (1, 2, 3)
    ]


def test_no_result_is_lost_to_another_of_the_same_name(tmp_path, release, monkeypatch):
    """Names that a file cannot have, another file of predictions or a review beside: each has its own; the same run again none."""
    monkeypatch.chdir(tmp_path)
    ids = items_of(release).ids
    always = {
        answer: str(json_lines(tmp_path / f"{answer}.jsonl", [{"item_id": i, "verdict": answer} for i in ids]))
        for answer in "ab"
    }

    def names(file: str, name: str) -> set[str]:
        arguments = ["bench", "score", release, file, "--name", name]
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
        return {path.name.removesuffix(".bench.json") for path in tmp_path.glob("*.bench.json")}

    assert names(always["a"], "模型一") == {"judge-task1-bench"}
    both = names(always["a"], "模型二")
    assert len(both) == 2
    assert names(always["a"], "模型一") == names(always["a"], "模型二") == both
    three = names(always["b"], "模型一")
    assert three > both
    found = [read_results(tmp_path / f"{one}.bench.json") for one in three]
    assert sorted(one.judge.name for one in found) == ["模型一", "模型一", "模型二"]
    assert {path.name.removesuffix(".answers.parquet") for path in tmp_path.glob("*.answers.parquet")} == three
    kept = tmp_path / "judge-task1-bench.bench.json"
    first = read_results(kept)
    write_results(
        kept,
        replace(first, figures=[*first.figures, Figure(name="groundedness", measure=Measure.undefined("x"))]),
        JUDGE_ANSWERS.empty_table(),
    )
    assert len(names(always["a"], "模型一")) == 4
    assert read_results(kept).figure("groundedness") is not None


def test_a_score_under_another_name_is_compared_if_that_is_said(tmp_path):
    """Clips that are rated on ``mos``, and a model that was trained to say ``overall`` (UniSRM, section 5.5)."""
    release = rated_clips_release(tmp_path / "ws", [{"mos": one} for one in (1.4, 2.6, 3.3, 4.6)])
    rows = [{"item_id": f"clip-{number}", "scores": {"overall": score}} for number, score in enumerate([1, 3, 2, 5])]
    found, _ = scored(tmp_path, release, rows, "--scale", "overall")
    assert found.figure("bin_accuracy", scale="mos", corpus="bvcc").measure.value == 0.75
    assert "UniSRM, Table 7" in render([found], "md")
    replies = [{"item_id": f"clip-{number}", "reply": QUALITY} for number in range(4)]
    with pytest.raises(DataError, match=r"the answers score .*overall.* has mos: say with --scale"):
        scored(tmp_path, release, replies, "--task", "quality")
    items = items_of(rated_pairs_release(tmp_path / "pairs", 3))
    with pytest.raises(RecipeError, match="no clips that are rated on one scale"):
        on_scale(items, JUDGE_ANSWERS.empty_table(), "overall")


def test_a_release_of_which_no_split_or_configuration_is_meant(tmp_path, release):
    opened = OpenRelease.of(release)
    with pytest.raises(RecipeError, match=r"no rows in split 'test': --split takes bench, sft"):
        opened.items(None, "test")
    with pytest.raises(RecipeError, match=r"no configuration 'task4': it has task1"):
        opened.items("task4", "bench")


def test_a_release_is_named_by_a_folder_or_a_url(release, monkeypatch):
    """With a slash behind it, from within, and in a bucket."""
    expected = items_of(release).ids
    assert items_of(f"{release}/").ids == expected
    monkeypatch.chdir(release)
    assert items_of(".").ids == expected
    memory = fsspec.filesystem("memory")
    memory.put(release, "/bench-test/", recursive=True)
    try:
        assert items_of(f"memory://bench-test/{Path(release).name}").ids == expected
    finally:
        memory.rm("/bench-test", recursive=True)


def test_a_folder_that_is_no_release_is_said_to_be_none(tmp_path):
    with pytest.raises(DamagedPart, match=r"has no MANIFEST\.json: it is no complete release"):
        OpenRelease.of(str(tmp_path))


def test_the_task_is_that_of_the_configuration_or_must_be_named(tmp_path, release):
    items = items_of(release)
    assert task_of_items(items, None).name == "task1"
    with pytest.raises(RecipeError, match="task quality is about samples"):
        task_of_items(items, "quality")
    pairs = items_of(rated_pairs_release(tmp_path / "rated", 3))
    assert task_of_items(pairs, None) is None
    with pytest.raises(RecipeError, match=r"--task: better_clip, critique_pair"):
        required_task(pairs, None)


def test_results_that_are_none_are_refused(tmp_path):
    path = tmp_path / "x.bench.json"
    path.write_text('{"format": 2}')
    with pytest.raises(DataError, match=r"x.bench.json: no results"):
        read_results(path)
