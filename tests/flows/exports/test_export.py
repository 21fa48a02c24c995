"""From a release to files for trainers: rows of every sort, what is left out, what is refused."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from annotate.models.tasks import quality
from contracts.errors import DamagedPart, DataError, RecipeError, StorageError
from flows.entry.cli import app
from flows.exports.examples import margin_of
from flows.exports.export import Wanted, export_release
from scoring.trainers.trl_rewards import unisrm_reward
from storage.clip_columns import ANSWERS, RATED_CLIPS
from storage.columns import RATED_PAIRS, TASK1, row_schema
from storage.rated_columns import PAIR_CRITIQUES, PROMPTED_PAIRS
from tests.flows.exports.tiny_release import SCORES, WORDS, A, B, answers, clips, critiques, pairs, prompted, released
from tests.scoring.rewards.test_pair_rewards import card
from tests.storage.release_rows import clip, rated_rows


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of rows of every sort."""
    return released(tmp_path_factory.mktemp("release"))


@pytest.fixture
def exported(release, tmp_path):
    """Export it and return the report."""
    return lambda name, **wanted: export_release(release, tmp_path / "out", Wanted(format=name, **wanted))


NO_RATING = "its items are no single clips with one rating each"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_ms_swift_gets_every_sort_of_rows(exported, tmp_path):
    found = exported("ms_swift")
    assert {(file.path, file.rows) for file in found.files} == {
        ("task1-rl-sft.jsonl", 4),
        ("task1-rl-rl.jsonl", 4),
        ("task1-rl-clip_preference.jsonl", 4),
        ("pairs-train-rl.jsonl", 4),
        ("pairs-train-clip_preference.jsonl", 4),
        ("pairs-train-answer_preference.jsonl", 4),
        ("quality-rl-sft.jsonl", 2),
        ("quality-rl-rl.jsonl", 2),
        ("answers-rl-sft.jsonl", 2),
        ("answers-rl-rl.jsonl", 2),
        ("clips-train-sft.jsonl", 2),
        ("clips-train-score.jsonl", 2),
    }
    assert found.refused == {
        "task1 answer_preference": "it holds no right and wrong answers to one question",
        "pairs sft": "it holds no texts to write",
        "clips rl": "no reward is that of these rows: name one with --reward",
        **{f"{name} score": NO_RATING for name in ("task1", "pairs", "answers")},
        "quality score": "its clips are rated on 7 scales, and a score is one number",
        **{
            f"{name} {form}": why
            for name in ("quality", "answers", "clips")
            for form, why in {
                "clip_preference": "its items are single clips",
                "answer_preference": "it holds no right and wrong answers to one question",
            }.items()
        },
    }
    assert not found.left_out
    (row, *_) = lines(tmp_path / "out" / "task1-rl-rl.jsonl")
    asked = row["messages"][0]["content"]
    assert asked.startswith("You compare two recordings of the same text")
    assert "text 0" in asked
    assert asked.endswith("\n\n[Prompt Speech] <audio>\n[Speech A] <audio>\n[Speech B] <audio>")
    heard = [(tmp_path / "out" / path).read_bytes() for path in row["audios"]]
    assert heard == [clip("ref"), clip("a0"), clip("b0")]
    spec = json.loads(row["reward_spec"])
    assert (spec["name"], spec["options"], spec["row"]["label"]) == ("unisrm", {"task": "task1"}, "a")


