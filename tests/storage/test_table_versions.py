"""Tables that older and newer versions of this software wrote, by every way in which a table is read."""

import json

import pyarrow as pa
import pytest

from contracts.errors import StorageError
from contracts.failures import failure
from contracts.migrations import MIGRATIONS, Migration
from contracts.schema_columns import RATING_LIST, SCALE_SCORES, SCORES
from contracts.schemas import FAILURES, KEYS, SCHEMAS
from storage import tables
from storage.table_access import ReadableTables
from storage.tables import TableStore
from storage.workspace import Workspace

VALUES = {
    pa.string(): "x",
    pa.float64(): 0.5,
    pa.int64(): 7,
    pa.bool_(): True,
    SCORES: [("s", 0.5)],
    pa.int32(): 1,
    pa.list_(pa.string()): ["x"],
    pa.map_(pa.string(), pa.string()): [("noise", "hiss")],
    SCALE_SCORES: [{"scale": "mos", "score": 4.0, "mean": 4.2, "raters": 5, "std": None}],
    RATING_LIST: [{"scale": "mos", "rater": "r", "score": 4.0, "raters": None, "std": None}],
}


@pytest.fixture
def store(tmp_path):
    return TableStore(Workspace(str(tmp_path / "ws")))


def content(store):
    """Return every file of the workspace."""
    root = store.workspace.local_path("tables")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def rows_of(schema, *keys):
    """Return rows that have a value in each column; the first one tells them apart."""
    return pa.Table.from_pylist(
        [{field.name: VALUES[field.type] for field in schema} | {schema.names[0]: key} for key in keys], schema=schema
    )


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_nullable_column_may_be_younger_than_a_part(store, monkeypatch, name):
    """Whole, by columns of any choice and order, in keys and counts, beside new rows and merged with them."""
    schema = SCHEMAS[name]
    required = pa.schema([field for field in schema if not field.nullable])
    younger = [field.name for field in schema if field.nullable]
    with monkeypatch.context() as before:
        before.setitem(SCHEMAS, name, required)
        store.append(name, rows_of(required, "a", "b"))
    old = content(store)
    store.append(name, rows_of(schema, "c"))
    key = schema.names[0]
    for _ in range(2):
        found = store.read(name)
        assert found.schema == schema
        assert found[key].to_pylist() == ["a", "b", "c"]
        assert all(found[column].to_pylist() == [None, None, found[column][2].as_py()] for column in younger)
        assert found[2:].to_pylist() == rows_of(schema, "c").to_pylist()
        for columns in (younger, [*reversed(younger), key], younger[:1]):
            assert not columns or store.read(name, columns).equals(found.select(columns))
        readable = ReadableTables(store.workspace, problems := {})
        assert readable.read(name, younger).equals(found.select(younger)) or not younger
        assert readable.read(name).equals(found)
        assert problems == {}
        assert store.num_rows(name) == 3
        store.require_parts(name)
        if KEYS.get(name) == key:
            assert store.missing(name, pa.array(["d", "b"])).to_pylist() == ["d"]
        store.compact(name)
    assert len(store.parts(name)) == 1
    assert not old.keys() - {f"{name}/manifest.json"} & content(store).keys()


BEFORE = FAILURES.set(4, pa.field("why", pa.string(), nullable=False)).append(pa.field("old", pa.string()))
STEP = Migration(before=BEFORE, migrate=lambda table: table.rename_columns({"why": "reason"}).drop_columns(["old"]))


def failures(*names):
    return pa.Table.from_pylist([failure("s", name, name, f"for {name}", "m") for name in names], schema=FAILURES)


def written_before(store, name, *names):
    """Append rows of version 1, in which the reason was called ``why`` and a column ``old`` came late."""
    with pytest.MonkeyPatch.context() as before:
        before.setitem(SCHEMAS, "failures", BEFORE.remove(BEFORE.get_field_index("old")))
        store.append(name, failures(*names).rename_columns({"reason": "why"}))


@pytest.fixture
def renamed(monkeypatch):
    """A column of ``failures`` has been renamed, another one removed."""
    monkeypatch.setitem(MIGRATIONS, "failures", (STEP,))


