"""UniSRM's acceptance criteria (appendix G.2), case by case."""

import json
from itertools import permutations, product

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import plugins
from contracts.errors import DataError, RecipeError
from filters.comparisons import VOTE_LIST, VOTE_LIST_WITH_MADE
from filters.human_verification import HumanVerification

A, B, X = "A", "B", "invalid"

BY_HAND = {
    # votes, in any order: reason with the automatic label a, and with b; None = kept
    (A, A, A): (None, "contradicts_label"),
    (A, A, B): (None, "contradicts_label"),
    (A, A, X): (None, "contradicts_label"),
    (A, B, B): ("contradicts_label", None),
    (B, B, B): ("contradicts_label", None),
    (B, B, X): ("contradicts_label", None),
    (A, B, X): ("no_majority", "no_majority"),  # the paper's own example of a pair without a strict majority
    (A, X, X): ("invalid", "invalid"),
    (B, X, X): ("invalid", "invalid"),
    (X, X, X): ("invalid", "invalid"),
}


def comparisons(*rows):
    """Return a table of (automatic label, votes of people); None = no votes."""
    cast = [
        votes if votes is None else [{"annotator_id": f"r{n}", "value": v} for n, v in enumerate(votes)] for _, votes in rows
    ]
    return pa.table({"votes": pa.array(cast, VOTE_LIST), "verdict": pa.array([label for label, _ in rows], pa.string())})


def reasons(*rows, **options):
    return HumanVerification(**options).reasons(comparisons(*rows)).to_pylist()


def test_all_cases_of_three_votes():
    """Every ordered triple of the three answers, with either label, against the ten cases above."""
    triples = list(product((A, B, X), repeat=3))
    assert len(triples) == 27
    assert {tuple(sorted(triple, key=(A, B, X).index)) for triple in triples} == set(BY_HAND)
    for label, place in (("a", 0), ("b", 1)):
        expected = [BY_HAND[tuple(sorted(triple, key=(A, B, X).index))][place] for triple in triples]
        assert reasons(*[(label, triple) for triple in triples]) == expected


def test_kept_are_exactly_those_that_the_paper_retains():
    """The three criteria as the paper words them, one by one, on all cases."""
    for triple, label in product(product((A, B, X), repeat=3), ("a", "b")):
        valid = sum(vote != X for vote in triple) >= 2
        preferred = [side for side in (A, B) if triple.count(side) >= 2]
        keeps = valid and bool(preferred) and preferred[0].lower() == label
        assert (reasons((label, triple)) == [None]) is keeps, (triple, label)


@pytest.mark.parametrize("votes", [None, (), (A,), (A, A), (X, X), (A, B)])
def test_fewer_than_three_votes_wait(votes):
    """However clear two votes are, the third listener is asked."""
    assert reasons(("a", votes), ("b", votes)) == ["needs_votes", "needs_votes"]


def test_a_pair_without_a_label_cannot_be_confirmed():
    """No vote is waited for on a pair that the judge left open."""
    assert reasons((None, (A, A, A)), (None, None)) == ["no_label", "no_label"]


def test_more_votes_than_asked_for():
    """A majority is more than half of all that are in, and five votes may be asked for."""
    four = [(A, A, A, B), (A, A, B, B), (A, A, X, X), (A, X, X, X)]
    assert reasons(*[("a", votes) for votes in four]) == [None, "no_majority", "no_majority", "invalid"]
    five = [(A, A, A), (A, A, A, B, B), (A, A, B, B, X), (A, A, X, X, X)]
    assert reasons(*[("a", votes) for votes in five], votes=5) == ["needs_votes", None, "no_majority", "invalid"]


@given(st.lists(st.sampled_from([A, B, X]), max_size=6), st.sampled_from(["a", "b", None]))
def test_neither_side_nor_order_matters(votes, label):
    """Exchanging A and B in votes and label, or the votes among each other, changes no reason."""
    turned = [{A: B, B: A, X: X}[vote] for vote in votes]
    (expected,) = reasons((label, votes))
    assert reasons(({"a": "b", "b": "a", None: None}[label], turned)) == [expected]
    assert set(reasons(*[(label, order) for order in list(permutations(votes))[:24]])) == {expected}


def test_rows_are_judged_one_by_one():
    """A chunked column and a slice of a longer table give the reasons of the single rows."""
    rows = [("a", (A, A, B)), ("b", None), (None, ()), ("b", (A, A, B)), ("a", (X, X, A)), ("a", (A, B, X))]
    expected = [None, "needs_votes", "no_label", "contradicts_label", "invalid", "no_majority"]
    whole = pa.concat_tables([comparisons(*rows[:2]), comparisons(*rows[2:])])
    assert HumanVerification().reasons(whole).to_pylist() == expected
    assert HumanVerification().reasons(whole.slice(1, 4)).to_pylist() == expected[1:5]
    assert HumanVerification().reasons(whole.slice(0, 0)).to_pylist() == []


def test_votes_and_label_are_the_evidence():
    """A dropped pair shows who said what, and the label; a kept one shows nothing."""
    table = comparisons(("b", (A, A, X)), ("a", (A, A, X)))
    rule = HumanVerification()
    dropped, kept = rule.evidence(table, rule.reasons(table)).to_pylist()
    shown = json.loads(dropped)
    assert [vote["value"] for vote in shown["votes"]] == [A, A, X]
    assert shown["verdict"] == "b"
    assert kept is None


@pytest.mark.parametrize("foreign", ["A+1", "T", "a", "Invalid", ""])
def test_a_foreign_value_is_an_error(foreign):
    """Another protocol's vote, or a typo, is named with its row, and is never read as one of the three."""
    with pytest.raises(DataError, match=rf"votes, row 1: {foreign!r} is no vote".replace("+", r"\+")):
        reasons(("a", (A, A, A)), ("a", (A, foreign, A)))


def test_a_missing_value_is_an_error():
    """A null vote is no vote."""
    with pytest.raises(DataError, match="row 0: None is no vote"):
        reasons(("a", (A, None, A)))


def test_one_listener_has_one_vote():
    """Three votes of two people are no three independent votes."""
    twice = [[{"annotator_id": who, "value": A} for who in ("r0", "r1", "r0")]]
    with pytest.raises(DataError, match="'r0' voted twice"):
        HumanVerification().reasons(pa.table({"votes": pa.array(twice, VOTE_LIST), "verdict": ["a"]}))


@pytest.mark.parametrize("votes", [1, 2, 4, 0, -3])
def test_the_number_of_votes_is_odd_and_three_at_least(votes):
    """With two, four or one vote, two of three cannot agree."""
    with pytest.raises(RecipeError, match=r"votes.*(odd number|greater than or equal to 3)"):
        plugins.configure("filter", "human_verification", {"votes": votes})


def test_a_label_of_elsewhere_confirms_nothing():
    """Two votes and a label that was made elsewhere are two votes."""
    cast = [{"annotator_id": f"r{n}", "value": "A", "aggregated": n == 2} for n in range(3)]
    table = pa.table({"votes": pa.array([cast], VOTE_LIST_WITH_MADE), "verdict": ["a"]})
    assert HumanVerification().reasons(table).to_pylist() == ["needs_votes"]
