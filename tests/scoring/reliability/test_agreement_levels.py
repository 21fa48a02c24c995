"""Agreement of annotators, against the cases and formulas that SpeechJudge prints."""

from collections import Counter
from itertools import combinations_with_replacement, permutations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from scoring.reliability.agreement_levels import (
    TERNARY,
    annotator_rates,
    level,
    levels,
    majorities,
    majority,
    ternary,
)

VOTES = pa.list_(pa.struct([("annotator_id", pa.string()), ("value", pa.string())]))

# SpeechJudge, section 3.2: the examples of each level as printed ("2A", "3B", "2A+1T", "2T+1A", "2A+B", "1A+1B+1T").
PRINTED = {"FA": ["AA", "AAA", "BB", "BBB"], "WA": ["AAT", "BBT", "TTA", "TTB"], "WD": ["AAB", "BBA"], "FD": ["ABT"]}


def votes_column(*rows):
    return pa.array(
        [None if row is None else [{"annotator_id": f"r{n}", "value": v} for n, v in enumerate(row)] for row in rows], VOTES
    )


def votes_table(rows):
    return pa.table(
        {name: pa.array([row[n] for row in rows], pa.string()) for n, name in enumerate(("pair_id", "annotator_id", "value"))}
    )


@pytest.mark.parametrize(("expected", "votes"), [(name, case) for name, cases in PRINTED.items() for case in cases])
def test_printed_levels(expected, votes):
    """Every example that the paper gives has the level that the paper gives it, in any order of the votes."""
    assert {level(order) for order in permutations(votes)} == {expected}


@pytest.mark.parametrize("votes", ["AB", "AT", "BT"])
def test_two_who_differ_need_a_third(votes):
    """Two annotators who disagree in any way have no level and no label until a third joins."""
    assert level(votes) == "needs_third"
    assert majority(votes) is None


def test_mean_number_of_votes_follows_from_full_agreement():
    """If all but fully agreed pairs (51.5 %) had a third vote, the mean is the published 2.49 to its rounding."""
    assert abs(2 * 0.515 + 3 * (1 - 0.515) - 2.49) <= 0.006


# Every case of up to three votes, and cases of more: the definition of agreement.py's docstring, applied by hand.
CASES = {
    "no_votes": [""],
    "needs_second": ["A", "B", "T"],
    "needs_third": ["AB", "AT", "BT"],
    "FA": ["AA", "BB", "TT", "AAA", "BBB", "TTT", "A" * 11, "TTTT"],
    "WA": ["AAT", "BBT", "ATT", "BTT", "AAAT", "ATTT", "AAATT", "BBBBTTT"],
    "WD": ["AAB", "ABB", "AAAB", "AAABT", "ABTTT", "AAAAAAAAABT", "AAABB"],
    "FD": ["ABT", "AABB", "AATT", "AABT", "AABBT", "AAABBT", "AAABBBTTT"],
}


@pytest.mark.parametrize(("expected", "votes"), [(name, case) for name, cases in CASES.items() for case in cases])
def test_levels_of_any_number_of_votes(expected, votes):
    """All the same; a majority without or with an A against a B; no majority."""
    assert level(votes) == expected
    top = max("ABT", key=votes.count)
    has_majority = len(votes) > 1 and 2 * votes.count(top) > len(votes)
    assert majority(votes) == ({"A": "a", "B": "b", "T": "tie"}[top] if has_majority else None)


def test_the_cases_hold_all_of_up_to_three_votes():
    """A case that nobody thought of would have no expected level."""
    cases = {"".join(case) for size in range(4) for case in combinations_with_replacement("ABT", size)}
    assert cases <= {"".join(sorted(case)) for of_level in CASES.values() for case in of_level}


def made(*rows):
    """A votes column of ("A" of a person, "+A" for a label that was made elsewhere)."""
    kind = pa.list_(pa.struct([("annotator_id", pa.string()), ("value", pa.string()), ("aggregated", pa.bool_())]))
    said = [
        [{"annotator_id": f"r{n}", "value": one.lstrip("+"), "aggregated": one[0] == "+" or None} for n, one in enumerate(row)]
        for row in rows
    ]
    return pa.array(said, kind)


def test_a_label_of_elsewhere_has_no_level():
    """It decides where there are too few votes, and is no vote beside those that are enough."""
    column = made(["+A"], ["+T"], ["A", "+B"], ["A", "A", "+B"], ["A", "B", "T", "+B"], ["+A", "+A"], ["+A", "+B"])
    assert levels(column).to_pylist() == ["aggregated"] * 3 + ["FA", "FD"] + ["aggregated"] * 2
    assert majorities(column).to_pylist() == ["a", "tie", "b", "a", None, "a", None]


@pytest.mark.parametrize(
    ("votes", "expected"),
    [("AA", "a"), ("BB", "b"), ("TT", "tie"), ("AAA", "a"), ("BBB", "b"), ("TTT", "tie"), ("AAT", "a"), ("BBT", "b"), ("ATT", "tie"),
     ("BTT", "tie"), ("AAB", "a"), ("ABB", "b"), ("ABT", None), ("A", None), ("", None)],
)  # fmt: skip
def test_majority(votes, expected):
    """The majority label is what at least two say; one vote is no majority."""
    assert majority(votes) == expected


