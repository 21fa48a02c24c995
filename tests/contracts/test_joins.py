"""Look-ups keep order and rows, against pandas' left merge."""

import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.joins import among, attach


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
