"""Clocks that no step of the time of day moves."""

import time

import pytest

from contracts.clocks import elapsed_s, steady_time


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_step_of_the_clock_moves_neither(monkeypatch, step_s):
    """The time of day does go on from where the process found it."""
    before, steady, now = elapsed_s(), steady_time(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + step_s)
    assert 0 <= elapsed_s() - before < 10
    assert 0 <= steady_time() - steady < 10


def test_it_is_the_time_of_day():
    """As long as nobody sets that."""
    assert steady_time() == pytest.approx(time.time(), abs=5)


def test_it_counts_the_sleep_of_the_machine():
    """As the kernel's clock of that name does; here it has not slept since the last line."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("this system has no such clock")
    assert elapsed_s() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=5)