@settings(deadline=None)
@given(st.lists(st.sampled_from(["A", "B", "T"]), min_size=2, max_size=9))
def test_majority_is_the_strict_mode(votes):
    """The label is what more than half of the votes say."""
    ((top, count),) = Counter(votes).most_common(1)
    strict = count >= 2 and count > len(votes) - count
    assert majority(votes) == ({"A": "a", "B": "b", "T": "tie"}[top] if strict else None)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["A", "B", "T"]), max_size=9))
def test_swapping_sides_swaps_the_label_only(votes):
    """Which clip was called A changes no level, and turns the label round."""
    swapped = [{"A": "B", "B": "A", "T": "T"}[vote] for vote in votes]
    assert level(swapped) == level(votes)
    assert majority(swapped) == {"a": "b", "b": "a"}.get(majority(votes), majority(votes))


def test_five_points_become_three():
    """Strength of a preference and reasons of a tie do not matter to the ternary label."""
    assert [ternary(value) for value in ("A+2", "A+1", "B+1", "B+2")] == ["A", "A", "B", "B"]
    published = ("Tie (missing reason)", "Tie (both not good)", "Tie (both very good)")
    assert {ternary(value) for value in published} == {"T"}


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.lists(st.sampled_from(sorted(TERNARY)), max_size=9)), max_size=30))
def test_columns_agree_with_single_rows(rows):
    """The vectorised forms say row by row what the scalar ones say; a null list is no votes."""
    column = votes_column(*rows)
    assert levels(column).to_pylist() == [level(row or []) for row in rows]
    assert majorities(column).to_pylist() == [majority(row or []) for row in rows]
    chunked = pa.chunked_array([column[:3], column[3:]])
    assert levels(chunked).equals(levels(column))


@pytest.mark.parametrize("value", ["C+1", "a+1", "A+3", "tie", "invalid", "", None])
def test_unknown_vote_is_an_error_with_row_and_value(value):
    """A value that is no CMOS vote is refused by row and value, never taken for a tie."""
    with pytest.raises(DataError, match=rf"row 2: unknown CMOS vote {value!r}".replace("+", r"\+")):
        levels(votes_column(["A+1", "A+2"], None, ["A+1", value]))


def test_voting_twice_is_an_error():
    """One annotator's second vote on a pair is no independent vote."""
    double = [[{"annotator_id": "x", "value": "A+1"}], [{"annotator_id": "x", "value": "A+1"}] * 2]
    with pytest.raises(DataError, match="row 1: annotator 'x' voted twice"):
        levels(pa.array(double, VOTES))
    with pytest.raises(DataError, match="voted twice"):
        annotator_rates(votes_table([("p", "x", "A+1"), ("p", "x", "B+1")]))


def test_annotator_rate_is_the_printed_formula():
    """R_i equals the double mean of appendix B.1, computed term by term, on random votes."""
    draw = np.random.default_rng(0)
    rows = []
    for pair in range(60):
        raters = draw.choice(["r1", "r2", "r3", "r4"], size=draw.integers(1, 4), replace=False)
        rows += [(f"p{pair}", rater, draw.choice(["A+1", "A+2", "B+1", "Tie"])) for rater in raters]
    label = {(pair, rater): TERNARY[value] for pair, rater, value in rows}
    found = {row["annotator_id"]: row for row in annotator_rates(votes_table(rows)).to_pylist()}
    for rater, row in found.items():
        terms = []
        for pair in {pair for pair, who in label if who == rater}:
            others = [vote for (p, who), vote in label.items() if p == pair and who != rater]
            if others:
                terms.append(sum(vote == label[pair, rater] for vote in others) / len(others))
        assert row["items"] == len(terms) >= 10
        assert row["rate"] == pytest.approx(sum(terms) / len(terms))


def test_rating_needs_ten_pairs_and_removal_less_than_thirty_percent():
    """Nine pairs give no rate; ten do; 30 % stays, below 30 % is removed (appendix B.1)."""
    rows = [(f"p{n}", "few", "A+1") for n in range(9)]
    rows += [(f"p{n}", "edge", "A+1" if n < 3 else "Tie") for n in range(10)]
    rows += [(f"p{n}", "low", "A+2" if n < 2 else "B+1") for n in range(10)]
    rows += [(f"q{n}", "low", "A+1") for n in range(3)]  # alone: no r_ij
    # edge agrees with few on 3 of its pairs and with low on 2: r = (1 + 1 + 0.5) / 10; so it needs a peer of its own.
    rows += [(f"e{n}", "steady", "A+1") for n in range(10)] + [
        (f"e{n}", "thirty", "A+1" if n < 3 else "B+1") for n in range(10)
    ]
    found = {row["annotator_id"]: row for row in annotator_rates(votes_table(rows)).to_pylist()}
    assert found["few"] == {"annotator_id": "few", "items": 9, "rate": None, "removed": False}
    assert found["thirty"] == {"annotator_id": "thirty", "items": 10, "rate": pytest.approx(0.3), "removed": False}
    assert found["low"]["items"] == 10
    assert found["low"]["rate"] < 0.3
    assert found["low"]["removed"]
    assert found["edge"]["rate"] == pytest.approx(0.25)
