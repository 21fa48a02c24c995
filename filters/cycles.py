"""Comparisons that contradict each other in a circle: A beats B, B beats C, C beats A, or any longer or shorter cycle.

The preference graph of a text group has a node per sample and an edge from the winner to the loser of each comparison. An
edge lies on a cycle exactly if both of its ends are in one strongly connected component, so the components of all groups'
graphs, found in one pass over one sparse matrix, answer for every comparison at once.

Most of the time would go into numbering the nodes, whose names are strings. So there are two passes. The first numbers a node
by a hash of its name: nodes of one hash melt into one, which may close a circle that is none but never opens one, and leaves
few suspects. The second numbers the suspects' nodes exactly; all edges of a true cycle are among them.

Source: UniSRM, appendix G.1, which drops what takes part in a cyclic contradiction inside its text group. The paper leaves
open how long a cycle may be (here: any length) and what two opposite labels of one pair are (here: a cycle of length two).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.ids import canonical_json
from filters.verdict import spread

Nodes = tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]]]
"""Node numbers of sample A and of sample B, per row."""

_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, 2**64 / golden ratio: Knuth's multiplicative hashing
_FIRST_BYTES: Final = np.array([(1 << (8 * kept)) - 1 for kept in range(9)], dtype=np.uint64)  # masks of little-endian words
_NEAR_BITS: Final = 14
_SPARE_BITS: Final = 1  # two slots and more per row: few nodes melt, and the slots still fit a processor's cache


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """Drop every comparison that lies on a preference cycle of its text group; reason ``cycle``.

    A comparison without a verdict is no edge and is kept: ``tied_totals`` answers for it.
    """

    columns: ClassVar[tuple[str, ...]] = ("pair_id", "group_id", "sample_a", "sample_b", "verdict")

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return ``cycle`` or null per row.

        Raises:
            DataError: a verdict is neither a, b nor null, or a group or sample id is null.
        """
        on_cycle = _on_cycle(table, _hashed_nodes)
        suspects = table.select(list(self.columns[1:])).filter(pa.array(on_cycle))
        on_cycle[on_cycle] = _on_cycle(suspects, _exact_nodes)
        return pc.if_else(pa.array(on_cycle), pa.scalar("cycle"), pa.scalar(None, pa.string()))

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return one witness cycle per dropped row: ``{"samples": [...], "pairs": [...]}``.

        Each sample beats the next one and the last beats the first; ``pairs`` names the comparison of each of these steps. A
        shortest cycle through the row's own edge is found with networkx, once for all edges that lie on it.
        """
        dropped = table.select(list(self.columns)).filter(pc.is_valid(reasons))
        return spread(_witnesses(dropped), reasons)


def _on_cycle(table: pa.Table, number_nodes: Callable[[pa.Table], Nodes]) -> npt.NDArray[np.bool_]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    winner, loser, decided = _edges(table, number_nodes)
    if not decided.any():
        return decided
    size = 1 + int(max(winner.max(), loser.max()))
    # Parallel edges become one when the search converts this to rows; it does not end on a graph that has any.
    graph = coo_array((np.ones(int(decided.sum())), (winner[decided], loser[decided])), shape=(size, size))
    _, component = connected_components(graph, directed=True, connection="strong")
    same: npt.NDArray[np.bool_] = component[winner] == component[loser]
    return same & decided


def _edges(table: pa.Table, number_nodes: Callable[[pa.Table], Nodes]) -> tuple[*Nodes, npt.NDArray[np.bool_]]:
    """Return the winner's and the loser's node per row, and whether there is a verdict at all."""
    for column in ("group_id", "sample_a", "sample_b"):
        if table[column].null_count:
            raise DataError(f"comparisons, column {column}, row {pc.index(pc.is_null(table[column]), True).as_py()}: null")
    verdict = table["verdict"].combine_chunks()
    found = pc.index_in(verdict, value_set=pa.array(["a", "b"]))
    if found.null_count > verdict.null_count:
        row = pc.index(pc.and_(pc.is_null(found), pc.is_valid(verdict)), True).as_py()
        raise DataError(f"comparisons, column verdict, row {row}: {verdict[row].as_py()!r}; wants a, b or null")
    code = found.fill_null(-1).to_numpy(zero_copy_only=False)
    b_wins = code == 1
    node_a, node_b = number_nodes(table)
    return np.where(b_wins, node_b, node_a), np.where(b_wins, node_a, node_b), code >= 0


def _exact_nodes(table: pa.Table) -> Nodes:
    """Number the nodes; a sample id counts within its group only, so the same id under another text is another node."""
    group = _codes(table["group_id"].combine_chunks())
    sample = _codes(pa.concat_arrays([table["sample_a"].combine_chunks(), table["sample_b"].combine_chunks()]))
    node = _codes(pa.array(np.concatenate([group, group]) * (sample.max(initial=0) + 1) + sample))
    return node[: table.num_rows], node[table.num_rows :]


def _codes(values: Any) -> npt.NDArray[np.int64]:
    codes: npt.NDArray[np.int64] = values.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _hashed_nodes(table: pa.Table) -> Nodes:
    """Number the nodes so that one node has one number, though a number may stand for several nodes."""
    group, *samples = [_hashes(table[column]) for column in ("group_id", "sample_a", "sample_b")]
    bits = table.num_rows.bit_length() + _SPARE_BITS
    # A group's samples lie near its own slot: the search through the graph then stays in the processor's cache.
    slots = [(_slot(group, bits) + _slot(sample + group, _NEAR_BITS)).view(np.int64) for sample in samples]
    taken = np.zeros((1 << bits) + (1 << _NEAR_BITS), dtype=np.bool_)
    for slot in slots:
        taken[slot] = True
    number = np.cumsum(taken, dtype=np.int32)
    return number[slots[0]], number[slots[1]]


def _slot(hashed: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.uint64]:
    slot: npt.NDArray[np.uint64] = hashed * _FACTOR >> np.uint64(64 - bits)  # the high bits depend on all bits below them
    return slot


def _hashes(ids: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash per id, over all of its bytes."""
    words = _words(ids.combine_chunks())
    # A sum, so that a word of padding adds nothing: the same id may stand in a column of longer ones.
    hashed: npt.NDArray[np.uint64] = words @ np.cumprod(np.full(words.shape[1], _FACTOR), dtype=np.uint64)
    hashed ^= hashed >> np.uint64(32)
    return hashed


