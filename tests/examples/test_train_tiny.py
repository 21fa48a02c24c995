"""The tiny reward model: what it learns, against scikit-learn, and the file that it writes."""

import json
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from examples.train_tiny import Head, Pairs, interval_of, main, right
from flows.entry.cli import app
from scoring.reliability.measures import Measure
from storage.columns import TASK1
from tests.flows.exports.tiny_release import pairs, released


def made(count: int, seed: int) -> list[dict]:
    """Return pairs whose better clip has more of ``good``, mostly; ``noise`` says nothing, and is missing at times."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        good = draw.normal(size=2)
        sides = [{"good": float(value)} | ({"noise": float(draw.normal())} if draw.random() < 0.8 else {}) for value in good]
        label = "a" if good[0] - good[1] + draw.normal() * 0.5 > 0 else "b"
        rows.append(
            {
                "pair_id": f"p{number}",
                "label": label,
                "leakage_group": f"g{number // 4}",
                "metrics_a": sides[0],
                "metrics_b": sides[1],
            }
        )
    return rows


def test_the_head_is_a_logistic_regression_without_intercept():
    """Bradley and Terry's model of pairs is logistic regression on differences: scikit-learn as the oracle."""
    data = Pairs(made(400, 1), ["good", "noise"])
    head = Head(data, penalty=1.0)
    oracle = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8).fit(head.difference(data), data.is_a)
    assert head.weights == pytest.approx(oracle.coef_[0], abs=1e-3)


def test_exchanged_clips_give_the_opposite_score():
    rows = made(50, 2)
    exchanged = [row | {"metrics_a": row["metrics_b"], "metrics_b": row["metrics_a"]} for row in rows]
    head = Head(Pairs(made(200, 3), ["good", "noise"]))
    one, other = (head.scores(Pairs(some, ["good", "noise"])) for some in (rows, exchanged))
    assert one == pytest.approx(-other)


def test_ties_and_missing_values_are_wrong():
    data = Pairs(made(3, 1), ["good"])
    assert right(np.array([0.0, np.nan, 0.0]), data).tolist() == [0, 0, 0]


def test_from_a_release_to_predictions(tmp_path, capsys, monkeypatch):
    def rows_of(rows, start):
        base = pairs(len(rows), start).to_pylist()
        for row, one in zip(base, rows, strict=True):
            row |= {"label": one["label"], "leakage_group": f"{start}{one['leakage_group']}"}
            for side in "ab":
                row[f"metrics_{side}"] = [{"metric": k, "value": v} for k, v in one[f"metrics_{side}"].items()]
                row[f"audio_{side}"] = f"{side}{row['pair_id']}"
            row["prompt_audio"] = None
        return pa.Table.from_pylist(base, schema=pairs(1).schema)

    parts = [(made(80, 1), "sft", 0), (made(40, 2), "rl", 100), (made(40, 3), "bench", 200)]
    release = released(
        tmp_path / "ws", *(("t", split, rows_of(rows, start), TASK1) for rows, split, start in parts), only=["t"]
    )
    folder = release.workspace.path(release.folder)
    main([folder, "--configuration", "t", "-o", str(tmp_path / "predictions.jsonl")])
    said = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert [row["item_id"] for row in said] == [f"pair-{200 + n:05d}" for n in range(40)]
    truth = [row["label"] for row in parts[2][0]]
    accuracy = np.mean([row["verdict"] == label for row, label in zip(said, truth, strict=True)])
    assert accuracy > 0.75
    shown = capsys.readouterr().out
    assert f"Bradley-Terry head {accuracy:34.3f}".split()[-1] in shown
    assert "trained on 120 pairs, 2 features; bench: 40 pairs of 10 leakage groups" in shown
    assert "good, higher is better" in shown
    assert "10 leakage groups are too few to tell judges apart" in shown
    assert {line.split()[-1] for line in shown.splitlines() if "is better" in line or "head" in line} == {"unknown"}
    assert f"{accuracy:.3f}     40   " in shown, "every line has its n"
    monkeypatch.chdir(tmp_path)
    command = shlex.split(shown.strip().rpartition("score them with ")[2])
    done = CliRunner().invoke(app, command[1:], catch_exceptions=False)
    assert f"{accuracy:.4f}" in done.stdout, "the command that is printed says the same"


