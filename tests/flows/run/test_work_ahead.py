"""Work for a later stage while a stage is at work: it is done once, by workers that are free, and bounded."""

import threading

import pytest

from flows.run import work_ahead
from flows.run.work_ahead import WorkAhead
from tests.flows.fake_job import TroubleJob, requests

JOB = TroubleJob(log="log")


def rows_of(work):
    return [rows.num_rows for _, rows in work]


def test_what_is_added_is_taken_once():
    ahead = WorkAhead()
    ahead.add([(JOB, requests("a")), (JOB, requests("a", "b"))])
    assert rows_of(ahead.take()) == [1, 2]
    assert ahead.take() == []


def test_it_is_over_when_it_is_closed_and_empty():
    """What the fan-out itself makes may still add to a closed one."""
    ahead = WorkAhead()
    assert not ahead.is_over
    ahead.close()
    assert ahead.is_over
    ahead.add([(JOB, requests("a"))])
    assert not ahead.is_over
    ahead.take()
    assert ahead.is_over


def test_too_many_requests_are_left_to_the_later_stage(monkeypatch):
    """As many wait as the limit says, whether taken or not, until they are done."""
    monkeypatch.setattr(work_ahead, "_MOST_ROWS", 5)
    ahead = WorkAhead()
    ahead.add([(JOB, requests(*"abc")), (JOB, requests(*"abc")), (JOB, requests(*"abc"))])
    assert rows_of(ahead.take()) == [3, 2]
    ahead.add([(JOB, requests("a"))])
    assert ahead.take() == []
    ahead.note_done(4)
    ahead.add([(JOB, requests(*"abcdef"))])
    assert rows_of(ahead.take()) == [4]


@pytest.mark.parametrize("threads", [1, 4])
def test_any_thread_may_add(threads):
    ahead = WorkAhead()
    adding = [threading.Thread(target=lambda: [ahead.add([(JOB, requests("a"))]) for _ in range(50)]) for _ in range(threads)]
    for thread in adding:
        thread.start()
    for thread in adding:
        thread.join()
    assert sum(rows_of(ahead.take())) == 50 * threads
