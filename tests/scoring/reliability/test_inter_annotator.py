"""Agreement over all pairs: chances by couples, standard deviations by scipy, alpha as published."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from scoring.reliability.inter_annotator import agreement_table, alpha, inter_annotator, rate_histogram
from scoring.reliability.measures import Measure

CMOS = {"A": "A+1", "B": "B+2", "T": "Tie"}


def votes_table(rows):
    return pa.table(
        {name: pa.array([row[n] for row in rows], pa.string()) for n, name in enumerate(("pair_id", "annotator_id", "value"))}
    )


def ballots(cases):
    """Build the votes of pairs, each a word of A, B and T."""
    return votes_table([(f"p{n}", f"r{m}", CMOS[vote]) for n, case in enumerate(cases) for m, vote in enumerate(case)])


def test_inter_annotator_agreement_is_a_chance():
    """The mean equals the chance over all couples of a pair, pairs weighted alike; the std is scipy's standard error."""
    from scipy.stats import sem

    cases = ["AA", "AB", "AAT", "ABT", "TTT", "TTB", "ABB", "A"]
    rows = [
        (f"p{n}", f"r{m}", {"A": "A+1", "B": "B+2", "T": "Tie"}[vote])
        for n, case in enumerate(cases)
        for m, vote in enumerate(case)
    ]

    def chances(chosen, kept):
        couples = [list(combinations([vote for vote in case if vote in kept], 2)) for case in chosen]
        return [sum(x == y for x, y in pair) / len(pair) for pair in couples if pair]

    # Binary: the subset pref has a majority for A or B (appendix A.2), so neither ABT, nor a pair that waits for its third.
    for binary, expected in ((False, chances(cases, "ABT")), (True, chances(["AA", "AAT", "ABB"], "AB"))):
        found = inter_annotator(votes_table(rows), binary=binary)
        assert found.pairs == len(expected)
        assert found.mean == pytest.approx(np.mean(expected))
        assert found.std == pytest.approx(sem(expected))


def test_inter_annotator_agreement_needs_couples():
    """Votes of one annotator each say nothing about agreement, nor does a preference beside a tie without ties."""
    assert inter_annotator(votes_table([("p", "x", "A+1"), ("q", "y", "A+1")])) is None
    assert inter_annotator(votes_table([("p", "x", "A+1"), ("p", "y", "Tie")]), binary=True) is None
    assert inter_annotator(votes_table([("p", "x", "A+1")]).slice(1)) is None


def test_table_5_is_by_style_and_language_and_in_all():
    """Each cell is the agreement of its own pairs; the bootstrap's deviation is the standard error within its own error."""
    cases = ["AA", "ABA", "TT", "BBT", "ATB", "AA", "BB", "AB"] * 40
    places = [("expressive", "en"), ("regular", "zh"), ("regular", "en"), ("expressive", "mixed")]
    votes = ballots(cases)
    number = [int(pair[1:]) for pair in votes["pair_id"].to_pylist()]
    for column, name in enumerate(("style", "language")):
        votes = votes.append_column(name, pa.array([places[n % 4][column] for n in number]))
    found = agreement_table(votes, seed=4)
    assert found.columns == [("regular", "en"), ("regular", "zh"), ("expressive", "en"), ("expressive", "mixed")]
    assert [(row.labels, row.weight) for row in found.rows] == [
        ("ternary", "pair"),
        ("binary", "pair"),
        ("ternary", "couple"),
        ("binary", "couple"),
    ]
    for row in found.rows[:2]:
        whole = inter_annotator(votes, binary=row.labels == "binary")
        assert (row.total.pairs, row.total.mean) == (whole.pairs, pytest.approx(whole.mean))
        for one, place in zip(row.cells, found.columns, strict=True):
            own = votes.filter(pa.array([places[n % 4] == place for n in number]))
            expected = inter_annotator(own, binary=row.labels == "binary")
            assert (one is None) is (expected is None)
            if expected is not None:
                assert (one.pairs, one.mean) == (expected.pairs, pytest.approx(expected.mean))
                assert one.std == pytest.approx(expected.std, rel=0.12)  # 1,000 resamples: 2.2 % of it, five times
    assert agreement_table(votes, seed=4) == found


def test_by_couple_each_couple_of_votes_weighs_the_same():
    """Of AA, ABT and BBA: by pair 1, 0 and 1/3; by couple two of seven; where ties are left out, two of four."""
    votes = ballots(["AA", "ABT", "BBA"])
    for name, value in (("style", "regular"), ("language", "en")):
        votes = votes.append_column(name, pa.repeat(value, votes.num_rows))
    found = {(row.labels, row.weight): row.total.mean for row in agreement_table(votes, seed=1).rows}
    assert found == pytest.approx(
        {("ternary", "pair"): 4 / 9, ("binary", "pair"): 2 / 3, ("ternary", "couple"): 2 / 7, ("binary", "couple"): 2 / 4}
    )


def test_alpha_is_the_published_one():
    """Agreement among coders over three labels, by the definition 1 - D_o / D_e with numbers from the coincidences."""
    cases = ["AA", "AB", "BBB", "TT", "AAT", "B"]
    coincidences = np.zeros((3, 3))
    for case in cases:
        for one in range(len(case)):
            for other in range(len(case)):
                if one != other:
                    coincidences["ABT".index(case[one]), "ABT".index(case[other])] += 1 / (len(case) - 1)
    n = coincidences.sum()
    by_chance = np.outer(coincidences.sum(axis=0), coincidences.sum(axis=0)) - np.diag(coincidences.sum(axis=0))
    off = 1 - np.eye(3)
    expected = 1 - (coincidences * off).sum() / ((by_chance * off).sum() / (n - 1))
    found = alpha(ballots(cases))
    assert found == Measure(value=pytest.approx(expected), n=5)


def test_alpha_needs_couples_and_two_labels():
    assert alpha(ballots(["A", "B"])).why == "no pair has two votes"
    assert alpha(ballots(["AA", "AA"])).why == "all votes are the same"


def test_the_histogram_of_figure_9():
    """A rate on an edge is in the higher bin, 100 % in the last one; who is not rated is told."""
    found = rate_histogram([0.65, 0.6, 0.7, 1.0, 0.0, None, 0.3])
    assert found["60-70 %"] == 2
    assert (found["70-80 %"], found["90-100 %"], found["0-10 %"], found["30-40 %"], found["not rated"]) == (1, 1, 1, 1, 1)
    assert sum(found.values()) == 7
    assert "not rated" not in rate_histogram([0.5])
