"""Statistics of rated pairs, from small tables."""

import numpy as np
import pyarrow as pa

from contracts.schemas import PROMPTS, SAMPLES
from flows.views.rated_statistics import categories, charts, distributions, sizes, uses
from tests.rows import rows

PAIRS = pa.table(
    {
        "corpus": ["c", "c", "d"],
        "split": ["train", "test", "train"],
        "category": ["neither", "same_content", "neither"],
        "label": ["a", "b", "b"],
        "sample_a": ["s1", "s3", "s5"],
        "sample_b": ["s2", "s4", "s6"],
        "total_a": [4.0, 1.0, 2.0],
        "total_b": [3.0, 3.5, 2.25],
    }
)


def test_sizes_add_up_as_in_the_papers_table():
    assert sizes(PAIRS, ["train", "dev", "test"]) == [["c", 1, 0, 1, 2], ["d", 1, 0, 0, 1], ["all", 2, 0, 1, 3]]
    assert sizes(PAIRS.slice(0, 0), ["train"]) == []
    assert categories(PAIRS) == [["c", "neither", 1], ["c", "same_content", 1], ["d", "neither", 1]]


def test_clips_that_could_have_been_drawn_count_as_unused():
    """Those of the pool of the cell; without pools only clips in pairs are known to be of a split."""
    prompts = rows(PROMPTS, {"prompt_id": "p", "corpus": "c", "drawn_for": "train"}, {"prompt_id": "q", "corpus": "d"})
    given = [("s1", "p"), ("s2", "p"), ("s7", "p"), ("s5", "q"), ("s8", "q")]
    samples = rows(SAMPLES, *({"sample_id": sample, "prompt_id": prompt} for sample, prompt in given))
    found = {(line["corpus"], line["split"]): line for line in uses(PAIRS, samples, prompts)}
    assert {cell: (line["clips"], line["least"], line["most"]) for cell, line in found.items()} == {
        ("c", "train"): (3, 0, 1),
        ("c", "test"): (2, 1, 1),
        ("d", "train"): (2, 1, 1),
    }
    assert found["c", "train"]["mean"] == 2 / 3
    assert [found[cell]["first_better"] for cell in (("c", "train"), ("c", "test"))] == [1.0, 0.0]


def test_chosen_and_rejected_are_by_label():
    found = distributions(PAIRS)
    assert found["chosen"].tolist() == [4.0, 3.5, 2.25]
    assert found["rejected"].tolist() == [3.0, 1.0, 2.0]
    assert found["difference"].tolist() == [1.0, 2.5, 0.25]
    chosen, rejected, difference = charts(PAIRS)
    assert (chosen["low"], chosen["high"], chosen["median"]) == (1.0, 4.0, 3.5)
    assert (difference["low"], difference["high"]) == (0.0, 3.0)
    assert [np.count_nonzero(chart["heights"]) for chart in (chosen, rejected, difference)] == [3, 3, 3]
