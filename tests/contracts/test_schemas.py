"""Schemas: what conforms passes unchanged, what does not is named to the row."""

import pyarrow as pa
import pytest

from contracts.conformance import conform
from contracts.errors import SchemaError
from contracts.failures import failure
from contracts.schemas import FAILURES, KEYS, SCHEMAS, empty, key_of, schema_of


def failures(**changes):
    row = failure("samples", "r1", "p1", "timeout", "took too long")
    return pa.table({name: [value, value] for name, value in (row | changes).items()})


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_column_says_what_it_means(name):
    """A schema is documentation: no column without a meaning, and a key that exists."""
    assert all(field.metadata[b"meaning"] for field in SCHEMAS[name])
    assert KEYS.get(name, SCHEMAS[name].names[0]) in SCHEMAS[name].names


def test_conform_orders_and_casts():
    """Column order and integer width are not the caller's problem."""
    table = failures(failed_tries=None).select(list(reversed(FAILURES.names)))
    assert conform(table, "failures").schema == FAILURES


def test_a_partition_has_the_schema_of_its_table():
    """``drops@filters`` is drops."""
    assert schema_of("failures@samples") is FAILURES
    assert key_of("failures@samples") == "failure_id"
    assert conform(failures(), "failures@samples").num_rows == 2


def test_missing_and_unknown_columns_are_named():
    """The message names both."""
    table = failures().rename_columns(["failure_id", "stage", "row_id", "subject_id", "why", "message"])
    with pytest.raises(SchemaError, match=r"missing columns \['reason'\], unknown columns \['why'\]"):
        conform(table, "failures")


def test_a_null_is_named_to_the_row():
    """A required value that is null names table, column and row."""
    table = failures().set_column(4, "reason", pa.array(["ok", None]))
    with pytest.raises(SchemaError, match="table failures, column reason, row 1: null"):
        conform(table, "failures")


def test_nan_is_refused_in_columns_and_maps():
    """Unknown is null: NaN would travel through sums and averages."""
    recordings = pa.table(
        {
            "recording_id": ["r"],
            "utterance_id": ["u"],
            "audio_id": ["a"],
            "duration_s": [float("nan")],
            "sample_rate_hz": [16000],
            "native_sample_rate_hz": [16000],
            "loudness_lufs": [-23.0],
            "source_sha256": ["0"],
        }
    )
    with pytest.raises(SchemaError, match="column duration_s, row 0: NaN"):
        conform(recordings, "recordings")
    metrics = pa.Table.from_pylist(
        [
            {**dict.fromkeys(SCHEMAS["metrics"].names, "-"), "values": [("wer", 0.1)]},
            {
                "metric_key": "k",
                "sample_id": "s",
                "metric": "wer",
                "model": "m",
                "model_version": "1",
                "values": [("wer", None), ("sim", float("nan"))],
                "detail": None,
            },
        ],
        schema=SCHEMAS["metrics"],
    )
    with pytest.raises(SchemaError, match="table metrics, column values, row 1: NaN under sim"):
        conform(metrics, "metrics")
    assert conform(metrics[:1], "metrics").num_rows == 1


def rated(*ratings):
    row = {field.name: "-" for field in SCHEMAS["utterances"] if not field.nullable}
    return pa.Table.from_pylist([row | {"ratings": given} for given in ratings], schema=SCHEMAS["utterances"])


@pytest.mark.parametrize(
    ("rating", "part"),
    [
        ({"scale": "mos", "score": float("nan")}, "score"),
        ({"scale": "mos", "score": 4.0, "std": float("nan")}, "std"),
        ({"scale": None, "score": 4.0}, "scale"),
        ({"scale": "mos", "score": None}, "score"),
    ],
)
def test_a_rating_has_scale_and_score(rating, part):
    """Arrow does not look into lists; null for all else is unknown."""
    whole = [{"scale": "mos", "score": 4.0}]
    assert conform(rated(None, [], whole), "utterances").num_rows == 3
    table = pa.concat_tables([rated(None, whole), rated([*whole, rating])])
    with pytest.raises(SchemaError, match=f"table utterances, column ratings, row 2: null or NaN under {part}"):
        conform(table, "utterances")


def test_a_wrong_type_is_named():
    """Text where a number belongs is an error, not a guess."""
    recordings = empty("recordings").set_column(3, "duration_s", pa.array([], pa.string()))
    bad = pa.table(
        {
            name: recordings[name] if name != "duration_s" else pa.array([], pa.list_(pa.string()))
            for name in recordings.column_names
        }
    )
    with pytest.raises(SchemaError, match="column duration_s: wants double"):
        conform(bad, "recordings")


def test_a_value_of_a_wrong_type_is_named_to_the_row():
    """One text among numbers is found, in whatever chunk it lies."""
    numbers = {key: ["1", "1", "1"] for key in SCHEMAS["recordings"].names}
    table = pa.table(numbers).set_column(4, "sample_rate_hz", pa.chunked_array([["16000"], ["8000", "8 kHz"]]))
    with pytest.raises(SchemaError, match=r"table recordings, column sample_rate_hz, row 2: wants int64, got string: .*8 kHz"):
        conform(table, "recordings")
