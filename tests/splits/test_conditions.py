"""Which items a split may have."""

import pyarrow as pa
import pytest

from contracts.errors import RecipeError
from splits.conditions import meets

FACTS = pa.table({"style": ["regular", "expressive", None], "agreement": ["FA", "WD", "FA"]})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, [True, True, True]),
        ({"agreement": ["FA"]}, [True, False, True]),
        ({"agreement": ["FA", "WD"], "style": ["regular", "expressive"]}, [True, True, False]),
        ({"style": ["sung"]}, [False, False, False]),
    ],
)
def test_every_line_must_hold(condition, expected):
    """Lines are joined by and, values by or; what is unknown meets nothing."""
    assert meets(FACTS, condition).to_pylist() == expected
    chunked = pa.concat_tables([FACTS.slice(0, 1), FACTS.slice(1)])
    assert meets(chunked, condition).to_pylist() == expected


def test_a_fact_that_nobody_knows():
    """It is an error, not a split without rows."""
    with pytest.raises(RecipeError, match="asks for emotion, which nothing says of these items; there are style, agreement"):
        meets(FACTS, {"emotion": ["happy"]})
