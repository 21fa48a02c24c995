"""How much a split gets: a fraction or a quota, and the shares of a quota by stratum."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much one split gets: one of the two.

    Attributes:
        fraction: share of the leakage groups that the quotas of other splits leave, in (0, 1].
        quota: number of rows.
        oversample: how many times the quota is assigned, where some of the rows will be dropped later.

    Raises:
        ValueError: both, neither, or out of bounds.
    """

    fraction: float | None = None
    quota: int | None = None
    oversample: float = 1.0

    def __post_init__(self) -> None:
        if (self.fraction is None) == (self.quota is None):
            raise ValueError("give either a fraction or a quota")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise ValueError(f"a fraction lies above 0 and is at most 1, got {self.fraction:g}; leave a split out instead")
        if self.quota is not None and self.quota <= 0:
            raise ValueError(f"a quota is above 0, got {self.quota}; leave a split out instead")
        if not self.oversample >= 1:
            raise ValueError(f"oversample is at least 1, got {self.oversample:g}")

    @property
    def rows(self) -> int:
        """How many rows a quota takes, oversampled."""
        return self.of(self.quota or 0)

    def of(self, rows: int) -> int:
        """Return so many rows, oversampled."""
        return math.ceil(rows * self.oversample)


def check(sizes: Mapping[str, Size]) -> None:
    """Check that the sizes make sense together.

    Raises:
        ValueError: there are none, or the fractions do not add up to 1.
    """
    if not sizes:
        raise ValueError("name at least one split")
    fractions = [size.fraction for size in sizes.values() if size.fraction is not None]
    if fractions and abs(sum(fractions) - 1) > _ROUNDING:
        raise ValueError(f"fractions must add up to 1, got {sum(fractions):g}")


def apportion(total: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Divide ``total`` in proportion to ``sizes`` into whole numbers that add up to it, by largest remainder (Hamilton).

    Equal remainders go to the larger size, then to the smaller name.

    Args:
        total: what to divide, not negative.
        sizes: name -> size, not negative.

    Raises:
        ValueError: a negative number, or nothing to divide among.
    """
    whole = sum(sizes.values())
    if total < 0 or any(size < 0 for size in sizes.values()) or (total and not whole):
        raise ValueError(f"cannot apportion {total} over {dict(sizes)}")
    exact = {name: Fraction(total * size, whole) if whole else Fraction(0) for name, size in sizes.items()}
    seats = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(sizes, key=lambda name: (seats[name] - exact[name], -sizes[name], name))
    for name in by_remainder[: total - sum(seats.values())]:
        seats[name] += 1
    return seats
