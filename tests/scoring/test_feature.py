"""Tables of features say what was measured, and are documented."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import plugins
from scoring.feature import Feature, features_of, read_table, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "features.md"
FEATURES = {key: feature for name in plugins.names("metric") for key, feature in features_of(name).items()}


def test_a_table_is_written_as_it_is_read():
    """Rounded, with its unit, a share as percent; what was not measured is not there."""
    values = {"f0_median_hz": 182.44, "hnr_db": None, "pause_share": 0.1234, "pause_count": 2.0, "jitter_percent": -0.0}
    assert sorted(table(FEATURES, values).splitlines()) == [
        "jitter: 0.00 %",
        "median F0 (median pitch): 182 Hz",
        "pause count (number of pauses): 2 pauses",
        "pause share: 12 %",
    ]


@given(st.dictionaries(st.sampled_from(sorted(FEATURES)), st.none() | st.floats(-1e6, 1e6)))
def test_reading_gives_back_what_was_written(values):
    """Every measured feature, its names and unit, and the value to the digits that it is shown with."""
    found = read_table(table(FEATURES, values).splitlines())
    measured = [(FEATURES[key], values[key]) for key in FEATURES if values.get(key) is not None]
    assert len(found) == len(measured)
    for shown, (feature, value) in zip(found, measured, strict=True):
        assert shown.names == tuple(filter(None, (feature.name, feature.short)))
        assert shown.unit == feature.unit
        assert abs(shown.number - Decimal(value) * Decimal(feature.factor)) <= Decimal("0.5001") / 10**feature.decimals


@pytest.mark.parametrize("line", ["median F0 182", "median F0: fast", "median F0: 1e5 Hz", ": 1 Hz", "a: 1  Hz", "a (b: 1 Hz"])
def test_what_is_no_line_of_a_table_is_refused(line):
    """A damaged table is an error, not an empty one."""
    with pytest.raises(ValueError, match="no line like"):
        read_table([line])


def test_names_are_unique_and_units_are_known():
    """A rationale can name each feature, and each is documented with its unit."""
    names = [name for feature in FEATURES.values() for name in (feature.name, feature.short) if name]
    assert len(names) == len(set(names))
    text = DOCUMENT.read_text(encoding="utf-8")
    for key, feature in FEATURES.items():
        (row,) = [line for line in text.splitlines() if f"`{key}`" in line]
        assert feature.name in row
        assert feature.unit.removesuffix("FS") in row


def test_every_feature_is_a_value_of_its_metric():
    """What a metric declares, it measures."""
    for name in plugins.names("metric"):
        assert features_of(name).keys() <= set(plugins.load("metric", name).value_names)
        assert all(isinstance(feature, Feature) for feature in features_of(name).values())
