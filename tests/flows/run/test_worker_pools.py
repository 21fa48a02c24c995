"""Pools of workers: what each may have of the nodes, and what its next batch is."""

from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.jobs import Resources
from flows.run.worker_pools import capacity, pools_of, share
from tests.flows.fake_job import requests

GPU_NODE = {"CPU": 8.0, "GPU": 1.0}


@dataclass(frozen=True)
class ShapedJob:
    """A job of which only the shape matters."""

    name: str
    resources: Resources


def pool(*shapes, rows=100):
    return pools_of([(ShapedJob(f"job {number}", shape), requests(*["x"] * rows)) for number, shape in enumerate(shapes)])


def test_jobs_without_a_gpu_share_a_pool():
    found = pool(Resources(), Resources(), Resources(gpus=1), Resources(gpus=1), Resources(cpus=2))
    assert [(one.resources.gpus, one.resources.cpus, len(one.waiting)) for one in found] == [
        (1, 1, 1), (1, 1, 1), (0, 2, 1), (0, 1, 2),
    ]  # fmt: skip


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
    (one,) = pools_of([(ShapedJob("job", Resources(batch_size=size)), requests(*["x" * (n % 7) for n in range(rows)]))])
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
