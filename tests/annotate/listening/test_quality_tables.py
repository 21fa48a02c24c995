"""Tables of listeners and of their agreement, against brute force and sums by hand."""

from itertools import combinations
from statistics import mean, median

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import sem

from annotate.listening.quality_tables import AGREEMENT, LISTENERS, agreement_table, listener_table
from annotate.listening.trust import assess
from contracts import plugins
from contracts.errors import DataError
from contracts.schemas import VOTES
from tests.annotate.answers import answer, table
from tests.annotate.population import listen

TERNARY = {"A+2": "A", "A+1": "A", "B+1": "B", "B+2": "B", "T": "T", "A": "A", "B": "B", "invalid": "invalid"}


def vote(pair, who, value, protocol, **changes):
    row = dict.fromkeys(VOTES.names) | {
        "vote_id": f"{pair}.{who}", "pair_id": pair, "annotator_id": who, "protocol": protocol, "value": value, "source": "app",
    }  # fmt: skip
    return row | changes


def strata(pairs):
    return pa.table({
        "pair_id": [f"p{n}" for n in range(pairs)],
        "style": [("regular", "expressive")[n % 2] for n in range(pairs)],
        "language": [("en", "zh", "mixed")[n % 3] for n in range(pairs)],
    })  # fmt: skip


def drawn(pairs, protocol, values):
    draw = np.random.default_rng(4)
    rows = [
        vote(f"p{n}", f"r{who}", str(draw.choice(values)), protocol)
        for n in range(pairs)
        for who in draw.choice(8, int(draw.integers(1, 4)), replace=False)
    ]
    return pa.Table.from_pylist(rows, schema=VOTES)


@pytest.mark.parametrize(
    ("protocol", "values", "neither"),
    [("speechjudge", ["A+2", "A+1", "T", "B+1", "B+2"], "T"), ("unisrm", ["A", "B", "invalid"], "invalid")],
)
def test_agreement_is_that_of_all_pairs_of_listeners(protocol, values, neither):
    """In each cell and margin: the mean over pairs of how many of their listeners' pairs agree, and scipy's standard error."""
    votes, cells = drawn(120, protocol, values), strata(120)
    place = {row["pair_id"]: row for row in cells.to_pylist()}
    found = agreement_table(votes, cells)
    assert found.schema.equals(AGREEMENT)
    assert found.num_rows == 2 * 3 * 4
    for row in found.to_pylist():
        cast = {}
        for one in votes.to_pylist():
            where, label = place[one["pair_id"]], TERNARY[one["value"]]
            fits = all(row[name] in {None, where[name]} for name in ("style", "language"))
            if fits and not (row["labels"] == "binary" and label == neither):
                cast.setdefault(one["pair_id"], []).append(label)
        shares = [mean(a == b for a, b in combinations(labels, 2)) for labels in cast.values() if len(labels) > 1]
        assert row["pairs"] == len(shares)
        assert row["mean"] == pytest.approx(mean(map(float, shares)))
        assert row["std"] == pytest.approx(float(sem(list(map(float, shares)))))


def test_cells_without_two_votes_say_so():
    """A cell with nothing to compare has no number; discarded votes do not count; no votes give no rows."""
    rows = [vote("p0", "r0", "A", "unisrm"), vote("p0", "r1", "invalid", "unisrm"), vote("p1", "r0", "B", "unisrm"),
            vote("p1", "r1", "B", "unisrm", discarded="too_fast")]  # fmt: skip
    found = agreement_table(pa.Table.from_pylist(rows, schema=VOTES), strata(2)).to_pylist()
    seen = {(row["labels"], row["style"], row["language"]): (row["pairs"], row["mean"], row["std"]) for row in found}
    assert seen["ternary", None, None] == (1, 0.0, None)
    assert seen["ternary", "regular", "en"] == (1, 0.0, None)
    assert seen["binary", None, None] == (0, None, None)
    assert seen["ternary", "expressive", "zh"] == (0, None, None)
    assert agreement_table(VOTES.empty_table(), strata(1)).num_rows == 0


def test_votes_of_unknown_pairs_and_protocols_are_errors():
    """A pair without a style, and a tie where there are none, are named."""
    with pytest.raises(DataError, match="'p7'"):
        agreement_table(pa.Table.from_pylist([vote("p7", "r0", "A", "unisrm")], schema=VOTES), strata(1))
    odd = [vote("p0", "r0", "invalid", "speechjudge"), vote("p0", "r1", "T", "speechjudge")]
    with pytest.raises(DataError, match="'invalid'"):
        agreement_table(pa.Table.from_pylist(odd, schema=VOTES), strata(1))


def test_a_listener_in_numbers():
    """Each column of one listener, counted by hand."""
    rows = [
        answer("x", 0, "A", gold=["A"], qualification=True, time_s=20.0),
        answer("x", 1, "B", gold=["A"], order="ba", time_s=11.0, plays_a=3),
        answer("x", 2, "A", gold=["A"], time_s=12.5),
        answer("x", 3, "invalid", discarded="one_sided", time_s=14.0),
        answer("y", 0, None, scores=[("noise", 3.0)], plays_b=None, plays_a=2),
    ]
    x, y = listener_table(table(rows)).to_pylist()
    assert x == {
        "annotator_id": "x", "answers": 4, "discarded": 1, "gold_items": 2, "gold_share": 0.5, "peer_items": 0, "peer_rate": None,
        "peer_expected": None, "first_share": 1.0, "deciding_s": median([10.0, 1.0, 2.5, 4.0]), "plays": 10 / 8, "verdict": None,
        "rule": None,
    }  # fmt: skip
    assert (y["gold_share"], y["first_share"], y["plays"], y["deciding_s"]) == (None, None, 2.0, 3.0)
    assert listener_table(table([])).schema.equals(LISTENERS)


def test_what_is_unknown_of_a_listener_is_left_out():
    """Medians, means and shares are of what is known; where nothing is, there is no number."""
    bare = {"order": None, "time_s": None, "audio_s": None, "plays_a": None, "plays_b": None}
    rows = [
        answer("x", 0, "A", time_s=11.0, plays_a=3),
        *(answer("x", n, "B", **bare) for n in range(1, 9)),
        answer("x", 9, "A", **bare | {"plays_b": 2}),
        *(answer("y", n, "A", **bare | {"time_s": 1.0}) for n in range(9)),
    ]
    x, y = listener_table(table(rows)).to_pylist()
    assert (x["answers"], x["first_share"], x["deciding_s"], x["plays"]) == (10, 1.0, 1.0, (3 + 1 + 2) / 3)
    assert (y["answers"], y["first_share"], y["deciding_s"], y["plays"]) == (9, None, None, None)


def test_the_table_says_what_the_assessment_says():
    """Verdicts, rules and rates are those of the assessment's findings."""
    answers = listen("cmos", 1, answers_each=90).answers
    rules = {name: plugins.configure("listener_rule", name) for name in ("gold_accuracy", "one_sided", "peer_agreement")}
    said = assess(answers, rules)
    rows = listener_table(answers, said).to_pylist()
    assert [(row["annotator_id"], row["verdict"], row["rule"]) for row in rows] == [
        (one.annotator_id, one.verdict, one.rule) for one in said
    ]
    for row, one in zip(rows, said, strict=True):
        assert row["peer_rate"] == one.findings["peer_agreement"].evidence["rate"]
        gold = one.findings["gold_accuracy"].evidence
        assert row["gold_items"] == gold["gold_items"]
        preferences = one.findings["one_sided"].evidence
        assert row["first_share"] == pytest.approx(preferences["first"] / preferences["preferences"])
