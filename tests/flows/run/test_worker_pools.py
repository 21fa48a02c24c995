"""Pools of workers: what each may have of the nodes, and what its next batch is."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.jobs import Resources
from flows.run.worker_pools import Pools, capacity, share
from tests.flows.fake_job import requests

GPU_NODE = {"CPU": 8.0, "GPU": 1.0}


@dataclass(frozen=True)
class ShapedJob:
    """A job of which only the shape matters."""

    name: str
    resources: Resources


def work(*shapes, rows=100):
    return [(ShapedJob(f"job {number}", shape), requests(*["x"] * rows)) for number, shape in enumerate(shapes)]


def pool(*shapes, rows=100):
    return list(Pools(work(*shapes, rows=rows)))


def test_jobs_without_a_gpu_share_a_pool():
    found = pool(Resources(), Resources(), Resources(gpus=1), Resources(gpus=1), Resources(cpus=2))
    assert [(one.resources.gpus, one.resources.cpus, len(one.waiting)) for one in found] == [
        (1, 1, 1), (1, 1, 1), (0, 2, 1), (0, 1, 2),
    ]  # fmt: skip


def test_slow_jobs_come_first():
    """So that a worker that is left alone with the last batch is soon done; of equal ones the first of the recipe."""
    (one,) = pool(Resources(batch_size=32), Resources(batch_size=2), Resources(batch_size=8), Resources(batch_size=2))
    assert [batch.job.name for batch in one.waiting] == ["job 1", "job 3", "job 2", "job 0"]


@pytest.mark.parametrize(
    ("shapes", "nodes", "shares"),
    [
        ([Resources()], [{"CPU": 2.0}], [2]),
        ([Resources()], [{"CPU": 2.0}, {"CPU": 3.0}], [5]),
        ([Resources(cpus=2)], [{"CPU": 3.0}, {"CPU": 3.0}], [2]),  # a worker cannot span two nodes
        ([Resources(), Resources(gpus=1)], [GPU_NODE], [1, 7]),  # the GPU's worker needs a CPU, too
        ([Resources(gpus=0.25), Resources()], [GPU_NODE], [4, 4]),  # four on one GPU
        ([Resources(gpus=0.1)], [{"CPU": 20.0, "GPU": 1.0}], [10]),
        ([Resources(gpus=1), Resources(gpus=1)], [GPU_NODE], [1, 0]),  # the second one waits
        ([Resources(cpus=0)], [{"CPU": 2.0}], [1]),
    ],
)
def test_pools_share_the_nodes(shapes, nodes, shares):
    """What needs a GPU chooses first; the numbers are counted by hand."""
    assert share(pool(*shapes), nodes) == shares


@pytest.mark.parametrize(
    ("rows", "nodes", "shares"),
    [
        (100, [{"CPU": 2.0}], [2, 0]),  # nothing is left while every CPU has requests of the stage itself
        (1, [{"CPU": 2.0}], [1, 1]),  # the last one leaves a CPU
        (100, [GPU_NODE], [1, 7]),
    ],
)
def test_work_ahead_gets_what_the_stage_leaves(rows, nodes, shares):
    pools = Pools(work(Resources(gpus=1) if nodes == [GPU_NODE] else Resources(), rows=rows))
    pools.add([(ShapedJob("wer", Resources(cpus=1)), requests(*["x"] * 50))], is_ahead=True)
    assert [one.is_ahead for one in pools] == [False, True]
    assert share(list(pools), nodes) == shares


def test_a_gpu_is_not_taken_away_by_work_ahead():
    """Although it asks for more of one than the stage's own engine."""
    pools = Pools([(ShapedJob("tts", Resources(gpus=0.5)), requests("x", "x", "x"))])
    pools.add([(ShapedJob("metric", Resources(gpus=1)), requests("x"))], is_ahead=True)
    assert share(list(pools), [GPU_NODE]) == [2, 0]


def test_what_comes_later_fills_the_batches_of_its_job():
    """Three times five requests of two jobs make a full batch of eight, but what a worker had is not mixed with them."""
    jobs = [ShapedJob(name, Resources(batch_size=8)) for name in ("wer", "sim")]
    pools = Pools([])
    for number in range(3):
        rows = pa.table({name: [f"{number}{row}" for row in range(5)] for name in ("row_id", "subject_id", "text")})
        pools.add([(job, rows) for job in jobs], is_ahead=True)
    (one,) = pools
    one.workers = 1
    (number, first), (_, second) = one.take(), one.take()
    assert [(batch.job.name, batch.rows.num_rows) for batch in (first, second)] == [("wer", 8), ("wer", 6)]
    del one.busy[number]
    one.waiting.extendleft(reversed(first.halves()))
    pools.add([(jobs[0], rows)], is_ahead=True)
    assert [(batch.job.name, batch.rows.num_rows) for batch in one.waiting] == [
        ("wer", 4), ("wer", 4), ("wer", 6), ("sim", 15),
    ]  # fmt: skip