def test_every_configuration_of_rated_pairs(tmp_path):
    """Critiques, clips, and the plain pairs, which say no task: a preference of clips needs none."""
    parts = [
        ("rated_pairs", "train", rated_rows(2), RATED_PAIRS),
        ("critiques", "train", critiques(2), PAIR_CRITIQUES),
    ]
    release = released(tmp_path / "ws", *parts, only=[*(name for name, *_ in parts), "clips"])
    found = export_release(release, tmp_path / "out", Wanted(format="ms_swift"))
    assert {file.path.removesuffix(".jsonl") for file in found.files} == {
        "rated_pairs-train-clip_preference",
        *(f"critiques-train-{form}" for form in ("sft", "rl", "clip_preference")),
        "clips-train-sft",
        "clips-train-score",
    }
    assert "name it with --task" in found.refused["rated_pairs rl"]
    assert [row["label"] for row in lines(tmp_path / "out" / "clips-train-score.jsonl")] == [3.5, 3.5]
    assert lines(tmp_path / "out" / "clips-train-sft.jsonl")[0]["messages"][0]["content"].endswith("[Audio] <audio>")
    spec = json.loads(lines(tmp_path / "out" / "critiques-train-rl.jsonl")[0]["reward_spec"])
    assert (spec["name"], spec["options"]["task"]) == ("mos_aware", "critique_pair")


def test_the_better_clip_comes_first_whichever_it_is(tmp_path):
    parts = [("b", "rl", pairs(2, 40, label="b", votes=None), TASK1)]
    release = released(tmp_path / "ws", *parts, only=["b", "task1"])
    export_release(release, tmp_path / "out", Wanted(format="ms_swift"))
    for name, better, worse in (("task1", "a0", "b0"), ("b", "b13", "a20")):
        row = lines(tmp_path / "out" / f"{name}-rl-clip_preference.jsonl")[0]
        heard = {side: [(tmp_path / "out" / path).read_bytes() for path in row[side]] for side in ("audios", "rejected_audios")}
        assert heard == {"audios": [clip("ref"), clip(better)], "rejected_audios": [clip("ref"), clip(worse)]}
        assert row["messages"] == row["rejected_messages"]
    assert "margin" not in row
    assert lines(tmp_path / "out" / "task1-rl-clip_preference.jsonl")[0]["margin"] == 1.0


@pytest.mark.parametrize(
    ("row", "margin"),
    [
        ({"rating_gap": 0.5, "label": "a"}, 0.5),
        ({"votes": [{"value": "A+1", "count": 2}], "label": "a"}, 1.0),
        ({"votes": [{"value": "B+2", "count": 1}, {"value": "T", "count": 1}], "label": "b"}, 1.0),
        ({"votes": [{"value": "B+2", "count": 1}, {"value": "Tie (both not good)", "count": 3}], "label": "b"}, 0.5),
        ({"votes": [{"value": "A+1", "count": 2}, {"value": "B+2", "count": 1}], "label": "a"}, 0.0),
        ({"votes": [{"value": "A+1", "count": 3}, {"value": "B+2", "count": 2}], "label": "a"}, 0.0),
        ({"votes": [{"value": "A", "count": 3}], "label": "a"}, None),  # a choice, not a scale
        ({"votes": None, "label": "a"}, None),
    ],
)
def test_margins(row, margin):
    assert margin_of(row) == margin


def test_rewards_know_the_percentile_of_their_gaps(exported, tmp_path):
    """The 90th percentile of the gaps 1.2, 0.6, 0.4 and 0.3 is 0.3 of the way from 1.2 back to 0.6, as numpy counts."""
    exported("ms_swift", configuration="pairs")
    spec = json.loads(lines(tmp_path / "out" / "pairs-train-rl.jsonl")[0]["reward_spec"])
    assert spec["name"] == "mos_aware"
    assert spec["options"] == {"task": "critique_pair", "percentiles": {"somos": pytest.approx(1.02)}}


def gaps(count: int, corpora: str, gap: float) -> pa.Table:
    """Return rated pairs with prompts, so far apart, of a corpus each in turn."""
    made = [
        row | {"rating_gap": gap * (number + 1), "corpus": corpora[number % len(corpora)]}
        for number, row in enumerate(prompted(count).to_pylist())
    ]
    made = [row | {"pair_id": f"{gap}-{row['pair_id']}", "leakage_group": f"{gap} {row['leakage_group']}"} for row in made]
    return pa.Table.from_pylist(made, schema=row_schema(PROMPTED_PAIRS))


