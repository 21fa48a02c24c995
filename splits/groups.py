"""Which text groups must stay on one side of a split: those that share a recording, a dialogue or (nearly) a text.

Two texts are nearly identical when their sets of character trigrams, taken of their ``leakage_form``, have a Jaccard similarity
of at least 0.8: one word changed in a sentence of about fifteen. Characters need no word segmentation, so Chinese is treated
alike.

The similarity join is exact: it finds the same pairs as comparing all with all. It rests on the prefix filter (Chaudhuri et
al., "A primitive operator for similarity joins in data cleaning", ICDE 2006; Bayardo et al., "Scaling up all pairs similarity
search", WWW 2007), extended to several shared items (Wang et al., "Can we beat the prefix filtering?", SIGMOD 2012), as
products of sparse matrices.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.text_identity import leakage_form

SIMILARITY: Final = 0.8
"""Jaccard similarity of trigram sets from which two texts count as nearly identical."""

GRAM: Final = 3
"""Characters a gram; a shorter text is one gram."""

RECORDINGS: Final = ("reference_utterance_id", "target_utterance_id")
AUDIO: Final = ("reference_audio_id", "target_audio_id")
DIALOGUE: Final = "dialogue"

_SHARED_GRAMS: Final = 4  # grams that two prefixes must share: more of them, fewer candidates, longer prefixes
_BLOCK: Final = 2_000  # texts compared with all others at once: bounds the memory of a product

Links = npt.NDArray[np.int64]
"""Pairs of row numbers, shape (n, 2)."""


def leakage_groups(keys: pa.Table, *, similarity: float = SIMILARITY) -> pa.Table:
    """Return the leakage group of every text group: all that are linked, directly or through others.

    A link is: the same recording, in whatever role; the same audio or dialogue, where the columns are given; the same text
    however it is written (``leakage_form``), in whatever language; nearly the same text.

    Args:
        keys: columns group_id, text (nullable), reference_utterance_id (nullable), target_utterance_id (nullable); optionally
            reference_audio_id and target_audio_id (nullable), and dialogue (nullable; a name or a list of names of dialogues
            that the prompt takes any recording from, its history included). A group may have several rows.
        similarity: Jaccard similarity from which texts are nearly the same, in (0, 1].

    Returns:
        Columns group_id (sorted) and leakage_group, the row id of the smallest group id among the linked.

    Raises:
        DataError: a column is missing or a group id is null.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    missing = [column for column in ("group_id", "text", *RECORDINGS) if column not in keys.column_names]
    if missing:
        raise DataError(f"leakage groups need the columns {', '.join(missing)}; there are {', '.join(keys.column_names)}")
    if keys["group_id"].null_count:
        raise DataError("leakage groups: a group_id is null")
    group_ids = sorted(set(keys["group_id"].to_pylist()))
    number = {group_id: place for place, group_id in enumerate(group_ids)}
    members = [number[group_id] for group_id in keys["group_id"].to_pylist()]

    normal = [None if text is None else leakage_form(text) for text in keys["text"].to_pylist()]
    spoken = sorted({text for text in normal if text})
    text_number = {text: place for place, text in enumerate(spoken)}
    things: dict[tuple[str, str], int] = {("text", text): place for text, place in text_number.items()}
    links: list[tuple[int, int]] = []

    def link(member: int, kind: str, thing: str | None) -> None:
        if thing is not None:
            links.append((member, len(group_ids) + things.setdefault((kind, thing), len(things))))

    for column in (*RECORDINGS, *(name for name in AUDIO if name in keys.column_names)):
        for member, thing in zip(members, keys[column].to_pylist(), strict=True):
            link(member, "recording" if column in RECORDINGS else "audio", thing)
    if DIALOGUE in keys.column_names:
        for member, named in zip(members, keys[DIALOGUE].to_pylist(), strict=True):
            for dialogue in [named] if isinstance(named, str) else named or ():
                link(member, "dialogue", dialogue)
    for member, text, raw in zip(members, normal, keys["text"].to_pylist(), strict=True):
        # A text of punctuation alone has no normal form; only its exact twin is the same text.
        link(member, "text" if text else "exact text", text or raw)

    near = near_identical(spoken, similarity=similarity) + len(group_ids)
    ends = np.concatenate([np.array(links, dtype=np.int64).reshape(-1, 2), near])
    size = len(group_ids) + len(things)
    graph = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(size, size))
    component = connected_components(graph, directed=False)[1][: len(group_ids)]
    _, smallest, which = np.unique(component, return_index=True, return_inverse=True)
    names = [row_id("leakage", group_ids[place]) for place in smallest.tolist()]
    leakage_group = pa.array(names, pa.string()).take(pa.array(which))
    return pa.table({"group_id": pa.array(group_ids, pa.string()), "leakage_group": leakage_group})


