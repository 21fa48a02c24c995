"""A whole build without Prefect: real corpus, engines and Ray; broken inputs, growth, and death at every write."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from contracts.errors import StorageError
from flows.kinds.preference import STAGES
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import forget_failures, open_build
from flows.stages.release import release_of
from flows.views.explain import story_of
from flows.views.report import write_report
from flows.views.status import status_of
from tests.annotate.gemini_server import serving
from tests.flows.deaths import killed_at_every_write
from tests.flows.small import CLIPS, LINES, add_recording, corpus, recipe, run

SAMPLES = next(stage for stage in STAGES if stage.name == "samples")


def test_broken_inputs_become_rows_that_say_why(tmp_path, ray_cluster):
    """A truncated WAV, a missing one, an empty and an endless text, a bad path: each is a drop or failure, all else is built."""
    corpus(
        tmp_path / "corpus",
        [
            {"id": "cut", "audio": "cut.wav", "text": "this recording was cut short on the way"},
            {"id": "gone", "audio": "gone.wav", "text": "this recording is not there"},
            {"id": "noise", "audio": "noise.wav", "text": "this file holds no audio at all"},
            {"id": "empty", "audio": CLIPS[0].name, "text": " "},
            {"id": "endless", "audio": CLIPS[0].name, "text": "word " * 1000},
            {"id": "outside", "audio": "../secret.wav", "text": "this path leaves the corpus"},
            {"id": "still", "audio": "still.wav", "text": "this recording is silent from end to end"},
            {"id": "twice", "audio": CLIPS[0].name, "text": f"{LINES[0]} and again"},
            {"id": "twice", "audio": CLIPS[1].name, "text": "twice"},
            {"id": "mute", "audio": CLIPS[1].name, "text": None},
        ],
    )
    whole = CLIPS[0].read_bytes()
    (tmp_path / "corpus/cut.wav").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "corpus/noise.wav").write_bytes(b"RIFF" + bytes(range(256)) * 8)
    soundfile.write(tmp_path / "corpus/still.wav", np.zeros(48000, dtype=np.int16), 16000)
    (tmp_path / "secret.wav").write_bytes(whole)

    build = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    books = run(build)
    table = build.tables.read("drops@utterances")
    problems = {json.loads(row["evidence"])["source_id"]: row["reason"] for row in table.to_pylist()}
    failures = {row["subject_id"]: row["reason"] for row in build.tables.read("failures@recordings").to_pylist()}
    names = {row["utterance_id"]: row["source_id"] for row in build.tables.read("utterances").to_pylist()}
    seen = problems | {names[subject]: reason for subject, reason in failures.items()}
    assert seen["gone"] == "missing_audio"
    assert seen["empty"] == "empty_text"
    assert seen["endless"] == "text_too_long"
    assert seen["outside"] == "path_outside_corpus"
    assert seen["twice"] == "duplicate_id"
    assert seen["mute"] == "missing_transcript"
    assert seen["cut"] in {"truncated", "truncated_audio"}
    assert seen["noise"] in {"undecodable", "truncated", "truncated_audio"}
    assert seen["still"] == "silent"
    human = [row for row in build.tables.read("samples").to_pylist() if not row["is_synthetic"]]
    assert len(human) == 6, "the five recordings, and the first of the two with one id"
    assert all(page.missing == 0 for page in books.values())
    assert books["samples"].dropped == {"human_recording_failed": len(failures)}


def test_an_unchanged_build_does_nothing_and_growth_does_only_what_is_new(tmp_path, paired_copy):
    """Nothing runs twice; a new system and a new recording add their own samples; what was there keeps its ids."""
    build = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    run(build)
    first = set(build.tables.read("samples")["sample_id"].to_pylist())
    pairs = set(build.tables.read("pairs")["pair_id"].to_pylist())
    again = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    assert all(
        finished(stage, again)
        for stage in STAGES
        if stage.name in {"utterances", "prompts", "texts", "writings", "recordings", "samples", "metrics", "pairs"}
    )

    more = [
        {"name": name, "engine": "espeak", "voices": [voice]}
        for name, voice in (("espeak", "en-us"), ("klatt", "en-us+klatt2"))
    ]
    more.append({"name": "flite", "engine": "flite", "voices": ["kal16"]})
    grown = open_build(recipe(tmp_path, systems=more), str(tmp_path / "ws"))
    assert finished(STAGES[0], grown)
    assert finished(SAMPLES, grown) is None
    add_recording(tmp_path / "corpus", {"id": "new", "audio": CLIPS[2].name, "text": "a new text for the same clip"})
    assert finished(STAGES[0], grown) is None, "the edited manifest is noticed"
    assert run(grown)["samples"].rows_out == len(first) + 5 + 4, "five texts by the new system, the new one by all"
    assert first < set(grown.tables.read("samples")["sample_id"].to_pylist())
    assert pairs < set(grown.tables.read("pairs")["pair_id"].to_pylist())


def test_an_engine_that_fails_on_one_text_leaves_the_others(tmp_path, paired_copy):
    """The text is in the failures with its reason; retrying is a wish, not a habit."""
    add_recording(tmp_path / "corpus", {"id": "zh", "audio": CLIPS[3].name, "text": "你好世界", "language": "zh"})
    build = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    books = run(build, "samples")
    assert books["samples"].failed == {"unsupported_language": 2}
    assert books["samples"].rows_out == 3 * 6 - 2
    assert finished(SAMPLES, build)
    forget_failures(build, STAGES)
    assert finished(SAMPLES, build) is None
    assert run(build, "samples")["samples"].failed == {"unsupported_language": 2}


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 600 kB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if os.system(f"mount -t tmpfs -o size=600k tmpfs {mount} 2>/dev/null"):
        pytest.skip("mounting a small file system needs privileges")
    yield mount
    os.system(f"umount -l {mount}")


def test_a_full_disk_stops_the_build_and_loses_nothing(tmp_path, small_disk, ray_cluster):
    """One line says what to do; with room made, the same build carries on where it was."""
    corpus(tmp_path / "corpus", [])
    path = recipe(tmp_path)
    build = open_build(path, str(small_disk / "ws"))
    with pytest.raises(StorageError, match="the disk is full: free some space or move the workspace"):
        run(build, "samples")
    assert not [name for _, _, names in os.walk(small_disk) for name in names if name.endswith(".tmp")]
    before = set(build.tables.read("samples")["sample_id"].to_pylist()) | set(
        build.tables.read("recordings")["recording_id"].to_pylist()
    )
    os.system(f"mount -o remount,size=50m {small_disk}")
    books = run(build, "samples")
    assert books["samples"].rows_out == 15
    after = set(build.tables.read("samples")["sample_id"].to_pylist()) | set(
        build.tables.read("recordings")["recording_id"].to_pylist()
    )
    assert before <= after
    os.system(f"mount -o remount,ro {small_disk}")
    with (
        pytest.raises(StorageError, match="the file system is read-only: choose another workspace with --workspace"),
        build.workspace.lock(),
    ):
        build.workspace.write("x", b"y")


@pytest.fixture(scope="module")
def judged(tmp_path_factory, ray_cluster):
    """A workspace in which everything that costs time or money is done; the replies come from a server that speaks Gemini's format."""
    folder = tmp_path_factory.mktemp("judged")
    with serving() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_API_KEY", "canary-key-7431")
        path = recipe(
            folder,
            corpora=[{"name": "asterisk", "reader": "asterisk_prompts"}],
            prompts={
                "texts": 5,
                "reference": "same_speaker",
                "min_duration_s": 3.0,
                "max_duration_s": 6.0,
                "reference_min_duration_s": 2.0,
            },
            judge={"task": "task1", "options": {"base_url": server.url, "backoff_s": 0.01}},
        )
        build = open_build(path, str(folder / "ws"))
        run(build, "judgments")
        yield folder, server


