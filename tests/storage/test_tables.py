"""Tables: a commit is there completely or not at all, and keys tell what is missing."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DamagedPart, SchemaError
from contracts.failures import failure
from contracts.schemas import FAILURES, SCHEMAS
from storage import tables
from storage.tables import TableStore
from storage.workspace import Workspace


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    url = str(tmp_path / "ws") if request.param == "local" else f"memory://{tmp_path}"
    return TableStore(Workspace(url))


def rows(*ids):
    return pa.Table.from_pylist([failure("s", name, name, "r", "m") for name in ids], schema=FAILURES)


def ids(store, name="failures"):
    return store.read(name)["row_id"].to_pylist()


def test_appended_rows_come_back_in_order(store):
    """Each append is one part; a second store sees what the first committed."""
    store.append("failures", rows("a", "b"))
    store.append("failures", rows("c"))
    assert ids(TableStore(store.workspace)) == ["a", "b", "c"]
    assert [part.rows for part in store.parts("failures")] == [2, 1]


def test_missing_names_what_is_not_there(store):
    """In the order asked for."""
    store.append("failures", rows("a", "b"))
    done = store.read("failures")["failure_id"].to_pylist()
    assert store.missing("failures", pa.array(["z", done[1], "y"])).to_pylist() == ["z", "y"]


def test_a_part_without_manifest_entry_does_not_exist(store):
    """What a crash leaves between the two steps of a commit is no row, and compaction removes the file."""
    store.append("failures", rows("a"))
    orphan = f"{'0' * 32}.parquet"
    store.workspace.write(f"tables/failures/{orphan}", b"half a file")
    assert ids(store) == ["a"]
    store.compact("failures")
    assert orphan not in store.workspace.listdir("tables/failures")


def test_the_same_rows_twice_are_one_commit(store):
    """A commit that is repeated because nobody saw its end changes nothing."""
    store.append("failures", rows("a"))
    version = store.version("failures")
    store.append("failures", rows("a"))
    assert store.version("failures") == version


def test_replace_swaps_the_whole_table(store):
    """The old rows are gone, their files too; replacing by the same rows keeps the version."""
    store.replace("drops@x", pa.table({"stage": ["x"], "row_id": ["1"], "filter": ["f"], "reason": ["r"], "evidence": ["{}"]}))
    version = store.version("drops@x")
    store.replace("drops@x", store.read("drops@x"))
    assert store.version("drops@x") == version
    store.replace("drops@x", store.read("drops@x").slice(0, 0))
    assert store.num_rows("drops@x") == 0
    assert len(store.workspace.listdir("tables/drops@x")) == 2
    assert store.partitions("drops") == ["drops@x"]


def test_many_parts_are_compacted(store, monkeypatch):
    """The number of parts stays bounded and no row is lost or doubled."""
    monkeypatch.setattr(tables, "COMPACT_ABOVE_PARTS", 4)
    for number in range(23):
        store.append("failures", rows(f"r{number:02d}"))
    assert len(store.parts("failures")) <= 5
    assert sorted(ids(store)) == [f"r{number:02d}" for number in range(23)]


def test_a_row_that_breaks_the_schema_is_not_written(store):
    """The table is as it was."""
    store.append("failures", rows("a"))
    with pytest.raises(SchemaError):
        store.append("failures", rows("b").drop_columns(["reason"]))
    assert ids(store) == ["a"]


def test_damage_is_named(store):
    """A part that is truncated, or gone, is an error with its path; not fewer rows."""
    store.append("failures", rows("a"))
    name = f"tables/failures/{store.parts('failures')[0].name}"
    data = store.workspace.read(name)
    store.workspace.write(name, data[:-10])
    with pytest.raises(DamagedPart, match=rf"{name} has \d+ bytes, its manifest says \d+: restore"):
        store.read("failures")
    store.workspace.remove(name)
    with pytest.raises(DamagedPart, match="is gone: restore"):
        store.read("failures")


def test_a_damaged_part_of_the_right_length_is_named(store):
    """Bytes that are no Parquet file any more are an error too."""
    store.append("failures", rows("a"))
    part = store.parts("failures")[0]
    store.workspace.write(f"tables/failures/{part.name}", b"x" * part.size_bytes)
    with pytest.raises(DamagedPart, match="was changed since it was committed"):
        store.read("failures")


def test_columns_are_read_alone(store):
    """An empty table has the columns asked for, too."""
    assert store.read("failures", ["row_id"]).schema.names == ["row_id"]
    store.append("failures", rows("a"))
    assert store.read("failures", ["row_id"]).to_pylist() == [{"row_id": "a"}]


@pytest.mark.parametrize("columns", [None, ["message", "reason"]])
def test_a_column_that_is_younger_than_a_part_is_null_in_it(store, monkeypatch, columns):
    """Workspaces of before are read on, and what is added now lies beside it."""
    store.append("failures", rows("a", "b"))
    younger = pa.schema([*FAILURES, pa.field("younger", pa.string())])
    monkeypatch.setitem(SCHEMAS, "failures", younger)
    store.append("failures", rows("c").append_column("younger", pa.array(["x"])))
    found = store.read("failures", columns and [*columns, "younger"])
    assert found.column_names == ([*columns, "younger"] if columns else younger.names)
    assert found["younger"].to_pylist() == [None, None, "x"]


def test_the_manifest_is_plain_json(store):
    """Anybody can see what a table consists of."""
    store.append("failures", rows("a"))
    manifest = json.loads(store.workspace.read("tables/failures/manifest.json"))
    assert manifest["parts"][0]["rows"] == 1


@given(st.lists(st.lists(st.integers(0, 50), unique=True, min_size=1), max_size=6))
def test_any_cut_into_batches_gives_the_same_rows(batches):
    """However a fan-out's rows arrive, the table holds exactly what was missing."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store = TableStore(Workspace(folder))
        for batch in batches:
            candidates = rows(*map(str, batch))
            open_keys = store.missing("failures", candidates["failure_id"])
            store.append("failures", candidates.filter(pa.compute.is_in(candidates["failure_id"], value_set=open_keys)))
        assert sorted(ids(store)) == sorted({str(number) for batch in batches for number in batch})
