"""Text accuracy against word error rate: bins by pandas' own cut."""

import numpy as np
import pandas as pd
import pytest

from scoring.reliability.text_accuracy import EDGES, accuracy_by_wer


def test_bins_are_those_of_pandas():
    draw = np.random.default_rng(3)
    wer = np.round(draw.gamma(0.6, 0.2, 500), 2)
    wer[::50] = np.nan
    accurate = draw.random(500) > np.nan_to_num(wer)
    found = accuracy_by_wer(wer, accurate)
    frame = pd.DataFrame({"wer": wer, "accurate": accurate}).dropna()
    cut = pd.cut(frame["wer"], [-np.inf, *EDGES, np.inf], labels=False)
    expected = frame.groupby(cut)["accurate"].agg(["mean", "size"])
    for place, one in enumerate(found):
        assert one.accurate.n == expected["size"].get(place, 0)
        assert one.accurate.value == pytest.approx(expected["mean"].get(place))
    assert sum(one.accurate.n for one in found) == 490


def test_a_bin_without_a_vote_has_no_share():
    found = accuracy_by_wer(np.array([0.0, 0.12]), np.array([True, False]))
    assert [one.accurate.n for one in found] == [1, 0, 0, 1, 0, 0, 0, 0, 0]
    assert (found[1].accurate.value, found[1].accurate.why) == (None, "no vote on such a clip")
    assert (found[0].above, found[0].up_to, found[-1].above, found[-1].up_to) == (None, 0.0, 0.5, None)
