"""Clips of systems that ran elsewhere, beside one that is rendered here."""

import json
import shutil

import pytest

from contracts.text_identity import identity_form
from flows.kinds.preference_plan import plan_of
from flows.run.pipeline import open_build
from flows.run.wanted import wanted_rows
from tests.flows.small import CLIPS, LINES, corpus, recipe, run

SYSTEMS = [{"name": "espeak", "engine": "espeak", "voices": ["en-us"]}, {"name": "far", "clips": "elsewhere"}]


@pytest.fixture
def build(tmp_path):
    """A build whose second corpus has clips of the system ``far``: of two texts one, of one two, of one a broken file, of one none."""
    corpus(tmp_path / "corpus", [])
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    rows = []
    for name, number in (("one", 0), ("two", 1), ("first", 2), ("second", 2), ("broken", 3)):
        shutil.copy(CLIPS[4 - number], folder / f"{name}.wav")
        rows.append({"id": name, "audio": f"{name}.wav", "text": LINES[number].upper(), "system": "far"})
    rows.append({"id": "other", "audio": "one.wav", "text": LINES[4], "system": "not asked for"})
    (folder / "broken.wav").write_bytes(b"no audio at all")
    lines = [json.dumps({"language": "en", "license": "CC0-1.0", **row}) for row in rows]
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    path = recipe(tmp_path, systems=SYSTEMS, metrics=[])
    literals = path.read_text().replace("corpora:\n", f"corpora:\n- name: elsewhere\n  reader: manifest\n  root: {folder}\n")
    path.write_text(literals.replace("- name: audio_sanity\n", ""))
    return open_build(path, str(tmp_path / "ws"))


def of_far(samples):
    return [row for row in samples.to_pylist() if row["system"] == "far"]


def test_clips_of_the_same_text_stand_beside_the_others(build, in_this_process):
    """By the text's identity, whatever its case; every take counts, and what is not there is a drop with its reason."""
    before = {line["stage"]: line for line in plan_of(build)}
    with build.workspace.lock():
        books = run(build, "pairs")
    made = of_far(wanted_rows(build, "samples"))
    utterances = {row["utterance_id"]: row for row in build.tables.read("utterances").to_pylist()}
    assert sorted(utterances[row["utterance_id"]]["source_id"] for row in made) == ["first", "one", "second", "two"]
    prompts = {row["prompt_id"]: row for row in build.tables.read("prompts").to_pylist()}
    for row in made:
        assert identity_form(prompts[row["prompt_id"]]["text"]) == identity_form(utterances[row["utterance_id"]]["text"])
        assert (row["engine"], row["is_synthetic"], row["voice"]) == ("corpus", True, None)
    assert books["samples"].dropped == {"no_clip": 1, "clip_failed": 1}
    assert not books["samples"].missing
    # A text with one clip of each of two systems and a person has 3 pairs, less those of one system twice.
    # The clips of the third text are its human recording, which nobody can prefer to itself.
    assert books["pairs"].rows_out == 2 * 3 + (2 * 2 + 1 - 2) + 2 * 1
    assert books["pairs"].dropped == {"same_audio": 2, "kind_not_wanted": 1}
    after = {line["stage"]: line for line in plan_of(build)}
    assert (before["samples far"]["rows"], before["samples far"]["done"]) == (5, 0)
    assert (after["samples far"]["rows"], after["samples far"]["done"]) == (4, 4)
    assert after["samples far"]["note"] == "2 texts have no usable clip of it in elsewhere"
    assert after["pairs"]["rows"] == after["pairs"]["done"] == books["pairs"].rows_out


def test_they_are_no_targets_and_no_references(build, in_this_process):
    with build.workspace.lock():
        run(build, "samples")
    people = {row["utterance_id"] for row in build.tables.read("utterances").to_pylist() if row["system"] is None}
    prompts = build.tables.read("prompts")
    assert set(prompts["target_utterance_id"].to_pylist()) <= people
    assert prompts.num_rows == 5
