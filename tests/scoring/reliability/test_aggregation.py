"""Rulings: every case of the definition, against a plain reading of it, whatever the order of rows and sides."""

from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.schemas import RULINGS, empty
from scoring.reliability.aggregation import rulings
from tests.annotate.judgments import judgment, table

OTHER = {"a": "b", "b": "a", None: None}


def ruled(rows, **options):
    """Return pair -> ruling as a dict."""
    return {row["pair_id"]: row for row in rulings(table(rows), **options).to_pylist()}


def votes(ab="", ba=""):
    """Return the judgments of one pair: a letter per vote, ``-`` = no preference."""
    return [
        judgment("p", order, vote, None if letter == "-" else letter)
        for order, letters in (("ab", ab), ("ba", ba))
        for vote, letter in enumerate(letters)
    ]


@pytest.mark.parametrize(
    ("ab", "ba", "verdict", "flip"),
    [
        ("a", "", "a", None), ("b", "", "b", None), ("-", "", None, None), ("", "a", "a", None),
        ("aab", "", "a", None), ("ab", "", None, None), ("a--", "", "a", None), ("ab-", "", None, None),
        ("a", "a", "a", False), ("b", "b", "b", False), ("-", "-", None, False),
        ("a", "-", "a", False), ("-", "b", "b", False), ("ab", "b", "b", False), ("ab", "ab", None, False),
        ("a", "b", None, True), ("aab", "bba", None, True), ("aaa", "b", None, True),
    ],
)  # fmt: skip
def test_verdict_and_flip(ab, ba, verdict, flip):
    """Majority within an order, then agreement of the orders; a flip leaves no verdict however many votes one order has."""
    row = ruled(votes(ab, ba))["p"]
    assert (row["verdict"], row["order_flip"]) == (verdict, flip)
    assert (row["votes_a"], row["votes_b"], row["votes_none"]) == tuple((ab + ba).count(letter) for letter in "ab-")


@pytest.mark.parametrize(("lead_ba", "verdict"), [(1.0, "a"), (2.0, None), (3.0, "b")])
def test_average_settles_a_flip_by_the_mean_totals(lead_ba, verdict):
    """A leads by 2 in one order, B by more, as much or less in the other; the flip itself stays on record."""
    rows = [judgment("p", "ab", 0, "a", a=7.0, b=5.0), judgment("p", "ba", 0, "b", a=5.0, b=5.0 + lead_ba)]
    row = ruled(rows, on_disagreement="average")["p"]
    assert (row["verdict"], row["order_flip"]) == (verdict, True)
    assert ruled(rows)["p"]["verdict"] is None


def test_average_does_not_touch_what_agrees():
    """A pair without a flip keeps its majority, although the other side has the higher mean total."""
    rows = [
        judgment("p", "ab", vote, verdict, a=a, b=b)
        for vote, (verdict, a, b) in enumerate([("a", 6.0, 5.0)] * 2 + [("b", 1.0, 9.0)])
    ]
    row = ruled(rows, on_disagreement="average")["p"]
    assert row["verdict"] == "a"
    assert row["total_a"] < row["total_b"]


def test_means_weigh_the_orders_alike():
    """Three votes in one order and one in the other: (mean of the three + the one) / 2, per dimension and for the total."""
    rows = [judgment("p", "ab", vote, "a", a={"x": score, "y": 8.0}, b=1.0) for vote, score in enumerate([9.0, 6.0, 3.0])]
    rows.append(judgment("p", "ba", 0, "a", a={"x": 2.0, "y": 9.0}, b=3.0))
    row = ruled(rows)["p"]
    assert dict(row["scores_a"]) == {"x": (6.0 + 2.0) / 2, "y": 8.5}
    assert row["total_a"] == (14.0 + 11.0) / 2
    assert row["total_b"] == 2.0


