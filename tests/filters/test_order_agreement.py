"""The filter of pairs whose winner changes with the order of playing."""

import json

import pyarrow as pa
import pytest

from contracts.schemas import JUDGMENTS
from filters.chain import apply
from filters.order_agreement import OrderAgreement
from filters.tied_totals import TiedTotals
from scoring.reliability.aggregation import rulings


def judgment(pair, order, vote, total_a, total_b):
    return {
        "judgment_id": f"{pair}-{order}{vote}", "pair_id": pair, "task": "t", "judge": "j", "judge_version": "1", "model": "m",
        "prompt_version": "v", "order": order, "vote": vote, "verdict": None if total_a == total_b else "ab"[total_b > total_a],
        "scores_a": [("x", total_a)], "scores_b": [("x", total_b)], "total_a": total_a, "total_b": total_b, "completion": "c",
    }  # fmt: skip


JUDGED = pa.Table.from_pylist(
    [
        judgment("agree", "ab", 0, 9.0, 2.0), judgment("agree", "ba", 0, 7.0, 6.0),
        judgment("flip", "ab", 0, 9.0, 2.0), judgment("flip", "ba", 0, 5.0, 6.0),
        judgment("half", "ab", 0, 9.0, 2.0), judgment("half", "ba", 0, 5.0, 5.0),
        judgment("once", "ba", 0, 5.0, 6.0),
        judgment("split", "ab", 0, 9.0, 2.0), judgment("split", "ab", 1, 3.0, 4.0),
    ],
    schema=JUDGMENTS,
)  # fmt: skip


def judged(**how):
    """Return the rulings as filters see them where the judge decides."""
    ruled = rulings(JUDGED, **how)
    return ruled.append_column("judge_verdict", ruled["verdict"])


def test_a_flip_drops_whatever_decides():
    """By construction there is a verdict; the judge did not confirm it."""
    ruled = judged()
    ruled = ruled.set_column(ruled.column_names.index("verdict"), "verdict", pa.array(["a"] * ruled.num_rows))
    assert OrderAgreement().reasons(ruled).to_pylist().count("order_disagreement") == 1


def test_opposite_verdicts_of_the_two_orders_drop():
    """Only the pair that each order decides the other way drops; its evidence is who voted how, and in which judgments."""
    ruled = judged()
    found = OrderAgreement().reasons(ruled)
    reasons = dict(zip(ruled["pair_id"].to_pylist(), found.to_pylist(), strict=True))
    assert reasons == {"agree": None, "flip": "order_disagreement", "half": None, "once": None, "split": None}
    evidence = dict(zip(ruled["pair_id"].to_pylist(), OrderAgreement().evidence(ruled, found).to_pylist(), strict=True))
    assert json.loads(evidence.pop("flip")) == {
        "votes_a": 1, "votes_b": 1, "votes_none": 0, "judgment_ids": ["flip-ab0", "flip-ba0"],
    }  # fmt: skip
    assert set(evidence.values()) == {None}


def test_a_disagreement_settled_by_the_means_stays():
    """Where the recipe averages, a flip has a verdict and is kept."""
    ruled = judged(on_disagreement="average")
    assert OrderAgreement().reasons(ruled).null_count == ruled.num_rows


@pytest.mark.parametrize("first", ["order_agreement", "tied_totals"])
def test_no_pair_without_a_verdict_survives_the_chain(first):
    """Whichever filter comes first, what is kept has a verdict, and each dropped pair has one reason."""
    chain = [("order_agreement", OrderAgreement()), ("tied_totals", TiedTotals())]
    kept, drops = apply(judged().rename_columns({"pair_id": "item_id"}), chain if first == "order_agreement" else chain[::-1])
    assert kept["item_id"].to_pylist() == ["agree", "half", "once"]
    assert kept["verdict"].null_count == 0
    flip = "order_disagreement" if first == "order_agreement" else "no_verdict"
    assert {row["row_id"]: row["reason"] for row in drops.to_pylist()} == {"flip": flip, "split": "no_verdict"}
