"""What goes to a worker and comes back, without Ray."""

import pyarrow as pa

from contracts.jobs import Outcome
from flows.run.worker import Worker, reply, request
from tests.flows.fake_job import TroubleJob, requests


def test_a_batch_travels_without_the_requests_beside_it(tmp_path):
    """It is a slice of all that waits: a hundred thousand requests for each batch of eight would be most of a build's time."""
    job = TroubleJob(log=str(tmp_path / "log"))
    many = requests(*["fine"] * 100_000)
    alone = requests(*["fine"] * 8)
    assert len(request(job, many.slice(50_000, 8), None)) < 2 * len(request(job, alone, None))
    done = reply(Worker().run(request(job, many.slice(3, 2), None)))
    assert isinstance(done, Outcome)
    assert done.rows["metric_key"].to_pylist() == many["row_id"].slice(3, 2).to_pylist() == ["row003", "row004"]


def test_a_batch_of_several_pieces_arrives_whole(tmp_path):
    """What came to a job bit by bit lies in many chunks."""
    job = TroubleJob(log=str(tmp_path / "log"))
    rows = pa.concat_tables([requests("fine").slice(0, 1) for _ in range(5)]).slice(1, 3)
    done = reply(Worker().run(request(job, rows, None)))
    assert done.rows.num_rows == 3
