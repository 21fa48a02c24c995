"""The usage that a reply states, checked.

A provider's numbers are as untrusted as its text: servers were seen to state -1, ``true``, ``"12"`` or 18446744073709551615. A
count that the request cannot have had is unknown. The reply is kept, its counts are null, and its highest price is booked.
"""

import json
import math
from dataclasses import replace
from typing import Final

from annotate.models.request import Estimate, Refusal, Reply

_TIMES: Final = 10  # estimates are high already; a server may put a prompt of its own before ours
_MOST_DIGITS: Final = 300

UNBOUNDED: Final = Estimate(input_tokens=2**21, output_tokens=2**21, usd=math.inf)
"""The bound where the request is not at hand, as in a batch's results: the largest context of any model."""

MOST_TOKENS: Final = 2**31
"""More than any request has; what a ledger holds beyond that is damage."""


def count(value: object, estimated: int, *, least: int = 0) -> int | None:
    """Return a count of tokens as a reply states it; None if the request cannot have had it.

    Args:
        value: what is in the reply.
        estimated: the most that was expected.
        least: the fewest that are possible: 1 where something was sent or came back.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= min(_TIMES * estimated, MOST_TOKENS) else None


def booked(answer: Reply | Refusal, highest_usd: float) -> Reply | Refusal:
    """Return an answer with a price that can be booked: the highest one where its own is unknown or cannot be.

    Args:
        answer: from a session; its cost is for one attempt, and infinite if the session cannot tell.
        highest_usd: the most that the attempt was estimated to cost; 0 = nothing, or not known.
    """
    usd = answer.cost_usd
    if 0.0 <= usd < math.inf and (not highest_usd or usd <= _TIMES * highest_usd):
        return answer
    if isinstance(answer, Reply):
        return replace(answer, cost_usd=highest_usd, input_tokens=None, output_tokens=None)
    return replace(answer, cost_usd=highest_usd)


def decoded(body: str | bytes) -> object:
    """Return a body as JSON, with numbers of any length; None if it is no JSON."""
    try:
        return json.loads(body)
    except RecursionError:
        return None
    except ValueError:  # also for more digits than Python turns into a number
        try:
            return json.loads(body, parse_int=_whole)
        except (ValueError, RecursionError):
            return None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)
