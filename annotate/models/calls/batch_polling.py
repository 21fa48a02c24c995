"""How often a provider's batches are polled, and how long to wait after a failure."""

from dataclasses import dataclass
from typing import Final

from annotate.models.calls.rate_limits import LONGEST_WAIT_S, backoff_s
from annotate.models.judge import Service
from annotate.models.request import AttemptFailure

_GROWTH: Final = 1.5
_MOST_GROWTH: Final = 10  # times the first interval


@dataclass(frozen=True, kw_only=True, slots=True)
class PollSchedule:
    """How often batches are polled.

    Attributes:
        poll_s: first interval between two polls of a batch, seconds; it grows tenfold at most.
        searches: how often a batch that may have been submitted is searched for before it counts as never accepted.
        search_s: interval between these searches, seconds.
    """

    poll_s: float = 60.0
    searches: int = 3
    search_s: float = 20.0

    def interval_s(self, polls: int) -> float:
        """Return the interval after so many polls that found nothing new, from 1 on."""
        return self.poll_s * min(_GROWTH ** min(polls - 1, 99), _MOST_GROWTH)


def retry_wait_s(judge: Service, name: str, in_a_row: int, failure: AttemptFailure) -> float:
    """Return how long to wait after a failure with a batch.

    Args:
        judge: the judge.
        name: of the batch, from which the jitter is drawn.
        in_a_row: how many failures there were in a row.
        failure: the last one.
    """
    if failure.wait_s is not None:
        return min(failure.wait_s, LONGEST_WAIT_S)
    return backoff_s(name, in_a_row, judge.pace.backoff_s)
