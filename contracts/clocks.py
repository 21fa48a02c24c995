"""Clocks that go on evenly: whatever is set, corrected or asleep, a second on them is a second.

The time of day may jump by hours in both directions (a late NTP sync, a restored virtual machine, an operator). It is right
for what people read, and wrong for every question of the form "how long ago".
"""

import time
from typing import Final


def elapsed_s() -> float:
    """Return seconds since some fixed moment, never set back or forward, and not standing still while the machine sleeps."""
    # Linux' monotonic clock stands still during suspend: a lease that ran out in a closed laptop would look fresh.
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


_STARTED_AT: Final = time.time() - elapsed_s()


def steady_time() -> float:
    """Return seconds since 1970 as this process found them when it started, going on evenly from there."""
    return _STARTED_AT + elapsed_s()
