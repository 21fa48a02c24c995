"""A build of contrasts over ESD's layout: recordings against other recordings and clones, labelled by how they were made."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from contracts.errors import RecipeError
from corpora.emotion_miniatures import esd
from flows.entry.cli import app
from flows.recipe.load import load
from flows.run.kind import kind_of, stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from tests.flows.small import run

CLONE = {"engine": "world_transfer", "options": {"source": "espeak", "source_voice": "en-us"}}
CLONED = {"systems": ["clone"]}
NEGATIVES = [
    {"corruption": "real_text", "recording": {"text": "other", "emotion": "same", "speaker": "same"}},
    {"corruption": "real_emotion", "recording": {"text": "same", "emotion": "other", "speaker": "same"}},
    {"corruption": "tts_emotion", "share": 2, "systems": ["clone"], "reference": {"speaker": "same", "emotion": "other"}},
]


def recipe(folder, **changes):
    literals = {
        "name": "contrasts",
        "seed": 5,  # puts two of the three sentences into one block, and each block into a split
        "corpora": [{"name": "esd", "reader": "esd", "root": str(folder / "esd"), "options": {"languages": ["en"]}}],
        "prompts": {"reference": "none", "targets": "recordings", "min_duration_s": 0.1, "reference_min_duration_s": 0.1},
        "systems": [{"name": "clone"} | CLONE],
        "negatives": NEGATIVES,
        "blocks": 2,
        "labels": {"from": "construction"},
        "splits": {"fractions": {"sft": 0.5, "bench": 0.5}},
    }
    literals |= changes
    (folder / "r.yaml").write_text(yaml.safe_dump(literals))
    return folder / "r.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("contrasts")
    esd(made / "esd", speakers=("0011", "0012"), sentences=3)
    return made


@pytest.mark.usefixtures("in_this_process")
def test_every_row_names_what_is_wrong_and_what_was_borrowed(folder):
    build = open_build(recipe(folder), str(folder / "ws"))
    planned = {line["stage"]: line for line in kind_of(build).plan(build)}
    with build.workspace.lock():
        run(build, "release")
    assert planned["pairs"]["rows"] == build.tables.num_rows("pairs") == 30
    assert all(finished(stage, build) for stage in stages_of(build))
    files = sorted(build.workspace.local_path(release_of(build).removeprefix(f"{build.workspace.url}/")).rglob("*.parquet"))
    tables = [pq.read_table(file) for file in files]
    rows = pa.concat_tables(tables)
    utterances = {row["source_id"]: row for row in build.tables.read("utterances").to_pylist()}
    found = Counter[str]()
    for row in rows.drop_columns(["audio_a", "audio_b"]).to_pylist():
        worse, good = ("a", "b") if row["label"] == "b" else ("b", "a")
        found[row[f"corruption_{worse}"]] += 1
        target = utterances[row["source_id"]]
        assert row[f"corruption_{good}"] is None
        assert row[f"recording_source_id_{good}"] is None
        assert row["label_source"] == "construction"
        assert row["license"] == "LicenseRef-ESD" or row[f"corruption_{worse}"] == "tts_emotion"
        match row[f"corruption_{worse}"]:
            case "tts_emotion":
                reference = utterances[row[f"reference_source_id_{worse}"]]
                assert row[f"is_synthetic_{worse}"]
                assert reference["speaker_id"] == target["speaker_id"]
                assert reference["emotion"] != target["emotion"] == row["emotion"]
                assert "LicenseRef-ESD" in row["license"]
            case name:
                other = utterances[row[f"recording_source_id_{worse}"]]
                assert not row[f"is_synthetic_{worse}"]
                assert (other["text"] == target["text"]) == (name == "real_emotion")
                assert (other["emotion"] == target["emotion"]) == (name == "real_text")
                assert row[f"spoken_text_{worse}"] == (None if name == "real_emotion" else other["text"])
    assert set(found) == {"real_text", "real_emotion", "tts_emotion"}
    groups = [set(table["leakage_group"].to_pylist()) for table in tables]
    assert not groups[0] & groups[1]
    card = (files[0].parent.parent / "README.md").read_text()
    assert f"| tts\\_emotion | {found['tts_emotion']} |" in card
    pair = rows.filter(pc.equal(rows["corruption_a"], "tts_emotion"))["pair_id"][0].as_py()
    told = CliRunner().invoke(app, ["explain", str(folder / "r.yaml"), pair, "--workspace", str(folder / "ws")])
    assert "tts_emotion" in told.output


@pytest.mark.usefixtures("in_this_process")
def test_a_text_without_a_contrast_is_a_counted_drop(tmp_path):
    esd(tmp_path / "esd", speakers=("0011",), sentences=3)
    path = recipe(tmp_path, negatives=NEGATIVES[:1], systems=[], blocks=1_000_000)
    build = open_build(path, str(tmp_path / "ws"))
    with build.workspace.lock(), pytest.raises(RecipeError, match="blocks: fewer are larger"):
        run(build, "release")
    build = open_build(recipe(tmp_path, negatives=NEGATIVES[:1], systems=[], blocks=2), str(tmp_path / "ws"))
    with build.workspace.lock():
        books = run(build, "pairs")
    lonely = books["samples"].dropped["no_contrast"]
    assert books["samples"].notes == ()
    unlike = NEGATIVES[0] | {"corruption": "unlike", "recording": {"text": "other", "speaker": "other"}}
    build = open_build(recipe(tmp_path, negatives=[*NEGATIVES[:1], unlike], systems=[], blocks=2), str(tmp_path / "ws"))
    with build.workspace.lock():
        (note,) = run(build, "samples")["samples"].notes
    assert note.startswith("negatives.unlike: no text gets one")
    drops = build.tables.read("drops@samples").to_pylist()
    assert (books["pairs"].rows_out, lonely) == (10, 5)
    assert len(drops) == lonely
    assert {row["reason"] for row in drops} <= {"no_contrast"}
    prompts = set(build.tables.read("prompts")["prompt_id"].to_pylist())
    assert {json.loads(row["evidence"])["prompt_id"] for row in drops} <= prompts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"negatives": []}, "say under negatives"),
        ({"negatives": [NEGATIVES[2] | {"systems": ["other"]}]}, r"negatives.tts_emotion.systems: 'other' is no system"),
        ({"negatives": NEGATIVES[:1]}, "systems.clone: no positive or negative names it"),
        ({"negatives": [NEGATIVES[2] | {"speaks": "negative_text"}]}, "speaks is 'negative_text': it can be target"),
        ({"negatives": [{"corruption": "x", "recording": {"text": "same"}}]}, "say in what it differs"),
        ({"negatives": [{"corruption": "x"}]}, "give one of recording and systems"),
        ({"negatives": [{"corruption": "x", "recording": {"corpus": "y", "text": "other"}}]}, "'y' is no corpus"),
        ({"positives": [{"systems": ["plain"]}], "systems": [{"name": "plain", "engine": "espeak"}]}, "clones no voice"),
        ({"positives": [CLONED | {"reference": {"speaker": "other"}}]}, "in the voice of the text's speaker"),
        ({"positives": [CLONED | {"reference": {"emotion": "same"}}]}, "set speaker to same"),
        ({"positives": [CLONED | {"reference": {"speaker": "same", "emotion": "other"}}]}, "in no other emotion"),
        ({"positives": [CLONED]}, "positives.systems: 'clone' clones a voice, and prompts.reference is none: add reference"),
        ({"negatives": [CLONED | {"corruption": "x"}]}, "negatives.x.systems: 'clone' clones a voice"),
        ({"negatives": [*NEGATIVES, NEGATIVES[0] | {"share": 3}]}, "negatives.real_text: the same way stands there twice"),
        ({"positives": [{}, {"share": 2}]}, "positives: the same way stands there twice"),
        (
            {
                "negatives": [{"corruption": "x", "recording": {"corpus": "other", "text": "same"}}],
                "corpora": [{"name": "other", "reader": "esd", "root": "esd"}],
            },
            "say in what it differs",
        ),
        ({"systems": [{"name": "clone", "emotion": "neutrall"} | CLONE]}, "'neutrall' is no emotion; did you mean 'neutral'"),
        ({"pair_kinds": ["inter"]}, "pair_kinds: with negatives, each pair is a positive and a negative"),
        ({"prompts": {"targets": "recordings"}}, "set reference to none"),
        ({"prompts": {"reference": "none", "corpora": ["y"]}}, "prompts.corpora: 'y' is no corpus"),
        ({"filters": [{"name": "accidental_emotion"}]}, "add metrics: emotion2vec, or roles: heard_emotion"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(changes, message, folder, tmp_path):
    (tmp_path / "esd").symlink_to(folder / "esd")
    with pytest.raises(RecipeError, match=message):
        load(recipe(tmp_path, **changes))
