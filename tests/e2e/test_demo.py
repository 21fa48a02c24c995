"""The demo recipe on a few texts: every embedded engine, model and the objective judge, as a newcomer runs it."""

import io
import json
import time

import pytest
import soundfile
import yaml

from tests.e2e.builds import ROOT, built_demo, unisrm

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def demo(tmp_path_factory, environment):
    """Build the demo recipe with four texts; return its recipe, workspace and release folder."""
    return built_demo(tmp_path_factory.mktemp("demo"), environment, "demo", texts=4)


def test_datasets_reads_the_release(demo, monkeypatch, tmp_path):
    """``load_dataset(<folder>, "task1")`` gives the splits; every clip decodes, at one rate, and columns say where rows come from."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import Audio, load_dataset

    data = load_dataset(str(demo[2]), "task1", cache_dir=str(tmp_path))
    assert set(data) <= {"sft", "rl", "bench"}
    seen = set()
    for split in data.values():
        for column in ("prompt_audio", "audio_a", "audio_b"):
            split = split.cast_column(column, Audio(decode=False))  # noqa: PLW2901
        for row in split:
            seen |= {row["system_a"], row["system_b"]}
            assert row["label"] in {"a", "b"}
            assert row["completion"].endswith(f"<answer>Speech {row['label'].upper()} is better</answer>")
            assert row["is_synthetic_a"] == (row["system_a"] != "human")
            assert len(row["scores_a"]) == 4
            for column in ("prompt_audio", "audio_a", "audio_b"):
                samples, rate = soundfile.read(io.BytesIO(row[column]["bytes"]))
                assert rate == 16000
                assert len(samples) > 8000
    assert seen == {"human", "espeak", "flite", "festival-diphone", "festival-hts", "piper", "kokoro"}


def test_nothing_in_the_release_names_this_machine(demo):
    """No absolute path of the corpus or the workspace, and no time of day, is in card, manifest or rows."""
    import pyarrow.parquet as pq

    recipe, workspace, release = demo
    text = (release / "README.md").read_text() + (release / "MANIFEST.json").read_text()
    for shard in release.rglob("*.parquet"):
        table = pq.read_table(shard).drop_columns(["prompt_audio", "audio_a", "audio_b"])
        text += json.dumps(table.to_pylist())
    for private in (str(workspace), str(recipe.parent), "/usr/share", "/home", "/root"):
        assert private not in text


def test_a_second_build_does_nothing(demo, environment):
    """It takes seconds, says so, and names the same release."""
    recipe, workspace, release = demo
    began = time.monotonic()
    done = unisrm(environment, "build", recipe, "-w", workspace)
    assert time.monotonic() - began < 20
    assert "nothing to do" in done.stderr
    assert done.stdout.strip() == f"release: {release}"


def test_the_other_commands_tell_the_same_story(demo, environment, tmp_path):
    """Status, plan, explain, report and doctor work on the demo; an unknown id ends with one line and code 2."""
    recipe, workspace, _ = demo
    status = json.loads(unisrm(environment, "status", recipe, "-w", workspace, "--json").stdout)
    samples = next(row for row in status if row["stage"] == "samples")
    assert samples["out"] + sum(samples["failed"].values()) == 28
    plan = json.loads(unisrm(environment, "plan", recipe, "-w", workspace, "--json").stdout)
    assert next(row["rows"] for row in plan if row["stage"] == "pairs") == 4 * 21
    page = tmp_path / "report.html"
    unisrm(environment, "report", recipe, "-w", workspace, "-o", page)
    assert page.read_text().count("<audio") >= 20
    ready = {row["name"]: row["ready"] for row in json.loads(unisrm(environment, "doctor", "--json").stdout)}
    assert ready["espeak"] is True
    assert ready["xtts"] is False
    wrong = unisrm(environment, "explain", recipe, "nonsense", "-w", workspace, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1
    assert "no pair, sample" in wrong.stderr


def test_what_this_machine_cannot_do_is_said_first(environment, tmp_path):
    """A recipe with an engine that is not installed ends before anything ran, with one line that says what to install."""
    literals = yaml.safe_load((ROOT / "recipes/demo.yaml").read_text())
    literals["systems"].append({"name": "xtts", "engine": "xtts"})
    literals["release"]["allow_non_commercial"] = True
    recipe = tmp_path / "gpu.yaml"
    recipe.write_text(yaml.safe_dump(literals))
    done = unisrm(environment, "build", recipe, "-w", tmp_path / "ws", check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "system xtts" in done.stderr
    assert not (tmp_path / "ws" / "tables").exists()