def opened(folder, workspace):
    return open_build(folder / "small.yaml", str(workspace))


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_death_at_every_write_changes_nothing(judged, tmp_path):
    """From pairs to release: kill -9 before and after each write, run again: the release is the same, byte for byte."""
    folder, server = judged
    calm = tmp_path / "calm"
    shutil.copytree(folder / "ws", calm)
    run(opened(folder, calm), "release")
    expected = contents(Path(release_of(opened(folder, calm))))
    asked = len(server.bodies)

    def check(storm):
        run(opened(folder, storm), "release")
        assert contents(Path(release_of(opened(folder, storm)))) == expected, storm.name
        assert not list((storm / "releases").glob(".tmp-*"))

    writes = killed_at_every_write(folder / "ws", tmp_path, lambda storm: run(opened(folder, storm), "release"), check)
    assert writes >= 8, "there are that many writes to die at"
    assert len(server.bodies) == asked, "no reply was asked for again"


def test_the_story_of_a_pair_goes_back_to_the_corpus(judged):
    """Explain shows pair, speeches, metrics, judgment, label, split and the manifest's line; an unknown id is an error."""
    folder, _ = judged
    build = opened(folder, folder / "ws")
    run(build, "release")
    pair = build.tables.read("labels")["item_id"][0].as_py()
    story = story_of(build, pair)
    assert story["split"]["split"] in {"sft", "rl", "bench"}
    assert story["human recording of the text"]["source_ref"].rpartition(":")[0].endswith("core-sounds-en.txt.gz")
    assert {"speech A", "speech B", "label", "prompt"} <= set(story)
    assert any(chapter.startswith("ledger of") for chapter in story)


def test_status_and_release_show_balanced_books(judged):
    """Every stage: in = out + failed + dropped; the card prints the same numbers."""
    folder, _ = judged
    build = opened(folder, folder / "ws")
    run(build, "release")
    rows = [row for row in status_of(build) if row["in"] is not None]
    assert [row["stage"] for row in rows] == [stage.name for stage in stages_of(build)]
    for row in rows:
        assert row["in"] == row["out"] + sum(row["failed"].values()) + sum(row["dropped"].values())
    card = (Path(release_of(build)) / "README.md").read_text()
    for row in rows[:-1]:
        assert f"| {row['stage']} | {row['unit']} | {row['in']} | {row['out']} |" in card


def test_the_key_is_nowhere(judged, tmp_path):
    """No file of the workspace, no release and no report holds the judge's key."""
    folder, _ = judged
    build = opened(folder, folder / "ws")
    run(build, "release")
    write_report(build, tmp_path / "report.html")
    for path in [*folder.rglob("*"), tmp_path / "report.html"]:
        if path.is_file():
            assert b"canary-key-7431" not in path.read_bytes(), path


def test_the_report_escapes_what_is_not_ours(judged, tmp_path):
    """A judge's reply that is markup is shown, not run."""
    folder, _ = judged
    shutil.copytree(folder / "ws", tmp_path / "ws")
    build = opened(folder, tmp_path / "ws")
    run(build, "release")
    judgments = build.tables.read("judgments")
    column = judgments.column_names.index("completion")
    evil = judgments.set_column(
        column, judgments.schema.field("completion"), [["<script>alert(1)</script>"] * judgments.num_rows]
    )
    build.tables.replace("judgments", evil)
    write_report(build, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
