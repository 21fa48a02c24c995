"""A corpus whose recordings machines spoke is told for what it is, in tables, rows and on the page."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from contracts.errors import RecipeError
from corpora.emotion_miniatures import esd
from flows.recipe.load import load
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.views.report import write_report
from tests.flows.small import run


def recipe(folder, **of_corpus):
    literals = {
        "name": "spoken",
        "corpora": [
            {"name": "esd", "reader": "esd", "root": str(folder / "esd"), "options": {"languages": ["en"]}} | of_corpus
        ],
        "prompts": {"reference": "none", "targets": "recordings", "min_duration_s": 0.1, "reference_min_duration_s": 0.1},
        "negatives": [{"corruption": "real_emotion", "recording": {"text": "same", "emotion": "other", "speaker": "same"}}],
        "labels": {"from": "construction"},
        "splits": {"fractions": {"sft": 1.0}},
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(literals))
    return folder / "r.yaml"


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("source_type", [None, "trainedAlgorithmicMedia"])
def test_recordings_are_what_the_recipe_says(tmp_path, source_type):
    """Of people, or of machines: also those that are borrowed."""
    esd(tmp_path / "esd", speakers=("0011",), sentences=1)
    build = open_build(recipe(tmp_path, **({"source_type": source_type} if source_type else {})), str(tmp_path / "ws"))
    with build.workspace.lock():
        run(build, "release")
    rows = [row for file in Path(release_of(build)).rglob("*.parquet") for row in pq.read_table(file).to_pylist()]
    assert len(rows) == 5
    types = {row[f"digital_source_type_{side}"] for row in rows for side in "ab"}
    assert types == {source_type or "digitalCapture"}
    assert {row[f"is_synthetic_{side}"] for row in rows for side in "ab"} == {source_type is not None}
    write_report(build, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert ("Machines spoke the recordings of the corpora esd, too" in page) == (source_type is not None)


def test_the_key_is_for_kinds_whose_rows_tell_it(tmp_path):
    """A corpus of rated clips names the system of each clip itself."""
    rated = {
        "kind": "rated_pairs",
        "name": "rated",
        "corpora": [{"name": "bvcc", "reader": "bvcc", "root": str(tmp_path), "source_type": "algorithmicMedia"}],
        "scale": "mos",
        "splits": {"fractions": {"train": 1.0}},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(rated))
    with pytest.raises(RecipeError, match=r"corpora.bvcc.source_type: in this kind"):
        load(tmp_path / "r.yaml")
