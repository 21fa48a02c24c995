"""Comparisons that contradict each other in a circle: A beats B, B beats C, C beats A, or any longer or shorter cycle.

The preference graph of a text group has a node per sample and an edge from the winner to the loser of each comparison. An
edge lies on a cycle exactly if both of its ends are in one strongly connected component, so the components of all groups'
graphs, found in one pass over one sparse matrix, answer for every comparison at once.

Source: UniSRM, appendix G.1, which drops what takes part in a cyclic contradiction inside its text group. The paper leaves
open how long a cycle may be (here: any length) and what two opposite labels of one pair are (here: a cycle of length two).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.ids import canonical_json
from filters.verdict import spread

Nodes = tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.integer[Any]]]
"""Node numbers of sample A and of sample B, per row."""


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """Drop every comparison that lies on a preference cycle of its text group; reason ``cycle``.

    A comparison without a verdict is no edge and is kept: ``tied_totals`` answers for it.
    """

    columns: ClassVar[tuple[str, ...]] = ("item_id", "group_id", "sample_a", "sample_b", "verdict")
    makes_labels: ClassVar[bool] = False
    needed_by: ClassVar[tuple[str, ...]] = ()

    def reasons(self, table: pa.Table) -> pa.StringArray:
        """Return ``cycle`` or null per row.

        Raises:
            DataError: a verdict is neither a, b nor null, or a group or sample id is null.
        """
        return pc.if_else(pa.array(_on_cycle(table)), pa.scalar("cycle"), pa.scalar(None, pa.string()))

    def evidence(self, table: pa.Table, reasons: pa.StringArray) -> pa.StringArray:
        """Return one witness cycle per dropped row: ``{"samples": [...], "pairs": [...]}``.

        Each sample beats the next one and the last beats the first; ``pairs`` names the comparison of each of these steps. A
        shortest cycle through the row's own edge is found with networkx, once for all edges that lie on it.
        """
        dropped = table.select(list(self.columns)).filter(pc.is_valid(reasons))
        return spread(_witnesses(dropped), reasons)


def _on_cycle(table: pa.Table) -> npt.NDArray[np.bool_]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    winner, loser, decided = _edges(table)
    if not decided.any():
        return decided
    size = 1 + int(max(winner.max(), loser.max()))
    # Parallel edges become one when the search converts this to rows; it does not end on a graph that has any.
    graph = coo_array((np.ones(int(decided.sum())), (winner[decided], loser[decided])), shape=(size, size))
    _, component = connected_components(graph, directed=True, connection="strong")
    same: npt.NDArray[np.bool_] = component[winner] == component[loser]
    return same & decided


def _edges(table: pa.Table) -> tuple[*Nodes, npt.NDArray[np.bool_]]:
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
    node_a, node_b = _nodes(table)
    return np.where(b_wins, node_b, node_a), np.where(b_wins, node_a, node_b), code >= 0


def _nodes(table: pa.Table) -> Nodes:
    """Number the nodes; a sample id counts within its group only, so the same id under another text is another node."""
    import pandas as pd

    both_sides = pa.chunked_array([*table["sample_a"].chunks, *table["sample_b"].chunks], pa.string())
    group, sample = (pd.factorize(pd.arrays.ArrowExtensionArray(ids))[0] for ids in (table["group_id"], both_sides))
    node, _ = pd.factorize(np.tile(group, 2) * (sample.max(initial=0) + 1) + sample)
    return node[: table.num_rows], node[table.num_rows :]


def _witnesses(dropped: pa.Table) -> list[str]:
    import networkx as nx

    winner, loser, _ = _edges(dropped)
    edges = list(zip(winner.tolist(), loser.tolist(), strict=True))
    item_ids, verdicts, left, right = (dropped[name].to_pylist() for name in ("item_id", "verdict", "sample_a", "sample_b"))
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
        pairs = [item_ids[rows_of[step][0]] for step in cycle]
        text = canonical_json({"samples": nodes, "pairs": pairs})
        for place, step in enumerate(cycle):
            for row in rows_of[step]:
                # A repeated comparison stands in its own evidence, not its twin.
                own = [*pairs[:place], item_ids[row], *pairs[place + 1 :]]
                texts[row] = text if own == pairs else canonical_json({"samples": nodes, "pairs": own})
    return texts


PLUGIN = Cycles
