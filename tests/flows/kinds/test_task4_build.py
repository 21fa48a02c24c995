"""The small recipe of Task 4, smaller: dialogues by machines, embedded engines, and a judge that speaks OpenAI's format."""

import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from datasets import get_dataset_config_names
from typer.testing import CliRunner

from annotate.models.parse.scorecard import SpeechAssessment
from annotate.models.tasks import task4
from contracts import plugins
from flows.entry.cli import app
from flows.listening.items import pair_items
from flows.run.kind import kind_of, stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.views.report import write_report
from scoring.speaker import ResemblyzerEncoder
from synth.spoken_dialogues import VOICES, write
from tests.annotate import openai_server
from tests.annotate.replies import task_of
from tests.flows.released_rows import rows_of
from tests.flows.small import run, without_ray

RECIPE = Path(__file__).parents[3] / "recipes/unisrm_task4_small.yaml"
WRITTEN = {"text", "mixed"}
CORRUPTIONS = {"text", "speaker_swap", "wrong_prompt_speaker", "prosody", "emotion", "mixed"}


class Listener:
    """A judge who hears which clip was made worse; what it is asked is kept."""

    def __init__(self):
        self.build, self.worse, self.asked = None, None, []

    def __call__(self, prompt, clips):
        self.asked.append(prompt)
        if task_of(prompt) == "negative_turn":
            words = re.search(r"<true_next_turn>\n(.*)\n</true_next_turn>", prompt)[1].split()
            return json.dumps({"text": " ".join(reversed(words)), "flaw": ("intent", "consistency")[len(words) % 2]})
        if self.worse is None:
            samples = self.build.tables.read("samples").to_pylist()
            self.worse = {pcm(self.build.blobs.encoded(row["audio_id"])) for row in samples if row["corruption"]}
        scores = [4.0 if pcm(clip) in self.worse else 8.5 for _, clip in clips[-2:]]
        speeches = [
            SpeechAssessment(
                scores={dimension.name: score for dimension in task4.DIMENSIONS},
                explanations={dimension.name: "It is plain to hear." for dimension in task4.DIMENSIONS},
            )
            for score in scores
        ]
        return task4.compose(*speeches, "One of them fits. The other one does not.")


def pcm(encoded):
    """Return a digest of the samples, whatever the container."""
    return hashlib.sha256(soundfile.read(io.BytesIO(encoded), dtype="int16")[0].tobytes()).digest()