def test_a_score_that_is_not_there_is_no_zero():
    """Null scores and absent dimensions do not enter a mean; one that is null throughout stays null."""
    rows = [
        judgment("p", "ab", 0, "a", a={"x": 4.0, "y": None, "z": None}),
        judgment("p", "ba", 0, "a", a={"x": 8.0, "y": 6.0, "z": None}),
        judgment("q", "ab", 0, "b", a={"x": 1.0}),
    ]
    found = ruled(rows)
    assert dict(found["p"]["scores_a"]) == {"x": 6.0, "y": 6.0, "z": None}
    assert dict(found["q"]["scores_a"]) == {"x": 1.0}


@pytest.mark.parametrize(
    ("ab", "ba", "first"),
    [
        ("aa", "", "ab0"), ("baa", "", "ab1"), ("b", "a", "ab0"), ("-", "a", "ab0"), ("ba-a", "a", "ab1"), ("", "ba-aa", "ba1"),
        ("-a", "a-", "ab1"), ("ab", "", "ab0"), ("a-b", "", "ab1"),
    ],
)  # fmt: skip
def test_the_ruling_is_told_by_a_judgment_that_shares_it(ab, ba, first):
    """First comes the earliest vote in the stored order with the ruling's verdict, else any in that order; the rest is sorted."""
    rows = votes(ab, ba)
    told, *others = ruled(rows)["p"]["judgment_ids"]
    assert told == f"p.{first}"
    assert others == sorted(row["judgment_id"] for row in rows if row["judgment_id"] != told)


def test_the_stored_order_comes_before_the_vote():
    """A later vote in the stored order, though without a preference, tells before an earlier one in the other."""
    found = ruled([judgment("p", "ab", 1, None), judgment("p", "ba", 0, "a")])["p"]
    assert (found["verdict"], found["judgment_ids"]) == ("a", ["p.ab1", "p.ba0"])


@st.composite
def judged(draw):
    """Judgments of a few pairs in either order, up to three votes each, verdicts and half-point scores at will."""
    half = st.integers(0, 20).map(lambda twice: twice / 2)
    rows = []
    for pair in range(draw(st.integers(1, 4))):
        asked = draw(st.sets(st.tuples(st.sampled_from(["ab", "ba"]), st.integers(0, 2)), min_size=1))
        for order, vote in sorted(asked):
            a, b = ({"x": draw(half), "y": draw(half)} for _ in "ab")
            rows.append(judgment(f"p{pair}", order, vote, draw(st.sampled_from(["a", "b", None])), a=a, b=b))
    return rows


def read_plainly(rows, on_disagreement):
    """Return verdict, flip, totals and scores of one pair's judgments by the words of the definition, in exact numbers."""

    def mean(values):
        values = list(values)
        return sum(values, Fraction(0)) / len(values)

    def of_orders(value):
        return mean(mean(Fraction(value(row)) for row in rows if row["order"] == order) for order in orders)

    orders = sorted({row["order"] for row in rows})
    majority = {}
    for order in orders:
        said = [row["verdict"] for row in rows if row["order"] == order]
        for_a, for_b = said.count("a"), said.count("b")
        majority[order] = "a" if for_a > for_b else "b" if for_b > for_a else None
    named = {verdict for verdict in majority.values() if verdict}
    flip = None if len(orders) == 1 else len(named) == 2
    total_a, total_b = of_orders(lambda row: row["total_a"]), of_orders(lambda row: row["total_b"])
    if len(named) == 1:
        (verdict,) = named
    elif named and on_disagreement == "average" and total_a != total_b:
        verdict = "a" if total_a > total_b else "b"
    else:
        verdict = None
    scores = {name: of_orders(lambda row, name=name: dict(row["scores_a"])[name]) for name in ("x", "y")}
    return verdict, flip, total_a, total_b, scores


@settings(deadline=None, max_examples=60)
@given(judged(), st.sampled_from(["drop", "average"]))
def test_rulings_are_what_the_definition_says(rows, on_disagreement):
    """Each pair's ruling equals the plain reading of its own judgments."""
    found = ruled(rows, on_disagreement=on_disagreement)
    assert set(found) == {row["pair_id"] for row in rows}
    for pair, row in found.items():
        mine = [one for one in rows if one["pair_id"] == pair]
        verdict, flip, total_a, total_b, scores = read_plainly(mine, on_disagreement)
        assert (row["verdict"], row["order_flip"]) == (verdict, flip)
        assert (row["total_a"], row["total_b"]) == pytest.approx((float(total_a), float(total_b)))
        assert dict(row["scores_a"]) == pytest.approx({name: float(score) for name, score in scores.items()})
        assert sorted(row["judgment_ids"]) == sorted(one["judgment_id"] for one in mine)


