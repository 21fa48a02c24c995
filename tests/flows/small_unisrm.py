"""The small recipe of all of UniSRM, with a stand-in of the model that writes and judges."""

import hashlib
import io
import json
import re
from pathlib import Path
from types import MappingProxyType

import soundfile
import yaml

from annotate.models.parse.scorecard import SpeechAssessment
from flows.run.kind import jobs_of
from flows.run.marks import execute
from flows.run.pipeline import Waiting
from tests.annotate.replies import CARDS, reply_for, task_of

RECIPES = Path(__file__).parents[2] / "recipes"
PARTS = {
    "task1": "unisrm_task1_small",
    "task2": "unisrm_task2_small",
    "task3_en": "unisrm_task3_small",
    "task3_zh": "unisrm_task3_small_zh",
    "task4": "unisrm_task4_small",
}
ORIGINAL = {"negative_text": "original_text", "negative_turn": "true_next_turn"}


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


def write(folder, server_url, changes=MappingProxyType({}), listening=None):
    """Write the collection over corpora in this folder.

    Args:
        folder: where the corpora ``acted``, ``dialogues`` and ``qualispeech`` lie.
        server_url: of the stand-in.
        changes: part -> sections of its recipe that are other ones.
        listening: how people verify Task 4, as a section of its recipe; None = nobody does.
    """
    roots = {"acted": "acted", "dialogues": "dialogues", "qualispeech": "qualispeech"}
    for part, file in PARTS.items():
        literals = yaml.safe_load((RECIPES / f"{file}.yaml").read_text())
        for section, value in changes.get(part, {}).items():
            literals[section] = literals[section] | value if isinstance(value, dict) else value
        for corpus in literals["corpora"]:
            if corpus["name"] in roots:
                corpus["root"] = str(folder / roots[corpus["name"]])
        for asked in (literals.get("judge"), *literals.get("roles", ())):
            if asked and asked["name"] == "openai":
                asked["options"] = asked["options"] | {"base_url": server_url, "backoff_s": 0.01}
        if part == "task4" and listening is not None:
            literals["listening"] = listening
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
