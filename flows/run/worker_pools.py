"""Pools of workers, and how they share the nodes of a cluster.

Jobs without a GPU that need the same CPUs share a pool, whose workers open one job after another. A job with a GPU has a pool
of its own: its model fills the memory of the device, or the part of it that it asks for. Work ahead for a later stage has pools
of its own, too, which take what the others leave.
"""

import collections
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.jobs import Job, Resources
from contracts.joins import taken

_AHEAD: Final = 2
"""Batches that a worker is sent at once, so that it never waits for the build."""

_SHARES: Final = 4
"""Into how many batches a worker's share of the rest is divided, at least. The first batches have the longest texts: with two,
as many as a worker is sent at once, one of sixteen workers ended 1.4 times as late as the others. More are more commits.
"""

_NUMBERS: Final = itertools.count()
"""Numbers of batches and pools, unique in this process: no late reply to an earlier fan-out is taken for one to this one."""


@dataclass(kw_only=True)
class Batch:
    """Requests of one job.

    Attributes:
        job: the job.
        rows: its requests.
        largest: most requests that a session takes at once.
        deaths: workers that died of it.
        grows: whether no worker had any of it, so that more requests may join it.
    """

    job: Job
    rows: pa.Table
    largest: int
    deaths: int = 0
    grows: bool = False

    def part(self, start: int, rows: int | None = None) -> "Batch":
        """Return some of the requests as a batch that nothing died of."""
        return Batch(job=self.job, rows=self.rows.slice(start, rows), largest=self.largest)

    def halves(self) -> "list[Batch]":
        """Return the batch as two smaller ones."""
        middle = self.rows.num_rows // 2
        return [self.part(0, middle), self.part(middle)]


@dataclass(kw_only=True)
class Pool:
    """Workers of one shape, and what is left for them.

    Attributes:
        resources: what one worker occupies.
        is_ahead: whether it works ahead for a later stage.
        waiting: requests that no worker has, of one job after another, the longest texts of each first.
        busy: batches that workers have, by their numbers.
        workers: workers that it may have now.
        number: what Ray's process calls it.
    """

    resources: Resources
    is_ahead: bool = False
    waiting: "collections.deque[Batch]" = field(default_factory=collections.deque)
    busy: dict[int, Batch] = field(default_factory=dict)
    workers: int = 0
    number: int = field(default_factory=lambda: next(_NUMBERS))

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return not self.waiting and not self.busy

    def add(self, job: Job, requests: pa.Table) -> None:
        """Add requests of a job, those with the longest texts first, so that the last batches are short.

        What comes later goes behind what the job has waiting: its batches are full as long as there is enough.
        """
        ordered = requests
        if "text" in requests.column_names:
            order = pa.table({"n": pc.utf8_length(requests["text"]), "id": requests["row_id"]})
            ordered = taken(requests, pc.sort_indices(order, sort_keys=[("n", "descending"), ("id", "ascending")]))
        known = next((batch for batch in self.waiting if batch.grows and batch.job == job), None)
        if known is None:
            self.waiting.append(Batch(job=job, rows=ordered, largest=job.resources.batch_size, grows=True))
        else:
            known.rows = pa.concat_tables([known.rows, ordered])

    def wants_more(self) -> bool:
        """Return whether a worker could take one more batch now.

        Nothing is sent ahead while a batch that a worker died of is not done: a worker that dies of its second batch can take
        the reply to its first along, which then seems to be what it died of.
        """
        is_suspect = any(batch.deaths for batch in itertools.chain(self.waiting, self.busy.values()))
        return bool(self.waiting) and len(self.busy) < (1 if is_suspect else _AHEAD) * self.workers

    def take(self) -> tuple[int, Batch]:
        """Return the next batch with its number, and count it as busy.

        Batches get smaller towards the end, so that no worker is left alone with a whole one.
        """
        first = self.waiting[0]
        left = sum(batch.rows.num_rows for batch in self.waiting)
        size = min(first.largest, -(-left // (_SHARES * max(self.workers, 1))))
        if first.deaths or first.rows.num_rows <= size:
            batch = self.waiting.popleft()
            batch.grows = False
        else:
            batch, first.rows = first.part(0, size), first.rows.slice(size)
        number = next(_NUMBERS)
        self.busy[number] = batch
        return number, batch

    def repeat_busy(self) -> None:
        """Put the batches of lost workers back to the front."""
        self.waiting.extendleft(reversed(self.busy.values()))
        self.busy.clear()

    def most_workers(self) -> int:
        """Return how many workers could be busy with what is left."""
        waiting: int = sum(batch.rows.num_rows for batch in self.waiting)
        return len(self.busy) + waiting


class Pools:
    """The pools of a fan-out, in the order in which they are given workers: what needs most first, work ahead last."""

    def __init__(self, work: Iterable[tuple[Job, pa.Table]]) -> None:
        self._by_shape: dict[object, Pool] = {}
        self.add(work)

    def add(self, work: Iterable[tuple[Job, pa.Table]], *, is_ahead: bool = False) -> None:
        """Add requests of some jobs; to work ahead is for workers that nothing else needs.

        Jobs of small batches are slow ones: they come first, so that the last batches are short.
        """
        for job, requests in sorted(work, key=lambda one: one[0].resources.batch_size):
            if requests.num_rows:
                resources = job.resources
                shape = is_ahead, job if resources.gpus else resources.cpus
                self._by_shape.setdefault(shape, Pool(resources=resources, is_ahead=is_ahead)).add(job, requests)

    def __iter__(self) -> Iterator[Pool]:
        return iter(sorted(self._by_shape.values(), key=lambda one: (one.is_ahead, -one.resources.gpus, -one.resources.cpus)))

    @property
    def are_done(self) -> bool:
        """Whether nothing is left in any of them."""
        return all(pool.is_done for pool in self._by_shape.values())


def capacity(resources: Resources, nodes: Iterable[dict[str, float]]) -> int:
    """Return how many workers fit on the nodes at once: the sum over nodes, because a worker cannot span two."""
    return sum(_fitting(resources, node) for node in nodes)


def share(pools: Sequence[Pool], nodes: Iterable[dict[str, float]]) -> list[int]:
    """Return how many workers each pool may have, so that all fit on the nodes at once; the first pools choose first."""
    free = [dict(node) for node in nodes]
    found = []
    for pool in pools:
        wanted, workers = pool.most_workers(), 0
        for node in free:
            here = min(_fitting(pool.resources, node), wanted - workers)
            for kind, need in _needs(pool.resources).items():
                node[kind] -= here * need
            workers += here
        found.append(workers)
    return found


def _fitting(resources: Resources, node: dict[str, float]) -> int:
    needs = _needs(resources)
    return min((int(node.get(kind, 0.0) / need + 1e-9) for kind, need in needs.items()), default=1)


def _needs(resources: Resources) -> dict[str, float]:
    return {kind: need for kind, need in (("CPU", resources.cpus), ("GPU", resources.gpus)) if need}