@pytest.mark.parametrize("split", [None, "dev"])
def test_the_percentile_is_that_of_the_training_split_in_every_file(tmp_path, split):
    """Of the gaps 0.1 and 0.2 it is 0.19, whatever dev holds; a corpus without training pairs has no reward."""
    parts = [("p", "train", gaps(2, "x", 0.1), PROMPTED_PAIRS), ("p", "dev", gaps(2, "xy", 1.0), PROMPTED_PAIRS)]
    release = released(tmp_path / "ws", *parts, only=["p"])
    found = export_release(release, tmp_path / "out", Wanted(format="ms_swift", configuration="p", split=split))
    files = [file.path for file in found.files if file.form == "rl"]
    assert len(files) == (2 if split is None else 1)
    for path in files:
        for row in lines(tmp_path / "out" / path):
            assert json.loads(row["reward_spec"])["options"]["percentiles"] == {"x": pytest.approx(0.19)}
    assert found.left_out["p/dev rl"] == {"no_reward": 1}


def test_a_reward_that_does_not_suit_one_configuration_leaves_the_others(release, tmp_path):
    """Of pairs and clips, the reward of pairs refuses the clips, by their name."""
    pairs_and_clips = released(tmp_path / "ws", only=["pairs", "clips"])
    found = export_release(pairs_and_clips, tmp_path / "out", Wanted(format="trl", task="critique_pair"))
    assert found.refused["clips rl"] == "reward 'mos_aware' reads label, which the rows do not have: choose another one"
    assert "pairs-train-rl.parquet" in {file.path for file in found.files}


def test_clips_of_one_scale_have_a_score(tmp_path):
    """The mean before it was rounded."""
    made = [row | {"scores": [{"scale": "mos", "score": 4.0, "mean": 3.75}]} for row in clips(2).to_pylist()]
    one = pa.Table.from_pylist(made, schema=row_schema(RATED_CLIPS))
    release = released(tmp_path / "ws", ("one", "train", one, RATED_CLIPS), only=["one"])
    found = export_release(release, tmp_path / "out", Wanted(format="ms_swift"))
    assert "one score" not in found.refused
    assert [row["label"] for row in lines(tmp_path / "out" / "one-train-score.jsonl")] == [3.75, 3.75]


@pytest.mark.parametrize(
    ("name", "named", "absent"),
    [
        ("ms_swift", ["...-score.jsonl", "...-sft.jsonl"], ["-rl", "REWARDS"]),
        ("trl", ["`sft`"], ["`rl`", "`answer_preference`"]),
        ("llama_factory", ["`...-sft`"], ["`rm`", "preference"]),
    ],
)
def test_the_readme_names_what_is_there(exported, tmp_path, name, named, absent):
    exported(name, configuration="clips")
    text = (tmp_path / "out" / "README.md").read_text()
    assert all(one in text for one in named), text
    assert not any(one in text for one in absent), text


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        ("clips", "its items are single clips, and the format is one of pairs"),
        ("pairs", "its pairs have no style, setting, text, prompt_text, prompt_audio, completion, which the format writes"),
    ],
)
def test_speechjudge_rows_say_what_they_are_for(exported, configuration, why):
    with pytest.raises(DataError, match=why):
        exported("speechjudge_rows", configuration=configuration)


def test_a_recipe_without_votes_is_not_asked_for_again(release, tmp_path, monkeypatch):
    """Its workspace was looked into: to name it is no advice."""
    monkeypatch.setattr("flows.exports.export.ballots_of", lambda _builds: {})
    of_recipe = replace(release, builds=["a build"])
    with pytest.raises(DataError, match="the rows have no ballots: people did not vote with five points"):
        export_release(of_recipe, tmp_path / "out", Wanted(format="speechjudge_rows", configuration="task1"))


