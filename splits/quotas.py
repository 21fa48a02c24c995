"""How many rows a split gets: fractions or counts, and their shares by stratum."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from contracts.errors import RecipeError

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What each split shall get.

    Attributes:
        weights: split -> share of the rows, relative to the others; splits that get nothing are left out.
        limits: split -> most rows; null = the targets are fractions, and every row goes somewhere.
    """

    weights: Mapping[str, float]
    limits: Mapping[str, int] | None


def read(targets: Mapping[str, float]) -> Targets:
    """Tell fractions from quotas.

    Args:
        targets: split -> fraction (floats that add up to 1) or split -> quota (whole numbers of rows).

    Raises:
        RecipeError: empty, negative, a mixture of both, or fractions that do not add up to 1.
    """
    values = list(targets.values())
    if not any(values) or any(isinstance(value, bool) or not value >= 0 for value in values):
        raise RecipeError(f"splits: each split needs a fraction or a number of rows, one of them above 0; got {dict(targets)}")
    weights = {split: float(value) for split, value in targets.items() if value}
    if all(isinstance(value, int) for value in values):
        return Targets(weights=weights, limits={split: int(value) for split, value in targets.items() if value})
    if any(isinstance(value, int) and value not in {0, 1} for value in values):
        raise RecipeError(f"splits: give fractions or numbers of rows, not both; got {dict(targets)}")
    if abs(sum(values) - 1) > _ROUNDING:
        raise RecipeError(f"splits: fractions add up to {sum(values):g}, not to 1: {dict(targets)}")
    return Targets(weights=weights, limits=None)


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