def test_no_more_workers_than_requests():
    assert share(pool(Resources(), rows=3), [{"CPU": 16.0}]) == [3]


@given(
    shapes=st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0.0, 0.5, 1.0, 2.0])), min_size=1, max_size=5),
    nodes=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=4),
)
def test_shares_fit(shapes, nodes):
    """All workers together never need more than there is, and whoever fits alone gets something once the others are done."""
    pools = pool(*(Resources(cpus=cpus, gpus=gpus) for cpus, gpus in shapes))
    machines = [{"CPU": float(cpus), "GPU": float(gpus)} for cpus, gpus in nodes]
    shares = share(pools, machines)
    for kind, need in (("CPU", "cpus"), ("GPU", "gpus")):
        used = sum(count * getattr(one.resources, need) for count, one in zip(shares, pools, strict=True))
        assert used <= sum(machine[kind] for machine in machines) + 1e-9
    first = pools[0]
    assert shares[0] == capacity(first.resources, machines)


@given(rows=st.integers(1, 200), workers=st.integers(1, 9), size=st.integers(1, 16))
def test_every_request_is_in_one_batch(rows, workers, size):
    """Batches are never larger than the job takes, never grow, and end small enough for all workers to end together."""
    (one,) = Pools([(ShapedJob("job", Resources(batch_size=size)), requests(*["x" * (n % 7) for n in range(rows)]))])
    one.workers = workers
    taken = []
    while one.waiting:
        assert one.wants_more()
        number, batch = one.take()
        taken.append(batch.rows)
        del one.busy[number]
    lengths = [batch.num_rows for batch in taken]
    together = pa.concat_tables(taken)
    assert sorted(together["row_id"].to_pylist()) == sorted(requests(*["x"] * rows)["row_id"].to_pylist())
    texts = [len(text) for text in together["text"].to_pylist()]
    assert texts == sorted(texts, reverse=True)
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths) <= size
    assert lengths[-1] == 1


def ended(speeds, lengths, batch_size):
    """When each worker has spoken all that it got, at so many letters a second; as Ray's process gives batches out."""
    texts = requests(*["x" * length for length in lengths])
    (one,) = Pools([(ShapedJob("job", Resources(batch_size=batch_size)), texts)])
    one.workers, now, ends = len(speeds), 0.0, [0.0] * len(speeds)
    sent = [[] for _ in speeds]
    while True:
        while one.wants_more():
            number, batch = one.take()
            worker = min(range(len(speeds)), key=lambda place: len(sent[place]))
            ends[worker] = max(ends[worker], now) + sum(map(len, batch.rows["text"].to_pylist())) / speeds[worker]
            sent[worker].append((ends[worker], number))
        if not any(sent):
            return ends
        now, number = min(batches[0] for batches in sent if batches)
        del one.busy[number]
        next(batches for batches in sent if batches and batches[0][1] == number).pop(0)


@pytest.mark.parametrize("speeds", [[10.0] * 2, [10.0] * 8, [10.0] * 16, [10.0] * 4 + [15.0] * 4])
@pytest.mark.parametrize(("texts", "batch_size"), [(48, 8), (240, 8), (960, 16)])
@pytest.mark.parametrize("seed", range(3))
def test_no_worker_is_left_alone_at_the_end(speeds, texts, batch_size, seed):
    """All end together but for a text or two: faster ones get more, and the last texts are short.

    The oracle is the time in which workers that need not wait for each other share all letters.
    """
    lengths = [int(length) for length in np.random.default_rng(seed).lognormal(4, 0.35, texts)]
    least = sum(lengths) / sum(speeds)
    assert max(ended(speeds, lengths, batch_size)) < least + 2 * max(lengths) / min(speeds)


def test_a_worker_is_sent_one_batch_ahead():
    (one,) = pool(Resources(batch_size=4), rows=100)
    one.workers = 3
    for _ in range(6):
        assert one.wants_more()
        one.take()
    assert not one.wants_more()
    one.repeat_busy()
    assert sum(batch.rows.num_rows for batch in one.waiting) == 100
    assert one.wants_more()


def test_nothing_is_sent_ahead_beside_a_batch_that_a_worker_died_of():
    """Else the reply to a worker's first batch could be lost with a worker that dies of its second."""
    (one,) = pool(Resources(), rows=40)
    one.workers = 2
    (number, suspect), *others = [one.take() for _ in range(3)]
    assert one.wants_more()
    one.waiting.appendleft(one.busy.pop(number))
    suspect.deaths = 1
    assert not one.wants_more()  # each worker has one
    del one.busy[others[0][0]]
    number, again = one.take()
    assert again is suspect
    assert not one.wants_more()
    del one.busy[number]
    assert one.wants_more()
    one.take()
    assert one.wants_more()
