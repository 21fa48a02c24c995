"""Rows of the table ``judgments`` for the tests of rulings and reliability."""

import pyarrow as pa

from contracts.schemas import JUDGMENTS

DIMENSION = "naturalness"


def judgment(pair, order, vote, verdict, *, a=None, b=None, **changes):
    """Return one row; scores default to 6 for the preferred speech and 5 for the other."""
    score_a = a if a is not None else {"a": 6.0, "b": 5.0, None: 5.0}[verdict]
    score_b = b if b is not None else {"a": 5.0, "b": 6.0, None: 5.0}[verdict]
    scores = {
        side: score if isinstance(score, dict) else {DIMENSION: score} for side, score in (("a", score_a), ("b", score_b))
    }
    row = {
        "judgment_id": f"{pair}.{order}{vote}", "pair_id": pair, "task": "task1", "judge": "gemini", "judge_version": "1",
        "model": "flash", "model_served": None, "prompt_version": "v1", "settings": "s1", "order": order, "vote": vote, "verdict": verdict,
        "completion": f"{order}{vote} says {verdict}", "input_tokens": None, "output_tokens": None,
    }  # fmt: skip
    for side, named in scores.items():
        row[f"scores_{side}"] = list(named.items())
        row[f"total_{side}"] = float(sum(score for score in named.values() if score is not None))
    return row | changes


def table(rows):
    """Return the rows as a table."""
    return pa.Table.from_pylist(list(rows), schema=JUDGMENTS)
