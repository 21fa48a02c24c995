"""Notebooks: tables, clips, releases and stories of a finished workspace, without a trace in it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml

from contracts.errors import DamagedPart, DataError, RecipeError
from corpora.dummies import rated_manifest
from flows import open_workspace
from flows.run.pipeline import open_build
from tests.flows.small import run, without_ray

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a recipe and its finished workspace: pairs of rated clips, released in two splits."""
    folder = tmp_path_factory.mktemp("notebook")
    rated_manifest(folder / "mos", contents=8, systems=3, raters=4)
    recipe = {
        "kind": "rated_pairs",
        "name": "demo",
        "corpora": [{"name": "mos", "reader": "manifest", "root": "../mos", "options": {"text": "optional"}}],
        "scale": "mos",
        "splits": {"fractions": {"sft": 0.5, "bench": 0.5}},
    }
    (folder / "recipes").mkdir()
    (folder / "recipes" / "demo.yaml").write_text(yaml.safe_dump(recipe))
    build = open_build(folder / "recipes" / "demo.yaml", str(folder / "workspaces" / "demo"))
    with without_ray(), build.workspace.lock():
        run(build, "release")
    return folder


@pytest.fixture
def here(finished, tmp_path, monkeypatch):
    """The current folder has a copy of it."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNISRM_WORKSPACES", raising=False)


def files():
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_the_readme_s_example_runs_and_writes_nothing(here):
    before = files()
    (example,) = re.findall(r"## In a notebook\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    found = {}
    exec(example, found)
    assert files() == before
    build = open_build("recipes/demo.yaml").as_read_only()
    sample = build.tables.read("samples").to_pylist()[0]
    assert found["samples"].columns.tolist() == ["sample_id", "system", "duration_s"]
    pcm, rate = soundfile.read(build.workspace.local_path(build.blobs.name(sample["audio_id"])), dtype="float32")
    np.testing.assert_array_equal(found["waveform"], pcm)
    assert found["sample_rate_hz"] == rate
    assert "released" in found["story"]


def test_frames_hold_what_the_files_hold(here):
    """A partitioned table is all its partitions, a map is a dict, and a released clip is an id by which it plays."""
    reader = open_workspace("workspaces/demo")
    assert {"utterances", "samples", "pairs", "rulings", "splits"} <= {name.partition("@")[0] for name in reader.tables}
    assert isinstance(reader.table("rulings")["scores_a"][0], dict)
    drops = [name for name in reader.tables if name.startswith("drops@")]
    assert len(reader.table("drops")) == sum(len(reader.table(name)) for name in drops)
    release = reader.release()
    assert {config: set(splits) for config, splits in release.splits.items()} == {"rated_pairs": {"sft", "bench"}}
    (shard,) = Path(release.url).glob("rated_pairs/sft-*.parquet")
    expected, rows = pq.read_table(shard), release.split("sft")
    assert rows.columns.tolist() == expected.column_names
    assert rows["pair_id"].tolist() == expected["pair_id"].to_pylist()
    assert [f"{clip}.flac" for clip in rows["audio_a"]] == [clip["path"] for clip in expected["audio_a"].to_pylist()]
    waveform, _ = reader.audio(rows["audio_a"][0])
    assert waveform.dtype == np.float32
    assert release.split("sft", ["label", "pair_id"]).columns.tolist() == ["label", "pair_id"]
    assert reader.release(release.name).name == reader.release("0.1.0").name == release.name


def test_a_damaged_clip_is_an_error(here):
    reader = open_workspace("workspaces/demo")
    sample = reader.table("samples").iloc[0]
    (other,) = reader.table("samples").query("audio_id != @sample.audio_id").head(1)["audio_id"]
    folder = Path("workspaces/demo/blobs")
    shutil.copy(folder / other[:2] / f"{other}.flac", folder / sample.audio_id[:2] / f"{sample.audio_id}.flac")
    with pytest.raises(DamagedPart, match="was changed since it was stored"):
        reader.audio(sample.sample_id)


def test_a_changed_shard_is_an_error(here):
    """Also one that can be read: a label that somebody swapped."""
    opened = open_workspace("workspaces/demo")
    (shard,) = Path("workspaces/demo/releases").glob("*/*/sft-*.parquet")
    table = pq.read_table(shard)
    swapped = ["b" if label == "a" else "a" for label in table["label"].to_pylist()]
    pq.write_table(table.set_column(table.column_names.index("label"), "label", [swapped]), shard)
    with pytest.raises(DamagedPart, match="was changed since it was released"):
        opened.release().split("sft")


def test_errors_say_what_is_there(here):
    reader = open_workspace("recipes/demo.yaml")
    sample_id, pair_id = reader.table("samples")["sample_id"][0], reader.table("pairs")["pair_id"][0]
    for call, message in (
        (lambda: reader.table("sampels"), "did you mean 'samples'.*utterances"),
        (lambda: reader.table("samples", ["sistem"]), "table samples has no column 'sistem': did you mean 'system'"),
        (lambda: reader.table("samples", "system"), r"columns are a list: \['system'\]"),
        (lambda: reader.audio(sample_id[:10]), f"did you mean {sample_id}"),
        (lambda: reader.audio("../../lock"), "no sample or clip"),
        (lambda: reader.explain(pair_id[:10]), f"did you mean pair {pair_id}"),
        (lambda: reader.release("9.9"), r"no release '9.9': it has 0\.1\.0-"),
        (lambda: reader.release().split("train"), "no split 'train': rated_pairs has"),
        (lambda: reader.release().split("sft", ["lable"]), "did you mean 'label'"),
        (lambda: open_workspace("workspaces"), "holds no tables"),
    ):
        with pytest.raises(DataError, match=message):
            call()
    with pytest.raises(RecipeError, match="explain needs the recipe"):
        open_workspace("workspaces/demo").explain(pair_id)
    with pytest.raises(RecipeError, match="No such file"):
        open_workspace("recipes/other.yaml")


def test_of_several_releases_the_last_build_s_is_meant(here):
    """Without a note of the last build, or where another version is wanted, a name that several have is an error."""
    reader = open_workspace("workspaces/demo")
    name, folder = reader.release().name, Path("workspaces/demo/releases")
    shutil.copytree(folder / name, folder / "0.1.0-other")
    assert reader.release().name == name
    (folder / "current.json").unlink()
    with pytest.raises(DataError, match=r"2 releases.*name one of"):
        reader.release()
    assert reader.release("0.1.0-other").split("sft").equals(reader.release(name).split("sft"))


def test_neither_ray_nor_prefect_nor_torch_is_imported(here):
    code = (
        "import sys; import flows; assert 'pandas' not in sys.modules; from flows import open_workspace; "
        "open_workspace('recipes/demo.yaml').explain(open_workspace('workspaces/demo').table('pairs')['pair_id'][0]); "
        "print(*({'ray', 'prefect', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, check=True
    )
    assert done.stdout.strip() == ""
