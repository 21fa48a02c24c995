"""Dialogues by machines: a corpus that the reader of DailyTalk takes whole, in two voices that are unlike each other."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from contracts import plugins
from contracts.text_identity import identity_form
from corpora.dailytalk import DailyTalk
from scoring.pitch import track_pitch
from synth.spoken_dialogues import DIALOGUES, SIMULATED, VOICES, licence, write

RECIPE = Path(__file__).parents[2] / "recipes/unisrm_task4_small.yaml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("pyworld")
    if problem := next((engine for engine, _ in VOICES if plugins.configure("engine", engine).missing()), None):
        pytest.skip(problem)
    return write(tmp_path_factory.mktemp("dialogues"), dialogues=2)


def test_the_reader_of_dailytalk_takes_it_whole(folder):
    rows = [row for batch in DailyTalk().read(str(folder)) for row in batch.to_pylist()]
    assert {row["problem"] for row in rows} == {None}
    turns = [(str(dialogue), turn) for dialogue, said in enumerate(DIALOGUES[:2]) for turn in range(1, len(said) + 1)]
    assert [(row["dialogue_id"], row["turn"]) for row in rows] == turns
    assert all(row["speaker_id"] == str((row["turn"] - 1) % 2) for row in rows)
    assert {row["emotion"] for row in rows} <= SIMULATED.keys()
    assert [row["text"] for row in rows] == [words for said in DIALOGUES[:2] for _, words in said]


def test_a_man_and_a_woman_speak(folder):
    """By their pitch in neutral turns, as this project's own tracker hears it."""
    heard = defaultdict(list)
    for row in (row for batch in DailyTalk().read(str(folder)) for row in batch.to_pylist()):
        samples, rate = soundfile.read(folder / row["audio_path"], dtype="float32")
        if row["emotion"] == "none":
            f0_hz = track_pitch(samples, rate).f0_hz
            heard[row["speaker_id"]].append(np.median(f0_hz[f0_hz > 0]))
    assert max(heard["0"]) < 150 < min(heard["1"])


def test_the_same_arguments_give_the_same_files(folder, tmp_path):
    again = write(tmp_path, dialogues=1)
    clips = sorted(path.relative_to(again) for path in again.rglob("*.wav"))
    assert len(clips) == len(DIALOGUES[0])
    assert all((again / clip).read_bytes() == (folder / clip).read_bytes() for clip in clips)


def test_its_texts_serve_a_task_about_dialogues():
    """Several turns each, several emotions, and no two turns with one text: of these, one alone would be a target."""
    texts = [identity_form(words) for said in DIALOGUES for _, words in said]
    assert len(set(texts)) == len(texts)
    assert all(4 <= len(said) <= 8 for said in DIALOGUES)
    assert {emotion for said in DIALOGUES for emotion, _ in said} == SIMULATED.keys()


def test_the_recipe_states_its_licence():
    (options,) = [
        corpus["options"] for corpus in yaml.safe_load(RECIPE.read_text())["corpora"] if corpus["reader"] == "dailytalk"
    ]
    assert options["license"] == licence()
