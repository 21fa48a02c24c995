"""The settings of one listening test, as its recipe gives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from annotate.people.store.protocol import ListeningProtocol
from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.languages import MIXED
from contracts.rng import generator_for, secret_generator_for

if TYPE_CHECKING:
    import numpy as np

LEVELS: Final = ("none", "basic", "proficient", "native")
"""Levels of knowledge of a language, from low to high."""


@dataclass(frozen=True, kw_only=True)
class ListeningSettings:
    """Settings of one listening test.

    Attributes:
        protocol: configured plug-in.
        protocol_name: its name, as votes carry it.
        languages: language -> minimum level, of ``LEVELS``.
        lease_s: how long an item stays assigned to a listener who sends nothing.
        gold_every: one unmarked gold item in every block of this many items; 0 = none.
        qualification: gold items before the first ordinary one; 0 = no qualification test.
        qualification_pass: minimum share of right answers among them.
        most_answers: no more items are assigned once so many are answered or open; None = no limit.
        seed: fixes all random orders and positions.
        test: name of the test; a database that holds a test of another name is refused. Empty = any name.
        secret: mixed into the draws that listeners must not predict, as seed and ids are public. Empty = the seed alone.
    """

    protocol: ListeningProtocol
    protocol_name: str
    languages: Mapping[str, str] = field(default_factory=lambda: {"en": "proficient", "zh": "native"})
    lease_s: float = 1800.0
    gold_every: int = 10
    qualification: int = 5
    qualification_pass: float = 0.8
    most_answers: int | None = None
    seed: int = 0
    test: str = ""
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for language, level in self.languages.items():
            if level not in LEVELS:
                raise ValueError(f"languages: level {level!r} of {language} is none of {', '.join(LEVELS)}")
        if not self.languages or MIXED in self.languages:
            raise ValueError(f"languages must name at least one, and {MIXED!r} is none: it asks for all of them")
        if self.lease_s <= 0:
            raise ValueError(f"lease_s must be above 0, got {self.lease_s}")
        if self.gold_every < 0 or self.qualification < 0:
            raise ValueError(f"gold_every and qualification must not be negative, got {self.gold_every}, {self.qualification}")
        if not 0 <= self.qualification_pass <= 1:
            raise ValueError(f"qualification_pass must be between 0 and 1, got {self.qualification_pass}")

    @property
    def as_json(self) -> str:
        """The settings that a running test depends on, as JSON: votes per item, languages, questions and name of the test."""
        form = [[question.name, *question.options] for question in self.protocol.questions]
        return canonical_json([self.protocol.votes_needed(()), dict(self.languages), form, self.test])

    def generator(self, stage: str, row_key: str) -> "np.random.Generator":
        """Return the generator of one draw that listeners must not predict: which item is gold, which clip comes first."""
        if self.secret:
            return secret_generator_for(self.secret, self.seed, stage, row_key)
        return generator_for(self.seed, stage, row_key)

    def understood(self, levels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the languages of the items that an annotator with these levels may get, sorted."""
        known = [
            language
            for language, needed in self.languages.items()
            if LEVELS.index(levels.get(language, "none")) >= LEVELS.index(needed)
        ]
        return tuple(sorted([*known, MIXED] if len(known) == len(self.languages) else known))


def check_levels(levels: Mapping[str, str]) -> None:
    """Check that all levels are known.

    Raises:
        DataError: a level is unknown; names the language and the levels.
    """
    for language, level in levels.items():
        if level not in LEVELS:
            raise DataError(f"{language}: level {level!r} is none of {', '.join(LEVELS)}")
