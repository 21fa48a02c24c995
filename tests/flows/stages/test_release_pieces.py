"""A release in pieces is the release, byte for byte: the same folder, whatever the pieces and whichever kind of data set."""

import shutil

import pyarrow.compute as pc
import pytest
import yaml

from contracts.errors import DataError
from corpora.dummies import rated_manifest
from flows.run.marks import execute
from flows.run.pipeline import open_build
from flows.stages import release_pieces
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from tests.flows.listeners import listen
from tests.flows.small import run, stages_of

LISTENING = {
    "protocol": "speechjudge", "of": "pairs", "languages": {"en": "proficient"}, "qualification": 0, "gold_every": 0,
}  # fmt: skip


def released_again(build, monkeypatch, rows):
    """Return the release that is made anew in pieces of so many rows, and how many pieces there were."""
    monkeypatch.setattr(release_pieces, "_PIECE_ROWS", rows)
    made = []
    taken = release_pieces.PieceTables
    monkeypatch.setattr(release_pieces, "PieceTables", lambda *given: made.append(given) or taken(*given))
    shutil.rmtree(build.workspace.local_path("releases"))
    stage = next(stage for stage in stages_of(build) if stage.name == "release")
    books = execute(stage, build)
    assert books.rows_in == books.rows_out == build.tables.num_rows(splits_table(build))
    left = [path.name for path in build.workspace.local_path("releases").iterdir()]
    assert not any(name.startswith(".") for name in left), "nothing is left beside the release"
    return release_of(build), len(made)


@pytest.mark.parametrize(("rows", "fewest"), [(1, 6), (4, 3)])
def test_judged_pairs(opened, monkeypatch, rows, fewest):
    build = opened()
    run(build, "release")
    whole = release_of(build)
    again, number = released_again(build, monkeypatch, rows)
    assert again == whole
    assert number >= fewest


def test_pairs_with_votes(opened, monkeypatch):
    """Levels of agreement and the ids of votes are in the right rows."""
    build = opened(listening=LISTENING, filters=[{"name": "cmos_to_preference"}])
    run(build, "votes")
    for name in ("One", "Two"):
        listen(build, name, lambda pair: "A+1" if pair < "8" else "B+2")
    run(build, "release")
    whole = release_of(build)
    again, number = released_again(build, monkeypatch, 3)
    assert again == whole
    assert number > 3


def test_rated_pairs(tmp_path, in_this_process, monkeypatch):
    rated_manifest(tmp_path / "mos", contents=8, systems=3, raters=4)
    recipe = {
        "kind": "rated_pairs",
        "name": "rated",
        "corpora": [{"name": "mos", "reader": "manifest", "root": "mos", "options": {"text": "optional"}}],
        "scale": "mos",
        "splits": {"fractions": {"sft": 0.5, "bench": 0.5}},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    build = open_build(tmp_path / "r.yaml", str(tmp_path / "ws"))
    with build.workspace.lock():
        run(build, "release")
        whole = release_of(build)
        again, number = released_again(build, monkeypatch, 2)
    assert again == whole
    assert number > 3


def test_no_assigned_item_is_lost(opened, monkeypatch):
    """One whose pair is gone ends the release before it is seen, as it does in one piece."""
    build = opened()
    run(build, "release")
    shutil.rmtree(build.workspace.local_path("releases"))
    pairs, assigned = build.tables.read("pairs"), build.tables.read(splits_table(build))["item_id"][0]
    build.tables.replace("pairs", pairs.filter(pc.not_equal(pairs["pair_id"], assigned)))
    monkeypatch.setattr(release_pieces, "_PIECE_ROWS", 5)
    (stage,) = (stage for stage in stages_of(build) if stage.name == "release")
    with pytest.raises(DataError, match="1 assigned items are about no pair or prompt"):
        execute(stage, build)
    assert release_of(build) is None


def test_what_a_killed_release_left_is_removed(opened, monkeypatch):
    build = opened()
    run(build, "release")
    left = build.workspace.local_path("releases/.pieces-of-another")
    monkeypatch.setattr(release_pieces, "_PIECE_ROWS", 5)
    left.mkdir()
    (left / "pairs.0.arrows").write_bytes(b"half")
    with release_pieces.pieces(build, ("pairs", "prompts")):
        assert not left.exists()
