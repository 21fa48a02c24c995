"""Rows of schema ANSWERS for the tests of rules, written by hand."""

import pyarrow as pa

from annotate.people.store.rule import ANSWERS

SIDES = {"A": "a", "B": "b"}
TURN = str.maketrans("ABab", "BAba")


def answer(who, number, value="A", *, item=None, order="ab", **changes):
    """Return one answer; the item is the annotator's own unless named, and was heard for 10 s and decided in 3 s."""
    item = item or f"{who}.{number}"
    row = {
        "answer_id": f"{who}.{number}", "item_id": item, "subject_id": f"p.{item}", "annotator_id": who, "number": number,
        "language": "en", "gold": [], "qualification": False, "value": value, "side": SIDES.get((value or "T")[0]), "errors_a": None,
        "errors_b": None, "scores": [], "order": order, "time_s": 13.0, "audio_s": 10.0, "plays_a": 1, "plays_b": 1, "discarded": None,
    }  # fmt: skip
    return row | changes


def table(rows):
    """Return the rows as a table."""
    return pa.Table.from_pylist(list(rows), schema=ANSWERS)


def renamed_sides(answers):
    """Return the same listening with every pair stored the other way round: A is called B, and what was played is the same."""
    rows = answers.to_pylist()
    for row in rows:
        # "invalid" holds an a, so only the values that begin with a side are turned.
        turned = [row["value"], *row["gold"]]
        turned = [value.translate(TURN) if value and value[0] in SIDES else value for value in turned]
        row["value"], row["gold"] = turned[0], turned[1:]
        row["side"] = row["side"] and row["side"].translate(TURN)
        row["order"] = row["order"].translate(TURN)
    return table(rows)


def as_votes(answers):
    """Return the ordinary answers as ternary votes, for the agreement of annotators as the paper counts it."""
    rows = [row for row in answers.to_pylist() if not row["gold"] and row["value"]]
    labels = {"a": "A", "b": "B", None: "T"}
    return pa.table({
        "pair_id": [row["item_id"] for row in rows],
        "annotator_id": [row["annotator_id"] for row in rows],
        "value": [labels[row["side"]] for row in rows],
    })  # fmt: skip
