"""The comparisons table against pandas merges."""

import pandas as pd
import pyarrow as pa

from contracts.schemas import PAIRS, PROMPTS, RULINGS, SAMPLES, VOTES
from filters import chain
from filters.comparisons import COMPARED, VOTE_LIST, join, votes_by_pair
from filters.construction import Construction
from tests.rows import rows


def test_every_judged_pair_has_both_sides_facts():
    """Pairs without a ruling are left out; each side carries its own sample's format, metrics and the pair's votes."""
    samples = rows(
        SAMPLES,
        *(
            {"sample_id": f"s{n}", "duration_s": float(n), "sample_rate_hz": 16000, "loudness_lufs": -20.0 - n}
            for n in range(4)
        ),
    )
    pairs = rows(
        PAIRS,
        {"pair_id": "p2", "prompt_id": "t", "sample_a": "s3", "sample_b": "s0"},
        {"pair_id": "p1", "prompt_id": "t", "sample_a": "s1", "sample_b": "s2"},
        {"pair_id": "p0", "prompt_id": "t", "sample_a": "s1", "sample_b": "s0"},
    )
    rulings = rows(
        RULINGS,
        {"pair_id": "p1", "verdict": "b", "total_b": 3.0, "votes_b": 3, "votes_a": 1, "judgment_ids": ["j3", "j0", "j1", "j2"]},
        {"pair_id": "p2", "verdict": None, "votes_none": 2, "order_flip": False, "judgment_ids": ["j4", "j5"]},
    )
    facts = pa.table({"sample_id": ["s1", "s2", "s3"], "wer": [0.1, None, 0.3]})
    votes = rows(
        VOTES,
        *(
            {"vote_id": f"v{n}", "pair_id": "p1", "annotator_id": f"x{n}", "value": value}
            for n, value in enumerate(["A+1", "B+2"])
        ),
        {"vote_id": "v9", "pair_id": "p1", "annotator_id": "x9", "value": "A+2", "discarded": "too_fast"},
    )
    prompts = rows(PROMPTS, {"prompt_id": "t", "text": "hello"})
    table = join(pairs=pairs, samples=samples, rulings=rulings, facts=facts, prompts=prompts, votes=votes)

    assert table["item_id"].to_pylist() == ["p1", "p2"]
    assert table["verdict"].to_pylist() == ["b", None]
    assert [table[name].to_pylist() for name in ("votes_a", "votes_b", "votes_none")] == [[1, 0], [3, 0], [0, 2]]
    assert table["order_flip"].to_pylist() == [None, False]
    assert table["judgment_ids"].to_pylist() == [["j3", "j0", "j1", "j2"], ["j4", "j5"]]
    assert table["wer_a"].to_pylist() == [0.1, 0.3]
    assert table["wer_b"].to_pylist() == [None, None]
    assert table["votes"].to_pylist() == [
        [{"annotator_id": "x0", "value": "A+1"}, {"annotator_id": "x1", "value": "B+2"}],
        None,
    ]
    frame, looked_up = table.to_pandas(), samples.to_pandas().set_index("sample_id")
    for side in "ab":
        expected = looked_up.loc[frame[f"sample_{side}"]]
        for new, old in (("duration", "duration_s"), ("sample_rate", "sample_rate_hz"), ("loudness", "loudness_lufs")):
            assert pd.Series.equals(
                frame[f"{new}_{side}"].reset_index(drop=True), expected[old].reset_index(drop=True).rename(f"{new}_{side}")
            )
    assert set(table.column_names) >= COMPARED


def test_people_need_no_judge():
    """Where votes make the labels, a pair without a ruling is compared too, and the verdict is that of most people."""
    pairs = rows(PAIRS, *({"pair_id": f"p{n}", "prompt_id": "t", "sample_a": "s0", "sample_b": "s1"} for n in range(3)))
    rulings = rows(RULINGS, {"pair_id": "p0", "verdict": "a"}, {"pair_id": "p2", "verdict": "a", "total_a": 3.0})
    said = {"p0": ["B+1", "B+2"], "p1": ["A+2", "A+1"], "p2": ["T", "T"]}
    votes = rows(
        VOTES,
        *(
            {"vote_id": f"{pair}{n}", "pair_id": pair, "annotator_id": f"x{n}", "value": value}
            for pair, values in said.items()
            for n, value in enumerate(values)
        ),
    )
    facts, prompts = pa.table({"sample_id": pa.array([], pa.string())}), rows(PROMPTS, {"prompt_id": "t"})
    samples = rows(SAMPLES, {"sample_id": "s0"}, {"sample_id": "s1"})
    table = join(pairs=pairs, samples=samples, rulings=rulings, facts=facts, prompts=prompts, votes=votes, labels_from="votes")
    assert table["item_id"].to_pylist() == ["p0", "p1", "p2"]
    assert table["verdict"].to_pylist() == ["b", "a", None]
    assert table["total_a"].to_pylist() == [0.0, None, 3.0]


def test_the_clip_that_speaks_the_text_is_better_by_construction():
    """SPEC K2: with or without a ruling; where both clips, or neither, speak the text, nothing is known; a judge's opposite drops."""
    spoken = {"s0": None, "s1": "another text", "s2": None, "s3": "a third"}
    samples = rows(SAMPLES, *({"sample_id": name, "spoken_text": text} for name, text in spoken.items()))
    sides = {
        "p0": ("s0", "s1"),
        "p1": ("s1", "s0"),
        "p2": ("s0", "s2"),
        "p3": ("s1", "s3"),
        "p4": ("s0", "s3"),
        "p5": ("s3", "s2"),
    }
    pairs = rows(
        PAIRS,
        *({"pair_id": pair, "prompt_id": "t", "sample_a": a, "sample_b": b} for pair, (a, b) in sides.items()),
    )
    said = {"p1": "b", "p4": "b", "p5": None}
    rulings = rows(RULINGS, *({"pair_id": pair, "verdict": verdict} for pair, verdict in said.items()))
    facts, prompts = pa.table({"sample_id": pa.array([], pa.string())}), rows(PROMPTS, {"prompt_id": "t"})
    table = join(
        pairs=pairs,
        samples=samples,
        rulings=rulings,
        facts=facts,
        prompts=prompts,
        votes=VOTES.empty_table(),
        labels_from="construction",
    )
    assert table["verdict"].to_pylist() == ["a", "b", None, None, "a", "b"]
    kept, drops = chain.apply(table, [("construction", Construction())])
    assert kept["item_id"].to_pylist() == ["p0", "p1", "p5"]
    reasons = {row["row_id"]: row["reason"] for row in drops.to_pylist()}
    assert reasons == {"p2": "no_construction", "p3": "no_construction", "p4": "judge_contradicts_construction"}


def test_a_label_of_elsewhere_is_told_apart_from_votes():
    """Only where there is one: a build without any has the same evidence as ever. Tables of before lack the column."""
    said = ({"vote_id": f"v{n}", "pair_id": f"p{n % 2}", "annotator_id": f"r{n}", "value": "A+1"} for n in range(4))
    votes = rows(VOTES, *said)
    plain = votes_by_pair(votes.drop_columns("aggregated"))
    assert plain["votes"].type == VOTE_LIST
    made = votes.set_column(votes.column_names.index("aggregated"), VOTES.field("aggregated"), [[None, True, None, None]])
    found = dict(zip(*(votes_by_pair(made)[name].to_pylist() for name in ("pair_id", "votes")), strict=True))
    assert [entry["aggregated"] for entry in found["p1"]] == [True, False]
