"""A simulated population: its parameters give the published shares, and all that we count of its votes pandas counts, too."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bench.speechjudge_population import FULL, VALUES, WEAK, Population, cast_votes, fitted, level_shares
from bench.votes_by_pandas import by_pandas
from filters.comparisons import VOTE_LIST
from scoring.reliability.agreement_levels import annotator_rates, levels, majorities
from scoring.reliability.inter_annotator import inter_annotator

PAIRS = 3000


@pytest.fixture(scope="module")
def votes():
    """Votes of 15 people who are not alike, one of them without an ear, on pairs that differ more or less."""
    population = Population(gap=1.0, tie=0.5, annotators=15, spread=0.9)
    gaps = np.random.default_rng(3).normal(0, population.gap, PAIRS)
    cast = cast_votes(gaps, population, seed=8)
    return pd.DataFrame(
        {
            "pair_id": [f"p{n:05d}" for n in cast.pair],
            "annotator_id": [f"a{n:02d}" for n in cast.annotator],
            "value": np.array(VALUES)[cast.value],
        }
    )


def test_levels_labels_rates_and_agreement_are_those_of_pandas(votes):
    expected, table = by_pandas(votes), pa.Table.from_pandas(votes, preserve_index=False)
    ids = sorted(set(votes["pair_id"]))
    by_pair = {pair: rows[["annotator_id", "value"]].to_dict("records") for pair, rows in votes.groupby("pair_id")}
    column = pa.array([by_pair[pair] for pair in ids], VOTE_LIST)
    assert levels(column).to_pylist() == expected["level"].loc[ids].tolist()
    words = {"A": "a", "B": "b", "T": "tie"}
    assert majorities(column).to_pylist() == [words.get(label) for label in expected["label"].loc[ids]]
    assert set(expected["level"]) == {"FA", "WA", "WD", "FD"}, "else the votes show too little"
    rates = annotator_rates(table)
    assert dict(zip(rates["annotator_id"].to_pylist(), rates["rate"].to_pylist(), strict=True)) == pytest.approx(
        expected["rate"].to_dict()
    )
    for binary, name in ((False, "ternary"), (True, "binary")):
        found = inter_annotator(table, binary=binary)
        assert (found.pairs, found.mean) == (len(expected[name]), pytest.approx(expected[name].mean()))


def test_a_third_is_asked_where_two_differ_and_nobody_twice(votes):
    number = votes.groupby("pair_id").size()
    assert set(number) == {2, 3}
    assert not votes.duplicated(["pair_id", "annotator_id"]).any()
    first_two = (
        votes.assign(side=votes["value"].str[0]).groupby("pair_id")["side"].apply(lambda sides: sides.iloc[:2].nunique())
    )
    assert ((first_two == 2) == (number == 3)).all()


def test_the_fit_gives_the_published_shares():
    """SpeechJudge, section 3.2: FA 51.5 %, WA 17.2 %; draws of people who are alike come out so, within five deviations."""
    population = fitted()
    shares = level_shares(population.gap, population.tie)
    assert (shares["FA"], shares["WA"]) == (pytest.approx(FULL, abs=1e-4), pytest.approx(WEAK, abs=1e-4))
    assert sum(shares.values()) == pytest.approx(1)
    pairs = 20_000
    gaps = np.random.default_rng(1).normal(0, population.gap, pairs)
    cast = cast_votes(gaps, Population(gap=population.gap, tie=population.tie, spread=0.0), seed=2)
    side = np.array(["A", "A", "T", "B", "B"])[cast.value]
    ends = np.searchsorted(cast.pair, np.arange(pairs + 1))
    sides = ["".join(sorted(side[start:end])) for start, end in pairwise(ends)]
    counted = Counter(
        "FA" if len(set(one)) == 1 else "FD" if len(set(one)) == 3 else "WA" if "T" in one else "WD" for one in sides
    )
    for name, share in shares.items():
        assert counted[name] / pairs == pytest.approx(share, abs=5 * (share * (1 - share) / pairs) ** 0.5)