@pytest.mark.parametrize("name", ["failures", "failures@samples"])
def test_parts_of_an_older_version_are_read_as_todays(store, monkeypatch, name):
    """By every way; reading writes nothing, so that nothing can be left half done, and the older parts stay as they are."""
    written_before(store, name, "a", "b")
    old, version = content(store), store.version(name)
    monkeypatch.setitem(MIGRATIONS, "failures", (STEP,))
    expected = failures("a", "b")
    assert store.read(name).equals(expected)
    assert store.read(name, ["reason", "row_id"]).equals(expected.select(["reason", "row_id"]))
    assert ReadableTables(store.workspace, {}).read(name, ["reason"]).equals(expected.select(["reason"]))
    keys = expected["failure_id"].to_pylist()
    assert store.missing(name, pa.array(["z", keys[1]])).to_pylist() == ["z"]
    assert store.num_rows(name) == 2
    assert (content(store), store.version(name)) == (old, version), "marks of stages hold"

    store.append(name, failures("c"))
    assert [part.version for part in store.parts(name)] == [1, 2]
    assert content(store).items() >= {path: data for path, data in old.items() if path.endswith(".parquet")}.items()
    assert store.read(name).equals(failures("a", "b", "c"))
    store.compact(name)
    assert [part.version for part in store.parts(name)] == [2]
    assert store.read(name).equals(failures("a", "b", "c"))
    store.replace(name, failures("d"))
    assert store.read(name).equals(failures("d"))


def test_large_parts_are_never_rewritten(store, monkeypatch, renamed):
    """Compaction leaves them in their version."""
    monkeypatch.setattr(tables, "_SMALL_PART_ROWS", 3)
    with monkeypatch.context() as before:
        before.setitem(MIGRATIONS, "failures", ())
        written_before(store, "failures", "a", "b", "c")
    for name in "de":
        store.append("failures", failures(name))
    store.compact("failures")
    assert [(part.rows, part.version) for part in store.parts("failures")] == [(3, 1), (2, 2)]
    assert store.read("failures").equals(failures(*"abcde"))


def test_a_crash_between_the_steps_of_a_commit_leaves_the_older_version(store, monkeypatch):
    """The manifest says of each part what it is, so there is no moment in which a part is taken for another version's."""
    written_before(store, "failures", "a", "b")
    written_before(store, "failures", "c")
    monkeypatch.setitem(MIGRATIONS, "failures", (STEP,))
    with monkeypatch.context() as dying:
        dying.setattr(store, "_commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        for commit in (lambda: store.compact("failures"), lambda: store.append("failures", failures("d"))):
            with pytest.raises(KeyboardInterrupt):
                commit()
    assert [part.version for part in store.parts("failures")] == [1, 1]
    assert store.read("failures").equals(failures("a", "b", "c"))
    store.compact("failures")
    assert len(content(store)) == 2
    assert store.read("failures").equals(failures("a", "b", "c"))


def test_manifests_without_versions_are_of_the_first_one(store):
    """As all were written until there were versions."""
    store.append("failures", failures("a"))
    name = "tables/failures/manifest.json"
    manifest = json.loads(store.workspace.read(name))
    assert [part.pop("version") for part in manifest["parts"]] == [1]
    store.workspace.write(name, json.dumps(manifest).encode())
    assert store.read("failures").equals(failures("a"))


READING = [
    lambda store: store.read("failures"),
    lambda store: store.read("failures", ["row_id"]),
    lambda store: store.missing("failures", pa.array(["a"])),
]
COUNTING = [lambda store: store.num_rows("failures"), lambda store: store.version("failures")]
WRITING = [
    lambda store: store.append("failures", failures("z")),
    lambda store: store.compact("failures"),
    lambda store: store.replace("failures", failures("z")),
]


@pytest.mark.parametrize("use", [*READING, *COUNTING, *WRITING])
def test_what_a_newer_version_wrote_is_left_to_it(store, use):
    """One line says what to install; nothing is read wrongly, and nothing is overwritten."""
    with pytest.MonkeyPatch.context() as newer:
        newer.setitem(MIGRATIONS, "failures", (STEP, STEP))
        store.append("failures", failures("a"))
    before = content(store)
    with pytest.raises(StorageError) as caught:
        use(store)
    assert str(caught.value) == (
        f"{store.workspace.path('tables/failures')} has version 3 of its schema; version 1 is the latest known here: "
        "install the unisrm-data that wrote it, or a later one"
    )
    assert content(store) == before


@pytest.mark.parametrize("use", [*READING, lambda store: store.compact("failures")])
def test_a_column_that_a_newer_version_added_is_not_lost(store, monkeypatch, use):
    """Its version is the one known here, but merging its rows would leave the column out."""
    with monkeypatch.context() as newer:
        newer.setitem(SCHEMAS, "failures", FAILURES.append(pa.field("later", pa.string())))
        for name in "ab":
            store.append("failures", failures(name).append_column("later", pa.array(["x"])))
    before = content(store)
    with pytest.raises(StorageError, match=r"has the columns later, which are unknown here: install the unisrm-data that"):
        use(store)
    assert content(store) == before


def test_commands_that_only_look_say_what_a_newer_version_wrote(store):
    with pytest.MonkeyPatch.context() as newer:
        newer.setitem(MIGRATIONS, "failures", (STEP,))
        store.append("failures", failures("a"))
    readable = ReadableTables(store.workspace, problems := {})
    assert readable.read("failures").num_rows == readable.num_rows("failures") == 0
    assert "install the unisrm-data that wrote it" in problems["failures"]
