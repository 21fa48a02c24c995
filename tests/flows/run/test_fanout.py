"""The fan-out: every request ends in exactly one place, whatever workers do."""

import json
import threading

import pytest

from contracts.errors import SetupError
from contracts.jobs import Resources
from flows.run.cluster_resources import check_resources
from flows.run.fanout import fan_out
from flows.run.work_ahead import WorkAhead
from tests.flows.fake_job import TroubleJob, requests


def run(tmp_path, *texts, **options):
    """Fan the requests out and return the done ids, the failures by id, and how often each was attempted."""
    log = tmp_path / "log"
    log.touch()
    done, failed = [], {}

    def commit(job, outcome):
        done.extend(outcome.rows["metric_key"].to_pylist())
        failed.update((row["row_id"], row) for row in outcome.failures.to_pylist())

    fan_out([(TroubleJob(log=str(log), **options), requests(*texts))], commit)
    attempts = [json.loads(line)["row"] for line in log.read_text().splitlines()]
    return sorted(done), failed, {row: attempts.count(row) for row in set(attempts)}


pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_every_request_is_done_once(tmp_path):
    """Without trouble each request is attempted exactly once."""
    done, failed, attempts = run(tmp_path, *["fine"] * 25)
    assert len(done) == 25
    assert not failed
    assert set(attempts.values()) == {1}


def test_a_failing_request_leaves_the_others_alone(tmp_path):
    """A failure row keeps its reason; the batch goes on."""
    done, failed, _ = run(tmp_path, "fine", "fail", "fine")
    assert done == ["row000", "row002"]
    assert failed["row001"]["reason"] == "no_good"


def test_an_exception_is_narrowed_down_to_its_request(tmp_path):
    """The poisonous request of a batch stands alone in the failures, with the exception's name and message."""
    done, failed, _ = run(tmp_path, *["fine"] * 5, "raise", *["fine"] * 5, batch_size=8)
    assert len(done) == 10
    assert list(failed) == ["row005"]
    assert failed["row005"]["reason"] == "ZeroDivisionError"
    assert "the engine broke" in failed["row005"]["message"]


def test_a_killed_worker_is_replaced(tmp_path):
    """A worker that is killed once costs nothing but a second attempt of its batch."""
    done, failed, attempts = run(tmp_path, "fine", "die_once", "fine", "fine")
    assert len(done) == 4
    assert not failed
    assert attempts["row001"] == 2


def test_a_request_that_kills_workers_ends_as_a_failure(tmp_path):
    """A request that kills every worker is found by halving; all others are done."""
    done, failed, _ = run(tmp_path, "fine", "fine", "die", "fine", batch_size=2)
    assert len(done) == 3
    assert failed["row002"]["reason"] == "worker_died"


def test_a_model_that_cannot_be_opened_stops_the_stage(tmp_path):
    """What no request can survive is an error that says why, not a failure per row."""
    with pytest.raises(SetupError, match="the model file is gone"):
        run(tmp_path, "fine", opens=False)


def test_what_follows_from_a_batch_is_done_in_the_same_fan_out(tmp_path):
    """A later stage's requests for each row, also those that another thread adds until it says that there are no more."""
    log, done = tmp_path / "log", []
    log.touch()
    first, later = TroubleJob(log=str(log), batch_size=2), TroubleJob(log=str(log), batch_size=3)
    ahead = WorkAhead()

    def commit(job, outcome):
        keys = outcome.rows["metric_key"].to_pylist()
        done.extend((job == first, key) for key in keys)
        if job == first:
            ahead.add([(later, requests(*["fine"] * len(keys)))])

    def add():
        ahead.add([(later, requests("fine"))])
        ahead.close()

    threading.Timer(1.0, add).start()
    fan_out([(first, requests(*["fine"] * 7))], commit, ahead=ahead)
    assert sorted(key for is_first, key in done if is_first) == [f"row{number:03d}" for number in range(7)]
    assert len([key for is_first, key in done if not is_first]) == 8


def test_a_gpu_that_is_not_there_is_refused_at_once(ray_cluster):
    """Ray would wait for ever; we say which request cannot be placed and what to do."""
    with pytest.raises(SetupError, match=r"system xtts needs 1 GPU.*--ray"):
        check_resources({"system xtts": Resources(gpus=1)})
