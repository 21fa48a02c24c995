"""Which critiques are kept: those whose scores are strictly on the side of the label (MOS-RMBench, Sec. 4.2)."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.schemas import JUDGMENTS, LABELS
from scoring.reliability.critique_agreement import disagreements
from tests.rows import rows


def judged(*scores: tuple[str, int, int]) -> pa.Table:
    return rows(JUDGMENTS, *({"pair_id": pair, "total_a": float(a), "total_b": float(b)} for pair, a, b in scores))


def labelled(labels: dict[str, str]) -> pa.Table:
    return rows(LABELS, *({"item_id": pair, "label": label} for pair, label in labels.items()))


@pytest.mark.parametrize(
    ("label", "a", "b", "reason"),
    [
        ("a", 8, 7, None),
        ("a", 10, 1, None),
        ("b", 1, 2, None),
        ("a", 7, 7, "tied_scores"),
        ("b", 1, 1, "tied_scores"),
        ("a", 6, 7, "contradicts_label"),
        ("b", 10, 9, "contradicts_label"),
    ],
)
def test_only_a_strictly_higher_score_of_the_chosen_clip_keeps_it(label, a, b, reason):
    assert disagreements(judged(("p", a, b)), labelled({"p": label})).to_pylist() == [reason]


@given(
    found=st.dictionaries(
        st.text("pq", min_size=1, max_size=4),
        st.tuples(st.integers(1, 10), st.integers(1, 10), st.sampled_from("ab")),
        min_size=1,
    ),
    shuffle=st.randoms(use_true_random=False),
)
def test_exchanged_clips_and_other_orders_change_nothing(found, shuffle):
    """The reason goes with the clips, not with their names or the place in the table."""
    given_order = [(pair, a, b) for pair, (a, b, _) in found.items()]
    expected = dict(
        zip(found, disagreements(judged(*given_order), labelled({p: f[2] for p, f in found.items()})).to_pylist(), strict=True)
    )
    exchanged = [(pair, b, a) for pair, a, b in given_order]
    shuffle.shuffle(exchanged)
    other = labelled({pair: "ba"["ab".index(f[2])] for pair, f in found.items()})
    assert (
        dict(zip((pair for pair, *_ in exchanged), disagreements(judged(*exchanged), other).to_pylist(), strict=True))
        == expected
    )


def test_a_pair_without_a_label_is_an_error():
    with pytest.raises(DataError, match="pair p has a critique and no label"):
        disagreements(judged(("p", 3, 2)), labelled({"q": "a"}))
