"""What differs between two releases, beside what plain dictionaries of their rows say."""

import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import DamagedPart, DataError
from storage import release_diff
from storage.clip_columns import RATED_CLIPS
from storage.columns import RATED_PAIRS, TASK1, TASK3, ReleaseSchema, row_schema
from storage.release_diff import Compared, differences
from storage.release_reader import current_release, note_release, release_before, shards_of
from storage.release_writer import ReleaseSplit
from storage.workspace import Workspace
from tests.flows.exports.tiny_release import clips
from tests.storage.release_rows import clip, rated_rows, rows
from tests.storage.test_release_writer import release_to

_CLIPS: dict[str, bytes] = {}


def cached_clip(name: str) -> bytes:
    if name not in _CLIPS:
        _CLIPS[name] = clip(name)
    return _CLIPS[name]


def released(folder: Path, *splits: tuple[str, str, pa.Table], schema: ReleaseSchema = TASK1) -> Compared:
    """Write a release of ``(configuration, split, rows)``."""
    made = [ReleaseSplit(config=config, split=split, rows=[table], schema=schema) for config, split, table in splits]
    workspace, name = release_to(folder, splits=made, audio=cached_clip)
    return Compared(workspace=workspace, folder=name, shards=shards_of(workspace, name))


def with_rows(table: pa.Table, *changes: dict) -> pa.Table:
    """Return the rows with changes by their place."""
    found = [row | change for row, change in zip(table.to_pylist(), [*changes, *[{}] * table.num_rows], strict=False)]
    return pa.Table.from_pylist(found, schema=table.schema)


def said(found) -> set[tuple]:
    return {(one.configuration, one.what, one.split_before, one.split_after, one.rows, one.ids) for one in found.changes}


def test_each_sort_of_change_is_told_with_its_rows(tmp_path):
    before = released(tmp_path / "a", ("task1", "sft", rows(6)), ("task1", "bench", rows(6, 60)))
    lost, relabelled, exchanged, both, moved, kept = rows(6, 60).to_pylist()
    relabelled["label"] = "a"  # 61 was b
    for pair in (exchanged, both):
        pair["audio_a"], pair["audio_b"] = pair["audio_b"], pair["audio_a"]
    exchanged["label"] = "b"  # 62 was a: the better clip is the same; 63 keeps its letter, so that another clip is better
    sft = with_rows(rows(7), {"text": "new"}, {"text": "newer", "scores_a": None}).to_pylist()
    after = released(
        tmp_path / "b",
        ("task1", "sft", pa.Table.from_pylist([*sft, moved], schema=rows(0).schema)),
        ("task1", "bench", pa.Table.from_pylist([relabelled, exchanged, both, kept], schema=rows(0).schema)),
    )
    found = differences(before, after)
    assert said(found) == {
        ("task1", "added", None, "sft", 1, ("pair-00006",)),
        ("task1", "gone", "bench", None, 1, (lost["pair_id"],)),
        ("task1", "moved", "bench", "sft", 1, (moved["pair_id"],)),
        ("task1", "relabelled", "bench", "bench", 2, ("pair-00061", "pair-00063")),
        ("task1", "exchanged", "bench", "bench", 2, ("pair-00062", "pair-00063")),
        ("task1", "changed", "sft", "sft", 2, ("pair-00000", "pair-00001")),
    }
    (changed,) = [one for one in found.changes if one.what == "changed"]
    assert changed.columns == {"text": 2, "scores_a": 1}
    assert found.same == 4 + 1
    assert found.files == ["README.md"]
    assert str(found) == (
        f"{before.name} -> {after.name}: 1 added, 1 gone, 1 moved, 2 relabelled, 2 exchanged, 2 changed, 5 the same"
    )


def test_a_release_does_not_differ_from_itself_and_its_rows_are_not_read(tmp_path, monkeypatch):
    one = released(tmp_path, ("task1", "sft", rows(6)))
    monkeypatch.setattr("storage.release_digests.rows_without_clips", pytest.fail)
    found = differences(one, one)
    assert (found.changes, found.same, found.files) == ([], 6, [])
    assert str(found) == f"{one.name} -> {one.name}: no row differs, 6 the same"