def test_a_folder_that_cannot_be_written_is_another_output(release, tmp_path, monkeypatch):
    def refused(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("storage.local_files.tempfile.mkdtemp", refused)
    with pytest.raises(StorageError, match="permission denied: give this user access, or choose another place with --output"):
        export_release(release, tmp_path / "out", Wanted(format="trl"))


def test_a_part_of_a_collection_has_the_configurations_of_its_name(release):
    """The longest name of a part decides: task1_more is not the pairs of task1."""
    of = {"a": {"a", "a_pairs"}, "a_b": {"a_b", "a_b_clips"}}
    shards = {(name, "rl"): [] for names in of.values() for name in names}
    for part, names in of.items():
        one = replace(release, part=part, parts=[*of])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flows.exports.named_release.shards_of", lambda *_: shards)
            assert {name for name, _ in one.shards} == names


def test_what_a_format_cannot_say_is_refused(exported):
    found = exported("llama_factory", configuration="pairs")
    assert "one list of clips for both sides" in found.refused["pairs clip_preference"]
    assert [file.form for file in found.files] == ["answer_preference"]


def test_trl_says_that_it_hears_nothing(exported, tmp_path):
    found = exported("trl", configuration="pairs")
    assert "take no audio" in found.remark
    assert not list((tmp_path / "out").rglob("*.flac"))
    row = pq.read_table(tmp_path / "out" / "pairs-train-answer_preference.parquet").to_pylist()[0]
    assert row["prompt"][0]["content"].endswith("[Audio 1] (clip left out)\n[Audio 2] (clip left out)")
    assert "take no audio" in (tmp_path / "out" / "README.md").read_text()


def test_an_export_is_the_same_again_and_never_half(release, tmp_path, monkeypatch):
    """One release gives one export, byte for byte; a folder that is there stays; an interrupted export leaves nothing."""
    trees = []
    for place in ("one", "two"):
        export_release(release, tmp_path / place, Wanted(format="verl"))
        trees.append({p.relative_to(tmp_path / place): p.read_bytes() for p in (tmp_path / place).rglob("*") if p.is_file()})
    assert trees[0] == trees[1]
    assert Path("unisrm_verl.py") in trees[0]
    with pytest.raises(DataError, match="is there already"):
        export_release(release, tmp_path / "one", Wanted(format="ms_swift"))

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("storage.exports.ms_swift.MsSwift.finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_release(release, tmp_path / "three", Wanted(format="ms_swift"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_rows_that_cannot_be_trained_on_are_counted(tmp_path):
    """A text that a trainer would obey, no reasons, no reference speech: each is left out by its reason."""
    made = pairs(5).to_pylist()
    made[0]["completion"] += "<|im_end|>"
    made[1]["completion"] = None
    made[2]["prompt_audio"] = None
    made[3]["scores_b"] = None
    made[4] |= {"label": "tie", "completion": None}
    odd = pa.Table.from_pylist([row | {"pair_id": f"odd-{n}"} for n, row in enumerate(made)], schema=row_schema(TASK1))
    release = released(tmp_path / "ws", ("odd", "rl", odd, TASK1), only=["odd"])
    found = export_release(release, tmp_path / "out", Wanted(format="ms_swift"))
    assert found.left_out == {
        "odd/rl sft": {"control_text": 1, "no_completion": 2, "no_prompt_audio": 1},
        "odd/rl rl": {"no_preference": 1, "no_prompt_audio": 1, "no_reward": 1},
        "odd/rl clip_preference": {"no_preference": 1},
    }
    summary = json.loads((tmp_path / "out" / "export.json").read_text())
    assert summary["left_out"] == found.left_out


def test_a_split_without_completions_is_told_by_another(tmp_path):
    """Rows that a teacher got wrong come without its reply: those that it got right say what was asked."""
    prompt_only = pairs(2, 40, completion=None, prompt_version=None)
    release = released(tmp_path / "ws", ("t", "sft", pairs(2), TASK1), ("t", "rl", prompt_only, TASK1), only=["t"])
    found = export_release(release, tmp_path / "out", Wanted(format="ms_swift", split="rl"))
    assert [file.form for file in found.files] == ["rl", "clip_preference"]
    assert found.left_out == {"t/rl sft": {"no_completion": 2}}


def test_rows_that_tell_no_task_need_one(tmp_path):
    """Pairs that people alone labelled: the task is named by the user, and a reward that needs scores finds none."""
    bare = pairs(3, completion=None, scores_a=None, scores_b=None, judge=None, prompt_version=None)
    release = released(tmp_path / "ws", ("bare", "rl", bare, TASK1), only=["bare"])
    with pytest.raises(DataError, match="no row tells which task it is about"):
        export_release(release, tmp_path / "out", Wanted(format="verl"))
    wanted = Wanted(format="verl", task="teacher")
    found = export_release(release, tmp_path / "out", wanted)
    assert [file.rows for file in found.files] == [3]
    row = pq.read_table(tmp_path / "out" / "bare-rl-rl.parquet").to_pylist()[0]
    assert json.loads(row["extra_info"]["reward_spec"])["name"] == "preferred"
    assert row["audios"][0]["bytes"] == clip("a0")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"configuration": "task9"}, "no configuration 'task9': it has answers, clips, pairs, quality, task1"),
        ({"split": "bench"}, "no split 'bench': it has rl, train"),
        ({"configuration": "task1", "split": "train"}, "'task1' has no split 'train'"),
        ({"format": "fairseq"}, "unknown export 'fairseq'"),
        ({"configuration": "task1", "reward": "bleu"}, "reads references, which the rows do not have"),
    ],
)
def test_what_is_not_there_is_named(release, tmp_path, wanted, message):
    with pytest.raises(RecipeError, match=message):
        export_release(release, tmp_path / "out", Wanted(**({"format": "ms_swift"} | wanted)))


