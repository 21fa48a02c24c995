"""The funnel of subsets: every pair ends once, and each subset is the next one and what left it."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from flows.views.subset_funnel import COLUMNS, funnel

ENDS = ("tie", "no_majority", "wer_gap", "splits: over_quota", "eval", "sft", "rl")
SPLITS = ("eval", "sft", "rl")
LAST = {"tie": 0, "no_majority": 0, "wer_gap": 1}


def fates(rows):
    return pa.table(
        {
            "level": pa.array([level for level, _ in rows], pa.string()),
            "last": pa.array([LAST.get(end, 2) for _, end in rows], pa.int64()),
            "end": pa.array([end for _, end in rows], pa.string()),
        }
    )


@given(st.lists(st.tuples(st.sampled_from(COLUMNS[:4]), st.sampled_from(ENDS)), max_size=60))
def test_every_count_adds_up(rows):
    found = funnel(fates(rows), ("raw", "pref", "hq"), SPLITS)
    of = {row.name: row for row in found}
    for level in COLUMNS:
        count = {name: row.counts[level] for name, row in of.items()}
        assert count["raw"] == sum(1 for one, _ in rows if one == level)
        assert count["raw"] == count["pref"] + count.get("tie", 0) + count.get("no_majority", 0)
        assert count["pref"] == count["hq"] + count.get("wer_gap", 0)
        assert count["hq"] == sum(count[split] for split in SPLITS) + count.get("splits: over_quota", 0)
    assert [row.name for row in found if row.kind == "subset"] == ["raw", "pref", "hq"]
    assert of["raw"].total == len(rows)