def test_bytes_of_clips_are_not_read(tmp_path, monkeypatch):
    """Of two shards less is read than what their clips take."""
    before = released(tmp_path / "a", ("task1", "sft", rows(90)))
    after = released(tmp_path / "b", ("task1", "sft", with_rows(rows(90), {"text": "new"})))
    (shard,) = after.shards["task1", "sft"]
    read, opened = [], after.workspace.filesystem.open

    class Counting(io.FileIO):
        def read(self, *size):
            read.append(super().read(*size))
            return read[-1]

    def open_counting(path, *more, **options):
        return Counting(path) if path.endswith(shard.path) else opened(path, *more, **options)

    monkeypatch.setattr(type(after.workspace.filesystem), "open", lambda _self, path, *more, **options: open_counting(path))
    assert len(differences(before, after).changes) == 1
    audio = sum(len(clip(name)) for name in {*rows(90)["audio_a"].to_pylist(), *rows(90)["audio_b"].to_pylist()})
    assert 0 < sum(map(len, read)) < 2 * shard.size_bytes - audio


def test_configurations_and_columns_that_one_release_has_alone(tmp_path):
    extra = [row | {"scenario_description": "s", "paragraph_context": "p"} for row in rows(3).to_pylist()]
    before = released(tmp_path / "a", ("task", "sft", rows(3)), ("old", "sft", rows(2, 6)))
    after = released(
        tmp_path / "b",
        ("task", "sft", pa.Table.from_pylist(extra, schema=row_schema(TASK3))),
        ("task", "rl", pa.Table.from_pylist([extra[0] | {"pair_id": "x"}], schema=row_schema(TASK3))),
        schema=TASK3,
    )
    found = differences(before, after)
    assert {key[:4] for key in said(found)} == {("old", "gone", "sft", None), ("task", "added", None, "rl")}
    assert found.columns_added == {"task": ["scenario_description", "paragraph_context"]}
    assert found.columns_gone == {}
    assert differences(after, before).columns_gone == found.columns_added


def test_a_clip_with_other_scores_is_relabelled(tmp_path):
    """What a clip is judged by are its scores."""
    made = clips(2).to_pylist()
    before = released(tmp_path / "a", ("quality", "bench", clips(2)), schema=RATED_CLIPS)
    made[1]["scores"][0]["score"] += 1
    after = released(
        tmp_path / "b", ("quality", "bench", pa.Table.from_pylist(made, schema=clips(0).schema)), schema=RATED_CLIPS
    )
    assert said(differences(before, after)) == {("quality", "relabelled", "bench", "bench", 1, ("clip-1",))}


def test_who_knows_is_asked_why_rows_went(tmp_path):
    before = released(tmp_path / "a", ("pairs", "train", rated_rows(9)), schema=RATED_PAIRS)
    after = released(tmp_path / "b", ("pairs", "train", rated_rows(2)), schema=RATED_PAIRS)
    asked = []

    def reasons(config, ids):
        asked.extend((config, one) for one in ids)
        return {one: "rating_gap: too_small" for one in ids if one != "pair-00008"}

    (gone,) = differences(before, after, reasons).changes
    assert sorted(asked) == [("pairs", f"pair-{number:05d}") for number in range(2, 9)]
    assert gone.reasons == {"rating_gap: too_small": 6}
    assert gone.ids == tuple(f"pair-{number:05d}" for number in range(2, 7))
    assert gone.reason_of == dict.fromkeys(gone.ids, "rating_gap: too_small")


def test_a_shard_that_is_damaged_is_named(tmp_path):
    before = released(tmp_path / "a", ("task1", "sft", rows(3)))
    after = released(tmp_path / "b", ("task1", "sft", rows(4)))
    (shard,) = after.shards["task1", "sft"]
    Path(after.workspace.path(f"{after.folder}/{shard.path}")).write_bytes(b"PAR1")
    with pytest.raises(DamagedPart, match="sft-00000-of-00001"):
        differences(before, after)


