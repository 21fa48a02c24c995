"""Look-ups keep order and rows, against pandas' left merge."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import joins
from contracts.joins import RowSource, among, attach, chained, row_numbers, sorted_by, taken

MB = 1_000_000
LONG = "x" * 2 * MB


@given(st.lists(st.sampled_from([None, "a", "b", "c", "d"])), st.sets(st.sampled_from("abce")))
def test_attach_is_a_left_join(refs, keys):
    """Every row stays in place and gets its partner's value or null."""
    keys = sorted(keys)
    table = pa.table({"n": list(range(len(refs))), "ref": pa.array(refs, pa.string())})
    source = pa.table(
        {"key": pa.array(keys, pa.string()), "value": [f"v{key}" for key in keys]},
        schema=pa.schema([("key", "string"), ("value", "string")]),
    )
    merged = pd.DataFrame({"ref": refs}, dtype=object).merge(
        pd.DataFrame({"key": keys, "value": [f"v{key}" for key in keys]}, dtype=object),
        how="left",
        left_on="ref",
        right_on="key",
    )
    expected = [None if pd.isna(value) else value for value in merged["value"]]
    assert attach(table, "ref", source, "key", {"found": "value"})["found"].to_pylist() == expected


def test_attach_carries_nested_columns():
    """Lists of structs come along, which Arrow's own join refuses."""
    source = pa.table({"key": ["x"], "votes": pa.array([[{"value": "A"}]])})
    assert attach(pa.table({"ref": ["x", "y"]}), "ref", source, "key", {"v": "votes"})["v"].to_pylist() == [
        [{"value": "A"}],
        None,
    ]


def test_among_keeps_order():
    """The rows asked for, in the table's order."""
    assert among(pa.table({"k": ["c", "a", "b"]}), "k", pa.array(["b", "c"]))["k"].to_pylist() == ["c", "b"]


# Size

VALUES = {
    pa.string(): st.text(max_size=5),
    pa.int64(): st.integers(-9, 9),
    pa.list_(pa.string()): st.lists(st.text(max_size=3), max_size=3),
    pa.map_(pa.string(), pa.float64()): st.lists(st.tuples(st.text(max_size=3), st.just(0.5)), max_size=3),
    pa.struct([("a", pa.string())]): st.fixed_dictionaries({"a": st.text(max_size=3)}),
}


@st.composite
def chunked_tables(draw):
    """A table with a column of every sort, each in chunks of its own, and numbers of its rows."""
    count = draw(st.integers(0, 12))
    columns = []
    for kind, values in VALUES.items():
        column = pa.array(draw(st.lists(st.none() | values, min_size=count, max_size=count)), kind)
        cuts = [0, *sorted(draw(st.lists(st.integers(0, count), max_size=4))), count]
        columns.append(pa.chunked_array([column[a:b] for a, b in itertools.pairwise(cuts)], kind))
    rows = st.lists(st.none() | st.integers(0, count - 1) if count else st.none(), max_size=20)
    return pa.table(dict(zip(map(str, VALUES), columns, strict=True))), draw(rows)


@given(chunked_tables(), st.sampled_from([1, 7, 40, 1 << 28]))
def test_rows_are_taken_as_arrow_takes_them(case, piece_bytes):
    """However large a piece is: Arrow's own take of what fits into one array is the oracle."""
    table, rows = case
    numbers = pa.array(rows, pa.int64())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joins, "_PIECE_BYTES", piece_bytes)
        assert taken(table, numbers).equals(table.take(numbers))
        by = table.select([1, 0]).rename_columns({"int64": "n", "string": "s"})
        assert sorted_by(by, "n", "s").equals(by.sort_by([("n", "ascending"), ("s", "ascending")]))


@given(chunked_tables(), st.sampled_from([1, 1 << 28]))
def test_a_few_rows_are_taken_as_arrow_takes_them(case, piece_bytes):
    """In chunks or in one, as the column's size has it; -1 is null. Arrow's own take is the oracle."""
    table, rows = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joins, "_PIECE_BYTES", piece_bytes)
        source = RowSource(table, table.column_names)
    found = source.select(
        {f"new {name}": name for name in table.column_names}, np.array([-1 if n is None else n for n in rows], int)
    )
    expected = table.take(pa.array(rows, pa.int64()))
    assert list(found) == [f"new {name}" for name in table.column_names]
    for name, column in zip(table.column_names, found.values(), strict=True):
        assert column.equals(expected[name].combine_chunks())


@given(st.lists(st.sampled_from([None, *"abcd"])), st.sets(st.sampled_from("abce")), st.sets(st.sampled_from("aceg")))
def test_row_numbers_lead_from_table_to_table(refs, keys, far):
    """From a reference to a row, and from there to a row of a third table; -1 = there is none. Lists are the oracle."""
    keys, far = sorted(keys, reverse=True), sorted(far)
    near = row_numbers(pa.array(refs, pa.string()), pa.chunked_array([pa.array(keys, pa.string())]))
    assert near.tolist() == [keys.index(ref) if ref in keys else -1 for ref in refs]
    link = row_numbers(pa.array(keys, pa.string()), pa.chunked_array([pa.array(far, pa.string())]))
    assert chained(near, link).tolist() == [far.index(ref) if ref in keys and ref in far else -1 for ref in refs]


def test_the_schema_stays():
    """Required columns and what they mean, as the tables' contracts say."""
    schema = pa.schema([pa.field("s", pa.string(), nullable=False, metadata={"meaning": "a text"})])
    assert taken(pa.table({"s": ["a", "b"]}, schema=schema), [1]).schema.equals(schema, check_metadata=True)


def free_bytes():
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").open() if line.startswith("MemAvailable"))


@pytest.fixture
def huge():
    """2.2 GB of text that lie in one buffer of 2 MB: the chunks of the column share it."""
    if free_bytes() < 6e9:
        pytest.skip("less than 6 GB of memory are free")
    keys = [f"{number:04d}" for number in range(1100)]
    table = pa.table({"key": keys, "text": pa.chunked_array([pa.array([LONG])] * len(keys))})
    with pytest.raises(pa.ArrowInvalid, match="offset overflow"):
        table.take([0])
    return table


def test_texts_of_more_than_two_gigabytes_are_looked_up_and_sorted(huge):
    """Arrow puts a column together before it takes of it, which strings of that size cannot be."""
    refs = pa.table({"ref": [*huge["key"].to_pylist()[:-20:-1], None, "nothing"]})
    found = attach(refs, "ref", huge, "key", {"found": "text"})["found"]
    assert pc.binary_length(found).to_pylist() == [2 * MB] * 19 + [None] * 2
    assert among(huge, "key", pa.array(["0001", "0007"]))["key"].to_pylist() == ["0001", "0007"]
    assert sorted_by(huge.slice(1080), "key").num_rows == 20


def test_a_result_may_be_larger_than_what_it_is_made_of(monkeypatch):
    """One text for many rows: what is looked up fits into an array, and what comes of it need not."""
    monkeypatch.setattr(joins, "_PIECE_BYTES", 5 * MB)
    source = pa.table({"key": ["a"], "text": [LONG]})
    found = attach(pa.table({"ref": ["a"] * 5}), "ref", source, "key", {"found": "text"})["found"]
    assert [len(piece) for piece in found.chunks] == [2, 2, 1]
    assert pc.binary_length(found).to_pylist() == [2 * MB] * 5
