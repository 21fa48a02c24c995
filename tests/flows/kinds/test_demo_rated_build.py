"""The demo of rated pairs, smaller: recordings made worse by known steps, and what the release says of their ratings."""

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from flows.run.pipeline import open_build
from flows.stages.release import release_of
from synth.degraded_speech import CONDITIONS, write
from tests.flows.small import run

RECIPE = Path(__file__).parents[3] / "recipes/demo_rated.yaml"


@pytest.mark.usefixtures("in_this_process")
def test_better_conditions_win_and_nobody_is_said_to_have_rated(tmp_path):
    """Labels follow the known steps; each clip is measured by its own text; the card says that ratings are simulated."""
    write(tmp_path / "corpus", contents=6)
    literals = yaml.safe_load(RECIPE.read_text()) | {
        "metrics": [{"name": "prosody"}],
        "splits": {"quotas": {"train": 30, "test": 20}},
    }
    literals["corpora"][0]["root"] = str(tmp_path / "corpus")
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(literals))
    build = open_build(tmp_path / "r.yaml", str(tmp_path / "ws"))
    with build.workspace.lock():
        run(build, "release")
    rows = [row for file in Path(release_of(build)).rglob("*.parquet") for row in pq.read_table(file).to_pylist()]
    assert len(rows) == 50
    right = 0
    for row in rows:
        better, worse = (row[f"condition_{side}"] for side in (row["label"], {"a": "b", "b": "a"}[row["label"]]))
        right += CONDITIONS[better] > CONDITIONS[worse]
        assert row["rating_gap"] >= 0.25 - 1e-9
        assert row["text_a"]
    assert right >= 45, "but for few, as simulated raters differ"
    rates = [dict(values).get("speaking_rate_wps") for values in build.tables.read("metrics")["values"].to_pylist()]
    assert sum(rate is not None for rate in rates) > 40, "a noisy clip may have no speech to be found"
    card = (Path(release_of(build)) / "README.md").read_text()
    assert "simulated ratings on the scale simulated\\_mos" in card
    assert "nobody listened" in card
    assert "annotations_creators:\n- machine-generated\n" in card
    assert "people's ratings on" not in card
    assert not pc.any(build.tables.read("samples")["is_synthetic"]).as_py()
