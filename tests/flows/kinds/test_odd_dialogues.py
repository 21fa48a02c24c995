"""Dialogues with something wrong: what cannot be a contrast of Task 4 is a counted drop with its reason, the rest is built."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
import soundfile
import yaml

from corpora.emotion_miniatures import dailytalk
from flows.run.pipeline import open_build
from flows.views.explain import story_of
from tests.flows.small import run

SYSTEMS = [{"name": "clone", "engine": "world_transfer", "options": {"source": "espeak", "source_voice": "en-us"}}]
DIALOGUES = {
    "whole": "abab",
    "silent": "abab",  # nothing is heard of its second turn
    "short": "a",
    "alone": "aaa",  # both of its speakers under one name
    "nameless": "a?a?",
}


def corpus(folder):
    """Write a manifest of the dialogues; the words of each turn are unlike all others."""
    [clip, *_] = sorted(dailytalk(folder / "clips", dialogues=1).rglob("*.wav"))
    lines = []
    for name, speakers in DIALOGUES.items():
        for turn, speaker in enumerate(speakers, start=1):
            audio = folder / f"{name}{turn}.wav"
            shutil.copy(clip, audio)
            if (name, turn) == ("silent", 2):
                samples, rate = soundfile.read(audio)
                soundfile.write(audio, np.zeros(len(samples)), rate)
            row = {"id": audio.stem, "audio": audio.name, "text": f"This is turn {turn} of the {name} one.", "language": "en"}
            row |= {"dialogue": name, "turn": turn, "license": "CC0-1.0"} | ({} if speaker == "?" else {"speaker": speaker})
            lines.append(json.dumps(row))
    (folder / "manifest.jsonl").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("odd")
    corpus(made)
    return made


def built(folder, workspace, **changes):
    literals = {
        "name": "odd",
        "corpora": [{"name": "talk", "reader": "manifest", "root": str(folder)}],
        "prompts": {"reference": "none", "min_duration_s": 0.1, "reference_min_duration_s": 0.1},
        "systems": SYSTEMS,
        "negatives": [{"corruption": "speaker_swap", "systems": ["clone"], "reference": {"speaker": "other"}}],
        "budget_usd": 1,
        "judge": {"name": "openai", "task": "task4", "options": {"model": "gpt-audio", "base_url": "http://127.0.0.1:9/v1"}},
        "labels": {"from": "construction"},
        "splits": {"fractions": {"sft": 1.0}},
    }
    path = workspace / "r.yaml"
    path.write_text(yaml.safe_dump(literals | changes))
    build = open_build(path, str(workspace / "ws"))
    with build.workspace.lock():
        return build, run(build, "pairs")


def dropped(build, stage):
    """Return reason -> ids of turns, by the corpus's names."""
    names = {row["utterance_id"]: row["source_id"] for row in build.tables.read("utterances").to_pylist()}
    found = {}
    for row in build.tables.read(f"drops@{stage}").to_pylist():
        turn = row["row_id"] if stage == "prompts" else json.loads(row["evidence"])["target_utterance_id"]
        found.setdefault(row["reason"], set()).add(names[turn])
    return found


@pytest.mark.usefixtures("in_this_process")
def test_every_turn_of_an_odd_dialogue_is_compared_or_a_counted_drop(folder, tmp_path):
    build, books = built(folder, tmp_path)
    assert dropped(build, "prompts") == {"no_history": {"whole1", "silent1", "short1", "alone1", "nameless1"}}
    found = dropped(build, "samples")
    assert found["history_failed"] == {"silent3", "silent4"}
    assert found["human_recording_failed"] == {"silent2"}
    assert found["no_contrast"] == {"alone2", "alone3", "nameless2", "nameless3", "nameless4"}
    assert books["samples"].dropped.keys() == found.keys()
    pairs = build.tables.read("pairs").to_pylist()
    assert len(pairs) == 3
    story = story_of(build, pairs[0]["pair_id"])
    before = [turn["text"] for turn in story["heard before"]]
    assert before == [f"This is turn {turn} of the whole one." for turn in range(1, len(before) + 1)]
    short = "\n".join(story["in short"])
    assert f"heard before: {len(before)} turns" in short
    (line,) = [line for line in story["in short"] if "worse" in line]
    side = line[len("speech ")]
    reference = story[f"speech {side}: reference of the clip"]
    target = story["human recording of the text"]
    assert f"system clone in the voice of talk {reference['source_id']} (speaker {reference['speaker_id']})" in line
    assert line.endswith("made worse on purpose: speaker_swap")
    assert {reference["speaker_id"], target["speaker_id"]} == {"a", "b"}
    assert f"a recording of talk {target['source_id']}" in short
    assert story["in short"][-2:] == ["label: none", "split: none"]


@pytest.mark.usefixtures("in_this_process")
def test_what_cannot_be_made_of_a_turn_leaves_it_to_what_can(folder, tmp_path):
    """A turn of nobody is never spoken again in somebody's voice; without a partner another corruption is drawn."""
    negatives = [
        {"corruption": "speaker_swap", "share": 1e6, "systems": ["clone"], "reference": {"speaker": "other"}},
        {"corruption": "any_voice", "share": 1e-6, "systems": ["clone"], "reference": {}},
    ]
    positives = [{"share": 1e6, "systems": ["clone"], "reference": {"speaker": "same"}}, {"share": 1e-6}]
    build, _ = built(folder, tmp_path, negatives=negatives, positives=positives)
    prompts = {row["prompt_id"]: row["target_utterance_id"] for row in build.tables.read("prompts").to_pylist()}
    dialogue = {row["utterance_id"]: row["dialogue_id"] for row in build.tables.read("utterances").to_pylist()}
    made = Counter(
        (dialogue[prompts[row["prompt_id"]]], row["corruption"] or f"good {row['system']}")
        for row in build.tables.read("samples").to_pylist()
    )
    assert {name for name, _ in made} == {"whole", "silent", "alone", "nameless"}
    assert made["whole", "speaker_swap"] == made["whole", "good clone"] == 3
    assert made["alone", "any_voice"] == made["alone", "good clone"] == 2
    assert made["nameless", "any_voice"] == 3
    assert "no_contrast" not in dropped(build, "samples")