def _words(ids: Any) -> npt.NDArray[np.uint64]:
    """Return the bytes of the ids as words of eight, padded with zeros to the longest id; shape (ids, words)."""
    if not pa.types.is_string(ids.type):
        ids = ids.cast(pa.string())
    offsets = np.frombuffer(ids.buffers()[1], dtype=np.int32)[ids.offset : ids.offset + len(ids) + 1]
    lengths = np.diff(offsets)
    longest = int(lengths.max(initial=0))
    if not longest:
        return np.zeros((len(ids), 1), dtype=np.uint64)
    characters = np.frombuffer(ids.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    if longest % 8 == 0 and characters.size == longest * len(ids):  # all of one length, as contracts.ids makes them
        return characters.view(np.uint64).reshape(len(ids), -1)
    starts, padded = offsets[:-1] - offsets[0], np.append(characters, np.zeros(8, dtype=np.uint8))
    word_at = np.ndarray(shape=(padded.size - 7,), dtype=np.uint64, buffer=padded.data, strides=(1,))
    words = []
    for place in range(0, longest, 8):
        word = word_at[np.minimum(starts + place, padded.size - 8)]
        words.append(word & _FIRST_BYTES[np.clip(lengths - place, 0, 8)])
    return np.stack(words, axis=1)


def _witnesses(dropped: pa.Table) -> list[str]:
    import networkx as nx

    winner, loser, _ = _edges(dropped, _exact_nodes)
    edges = list(zip(winner.tolist(), loser.tolist(), strict=True))
    pair_ids, verdicts, left, right = (dropped[name].to_pylist() for name in ("pair_id", "verdict", "sample_a", "sample_b"))
    name: dict[int, str] = {}
    rows_of: dict[tuple[int, int], list[int]] = {}
    for row, (win, lose) in enumerate(edges):
        name[win], name[lose] = (left[row], right[row]) if verdicts[row] == "a" else (right[row], left[row])
        rows_of.setdefault((win, lose), []).append(row)

    graph = nx.DiGraph(rows_of.keys())
    texts = [""] * dropped.num_rows
    for edge, rows in rows_of.items():
        if texts[rows[0]]:
            continue
        path = nx.shortest_path(graph, edge[1], edge[0])
        cycle = [edge, *pairwise(path)]
        nodes = [name[win] for win, _ in cycle]
        pairs = [pair_ids[rows_of[step][0]] for step in cycle]
        text = canonical_json({"samples": nodes, "pairs": pairs})
        for place, step in enumerate(cycle):
            for row in rows_of[step]:
                # A repeated comparison stands in its own evidence, not its twin.
                own = [*pairs[:place], pair_ids[row], *pairs[place + 1 :]]
                texts[row] = text if own == pairs else canonical_json({"samples": nodes, "pairs": own})
    return texts


PLUGIN = Cycles
