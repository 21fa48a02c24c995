"""The proof that splits share nothing. It looks at the released rows only, and shares no code with what made the splits.

What counts as one text is defined once, for both (``contracts.text_identity.leakage_form``).

Near-identical texts are found by comparing every text of one split with every text of the others, as products of sparse 0/1
matrices of trigrams: no filter, nothing that could overlook a pair. That is one second for some thousands of texts and
minutes for a hundred thousand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError, LeakageError
from contracts.text_identity import leakage_form

SIMILARITY: Final = 0.8
"""Jaccard similarity of trigram sets from which two texts count as nearly identical."""

_RECORDING_COLUMNS: Final = ("reference_utterance_id", "target_utterance_id")
_AUDIO_COLUMNS: Final = ("reference_audio_id", "target_audio_id")
_BLOCK: Final = 500


@dataclass(frozen=True, kw_only=True)
class LeakageProof:
    """What was compared, kind by kind, and found not shared.

    Attributes:
        rows: assigned items.
        splits: split -> items in it.
        checked: kind of thing -> distinct things compared across splits.
        shared: kind of thing -> things found in two splits: all zero, or there would be no proof.
        similarity: Jaccard similarity from which texts count as nearly identical.
    """

    rows: int
    splits: dict[str, int]
    checked: dict[str, int]
    shared: dict[str, int]
    similarity: float


@dataclass(frozen=True, kw_only=True)
class _Use:
    """One thing that one text group of one split uses."""

    thing: str
    split: str
    group_id: str
    item_id: str


def prove(assignments: pa.Table, keys: pa.Table, *, similarity: float = SIMILARITY) -> LeakageProof:
    """Prove that no two splits share a leakage group, text group, text, near-identical text, recording, audio or dialogue.

    Args:
        assignments: of schema SPLITS.
        keys: columns group_id, text, reference_utterance_id, target_utterance_id (nullable); optionally language,
            reference_audio_id and target_audio_id (audio of human recordings, nullable), and dialogue (nullable; one name or a
            list of names). A group may have several rows; rows of other groups are ignored.
        similarity: Jaccard similarity from which texts are nearly the same, in (0, 1].

    Raises:
        LeakageError: something is shared; names it, both splits, both items and both text groups.
        DataError: ``keys`` lacks a column, or a text group that was assigned.
    """
    missing = [column for column in ("group_id", "text", *_RECORDING_COLUMNS) if column not in keys.column_names]
    if missing:
        raise DataError(f"the leakage proof needs the columns {', '.join(missing)}; there are {', '.join(keys.column_names)}")
    # One item of each text group stands for all: a release has many times more items than texts.
    names = ["group_id", "leakage_group", "split"]
    groups = assignments.group_by(names).aggregate([("item_id", "min")]).rename_columns([*names, "item_id"])
    rows = groups.sort_by("item_id").to_pylist()
    checked = {
        "leakage group": _disjoint("leakage group", (_use(row["leakage_group"], row) for row in rows)),
        "text group": _disjoint("text group", (_use(row["group_id"], row) for row in rows)),
    }
    assigned = {row["group_id"]: row for row in reversed(rows)}
    known = [key for key in keys.to_pylist() if key["group_id"] in assigned]
    absent = sorted(set(assigned) - {key["group_id"] for key in known})
    if absent:
        raise DataError(f"the leakage proof lacks the keys of text group {absent[0]} and {len(absent) - 1} others")

    texts = [_use(key["text"], assigned[key["group_id"]]) for key in known if key["text"] is not None]
    plain = [_Use(thing=leakage_form(use.thing), split=use.split, group_id=use.group_id, item_id=use.item_id) for use in texts]
    plain = [use for use in plain if use.thing]
    checked["text"] = _disjoint("text", texts)
    checked["normalised text"] = _disjoint("normalised text", plain)
    for kind, columns in (("recording", _RECORDING_COLUMNS), ("audio", _AUDIO_COLUMNS)):
        present = [column for column in columns if column in keys.column_names]
        uses = (_use(key[column], assigned[key["group_id"]]) for key in known for column in present if key[column] is not None)
        checked[kind] = _disjoint(kind, uses)
    if "dialogue" in keys.column_names:
        named = ((assigned[key["group_id"]], key["dialogue"]) for key in known)
        checked["dialogue"] = _disjoint("dialogue", (_use(one, row) for row, names in named for one in _each(names)))
    checked["near-identical text"] = _apart({use.thing: use for use in plain}, similarity)
    counts = {item["values"]: item["counts"] for item in pc.value_counts(assignments["split"]).to_pylist()}
    return LeakageProof(
        rows=assignments.num_rows, splits=counts, checked=checked, shared=dict.fromkeys(checked, 0), similarity=similarity
    )


def _use(thing: str, row: dict[str, str]) -> _Use:
    return _Use(thing=thing, split=row["split"], group_id=row["group_id"], item_id=row["item_id"])


def _each(names: str | list[str | None] | None) -> list[str]:
    if isinstance(names, str):
        return [names]
    return [name for name in names or () if name is not None]


def _disjoint(kind: str, uses: Iterator[_Use] | list[_Use]) -> int:
    """Return how many distinct things there are; fail at the first that two splits use."""
    first: dict[str, _Use] = {}
    for use in uses:
        other = first.setdefault(use.thing, use)
        if other.split != use.split:
            raise LeakageError(_complaint(f"the {kind} {use.thing!r}", other, use))
    return len(first)


def _complaint(what: str, one: _Use, other: _Use) -> str:
    return (
        f"splits {one.split} and {other.split} share {what}: item {one.item_id} of text group {one.group_id} is in "
        f"{one.split}, item {other.item_id} of text group {other.group_id} in {other.split}; "
        "compute the leakage groups from the same keys and assign again"
    )


def _apart(texts: dict[str, _Use], similarity: float) -> int:
    """Return how many texts were compared; fail at the first two of different splits that are nearly the same."""
    from scipy.sparse import csr_array

    uses = list(texts.values())
    column: dict[str, int] = {}
    lines, places = [], []
    for line, use in enumerate(uses):
        text = use.thing
        grams = {a + b + c for a, b, c in zip(text, text[1:], text[2:], strict=False)}
        for gram in sorted(grams or {text}):
            lines.append(line)
            places.append(column.setdefault(gram, len(column)))
    matrix = csr_array((np.ones(len(lines), dtype=np.int32), (lines, places)), shape=(len(uses), max(1, len(column))))
    sizes = np.bincount(np.array(lines, dtype=np.int64), minlength=len(uses))
    splits = np.array([use.split for use in uses])
    for split in sorted(set(splits.tolist()))[1:]:
        mine, others = np.flatnonzero(splits == split), np.flatnonzero(splits < split)
        right = matrix[others].T.tocsr()
        for begin in range(0, mine.size, _BLOCK):
            block = mine[begin : begin + _BLOCK]
            shared = (matrix[block] @ right).tocoo()
            one, other = block[shared.coords[0]], others[shared.coords[1]]
            near = np.flatnonzero(shared.data / (sizes[one] + sizes[other] - shared.data) >= similarity)
            if near.size:
                pair = uses[int(other[near[0]])], uses[int(one[near[0]])]
                raise LeakageError(_complaint(f"a near-identical text ({pair[0].thing!r}, {pair[1].thing!r})", *pair))
    return len(uses)
