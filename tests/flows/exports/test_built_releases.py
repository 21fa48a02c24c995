"""Exports of what a build released: rows that a judge explained, and votes in the layout of SpeechJudge-Data as published."""

import json

import pyarrow.parquet as pq
import pytest
from datasets import Audio, load_dataset

from contracts.errors import DataError
from flows.exports.ballots import ballots_of
from flows.exports.export import Wanted, export_release
from flows.exports.named_release import NamedRelease
from flows.published.rederivation import funnel, read_published
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from scoring.trainers.trl_rewards import unisrm_reward
from storage.release_reader import current_release
from storage.workspace import Workspace
from tests.flows.exports.tiny_release import released
from tests.flows.listeners import listen
from tests.flows.small import run
from tests.flows.verified import COMPARED
from tests.storage.release_rows import clip

ROWS = Wanted(format="speechjudge_rows")


def ballot(rater: str, value: str, *, accurate: bool | None = True) -> dict:
    return {"annotator_id": rater, "value": value, "text_accurate_a": True, "text_accurate_b": accurate}


def test_a_judged_build_trains_a_model_to_judge(opened, tmp_path):
    """What the judge wrote is what is to be written; written again it earns the reward, and the opposite does not."""
    build = opened()
    run(build, "release")
    release = NamedRelease(workspace=build.workspace, folder=current_release(build.workspace), builds=[build])
    found = export_release(release, tmp_path / "out", Wanted(format="ms_swift"))
    rows = {
        form: [
            json.loads(line)
            for file in found.files
            if file.form == form
            for line in (tmp_path / "out" / file.path).read_text().splitlines()
        ]
        for form in ("sft", "rl", "clip_preference")
    }
    assert not found.left_out, found.refused
    count = build.tables.num_rows(splits_table(build))
    assert {form: len(some) for form, some in rows.items()} == dict.fromkeys(rows, count)
    said = {row["item_id"]: row["messages"][1]["content"] for row in rows["sft"]}
    specs = [row["reward_spec"] for row in rows["rl"]]
    assert unisrm_reward(rows["rl"], [said[row["item_id"]] for row in rows["rl"]], reward_spec=specs) == [1.0] * count
    swapped = [{"a": "Output A: 2, Output B: 9", "b": "Output A: 9, Output B: 2"}[row["solution"]] for row in rows["rl"]]
    assert unisrm_reward(rows["rl"], swapped, reward_spec=specs) == [-1.0] * count
    assert all("margin" not in row for row in rows["clip_preference"]), "nobody voted"


def test_votes_come_from_the_workspace(opened, tmp_path):
    """Each vote that counts, by its pseudonym; without reference speech a pair has no form in that layout."""
    build = opened(listening=COMPARED, filters=[{"name": "cmos_to_preference"}])
    run(build, "votes")
    for name in ("One", "Two"):
        listen(build, name, lambda pair: "A+1" if pair < "8" else "B+2")
    run(build, "release")
    found = ballots_of([build])
    assert {tuple(vote["value"] for vote in one["ballots"]) for one in found.values()} == {("A+1", "A+1"), ("B+2", "B+2")}
    assert all(len({vote["annotator_id"] for vote in one["ballots"]}) == 2 for one in found.values())
    assert all(one["chosen"] for one in found.values()), "nobody is rated below, and fewer than ten pairs are no rate"
    release = NamedRelease(workspace=build.workspace, folder=current_release(build.workspace), builds=[build])
    with pytest.raises(DataError, match="no_prompt_text"):
        export_release(release, tmp_path / "out", ROWS)
    alone = NamedRelease(workspace=Workspace(build.workspace.path("releases")), folder=release_of(build).rpartition("/")[2])
    with pytest.raises(DataError, match="the rows have no ballots: a release does not say who voted; name the recipe"):
        export_release(alone, tmp_path / "out", ROWS)


def test_published_rows_are_read_as_what_was_voted(tmp_path, monkeypatch):
    release = released(tmp_path / "ws", only=["task1"])
    cast = {
        "pair-00000": [ballot("r1", "A+2"), ballot("r2", "A+1", accurate=False)],
        "pair-00001": [ballot("r1", "A+1"), ballot("r2", "T"), ballot("r3", "A+1")],
        "pair-00002": [ballot("r1", "A+1", accurate=None)],
    }
    known = {pair: {"ballots": votes, "chosen": pair != "pair-00001"} for pair, votes in cast.items()}
    monkeypatch.setattr("flows.exports.export.ballots_of", lambda _builds: known)
    found = export_release(release, tmp_path / "out", ROWS)
    assert found.left_out == {"task1/rl released": {"no_text_accuracy": 1, "no_votes": 1}}
    (file,) = found.files
    first, second = pq.read_table(tmp_path / "out" / file.path).to_pylist()
    assert (first["rater"], first["naturalness_annotation"]) == (["r1", "r2"], ["A+2", "A+1"])
    assert (first["audioB_text_accuracy"], first["naturalness_label"], first["chosen"]) == ([1, 0], "A", True)
    assert (first["prompt"]["bytes"], first["audioA"]["bytes"]) == (clip("ref"), clip("a0"))
    assert (second["naturalness_annotation"][1], second["chosen"]) == ("Tie (missing reason)", False)
    assert first["gemini-2.5-flash"].startswith("<think>")
    loaded = load_dataset("parquet", data_files=str(tmp_path / "out" / file.path), cache_dir=str(tmp_path / "cache"))["train"]
    assert {name for name, feature in loaded.features.items() if isinstance(feature, Audio)} == {"prompt", "audioA", "audioB"}
    undecoded = loaded.cast_column("audioA", Audio(decode=False)).select_columns(["audioA", "rater"])
    assert undecoded[0] == {"audioA": first["audioA"], "rater": ["r1", "r2"]}
    assert {name: funnel(read_published(tmp_path / "out"))[0][name] for name in ("pairs", "FA", "WA", "pref")} == {
        "pairs": 2,
        "FA": 1,
        "WA": 1,
        "pref": 2,
    }
