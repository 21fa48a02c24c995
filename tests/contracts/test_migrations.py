"""Versions of schemas: today's are written down, and a change without a version or a migration is noticed."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.conformance import conform
from contracts.errors import SchemaError
from contracts.failures import failure
from contracts.migrations import MIGRATIONS, Migration, migrated, version_of
from contracts.schemas import FAILURES, SCHEMAS

FROZEN = Path(__file__).parent / "schemas.json"
"""Table -> version -> column -> type, of all versions that rows were ever written in."""


def columns_of(schema):
    return {field.name: f"{field.type}{'' if field.nullable else ', required'}" for field in schema}


def advice(name, frozen, schema, version):
    """Return what whoever changed a schema has to do; None = it is as it was written down."""
    now = columns_of(schema)
    if frozen == now:
        return None
    broken = {column for column, kind in frozen.items() if now.get(column) != kind}
    broken |= {column for column in now if column not in frozen and not schema.field(column).nullable}
    if broken:
        return (
            f"{name}: column {', '.join(sorted(broken))} of version {version} was renamed, retyped, removed, made or added as "
            f"required. Rows of that version lie in workspaces: add Migration(before=<the schema as it was>, migrate=...) "
            f"to MIGRATIONS[{name!r}] in contracts/migrations.py, and the new columns to {FROZEN.name} as version {version + 1}; "
            f"never change version {version} there"
        )
    new = [column for column in now if column not in frozen]
    return f"{name}: add {', '.join(new) or 'the new order of its columns'} to version {version} in {FROZEN.name}"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_version_is_as_it_was_written_down(name):
    frozen = json.loads(FROZEN.read_text())[name]
    latest = version_of(name)
    assert [int(version) for version in frozen] == list(range(1, latest + 1))
    schemas = [*(step.before for step in MIGRATIONS.get(name, ())), SCHEMAS[name]]
    for version, schema in enumerate(schemas, start=1):
        problem = advice(name, frozen[str(version)], schema, version)
        assert problem is None, problem
        assert list(columns_of(schema)) == list(frozen[str(version)]), f"{name}: its columns stand in another order"


def test_every_table_is_written_down():
    """A new one, too; and nothing is said of a table that does not exist."""
    assert set(json.loads(FROZEN.read_text())) == set(SCHEMAS)
    assert set(MIGRATIONS) <= set(SCHEMAS)


NEW = pa.field("new", pa.string())


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (FAILURES, None),
        (FAILURES.append(NEW), "failures: add new to version 1"),
        (FAILURES.append(NEW.with_nullable(False)), "column new of version 1 was .* as version 2"),
        (FAILURES.remove(3), "column subject_id of version 1 was"),
        (FAILURES.set(3, NEW), "column subject_id of version 1 was"),
        (FAILURES.set(4, pa.field("reason", pa.int64(), nullable=False)), "column reason of version 1 was"),
        (FAILURES.set(4, pa.field("reason", pa.string())), "column reason of version 1 was"),
    ],
)
def test_whoever_changes_a_schema_is_told_what_to_do(schema, says):
    problem = advice("failures", columns_of(FAILURES), schema, 1)
    assert problem is says or re.search(says, problem)


def renamed(table):
    """From ``why`` to ``reason``."""
    return table.rename_columns({"why": "reason"})


def numbered(table):
    """Take the number out of the subject, and leave a column out."""
    numbers = [int(subject.removeprefix("no ")) for subject in table["subject_id"].to_pylist()]
    return table.drop_columns(["subject_id", "note"]).append_column("number", pa.array(numbers))


WHY = FAILURES.set(4, pa.field("why", pa.string(), nullable=False))
NOTED = FAILURES.append(pa.field("note", pa.string()))
NUMBERED = NOTED.remove(NOTED.get_field_index("note")).set(3, pa.field("number", pa.int64(), nullable=False))
STEPS = (Migration(before=WHY, migrate=renamed), Migration(before=NOTED, migrate=numbered))


@pytest.fixture
def twice_changed(monkeypatch):
    monkeypatch.setitem(MIGRATIONS, "failures", STEPS)
    monkeypatch.setitem(SCHEMAS, "failures", NUMBERED)


def first(*subjects):
    table = pa.Table.from_pylist([failure("s", one, one, "r", "m") for one in subjects], schema=FAILURES)
    return table.rename_columns({"reason": "why"})


def test_rows_of_every_version_become_todays(twice_changed):
    """Step by step, in the order and types of today; columns that came late to an old version are null to its migration."""
    assert version_of("failures") == version_of("failures@samples") == 3
    assert version_of("drops") == 1
    one = migrated(first("no 1", "no 2"), "failures", 1)
    assert one.schema == NUMBERED
    assert one["number"].to_pylist() == [1, 2]
    two = migrated(renamed(first("no 3")), "failures@samples", 2)
    assert two.schema == NUMBERED
    assert migrated(two, "failures", 3) == two == conform(two, "failures")


def test_a_migration_keeps_every_row(monkeypatch):
    """The manifest has their number, and ids are looked up by row."""
    monkeypatch.setitem(MIGRATIONS, "failures", (Migration(before=WHY, migrate=lambda table: renamed(table.slice(1))),))
    with pytest.raises(SchemaError, match="table failures: migrations made 1 rows of 2"):
        migrated(first("no 1", "no 2"), "failures", 1)


def test_rows_that_are_of_no_version_are_named(twice_changed):
    with pytest.raises(SchemaError, match=r"table failures: missing columns \['why'\], unknown columns \['reason'\]"):
        migrated(renamed(first("no 1")), "failures", 1)
