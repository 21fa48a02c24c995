"""A kind of data set from a folder: the example of docs/extending.md, built to its release."""

import shutil
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from contracts import plugins
from contracts.errors import RecipeError
from corpora.dummies import rated_manifest
from flows.entry.cli import app
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from storage.release_verification import verify_release
from tests.flows.small import run

EXAMPLE = Path(__file__).parents[3] / "docs/examples"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return the path of a recipe of that kind; its plug-in lies beside it, as a user's would."""
    monkeypatch.setenv(plugins.FOLDERS, "")
    shutil.copytree(EXAMPLE, tmp_path / "mine")
    rated_manifest(tmp_path / "mos", contents=6, systems=3, raters=4)
    literals = {
        "kind": "clear_pairs",
        "plugins": "mine",
        "name": "clear",
        "corpora": [{"name": "mos", "reader": "manifest", "root": "mos", "options": {"text": "optional"}}],
        "scale": "mos",
        "least_gap": 1.5,
        "splits": {"fractions": {"train": 1.0}},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(literals))
    yield tmp_path / "r.yaml"
    sys.modules.pop("unisrm_plugins.kind.clear_pairs", None)


def test_it_is_built_to_its_release(recipe, tmp_path, in_this_process):
    """Rows are those of pandas, columns and card its own, and ``verify`` and ``plan`` know what it is."""
    build = open_build(recipe, str(tmp_path / "ws"))
    with build.workspace.lock():
        books = run(build, "release")
    means = pd.read_csv(tmp_path / "mos/ratings.csv").groupby("id")["score"].mean()
    clips = pd.read_csv(tmp_path / "mos/manifest.csv")
    both = clips.merge(clips, on="content_id", suffixes=("_a", "_b")).query("id_a < id_b")
    gaps = (both["id_a"].map(means) - both["id_b"].map(means)).abs()
    expected = {frozenset(pair) for pair in both.loc[gaps >= 1.5, ["id_a", "id_b"]].to_numpy().tolist()}
    assert 0 < len(expected) < len(both)
    release = Path(release_of(build))
    (file,) = release.glob("clear_pairs/*.parquet")
    rows = pq.read_table(file).to_pylist()
    assert {frozenset((row["source_id_a"], row["source_id_b"])) for row in rows} == expected
    assert all(
        means[row[f"source_id_{row['label']}"]] == max(means[row["source_id_a"]], means[row["source_id_b"]]) for row in rows
    )
    assert "system_a" not in rows[0]
    assert books["filters"].dropped["no_verdict"] + books["filters"].dropped.get("tied_totals", 0) == len(both) - len(expected)
    card = (release / "README.md").read_text()
    assert "that people rated clearly apart" in card
    assert "## Licences and sources" in card, "the frame is this project's"
    assert verify_release(str(release)).problems == []
    planned = CliRunner().invoke(app, ["plan", str(recipe), "--workspace", str(tmp_path / "ws")])
    assert planned.exit_code == 0, planned.output


def test_its_keys_are_checked_like_those_of_others(recipe):
    literals = yaml.safe_load(recipe.read_text())
    for change, told in (
        ({"least_gap": -1}, "least_gap: Input should be greater than 0"),
        ({"least_gab": 1}, "least_gab: unknown key, did you mean 'least_gap'?"),
        ({"kind": "rated_pairs"}, "least_gap: is a key of kind clear_pairs; this recipe is of another kind"),
    ):
        recipe.write_text(yaml.safe_dump(literals | change))
        with pytest.raises(RecipeError) as caught:
            open_build(recipe)
        assert told in str(caught.value)
