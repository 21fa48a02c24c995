"""Votes in the layout of SpeechJudge-Data as published: who voted is known from the workspace, not from the release."""

import pyarrow.parquet as pq
import pytest

from contracts.errors import DataError
from flows.exports.ballots import ballots_of
from flows.exports.export import Wanted, export_release
from flows.exports.named_release import NamedRelease
from flows.published.rederivation import funnel, read_published
from flows.stages.release import release_of
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
    assert {name: funnel(read_published(tmp_path / "out"))[0][name] for name in ("pairs", "FA", "WA", "pref")} == {
        "pairs": 2,
        "FA": 1,
        "WA": 1,
        "pref": 2,
    }