def heard(encoded):
    samples, rate = soundfile.read(io.BytesIO(encoded), dtype="float32")
    assert rate == 16000
    return samples


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The build, what its plan said before, the judge, and the released rows with their split."""
    if problem := next((problem for engine, _ in VOICES if (problem := plugins.configure("engine", engine).missing())), None):
        pytest.skip(problem)
    for module in ("pyworld", "resemblyzer"):
        pytest.importorskip(module)
    folder, listener = tmp_path_factory.mktemp("task4"), Listener()
    write(folder / "corpus", dialogues=6)
    with openai_server.serving(answer=listener) as server, without_ray(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "canary-key-4404")
        literals = yaml.safe_load(RECIPE.read_text()) | {"metrics": [{"name": "prosody"}]}
        literals["corpora"][0]["root"] = str(folder / "corpus")
        for asked in (literals["judge"], *literals["roles"]):
            asked["options"]["base_url"] = server.url
        (folder / "r.yaml").write_text(yaml.safe_dump(literals))
        build = open_build(folder / "r.yaml", str(folder / "ws"))
        listener.build = build
        planned = {line["stage"]: line for line in kind_of(build).plan(build)}
        with build.workspace.lock():
            books = run(build, "release")
        release = release_of(build)
        (configuration,) = get_dataset_config_names(release)
        yield folder, build, planned, books, listener, rows_of(release, configuration)


def worse(row):
    """Return the side of the negative and that of the positive."""
    return ("a", "b") if row["corruption_a"] else ("b", "a")


def test_the_plan_counts_what_is_made(built):
    _, build, planned, books, _, rows = built
    samples = Counter(build.tables.read("samples")["system"].to_pylist())
    counted = {stage.removeprefix("samples "): line["rows"] for stage, line in planned.items() if stage.startswith("samples ")}
    assert counted == {system.name: samples[system.name] for system in build.recipe.systems}
    assert set(samples) >= {"human", "piper-moved", "flite-moved", "piper-flat"}
    assert planned["pairs"]["rows"] == build.tables.num_rows("pairs") == len(rows)
    assert books["filters"].dropped == {}


def test_rows_name_their_corruption_and_what_it_takes(built):
    """A clone's reference is a turn of the same dialogue, but for a stranger's; a written turn has its flaw."""
    _, build, _, _, _, rows = built
    turns = {(row["corpus"], row["source_id"]): row for row in build.tables.read("utterances").to_pylist()}
    flaws = {
        content["text"]: content["flaw"]
        for content in map(json.loads, build.tables.read("writings@writings")["content"].to_pylist())
    }
    found, synthetic = Counter(), 0
    for row in rows:
        bad, good = worse(row)
        corruption = row[f"corruption_{bad}"]
        found[corruption] += 1
        target = turns["dialogues", row["source_id"]]
        assert (row["label"], row["label_source"], row[f"corruption_{good}"]) == (good, "construction", None)
        assert row[f"is_synthetic_{bad}"]
        assert row[f"is_synthetic_{good}"], "machines spoke the corpus, too"
        assert row[f"spoken_text_{good}"] is None
        stranger = corruption == "wrong_prompt_speaker"
        reference = turns["asterisk" if stranger else "dialogues", row[f"reference_source_id_{bad}"]]
        assert reference["utterance_id"] != target["utterance_id"]
        assert stranger or reference["dialogue_id"] == row["dialogue_id"]
        assert (reference["speaker_id"] == target["speaker_id"]) == (corruption in {"text", "prosody", "emotion"})
        assert corruption != "emotion" or reference["emotion"] != target["emotion"]
        assert (row[f"system_{bad}"] in {"piper-flat", "piper-singsong"}) == (corruption == "prosody")
        assert row["flaw"] == (flaws[row[f"spoken_text_{bad}"]] if corruption in WRITTEN else None)
        if row[f"system_{good}"] != "human":
            synthetic += 1
            own = turns["dialogues", row[f"reference_source_id_{good}"]]
            assert (own["dialogue_id"], own["speaker_id"]) == (row["dialogue_id"], target["speaker_id"])
            assert own["utterance_id"] != target["utterance_id"]
    assert set(found) == CORRUPTIONS
    assert 0 < synthetic < len(rows)


def test_the_history_is_every_turn_before_in_order(built):
    """Byte for byte, from the first turn on, in rows and in what the judge was asked."""
    _, build, _, _, _, rows = built
    audio = {row["utterance_id"]: build.blobs.encoded(row["audio_id"]) for row in build.tables.read("recordings").to_pylist()}
    turn = {
        (row["dialogue_id"], row["turn"]): row["utterance_id"]
        for row in build.tables.read("utterances").to_pylist()
        if row["corpus"] == "dialogues"
    }
    assert max(row["turn"] for row in rows) > 4
    for row in rows:
        before = [audio[turn[row["dialogue_id"], number]] for number in range(1, row["turn"])]
        assert [clip["bytes"] for clip in row["history_audio"]] == before


def test_listeners_hear_the_history_and_read_no_words(built):
    """As the judge does: the words would tell a wrong turn from the right one without listening."""
    _, build, _, _, _, rows = built
    before = {row["pair_id"]: [clip["bytes"] for clip in row["history_audio"]] for row in rows}
    items = pair_items(build, build.tables.read("pairs"), {})
    assert {item.subject_id for item in items} == before.keys()
    for item in items:
        assert [build.blobs.encoded(clip.audio_id) for clip in item.history] == before[item.subject_id]
        assert (item.text, item.note, len(item.clips)) == (None, None, 2)


def test_a_speaker_encoder_hears_who_speaks(built):
    """Positives that machines spoke are nearer to their speaker than to the partner, swapped ones the other way round."""
    folder, build, _, _, _, rows = built
    encoder = ResemblyzerEncoder()
    voices = defaultdict(dict)
    for row in build.tables.read("utterances").to_pylist():
        if row["corpus"] == "dialogues":
            path = folder / "corpus" / row["audio_path"]
            voices[row["dialogue_id"], row["speaker_id"]][row["source_id"]] = encoder.embed(heard(path.read_bytes()))

    def nearer(row, side):
        """Return how much more a clip sounds like its speaker than like the partner, by turns other than its own."""
        clip = encoder.embed(heard(row[f"audio_{side}"]["bytes"]))
        speaker = row["source_id"].split("_")[1]
        sims = [
            np.mean([clip @ voice for name, voice in voices[row["dialogue_id"], one].items() if name != row["source_id"]])
            for one in (speaker, {"0": "1", "1": "0"}[speaker])
        ]
        return sims[0] - sims[1]

    positives = [nearer(row, worse(row)[1]) for row in rows if row[f"system_{worse(row)[1]}"] != "human"]
    swapped = [nearer(row, worse(row)[0]) for row in rows if row[f"corruption_{worse(row)[0]}"] == "speaker_swap"]
    assert np.mean(positives) > 0.02
    assert np.mean(swapped) < -0.02


def test_a_dialogue_lies_in_one_split(built):
    splits = defaultdict(set)
    for row in built[-1]:
        splits[row["dialogue_id"]].add(row["in"])
    assert all(len(found) == 1 for found in splits.values())
    assert len(set.union(*splits.values())) > 1


def test_every_training_text_passes_the_strict_parser(built):
    for row in built[-1]:
        parsed = task4.PLUGIN.parse(row["completion"])
        assert parsed.verdict == row["label"]
        assert parsed.completion == row["completion"]
        assert {score["dimension"] for score in row["scores_a"]} == {dimension.name for dimension in task4.DIMENSIONS}


def test_a_row_s_story_is_told_in_plain_lines(built):
    folder, _, _, _, _, rows = built
    row = next(row for row in rows if "mixed" in {row["corruption_a"], row["corruption_b"]})
    bad, _ = worse(row)
    told = CliRunner().invoke(
        app, ["explain", str(folder / "r.yaml"), row["pair_id"], "--workspace", str(folder / "ws"), "--json"]
    )
    story = json.loads(told.output)
    short = "\n".join(story["in short"])
    assert [turn["turn"] for turn in story["heard before"]] == list(range(1, row["turn"]))
    assert f"heard before: {row['turn'] - 1} turns" in short
    assert f"a flaw of {row['flaw']}; made worse on purpose: mixed" in short
    assert f"system {row[f'system_{bad}']} in the voice of dialogues {row[f'reference_source_id_{bad}']}" in short
    assert f"judge: {row['label']} (" in short
    assert f"label: {row['label']}, from construction" in short
    assert f"split: {row['in']}" in short


def test_the_card_and_the_report_count_corruptions(built):
    folder, build, _, _, _, rows = built
    card = (Path(release_of(build)) / "README.md").read_text()
    write_report(build, folder / "report.html")
    page = (folder / "report.html").read_text()
    for corruption, count in Counter(row[f"corruption_{worse(row)[0]}"] for row in rows).items():
        name = corruption.replace("_", "\\_")
        assert f"| {name} | {count} |" in card
        agrees = f'<td class="n">{count}</td><td class="n">{count}<span class="dim">/{count}</span></td>'
        assert f"<td>{corruption}</td>{agrees}" in page
    for flaw, count in Counter(row["flaw"] for row in rows if row["flaw"]).items():
        assert f"| {flaw} | {count} |" in card
    assert "Machines spoke the recordings of the corpora dialogues" in page


def test_a_rerun_does_nothing(built):
    folder, build, _, _, listener, _ = built
    asked, made = len(listener.asked), release_of(build)
    again = open_build(folder / "r.yaml", str(folder / "ws"))
    assert all(finished(stage, again) for stage in stages_of(again))
    with again.workspace.lock():
        run(again, "release")
    assert (len(listener.asked), release_of(again)) == (asked, made)