@settings(deadline=None, max_examples=60)
@given(judged(), st.randoms(), st.sampled_from(["drop", "average"]))
def test_the_order_of_rows_does_not_matter(rows, random, on_disagreement):
    """Shuffled, cut in chunks: the same table, bit by bit."""
    expected = rulings(table(rows), on_disagreement=on_disagreement)
    shuffled = random.sample(rows, len(rows))
    cut = random.randrange(len(rows) + 1)
    chunked = pa.concat_tables([table(shuffled[:cut]), table(shuffled[cut:])])
    assert rulings(chunked, on_disagreement=on_disagreement).equals(expected)


@settings(deadline=None, max_examples=60)
@given(judged(), st.sampled_from(["drop", "average"]))
def test_exchanging_the_sides_exchanges_the_rulings(rows, on_disagreement):
    """Call A what was B, so that ``ab`` is ``ba``: verdicts, votes, scores and totals change sides, flips stay."""
    sides = {f"{name}_{side}": f"{name}_{other}" for name in ("scores", "total") for side, other in ("ab", "ba")}
    mirrored = [
        row | {new: row[old] for new, old in sides.items()} | {"verdict": OTHER[row["verdict"]], "order": row["order"][::-1]}
        for row in rows
    ]
    found, other = ruled(rows, on_disagreement=on_disagreement), ruled(mirrored, on_disagreement=on_disagreement)
    for pair, row in found.items():
        assert other[pair]["verdict"] == OTHER[row["verdict"]]
        assert other[pair]["order_flip"] == row["order_flip"]
        assert other[pair]["votes_none"] == row["votes_none"]
        for name in ("votes", "scores", "total"):
            assert (other[pair][f"{name}_a"], other[pair][f"{name}_b"]) == (row[f"{name}_b"], row[f"{name}_a"])


def test_the_table_has_its_schema():
    """Sorted by pair, of schema RULINGS; no judgments give no rulings."""
    found = rulings(table([judgment(pair, "ab", 0, "a") for pair in ("q", "p")]))
    assert found.schema.equals(RULINGS, check_metadata=True)
    assert found["pair_id"].to_pylist() == ["p", "q"]
    assert rulings(empty("judgments")).equals(empty("rulings"))


@pytest.mark.parametrize("changes", [{"judge": "openai"}, {"model": "pro"}, {"prompt_version": "v2"}, {"task": "teacher"}])
def test_two_inquiries_are_not_mixed(changes):
    """Judgments of two judges, models, prompts or tasks about one pair are no votes of one judge."""
    rows = [judgment("o", "ab", 0, "a"), judgment("p", "ab", 0, "a"), judgment("p", "ab", 1, "a", **changes)]
    with pytest.raises(DataError, match="pair p was judged in 2 inquiries"):
        rulings(table(rows))


def test_languages_may_have_their_own_prompts():
    """Two prompt versions are one inquiry as long as no pair has both."""
    found = ruled([judgment("p", "ab", 0, "a"), judgment("q", "ab", 0, "b", prompt_version="zh")])
    assert [row["verdict"] for row in found.values()] == ["a", "b"]


@pytest.mark.parametrize(("column", "value"), [("order", "AB"), ("verdict", "tie"), ("verdict", "A")])
def test_unknown_words_are_errors(column, value):
    """A word that is no order or verdict is named with its row, never read as no preference."""
    rows = [judgment("p", "ab", 0, "a"), judgment("q", "ab", 0, "a") | {column: value}]
    with pytest.raises(DataError, match=f"column {column}, row 1: '{value}'"):
        rulings(table(rows))
