"""What comes in from the corpora is checked before anything is made of it."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from contracts.errors import RecipeError
from flows.run.marks import execute, finished
from flows.run.pipeline import open_build
from flows.stages.prompts import STAGE as PROMPTS
from flows.stages.utterances import STAGE as UTTERANCES
from tests.flows import small

pytestmark = pytest.mark.skipif(
    not small.CLIPS or shutil.which("espeak-ng") is None, reason="apt-get install pocketsphinx-testdata"
)


def build_of(tmp_path, rows, **options):
    """A small build whose corpus holds these rows, too."""
    small.corpus(tmp_path / "corpus", rows)
    reader = {"name": "austen", "reader": "manifest", "root": str(tmp_path / "corpus"), "options": options}
    return open_build(small.recipe(tmp_path, corpora=[reader]), workspace=str(tmp_path / "ws"))


def utterances(build):
    """Run the first stage."""
    with build.workspace.lock():
        return execute(UTTERANCES, build)


def test_credit_is_asked_for_before_any_work(tmp_path):
    """CC-BY in a single row suffices; the option attribution is what it wants."""
    row = {"id": "x", "audio": small.CLIPS[0].name, "text": "Hi", "license": "cc-by-4.0"}
    with pytest.raises(RecipeError, match=r"corpora\.austen: CC-BY-4\.0 asks to name .* set its option attribution"):
        utterances(build_of(tmp_path, [row]))
    (tmp_path / "hidden").mkdir()
    with pytest.raises(RecipeError, match="asks to name"):
        utterances(build_of(tmp_path / "hidden", [row], attribution="\u200b \u00ad"))
    (tmp_path / "named").mkdir()
    assert utterances(build_of(tmp_path / "named", [row], attribution="A reader")).rows_out == 6


def test_texts_that_no_system_speaks_end_the_build_before_recordings(tmp_path):
    """Bringing hours of speech in would lead to nothing."""
    small.corpus(tmp_path / "corpus", [], language="pt-BR")
    build = open_build(small.recipe(tmp_path), workspace=str(tmp_path / "ws"))
    utterances(build)
    with build.workspace.lock(), pytest.raises(RecipeError, match="no pair can come of texts in pt: espeak speaks en; flite"):
        execute(PROMPTS, build)
    assert build.tables.read("recordings").num_rows == 0


def test_a_dropped_row_says_what_was_meant(tmp_path):
    """The evidence of an unknown language or licence names the nearest one."""
    clip = small.CLIPS[0].name
    build = build_of(
        tmp_path,
        [
            {"id": "x", "audio": clip, "text": "Hi", "language": "Englsh"},
            {"id": "y", "audio": clip, "text": "Hi", "license": "CC0 1.0"},
        ],
    )
    assert utterances(build).dropped == {"unknown_language": 1, "unknown_license": 1}
    evidence = [json.loads(row["evidence"]) for row in build.tables.read("drops@utterances").to_pylist()]
    advice = {row.get("language") or row["license"]: row["advice"] for row in evidence}
    assert advice["Englsh"] == "did you mean 'en' (english)?"
    assert "did you mean 'CC0-1.0'?" in advice["CC0 1.0"]


@pytest.mark.usefixtures("in_this_process")
def test_prompts_avoid_audio_that_fails(tmp_path):
    """A recording that does not decode is no reference as long as its speaker has others; the next build looks no further."""
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(48000, dtype=np.int16), 16000)
    small.corpus(tmp_path / "corpus", [])
    shutil.copy(silence, tmp_path / "corpus" / "silence.wav")
    for number in range(3):
        small.add_recording(
            tmp_path / "corpus", {"id": f"n{number}", "audio": "silence.wav", "text": f"nothing is said {number}"}
        )
    build = open_build(small.recipe(tmp_path, prompts={"reference": "same_speaker"}), workspace=str(tmp_path / "ws"))
    with build.workspace.lock():
        for stage in (UTTERANCES, PROMPTS):
            execute(stage, build)
        failed = set(build.tables.read("failures@recordings")["subject_id"].to_pylist())
        chosen = build.tables.read("prompts@chosen")
        assert failed
        assert chosen.num_rows
        assert not failed & set(chosen["reference_utterance_id"].to_pylist())
        version = build.tables.version("failures@recordings")
        assert finished(PROMPTS, build) is not None
        assert build.tables.version("failures@recordings") == version
