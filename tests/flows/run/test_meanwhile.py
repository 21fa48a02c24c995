"""Work beside other work: what ends one of them, and what that does to the other."""

import threading

import pytest

from contracts.errors import BudgetExceeded, SetupError
from flows.run.meanwhile import meanwhile

LIMIT_S = 20


class Other:
    """Work that goes on until it is stopped or let go."""

    def __init__(self, error=None):
        self.error, self.ended = error, ""
        self.let_go = threading.Event()

    def __call__(self, *, stop):
        while not stop.is_set() and not self.let_go.is_set():
            stop.wait(0.01)
        self.ended = "stopped" if stop.is_set() else "done"
        if self.error:
            raise self.error


def test_both_are_done():
    other = Other()
    with meanwhile(other) as check:
        check()
        other.let_go.set()
    assert other.ended == "done"


def test_what_is_paid_for_is_waited_for():
    """A budget that is used up ends this work, and the other one is done all the same."""
    other = Other()
    threading.Timer(0.2, other.let_go.set).start()
    with pytest.raises(BudgetExceeded), meanwhile(other):
        raise BudgetExceeded("nothing left")
    assert other.ended == "done"


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_an_interruption_stops_both(end):
    other = Other()
    with pytest.raises(end), meanwhile(other):
        raise end
    assert other.ended == "stopped"


def test_an_error_of_the_other_is_raised_here():
    """At the next look, and at the latest at the end."""
    for looks in (0, LIMIT_S * 100):
        other = Other(SetupError("the model file is gone"))
        with pytest.raises(SetupError, match="model file"):
            _beside(other, looks)


def _beside(other, looks):
    with meanwhile(other) as check:
        other.let_go.set()
        for _ in range(looks):
            check()
            threading.Event().wait(0.01)
        assert not looks, "the error was not seen"
