"""Figures: named numbers about all items of a benchmark or a part of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring.reliability.measures import Measure


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number.

    Attributes:
        name: what is measured, such as ``accuracy``.
        of: which items or which part of the replies, by facet, such as ``{"corpus": "somos"}``; empty = all.
        measure: the number with its n and interval.
    """

    name: str
    of: Mapping[str, str] = field(default_factory=dict)
    measure: Measure
