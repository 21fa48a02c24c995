"""The Mandarin demo on a few texts: speech that nobody recorded, after English references, by voices for non-commercial use."""

from collections import Counter

import pyarrow.parquet as pq
import pytest
import yaml

from flows import open_workspace
from tests.e2e.builds import ROOT, built_demo, unisrm

pytestmark = pytest.mark.e2e

SYSTEMS = {"fastspeech2", "tacotron2", "fastspeech2-moved", "tacotron2-moved"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory, environment):
    """Build the recipe with three texts; return its recipe, workspace and release folder."""
    return built_demo(tmp_path_factory.mktemp("demo_zh"), environment, "demo_zh", texts=3)


def test_rows_are_mandarin_after_english_speech(demo):
    """Every text in Chinese, every reference in English, no recording among the candidates, and the licence says what is allowed."""
    columns = ["text", "language", "reference_language", "prompt_text", "system_a", "system_b", "license", "scores_a", "label"]
    rows = [row for shard in demo[2].rglob("*.parquet") for row in pq.read_table(shard, columns=columns).to_pylist()]
    assert {(row["language"], row["reference_language"]) for row in rows} == {("zh", "en")}
    assert all("\u4e00" <= row["text"][0] <= "\u9fff" and row["prompt_text"].isascii() for row in rows)
    assert {row[f"system_{side}"] for row in rows for side in "ab"} <= SYSTEMS
    assert all("LicenseRef-Databaker-NonCommercial" in row["license"] for row in rows)
    assert all(len(row["scores_a"]) == 4 for row in rows)


def test_every_sentence_is_spoken_and_understood(demo):
    """Three sentences by four systems, none failed, and Whisper hears what was written."""
    workspace = open_workspace(str(demo[1]))
    systems = workspace.table("samples", ["sample_id", "system"]).set_index("sample_id")["system"]
    assert Counter(systems) == dict.fromkeys(SYSTEMS, 3)
    heard = workspace.table("metrics")
    errors = [dict(row["values"])["wer"] for row in heard[heard["metric"] == "wer"].to_dict("records")]
    assert len(errors) == 12
    assert sum(errors) / len(errors) < 0.2


def test_without_the_word_the_recipe_is_refused(environment, tmp_path):
    """In one line, before anything ran."""
    literals = yaml.safe_load((ROOT / "recipes/demo_zh.yaml").read_text())
    del literals["release"]["allow_non_commercial"]
    recipe = tmp_path / "demo_zh.yaml"
    recipe.write_text(yaml.safe_dump(literals))
    done = unisrm(environment, "build", recipe, "-w", tmp_path / "ws", check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "forbids commercial use" in done.stderr