def test_a_changed_shard_is_not_exported(tmp_path):
    release = released(tmp_path / "ws", only=["answers"])
    (shard,) = (tmp_path / "ws" / release.folder / "answers").iterdir()
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(DamagedPart, match="was changed since it was released"):
        export_release(release, tmp_path / "out", Wanted(format="verl"))
    assert not (tmp_path / "out").exists()


def test_the_command(tmp_path, monkeypatch):
    """A folder of a release, a format, and one line on the standard output that says where the export is."""
    release = released(tmp_path / "ws", only=["answers"])
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        app, ["release", release.workspace.path(release.folder), "--export", "trl"], catch_exceptions=False
    )
    name = f"{release.name}-trl"
    assert done.stdout == f"export: {name}\n"
    assert "answers-rl-sft.parquet: 2 rows of answers, rl, for sft" in done.stderr
    assert (tmp_path / name / "answers-rl-rl.parquet").is_file()
    with pytest.raises(DataError, match="neither a recipe nor a release"):
        CliRunner().invoke(app, ["release", str(tmp_path), "--export", "trl"], catch_exceptions=False)


def test_questions_with_a_placeholder_of_their_own_are_left_out(tmp_path):
    made = [row | {"prompt": "Who is <audio>?"} if number else row for number, row in enumerate(answers(2).to_pylist())]
    odd = pa.Table.from_pylist(made, schema=row_schema(ANSWERS))
    release = released(tmp_path / "ws", ("odd", "rl", odd, ANSWERS), only=["odd"])
    found = export_release(release, tmp_path / "out", Wanted(format="ms_swift"))
    assert found.left_out["odd/rl sft"] == {"unequal_placeholders": 1}


def test_rewards_of_exported_rows_are_those_of_released_rows(exported, tmp_path):
    """What a row's own completion earns: everything, by hand; a wrong answer to a pair of ratings 1.2 apart, its all."""
    exported("ms_swift")
    earned = {}
    for name, said in {
        "task1-rl": card("task1", A, B),
        "quality-rl": quality.FORM.compose(SCORES, WORDS),
        "answers-rl": "The cat sleeps.",
        "pairs-train": "Final Scores: [[5, 8]]",
    }.items():
        (row, *_) = lines(tmp_path / "out" / f"{name}-rl.jsonl")
        earned[name] = unisrm_reward([""], [said], reward_spec=[row["reward_spec"]])
    assert earned == {"task1-rl": [2.0], "quality-rl": [2.0], "answers-rl": [1.0], "pairs-train": [-2.0]}
