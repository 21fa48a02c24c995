"""A clock that is set in the middle of a listening test."""

import pytest

from tests.annotate import ledgers

# The clock of a whole process, which steps in the middle.
_STEPPING = """
import sys, time
step_s, real = 0.0, time.time
time.time = lambda: real() + step_s
from annotate.people.store.store_records import Refused
from annotate.people.store.vote_store import Store
from tests.annotate.listeners import item, join, listening_settings

def why(act, *said):
    try:
        act(*said)
    except Refused as error:
        return error.reason, error.wait_s <= 2.0

with Store(sys.argv[1], listening_settings(lease_s=600)) as store:
    store.add_items([item("x")])
    who, other = join(store, "Ann"), join(store, "Ben")
    at = store.next(who)
    store.played(at.assignment_id, who, "1", "started")
    step_s = float(sys.argv[2])
    store.next(other)  # takes back what is over
    print(store.next(who).expires_at == at.expires_at, store.progress().leases)
    print(why(store.played, at.assignment_id, who, "1", "ended"))
"""


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_step_of_the_clock_takes_no_item_and_holds_nobody_up(tmp_path, step_s):
    """What was begun goes on, and can be answered after as many seconds as it lasts."""
    running = ledgers.running(_STEPPING, str(tmp_path / "votes.sqlite"), str(step_s))
    told, _ = running.communicate(timeout=120)
    assert told.splitlines() == ["True 2", "('too_early', True)"]
