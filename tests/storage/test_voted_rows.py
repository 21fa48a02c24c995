"""Rows of pairs that people voted on: the teacher's prompt, whether it was right, and labels that may be ties."""

import pyarrow as pa

from storage.columns import TASK1
from storage.voted_columns import taught, undecided
from storage.voted_rows import TaughtRows
from tests.storage.release_rows import rows


class Plain:
    """Rows of pairs, as they are."""

    def ordered(self, splits):
        return splits

    def batch(self, splits):
        return splits


def test_each_row_has_its_own_prompt_and_whether_the_teacher_was_right():
    table = rows(3)
    right = pa.table({"item_id": ["pair-00002", "pair-00000"], "teacher": ["wrong", "right"]})

    def prompt(tag, *, text, language):
        return f"[{tag}] {text} ({language})"

    found = TaughtRows(Plain(), prompt=prompt, shown=("text", "language"), right=right).batch(table)
    assert found["teacher"].to_pylist() == ["right", None, "wrong"]
    assert found["prompt"].to_pylist() == ["[en] text 0 (en)"] * 3
    assert set(found.column_names) <= set(taught(TASK1).names)


def test_only_labels_may_be_open_and_only_completions_read_otherwise():
    """Beside the two new columns the schemas are those of the task."""
    open_, asked = undecided(TASK1), taught(TASK1)
    changed = [one.name for one, other in zip(TASK1.columns, open_.columns, strict=True) if one != other]
    assert (changed, open_.columns.field("label").nullable, list(open_.labels)) == (["label"], True, ["a", "b", "tie"])
    assert asked.names == [*TASK1.names, "prompt", "teacher"]
    assert [one.type for one in asked.columns][: len(TASK1.names)] == [one.type for one in TASK1.columns]
    assert b"loss" in asked.columns.field("completion").metadata[b"meaning"]
