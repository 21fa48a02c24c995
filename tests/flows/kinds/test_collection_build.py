"""Collections: two parts with common recordings as one release, from the recipe to what ``datasets`` loads."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset
from typer.testing import CliRunner

from contracts.errors import DataError, LeakageError, RecipeError
from corpora import miniatures
from flows.entry.cli import app
from flows.entry.notebook import open_workspace
from flows.exports.named_release import named_release
from flows.recipe.load import load
from flows.run.kind import all_waiting, jobs_of, kind_of
from flows.run.marks import execute, finished
from flows.run.pipeline import Waiting, open_build
from flows.stages.collection import proof_across
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from flows.views.explain import story_of
from flows.views.status import of_all_parts, status_of
from storage.release_verification import verify_release
from tests.flows.collections import write


@pytest.fixture
def corpora(tmp_path):
    miniatures.qualispeech(tmp_path / "old", clips=4)
    miniatures.qualispeech(tmp_path / "new", clips=4, seed=5)
    return tmp_path


def opened(folder, part=""):
    return open_build(f"{folder}/both.yaml{part}", f"{folder}/ws", collections=True)


def built(build):
    """Run what there is to run, as a flow does, without Prefect."""
    found = {}
    with build.workspace.lock():
        for job in jobs_of(build):
            for stage in job.stages:
                found[job.named(stage.name)] = execute(stage, job.build)
    return found


@pytest.fixture
def build(corpora, in_this_process):
    write(corpora)
    found = opened(corpora)
    built(found)
    return found


def split_of(part):
    """Return source id and corpus -> split."""
    rows = part.tables.read(splits_table(part), ["item_id", "split"])
    samples = {row["sample_id"]: row["utterance_id"] for row in part.tables.read("samples").to_pylist()}
    names = {row["utterance_id"]: (row["corpus"], row["source_id"]) for row in part.tables.read("utterances").to_pylist()}
    return {names[samples[row["item_id"]]]: row["split"] for row in rows.to_pylist()}


def test_recordings_of_both_parts_lie_in_one_split(build):
    """What the second part shares with the first, in other formats and under another name, goes where the first has it."""
    first, second = (split_of(part) for part in build.parts.values())
    assert {name: second["once_more", name] for _, name in first} == {name: split for (_, name), split in first.items()}
    assert len([1 for corpus, _ in second if corpus == "new"]) == 15


def test_the_release_has_a_configuration_for_each_part(build):
    url = release_of(build)
    sizes = {"task2": {"sft": 5, "rl": 5, "bench": 5}, "more": {"sft": 12, "rl": 8, "bench": 10}}
    for config in ("task2", "more"):
        data = load_dataset(url, config)
        assert list(data) == ["sft", "rl", "bench"]
        assert sum(split.num_rows for split in data.values()) == {"task2": 15, "more": 30}[config]
        assert {split.features["audio"].sampling_rate for split in data.values()} == {{"task2": 16000, "more": 8000}[config]}
    assert load_dataset(url, "task2").num_rows == sizes["task2"]
    assert verify_release(url).problems == []
    card = (Path(url) / "README.md").read_text()
    assert "| source file, over all parts | any split | any other | 0 |" in card
    assert "| more: claims | claims |" in card
    assert "task2: The scores" in card
    with_both = open_workspace(str(build.workspace.url).replace("/ws", "/both.yaml"), build.workspace.url)
    assert set(with_both.release().splits) == {"task2", "more"}
    recipe = str(Path(build.workspace.url).parent / "both.yaml")
    for name, there in (("", {"task2", "more"}), ("#task2", {"task2"}), ("#more", {"more"})):
        named = named_release(f"{recipe}{name}", build.workspace.url)
        assert {config for config, _ in named.shards} == there
    with pytest.raises(RecipeError, match="has no part 'third'; there are task2, more"):
        named_release(f"{recipe}#third", build.workspace.url)


def test_a_second_build_does_nothing(build, monkeypatch):
    again = opened(Path(build.workspace.url).parent)
    before = {str(path): path.stat().st_mtime_ns for path in Path(build.workspace.url).rglob("*.parquet")}
    assert all(finished(stage, job.build) for job in jobs_of(again) for stage in job.stages)
    built(again)
    assert {str(path): path.stat().st_mtime_ns for path in Path(build.workspace.url).rglob("*.parquet")} == before


def test_a_changed_later_part_moves_nothing_in_an_earlier_one(build):
    """SPEC K3: the second part loses a corpus; no stage of the first one runs again. The build tells which rows went."""
    folder, was = Path(build.workspace.url).parent, release_of(build)
    before = split_of(build.parts["task2"])
    second = yaml.safe_load((folder / "second.yaml").read_text())
    del second["corpora"][1]
    (folder / "second.yaml").write_text(yaml.safe_dump(second))
    changed = opened(folder)
    first, *_ = jobs_of(changed)
    assert all(finished(stage, first.build) for stage in first.stages)
    *_, note = built(changed)["release"].notes
    assert split_of(changed.parts["task2"]) == before
    assert len(split_of(changed.parts["more"])) == 15
    assert ": 15 gone, 30 the same; configuration more: " in note
    told = CliRunner().invoke(app, ["diff", was, str(folder / "both.yaml"), "--workspace", build.workspace.url, "--json"])
    gone = json.loads(told.stdout)["changes"]
    assert {(one["configuration"], one["what"]) for one in gone} == {("more", "gone")}
    assert sum(one["reasons"]["not made any more"] for one in gone) == 15


def test_a_changed_earlier_part_is_noticed_by_a_later_one(build):
    """The first part moves everything; what the second shares with it moves along, as its claims are other ones."""
    folder = Path(build.workspace.url).parent
    first = yaml.safe_load((folder / "first.yaml").read_text())
    first["splits"] = {"quotas": {"rl": 30}, "stratify_by": []}
    (folder / "first.yaml").write_text(yaml.safe_dump(first))
    changed = opened(folder)
    built(changed)
    second = split_of(changed.parts["more"])
    assert {split for (corpus, _), split in second.items() if corpus == "once_more"} == {"rl"}
    assert {split for (corpus, _), split in second.items() if corpus == "new"} == {"sft", "rl", "bench"}


def test_a_planted_leak_fails_the_release_and_is_named(build):
    """A row of the second part in the split of another is found by what it shares, and named with part and row."""
    part = build.parts["more"]
    rows = part.tables.read(splits_table(part))
    shared = part.tables.read("drops@splits").num_rows
    assert not shared
    moved = pa.array([{"sft": "rl", "rl": "sft"}.get(split, split) for split in rows["split"].to_pylist()], pa.string())
    part.tables.replace(splits_table(part), rows.set_column(3, rows.schema.field("split"), moved))
    with pytest.raises(LeakageError, match=r"share the .*task2/[0-9a-f]{32} of text group .*more/[0-9a-f]{32} of text group"):
        proof_across(build.parts)
    with pytest.raises(LeakageError), build.workspace.lock():
        execute(jobs_of(build)[-1].stages[-1], build)


def test_sizes_of_the_collection_are_those_of_its_parts(corpora, in_this_process):
    """Conditions stay those of the part's recipe."""
    write(corpora, parts={"task2": {"recipe": "first.yaml", "quotas": {"sft": 3, "rl": 2, "bench": 1}}})
    build = opened(corpora)
    built(build)
    shards = sorted(Path(release_of(build)).rglob("*.parquet"))
    assert {path.name.partition("-")[0]: pq.read_table(path).num_rows for path in shards} == {"sft": 3, "rl": 2, "bench": 1}
    assert load(corpora / "first.yaml").splits.named()["sft"].size().quota == 10558, "alone it has its own"