def test_nothing_is_tested_on_what_it_was_trained_on(tmp_path):
    """Neither the same split, nor one with texts or clips of it."""

    def table(start):
        rows = pairs(4, start, prompt_audio=None).to_pylist()
        for row in rows:
            row.update({f"audio_{side}": f"{side}{row['pair_id']}" for side in "ab"}, leakage_group="g")
        return pa.Table.from_pylist(rows, schema=pairs(1).schema)

    release = released(tmp_path / "ws", *(("t", name, table(n), TASK1) for name, n in (("sft", 0), ("rl", 50))), only=["t"])
    folder, target = release.workspace.path(release.folder), tmp_path / "predictions.jsonl"
    with pytest.raises(SystemExit, match="--bench sft: the head is trained on sft, rl"):
        main([folder, "--configuration", "t", "--bench", "sft", "-o", str(target)])
    with pytest.raises(SystemExit, match="sft and rl share 1 leakage groups"):
        main([folder, "--configuration", "t", "--train", "sft", "--bench", "rl", "-o", str(target)])
    assert not target.exists()


@pytest.fixture(scope="module")
def rated(tmp_path_factory):
    """A release of rated pairs and of single clips."""
    release = released(tmp_path_factory.mktemp("ws"), only=["pairs", "clips"])
    return Path(release.workspace.path(release.folder))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            [],
            "no rows of task1 in sft, rl. It has clips: train; pairs: train (name them with --configuration, --train and --bench)",
        ),
        (["--configuration", "clips", "--train", "train"], "has no column pair_id: this trains on pairs"),
        (["-o", "/nowhere/p.jsonl"], "--output /nowhere/p.jsonl: no file can be written there"),
    ],
)
def test_what_cannot_be_trained_on_is_said_before(rated, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([str(rated), *options])
    assert message in str(ended.value)


def test_half_a_split_is_not_the_whole(rated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r" / "pairs").mkdir(parents=True)
    (tmp_path / "r" / "pairs" / "sft-00000-of-00002.parquet").write_bytes(
        (rated / "pairs" / "train-00000-of-00001.parquet").read_bytes()
    )
    with pytest.raises(SystemExit, match=r"sft-00001-of-00002\.parquet is missing"):
        main([str(tmp_path / "r"), "--configuration", "pairs"])


def test_a_folder_that_is_none_and_a_cut_shard(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="is no folder: name that of a release"):
        main([str(tmp_path / "nope")])
    (tmp_path / "r" / "task1").mkdir(parents=True)
    (tmp_path / "r" / "task1" / "sft-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(SystemExit, match=r"sft-00000-of-00001\.parquet cannot be read"):
        main([str(tmp_path / "r")])


def test_an_interval_without_width_is_unknown():
    """Twenty groups with the same share of right answers: a bootstrap over groups says 0.5 to 0.5."""
    assert interval_of(Measure(value=0.5, n=40, low=0.5, high=0.5)) == "unknown"
    assert interval_of(Measure(value=0.5, n=40, low=0.4, high=0.6)) == "0.400 to 0.600"


def test_what_was_not_measured_is_measured_here(tmp_path, capsys):
    """A release without measurements: prosody and acoustics of its clips are the features."""

    def unmeasured(count, start):
        rows = pairs(count, start, metrics_a=None, metrics_b=None, prompt_audio=None).to_pylist()
        for row in rows:
            row.update({f"audio_{side}": f"{side}{row['pair_id']}" for side in "ab"}, leakage_group=row["pair_id"])
        return pa.Table.from_pylist(rows, schema=pairs(1).schema)

    parts = [("t", "sft", unmeasured(6, 0), TASK1), ("t", "bench", unmeasured(3, 50), TASK1)]
    release = released(tmp_path / "ws", *parts, only=["t"])
    arguments = [release.workspace.path(release.folder), "--configuration", "t", "--train", "sft"]
    main([*arguments, "-o", str(tmp_path / "predictions.jsonl")])
    assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 3
    told = capsys.readouterr()
    assert "measuring prosody, acoustics of its clips" in told.err
    assert "bandwidth_hz" in told.out
