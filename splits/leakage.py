"""The proof that splits share nothing. It looks at the released rows only, and shares no code with what made the splits.

What counts as one text is defined once, for both (``contracts.text_identity.leakage_form``).

Near-identical texts are found by comparing every text of one split with every text of the others, as products of sparse 0/1
matrices of trigrams: no filter, nothing that could overlook a pair. That is one second for some thousands of texts and
minutes for a hundred thousand.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.errors import DataError, LeakageError
from contracts.schemas import SPLITS
from contracts.text_identity import leakage_form

SIMILARITY: Final = 0.8
"""Jaccard similarity of trigram sets from which two texts count as nearly identical."""

_RECORDING_COLUMNS: Final = ("reference_utterance_id", "target_utterance_id")
_AUDIO_COLUMNS: Final = ("reference_audio_id", "target_audio_id")
_SOURCE_COLUMNS: Final = ("reference_source", "target_source")
_COMPARED: Final = 2_000_000
"""Pairs of texts compared at once, which bounds the memory of a product."""


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


_Group = dict[str, Any]
"""``group_id``, ``leakage_group``, ``split``, ``item_id``, one of its items, and ``items``, how many it has there."""

_Uses = Iterable[tuple[str, int]]
"""Things, and the number of the text group that uses each."""


def prove(assignments: Iterable[pa.Table], keys: pa.Table, *, similarity: float = SIMILARITY) -> LeakageProof:
    """Prove that no two splits share a leakage group, text group, (near-identical) text, recording, audio, dialogue or content.

    Args:
        assignments: tables of schema SPLITS, some rows in each.
        keys: columns group_id, text, reference_utterance_id, target_utterance_id (nullable); optionally language,
            reference_audio_id and target_audio_id (audio of human recordings, nullable), reference_source and target_source
            (hashes of their files, nullable), dialogue (nullable; one name or a
            list of names) and content (nullable; what a corpus says that clips have in common). A group may have several
            rows; rows of other groups are ignored.
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
    some = [
        rows.group_by(names).aggregate([("item_id", "min"), ([], "count_all")])
        for rows in chain([SPLITS.empty_table()], assignments)
    ]
    items = pa.concat_tables(some).group_by(names).aggregate([("item_id_min", "min"), ("count_all", "sum")])
    items = items.select([*names, "item_id_min_min", "count_all_sum"]).rename_columns([*names, "item_id", "items"])
    groups: list[_Group] = items.sort_by("item_id").to_pylist()
    checked = {}
    for kind, column in (("leakage group", "leakage_group"), ("text group", "group_id")):
        checked[kind] = len(_disjoint(kind, ((group[column], place) for place, group in enumerate(groups)), groups))
    number = {group["group_id"]: place for place, group in enumerate(groups)}
    of = [number.get(group) for group in keys["group_id"].to_pylist()]
    if absent := sorted(number.keys() - {groups[place]["group_id"] for place in of if place is not None}):
        raise DataError(f"the leakage proof lacks the keys of text group {absent[0]} and {len(absent) - 1} others")

    def uses(*columns: str) -> Iterator[tuple[str, int]]:
        for column in columns:
            if column in keys.column_names:
                for thing, place in zip(keys[column].to_pylist(), of, strict=True):
                    if place is not None:
                        yield from ((one, place) for one in _each(thing))

    checked["text"] = len(_disjoint("text", uses("text"), groups))
    forms = ((leakage_form(text), place) for text, place in uses("text"))
    texts = _disjoint("normalised text", ((form, place) for form, place in forms if form), groups)
    checked["normalised text"] = len(texts)
    checked["recording"] = len(_disjoint("recording", uses(*_RECORDING_COLUMNS), groups))
    checked["audio"] = len(_disjoint("audio", uses(*_AUDIO_COLUMNS), groups))
    if any(column in keys.column_names for column in _SOURCE_COLUMNS):
        checked["source file"] = len(_disjoint("source file", uses(*_SOURCE_COLUMNS), groups))
    for kind in ("dialogue", "content"):
        if kind in keys.column_names:
            checked[kind] = len(_disjoint(kind, uses(kind), groups))
    _require_apart(texts, groups, similarity)
    checked["near-identical text"] = len(texts)
    counts = dict.fromkeys(sorted({group["split"] for group in groups}), 0)
    for group in groups:
        counts[group["split"]] += group["items"]
    return LeakageProof(
        rows=sum(counts.values()), splits=counts, checked=checked, shared=dict.fromkeys(checked, 0), similarity=similarity
    )


def _each(names: str | list[str | None] | None) -> list[str]:
    if isinstance(names, str):
        return [names]
    return [name for name in names or () if name is not None]


def _disjoint(kind: str, uses: _Uses, groups: Sequence[_Group]) -> dict[str, int]:
    """Return each thing with the text group that uses it first; fail at the first thing that two splits use."""
    first: dict[str, int] = {}
    for thing, place in uses:
        other = first.setdefault(thing, place)
        if groups[other]["split"] != groups[place]["split"]:
            raise LeakageError(_complaint(f"the {kind} {thing!r}", groups[other], groups[place]))
    return first


def _complaint(what: str, one: _Group, other: _Group) -> str:
    return (
        f"splits {one['split']} and {other['split']} share {what}: item {one['item_id']} of text group {one['group_id']} is in "
        f"{one['split']}, item {other['item_id']} of text group {other['group_id']} in {other['split']}; "
        "compute the leakage groups from the same keys and assign again"
    )


def _require_apart(texts: Mapping[str, int], groups: Sequence[_Group], similarity: float) -> None:
    """Fail at the first two texts of different splits that are nearly the same."""
    words, splits = list(texts), np.array([groups[place]["split"] for place in texts.values()])
    matrix, sizes = _trigrams(words)
    for split in sorted(set(splits.tolist()))[1:]:
        mine, others = np.flatnonzero(splits == split), np.flatnonzero(splits < split)
        right = matrix[others].T.tocsr()
        block_rows = max(1, _COMPARED // others.size)
        for begin in range(0, mine.size, block_rows):
            block = mine[begin : begin + block_rows]
            shared = (matrix[block] @ right).tocoo()
            one, other = block[shared.coords[0]], others[shared.coords[1]]
            near = np.flatnonzero(shared.data / (sizes[one] + sizes[other] - shared.data) >= similarity)
            if near.size:
                pair = words[int(other[near[0]])], words[int(one[near[0]])]
                users = (groups[texts[text]] for text in pair)
                raise LeakageError(_complaint(f"a near-identical text ({pair[0]!r}, {pair[1]!r})", *users))


def _trigrams(texts: Sequence[str]) -> tuple[Any, npt.NDArray[np.int64]]:
    """Return the 0/1 matrix of texts x trigrams, and the number of trigrams of each text; a shorter text is one."""
    from scipy.sparse import csr_array

    column: dict[str, int] = {}
    places, sizes = array("i"), np.zeros(len(texts), dtype=np.int64)
    for line, text in enumerate(texts):
        grams = {a + b + c for a, b, c in zip(text, text[1:], text[2:], strict=False)} or {text}
        places.extend(sorted(column.setdefault(gram, len(column)) for gram in grams))
        sizes[line] = len(grams)
    inside, ends = np.frombuffer(places, dtype=np.int32), np.concatenate([[0], np.cumsum(sizes)])
    shape = (len(texts), max(1, len(column)))
    return csr_array((np.ones(inside.size, dtype=np.int32), inside, ends), shape=shape), sizes