def test_a_part_waits_for_the_splits_of_those_before_it(corpora, in_this_process):
    """Built by itself, a later part cannot know what the first one takes."""
    write(corpora)
    part = opened(corpora, "#more")
    outcomes = {}
    with part.workspace.lock():
        for stage in jobs_of(part)[0].stages:
            outcomes[stage.name] = execute(stage, part)
            if isinstance(outcomes[stage.name], Waiting):
                break
    assert str(outcomes["claims"]) == "waiting for the splits of part task2: 0 of 1"
    assert "splits" not in outcomes


def test_who_waits_is_listed():
    """Two of five parts want votes: the line says so of each, with its numbers and with what commands about it take."""
    votes = Waiting(stage="verification", what="votes", there=3, wanted=10, advice="serve the test")
    said = all_waiting({"task1": votes, "task4": votes}, 5)
    assert str(said) == "waiting for parts: 3 of 5"
    assert said.advice.startswith("task1 (RECIPE#task1) is waiting for votes: 3 of 10: serve the test; task4 (RECIPE#task4)")


def test_views_name_the_part(build):
    reading = build.as_read_only()
    rows = of_all_parts(reading, status_of)
    assert {
        row["stage"]: row["state"] for row in rows if row["stage"] != "note" and "note" not in row["stage"]
    } == dict.fromkeys([job.named(stage.name) for job in jobs_of(build) for stage in job.stages], "done")
    assert kind_of(build).plan(reading)[-1] | {"rows": 45, "done": 45} == kind_of(build).plan(reading)[-1]
    part = build.parts["more"]
    item = part.tables.read(splits_table(part), ["item_id"])["item_id"][0].as_py()
    story = story_of(reading, item)
    assert f"more: sample {item}" in story
    assert story["more: released"][0]["file"].startswith("more/")
    with pytest.raises(DataError, match=r"task2: .*no pair.*; more: .*no pair"):
        story_of(reading, "0" * 32)


def test_commands_that_need_a_data_set_want_a_part(corpora):
    path = write(corpora)
    for command in (["annotate", "serve"], ["reannotate"], ["plan", "--graph"]):
        result = CliRunner().invoke(app, [*command, str(path)])
        assert isinstance(result.exception, RecipeError)
        assert f"name the part that is meant, as {path}#task2; there are task2, more" in str(result.exception)
    with pytest.raises(RecipeError, match="has no part 'task9'; there are task2, more"):
        open_build(f"{path}#task9")
    with pytest.raises(RecipeError, match="has no section listening"):
        CliRunner().invoke(app, ["annotate", "serve", f"{path}#task2"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpora": [{"name": "a", "reader": "manifest"}]}, "corpora"),
        ({"budget_usd": 3}, "budget_usd: belongs into the recipes of the parts"),
        ({"parts": {"a": "both.yaml"}}, "is a collection itself: name its parts here"),
        ({"parts": {"a": "nowhere.yaml"}}, "/nowhere.yaml: cannot be read"),
        ({"parts": {"lost": "nowhere.yaml"}}, "parts.lost: "),
        ({"parts": {"a": {"recipe": "first.yaml", "quotas": {"sft": 1}}}}, "parts.a: quotas: name the splits of the recipe"),
        ({"parts": {}}, "parts"),
        ({"parts": {"Task 1": "first.yaml"}}, "parts"),
    ],
)
def test_what_is_wrong_is_named(corpora, changes, message):
    path = write(corpora, **changes)
    with pytest.raises(RecipeError) as caught:
        load(path)
    assert message in str(caught.value)
