"""All readings of a text as one graph, and the two readings of two texts that are closest to each other.

``2024`` is read "twenty twenty four" or "two thousand and twenty four", and the transcript of either may be ``2024``.
No single normal form makes these equal without making different readings equal, too. So a text is the set of its readings, and
the errors between two texts are those of the closest two.

A form is a unit, a tuple of forms one after the other, or a list of forms to choose from, the usual one first. The empty tuple
is a form: a list that holds it is optional.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Any, Final, TypeAlias

import numpy as np

Form: TypeAlias = "str | tuple[Form, ...] | list[Form]"

_Edges = list[tuple[int, str | None]]  # where from and the unit on the way; None = no unit


class Units(list[str]):
    """The usual reading of a text as a list of units, which knows the others, too."""

    def __init__(self, forms: Iterable[Form]) -> None:
        """Build the graph: node 0 is the beginning, the last node the end, and every edge leads to a later node."""
        self.edges: Final[list[_Edges]] = [[]]
        end = 0
        for form in forms:
            end = self._add(form, end)
        super().__init__(_usual(self.edges))

    def _add(self, form: Form, start: int) -> int:
        if isinstance(form, str):
            self.edges.append([(start, form)])
            return len(self.edges) - 1
        if isinstance(form, tuple):
            for part in form:
                start = self._add(part, start)
            return start
        if len(form) == 1:
            return self._add(form[0], start)
        ends = [self._add(one, start) for one in form]
        self.edges.append([(end, None) for end in ends])
        return len(self.edges) - 1

    @property
    def is_single(self) -> bool:
        """Whether there is no other reading."""
        return len(self.edges) == len(self) + 1


def _usual(edges: Sequence[_Edges]) -> list[str]:
    """Walk back along the first edges."""
    units, node = list[str](), len(edges) - 1
    while node:
        node, unit = edges[node][0]
        if unit is not None:
            units.append(unit)
    return units[::-1]


def closest(one: Sequence[str], other: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return a reading of each text such that no two have a smaller edit distance; among those, the most usual ones.

    The distance is that of Levenshtein between two acyclic word graphs (as lattice error rates of recognisers are counted),
    found by Dijkstra's algorithm over pairs of nodes: the closer the texts, the fewer pairs are looked at. A plain list has one
    reading.

    Where that takes more than ``MOST_PAIRS``, the text with fewer choices has its usual reading; the other's closest one is
    found, and then, in texts of some hundred words, the first's that is closest to that. This is exact where one text has a
    single reading; else there might be two readings that are closer. Which text is the reference makes no difference.
    """
    left = one if isinstance(one, Units) else Units(one)
    right = other if isinstance(other, Units) else Units(other)
    if left == right or (left.is_single and right.is_single):
        return list(left), list(right)
    return _shortest_path(left.edges, right.edges) or _one_at_a_time(left, right)


def _one_at_a_time(left: Units, right: Units) -> tuple[list[str], list[str]]:
    certain, open_one = sorted((left, right), key=lambda units: (len(units.edges) - len(units), units))
    chosen = _closest_to(open_one.edges, certain)
    is_fixed = certain.is_single or len(certain.edges) * len(chosen) > _MOST_IN_A_SECOND_STEP
    fixed = list(certain) if is_fixed else _closest_to(certain.edges, chosen)
    return (fixed, chosen) if certain is left else (chosen, fixed)


MOST_PAIRS: Final = 80_000
"""Pairs of nodes that are compared at most. Prose of 150 words with nothing in common has fewer."""

_MOST_IN_A_SECOND_STEP: Final = 5_000_000

_ERROR: Final = 10_000  # more than there are unusual readings in a text: an error outweighs them all