def test_an_id_in_two_rows_is_an_error(tmp_path):
    before = released(tmp_path / "a", ("task1", "sft", rows(3)))
    after = released(tmp_path / "b", ("task1", "sft", rows(3)), ("task1", "rl", rows(1, 2)))
    other = released(tmp_path / "c", ("task1", "sft", rows(4)))
    with pytest.raises(DataError, match="configuration task1 has the id pair-00002 in several rows"):
        differences(other, after)
    assert differences(before, before).changes == []


ROW = st.tuples(st.sampled_from(["sft", "bench"]), st.sampled_from("ab"), st.booleans(), st.sampled_from(["one", "two"]))
ROWS = st.dictionaries(st.integers(0, 6), ROW, min_size=1)


def table_of(wanted: dict[int, tuple], split: str) -> pa.Table:
    made = []
    for number, (own, label, is_exchanged, text) in sorted(wanted.items()):
        if own == split:
            sides = ["left", "right"][:: -1 if is_exchanged else 1]
            [row] = rows(1, number, text=text, label=label, audio_a=sides[0], audio_b=sides[1], prompt_audio=None).to_pylist()
            made.append(row)
    return pa.Table.from_pylist(made, schema=rows(0).schema)


def expected(before: dict[int, tuple], after: dict[int, tuple]) -> dict[tuple, set[str]]:
    """Return what, splits -> ids, row by row."""
    found: dict[tuple, set[str]] = {}
    for number in before.keys() | after.keys():
        was, now = before.get(number), after.get(number)
        ways = []
        if was is None or now is None:
            ways = ["added" if was is None else "gone"]
        else:
            ways += ["moved"] if was[0] != now[0] else []
            better = [["left", "right"][("ab".index(label) + turned) % 2] for _, label, turned, _ in (was, now)]
            ways += ["relabelled"] if better[0] != better[1] else []
            ways += ["exchanged"] if was[2] != now[2] else []
            ways += ["changed"] if was[3] != now[3] and was[2] == now[2] else []
        for way in ways:
            found.setdefault((way, was and was[0], now and now[0]), set()).add(f"pair-{number:05d}")
    return found


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ROWS, after=ROWS, part_rows=st.sampled_from([2, 50_000]))
def test_it_says_what_a_comparison_row_by_row_says_and_mirrors_its_mirror(
    tmp_path_factory, monkeypatch, before, after, part_rows
):
    monkeypatch.setattr(release_diff, "PART_ROWS", part_rows)
    monkeypatch.setattr("storage.row_changes._SHOWN", 100)
    folder = tmp_path_factory.mktemp("pair")
    one, other = (
        released(folder / name, *(("task1", split, table_of(wanted, split)) for split in ("sft", "bench")))
        for name, wanted in (("one", before), ("other", after))
    )
    there, back = differences(one, other), differences(other, one)
    found = {(one.what, one.split_before, one.split_after): {*one.ids} for one in there.changes}
    assert found == expected(before, after)
    assert all(change.rows == len(change.ids) for change in there.changes)
    mirrored = {"added": "gone", "gone": "added"}
    assert said(back) == {
        (config, mirrored.get(what, what), after, before, count, ids) for config, what, before, after, count, ids in said(there)
    }
    assert back.same == there.same == sum(before.get(number) == row for number, row in after.items())


def test_a_workspace_remembers_which_release_was_before(tmp_path):
    workspace = Workspace(tmp_path)
    assert release_before(workspace) is None
    for folder in ("releases/1-a", "releases/1-a"):
        note_release(workspace, folder)
        assert release_before(workspace) is None
    for folder in ("releases/2-b", "releases/2-b"):
        note_release(workspace, folder)
        assert release_before(workspace) == "releases/1-a"
    note_release(workspace, "releases/1-a")
    assert release_before(workspace) == "releases/2-b"
    assert current_release(workspace) is None  # nothing lies there


def test_a_note_that_is_damaged_or_older_is_written_anew(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.write("releases/current.json", b'{"folder": "releases/1-a"}')
    note_release(workspace, "releases/2-b")
    assert release_before(workspace) == "releases/1-a"
    workspace.write("releases/current.json", b'{"folder": "../x"}')
    note_release(workspace, "releases/3-c")
    assert release_before(workspace) is None
