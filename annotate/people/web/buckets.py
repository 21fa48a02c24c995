"""Token buckets that limit how often a key may try something."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

_MAX_KEYS: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """The limit of one key.

    Attributes:
        burst: tries at once.
        per_s: tries gained per second.
    """

    burst: int
    per_s: float


class Buckets:
    """One bucket per key, in memory; the least recently used keys are dropped first. Thread-safe."""

    def __init__(self, allowance: Allowance, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.allowance = allowance
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable) -> float:
        """Take one try; return 0, or the seconds until the next one if there is none."""
        with self._lock:
            now = self._clock()
            level, since = self._levels.pop(key, (float(self.allowance.burst), now))
            level = min(self.allowance.burst, level + (now - since) * self.allowance.per_s)
            granted = level >= 1
            self._levels[key] = (level - granted, now)
            if len(self._levels) > _MAX_KEYS:
                self._levels.popitem(last=False)
            return 0.0 if granted else (1 - level) / self.allowance.per_s


def client_network(address: str) -> str:
    """Return the network that one client controls: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((known, 64), strict=False))
    return address