def near_identical(texts: Sequence[str], *, similarity: float = SIMILARITY) -> Links:
    """Return all pairs of texts whose trigram sets have at least the given Jaccard similarity.

    Args:
        texts: distinct, normalised, not empty.
        similarity: in (0, 1].

    Returns:
        Pairs of positions in ``texts``, smaller first, sorted; shape (n, 2).

    Raises:
        ValueError: similarity is not in (0, 1].
    """
    if not 0 < similarity <= 1:
        raise ValueError(f"similarity must be in (0, 1], got {similarity}")
    if len(texts) < 2:
        return np.empty((0, 2), dtype=np.int64)
    grams, order = _gram_matrix(texts)
    sizes = np.diff(grams.indptr)
    found = [np.empty((0, 2), dtype=np.int64)]
    for left, right in _candidates(grams, sizes, similarity):
        overlap = grams[left].multiply(grams[right]).sum(axis=1)
        close = overlap / (sizes[left] + sizes[right] - overlap) >= similarity
        found.append(np.stack([order[left[close]], order[right[close]]], axis=1))
    pairs = np.sort(np.concatenate(found), axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _gram_matrix(texts: Sequence[str]) -> tuple[Any, npt.NDArray[np.int64]]:
    """Return the 0/1 matrix of texts (by size) x grams (rare ones first), and which text each of its rows is."""
    from scipy.sparse import csr_array

    sets = [{text[start : start + GRAM] for start in range(max(1, len(text) - GRAM + 1))} for text in texts]
    order = np.argsort([len(grams) for grams in sets], kind="stable")
    vocabulary: dict[str, int] = {}
    columns = np.array([vocabulary.setdefault(gram, len(vocabulary)) for row in order.tolist() for gram in sorted(sets[row])])
    ends = np.cumsum([0, *(len(sets[row]) for row in order.tolist())])
    rank = np.empty(len(vocabulary), dtype=np.int32)
    rank[np.argsort(np.bincount(columns), kind="stable")] = np.arange(len(vocabulary))
    matrix = csr_array((np.ones(columns.size, dtype=np.int32), rank[columns], ends), shape=(len(texts), len(vocabulary)))
    matrix.sort_indices()
    return matrix, order


def _candidates(
    grams: Any, sizes: npt.NDArray[np.int64], similarity: float
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield pairs of rows that may be similar; every similar pair is among them, once.

    Two sets of sizes m <= n with Jaccard similarity s share at least s * n items, so m >= s * n, and of the rarest
    n - ceil(s * n) + k items of the larger and m - ceil(s * m) + k of the smaller they share at least k, or all they share.
    """
    from scipy.sparse import csr_array

    least = np.ceil(similarity * sizes - 1e-9).astype(np.int64)  # 0.8 * 5 must not become 4.000001 and then 5
    lengths = np.minimum(sizes - least + _SHARED_GRAMS, sizes)
    starts = np.cumsum(lengths) - lengths
    inside = np.arange(lengths.sum()) - np.repeat(starts, lengths) + np.repeat(grams.indptr[:-1], lengths)
    ends = np.append(starts, lengths.sum())
    prefixes = csr_array((np.ones(inside.size, dtype=np.int32), grams.indices[inside], ends), shape=grams.shape)
    for begin in range(0, len(sizes), _BLOCK):
        end = min(begin + _BLOCK, len(sizes))
        first = int(np.searchsorted(sizes, least[begin]))
        shared = (prefixes[begin:end] @ prefixes[first:end].T).tocoo()
        larger, smaller = shared.coords[0] + begin, shared.coords[1] + first
        enough = shared.data >= np.minimum(_SHARED_GRAMS, least[larger])
        keep = enough & (smaller < larger) & (sizes[smaller] >= least[larger])
        yield smaller[keep], larger[keep]