def _shortest_path(left: Sequence[_Edges], right: Sequence[_Edges]) -> "tuple[list[str], list[str]] | None":
    """Walk from the last pair of nodes back to the first; a step takes an edge of one graph, or of both.

    None: there are too many pairs.
    """
    goal = len(left) * len(right) - 1
    best = {goal: 0}
    parents: dict[int, tuple[int, str | None, str | None]] = {}
    queue = [(0, goal)]
    while queue:
        cost, pair = heappop(queue)
        if not pair:
            break
        if cost > best[pair]:
            continue
        if len(best) > MOST_PAIRS:
            return None
        for extra, source, unit, other in _steps(left, right, pair):
            total = cost + extra
            if total < best.get(source, total + 1):
                best[source] = total
                parents[source] = pair, unit, other
                heappush(queue, (total, source))
    reference, hypothesis, pair = list[str](), list[str](), 0
    while pair != goal:
        pair, unit, other = parents[pair]
        if unit is not None:
            reference.append(unit)
        if other is not None:
            hypothesis.append(other)
    return reference, hypothesis


_DELETED, _ALIGNED, _INSERTED = range(3)


def _closest_to(graph: Sequence[_Edges], words: Sequence[str]) -> list[str]:
    """Return the reading of a graph that is closest to a list of words, row by row in numpy: a row holds a node's distances."""
    places = defaultdict[str, list[int]](list)
    for place, word in enumerate(words):
        places[word].append(place)
    substituted = np.full(len(words), _ERROR, dtype=np.int32)
    inserted = np.arange(len(words) + 1, dtype=np.int32) * _ERROR
    last_use = {source: node for node, edges in enumerate(graph) for source, _ in edges}
    rows = {0: inserted}
    steps = np.zeros((len(graph), len(words) + 1), dtype=np.uint8)
    steps[0] = _INSERTED
    for node, edges in enumerate(graph[1:], start=1):
        source, unit = edges[0]
        before = rows[source]
        if unit is None:
            row = before
            for rank, (source, _) in enumerate(edges[1:], start=1):
                other = rows[source] + 1
                np.putmask(steps[node], other < row, rank)
                row = np.minimum(row, other)
        else:
            row = before + _ERROR
            aligned = before[:-1] + substituted
            aligned[places.get(unit, [])] -= _ERROR
            np.less_equal(aligned, row[1:], out=steps[node, 1:].view(bool))
            np.minimum(aligned, row[1:], out=row[1:])
            reached = np.minimum.accumulate(row - inserted) + inserted
            np.putmask(steps[node], reached < row, _INSERTED)
            row = reached
        rows[node] = row
        for source, _ in edges:
            if last_use[source] == node:
                rows.pop(source, None)
    return _walked(graph, steps)


def _walked(graph: Sequence[_Edges], steps: "np.ndarray[Any, Any]") -> list[str]:
    """Follow the steps from the end of both back to the first node, and return the units on the way."""
    node, place = len(graph) - 1, steps.shape[1] - 1
    units = list[str]()
    while node:
        step = steps[node][place]
        source, unit = graph[node][0]
        if unit is None:
            node = graph[node][step][0]
        elif step == _INSERTED:
            place -= 1
        else:
            units.append(unit)
            node, place = source, place - int(step == _ALIGNED)
    return units[::-1]


_Step = tuple[int, int, str | None, str | None]  # cost, pair of nodes, and the unit of either graph


def _steps(left: Sequence[_Edges], right: Sequence[_Edges], pair: int) -> Iterator[_Step]:
    """Yield the steps that lead to a pair of nodes."""
    width = len(right)
    row, column = divmod(pair, width)
    mine, others = left[row], right[column]
    if mine and mine[0][1] is None:  # a choice: these edges have no unit, and the first is the usual one
        for rank, (source, _) in enumerate(mine):
            yield int(rank > 0), source * width + column, None, None
        return
    if others and others[0][1] is None:
        for rank, (source, _) in enumerate(others):
            yield int(rank > 0), row * width + source, None, None
        return
    for source, unit in mine:
        for aside, other in others:
            yield _ERROR if unit != other else 0, source * width + aside, unit, other
        yield _ERROR, source * width + column, unit, None
    for aside, other in others:
        yield _ERROR, row * width + aside, None, other
