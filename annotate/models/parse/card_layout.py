"""The two layouts of a score card: its fixed lines (UniSRM, App. A, Figs. 3, 5 and 6)."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

SUMMARY: Final = "[Comparison summary]"


@dataclass(frozen=True, kw_only=True)
class CardLayout:
    """The fixed lines of a score card.

    Attributes:
        heading: above the part of one speech; ``{}`` is its letter.
        bullet: before a dimension; ``{}``, if any, is its number from 1 on.
        total: before the sum of one speech; ``{}`` is its letter.
    """

    heading: str
    bullet: str
    total: str

    @property
    def headings(self) -> list[str]:
        """All headings, in order."""
        return [self.heading.format("A"), self.heading.format("B"), SUMMARY]

    @property
    def total_start(self) -> str:
        """What the total of either speech starts with."""
        return self.total.partition("{")[0]

    @cached_property
    def item(self) -> re.Pattern[str]:
        """A line that scores a dimension: bullet, name, score, explanation."""
        rest = r" ?(.{1,99}?) ?[:\uff1a] ?score ?= ?(.{0,99}?) ?[;\uff1b] ?explanation ?[:\uff1a](.*)"
        return re.compile(f"({self._any_bullet}){rest}")

    @cached_property
    def looks_like_item(self) -> re.Pattern[str]:
        """Start of a line that cannot be the rest of an explanation."""
        return re.compile(rf"{self._any_bullet}|{re.escape(self.total_start)}|.*\bscore ?=")

    @property
    def _any_bullet(self) -> str:
        return re.escape(self.bullet.format("@")).replace("@", "[0-9]+")


NUMBERED: Final = CardLayout(heading="[Speech {}]", bullet="{})", total="Total_{}")
BULLETED: Final = CardLayout(heading="[Speech {} evaluation]", bullet="-", total="- Total score for Speech {}")
