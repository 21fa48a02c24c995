"""Metrics as columns, against a pandas pivot."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.schemas import METRICS
from scoring.facts import wide
from scoring.win_rates import against, win_rates


def metrics(rows):
    return pa.Table.from_pylist(
        [
            {
                "metric_key": f"{sample}/{name}",
                "sample_id": sample,
                "metric": name,
                "model": "m",
                "model_version": "1",
                "values": values,
                "detail": None,
            }
            for (sample, name), values in rows.items()
        ],
        schema=METRICS,
    )


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["one", "two"])),
        st.tuples(st.none() | st.floats(-9, 9), st.none() | st.floats(-9, 9)),
    ),
    st.randoms(),
)
def test_wide_is_a_pivot(cells, random):
    """Whatever the order of the rows, each value lands under its name in its sample's row, and null stays null."""
    rows = {(sample, name): [(f"{name}_x", x), (f"{name}_y", y)] for (sample, name), (x, y) in cells.items()}
    shuffled = dict(sorted(rows.items(), key=lambda _: random.random()))
    expected = {}
    for (sample, _), values in rows.items():
        expected.setdefault(sample, {}).update(values)
    names = ["one_x", "one_y", "two_x", "two_y"]
    found = wide(metrics(shuffled), names)
    assert found.column_names == ["sample_id", *names]
    assert found.to_pylist() == [
        {"sample_id": sample} | {name: expected[sample].get(name) for name in names} for sample in sorted(expected)
    ]


def test_win_rates_by_hand():
    """Two wins of three; a comparison without a verdict counts for nobody."""
    compared = pa.table(
        {
            "system_a": ["x", "y", "x", "x"],
            "system_b": ["y", "x", "z", "y"],
            "verdict": pa.array(["a", "a", "a", None], pa.string()),
        }
    )
    assert win_rates(compared) == [
        {"system": "x", "comparisons": 3, "wins": 2, "win_rate": 2 / 3},
        {"system": "y", "comparisons": 2, "wins": 1, "win_rate": 0.5},
        {"system": "z", "comparisons": 1, "wins": 0, "win_rate": 0.0},
    ]
    assert against(compared)["x", "y"] == (1, 2)
    assert against(compared)["z", "x"] == (0, 1)
