"""How long to wait for a provider's batches."""

from dataclasses import dataclass
from typing import Final

from annotate.models.calls.rate_limits import LONGEST_WAIT_S, backoff_s
from annotate.models.judge import Judge, Trouble

_SLOWER: Final = 1.5
_SLOWEST: Final = 10  # times the first interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long to wait for what.

    Attributes:
        poll_s: first wait between two looks at a batch, seconds; it grows tenfold at most.
        looks: how often a batch that may have been handed in is looked for before it counts as never accepted.
        look_wait_s: seconds between these looks.
    """

    poll_s: float = 60.0
    looks: int = 3
    look_wait_s: float = 20.0

    def grown_s(self, looks: int) -> float:
        """Return the wait after so many looks in vain, from 1 on."""
        return self.poll_s * min(_SLOWER ** min(looks - 1, 99), _SLOWEST)


def pause_s(judge: Judge, name: str, failures: int, trouble: Trouble) -> float:
    """Return how long to wait after a trouble with a batch.

    Args:
        judge: who is asked.
        name: of the batch, from which the jitter is drawn.
        failures: how many there were in a row.
        trouble: the last one.
    """
    if trouble.wait_s is not None:
        return min(trouble.wait_s, LONGEST_WAIT_S)
    return backoff_s(name, failures, judge.pace.backoff_s)
