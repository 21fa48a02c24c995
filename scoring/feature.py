"""Acoustic features: values of metrics under names and with units that a person, or a language model, reads.

A metric whose values are such features says so by ``features``. A table of them has one line per measured value::

    median F0: 182.4 Hz
    harmonics-to-noise ratio (HNR): 14.2 dB
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from contracts import plugins

_LINE: Final = re.compile(
    r"(?P<name>[^:()]+?)(?: \((?P<short>[^:()]+)\))?: (?P<number>-?[0-9]+(?:\.[0-9]+)?)(?: (?P<unit>\S.*))?"
)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """How one value of a metric is shown.

    Attributes:
        name: its name, such as ``median F0``.
        short: another name, such as an abbreviation.
        unit: its unit as words are written after a number; empty = a bare number.
        decimals: digits after the point that mean something.
        factor: what the value is multiplied by to be in ``unit``: 100 for a share in percent.
    """

    name: str
    short: str = ""
    unit: str
    decimals: int
    factor: float = 1.0

    @property
    def title(self) -> str:
        """Its name, and the other one in parentheses."""
        return f"{self.name} ({self.short})" if self.short else self.name


@dataclass(frozen=True, kw_only=True)
class ShownFeature:
    """One line of a table.

    Attributes:
        names: the feature's names.
        number: the value, rounded.
        unit: its unit; may be empty.
    """

    names: tuple[str, ...]
    number: Decimal
    unit: str


def features_of(metric: str) -> Mapping[str, Feature]:
    """Return value name -> feature, of a metric plug-in; none for one that declares none."""
    found: Mapping[str, Feature] = getattr(plugins.load("metric", metric), "features", {})
    return found


def table(features: Mapping[str, Feature], values: Mapping[str, float | None]) -> str:
    """Return one line for each value that was measured, in the order of the features."""
    lines = list[str]()
    for key, feature in features.items():
        if (value := values.get(key)) is not None:
            # Adding zero turns -0.0 into 0.0.
            number = round(value * feature.factor, feature.decimals) + 0.0
            lines.append(f"{feature.title}: {number:.{feature.decimals}f} {feature.unit}".rstrip())
    return "\n".join(lines)


def read_table(lines: Iterable[str]) -> list[ShownFeature]:
    """Return the features of a table.

    Raises:
        ValueError: a line is not one of a table.
    """
    found = list[ShownFeature]()
    for line in lines:
        if (match := _LINE.fullmatch(line)) is None:
            raise ValueError(f"{line[:80]!r} is no line like 'median F0: 182.4 Hz'")
        names = (match["name"],) if match["short"] is None else (match["name"], match["short"])
        found.append(ShownFeature(names=names, number=Decimal(match["number"]), unit=match["unit"] or ""))
    return found
