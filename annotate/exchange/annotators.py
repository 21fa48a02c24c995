"""Annotators of a file: which names are one person, and under which pseudonym tables know that person.

Case, width, composition, hidden characters and space around a name make no other person (``contracts.text_forms.compared``).
A program may also know somebody by several names: Label Studio writes a number in one export and a number with an address in
the next. An address is one person everywhere. A number is one person within a file, and elsewhere only as long as no other
address claims it: two servers count from 1.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts import ids
from contracts.errors import DataError
from contracts.text_forms import compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Aliases:
    """Other pseudonyms of one annotator.

    Attributes:
        same: of other spellings of the name, as earlier imports had them.
        maybe: of the number that a program knows the annotator by.
    """

    same: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()


class Annotators:
    """The annotators of one file, as far as it was read."""

    def __init__(self, seed: int, vendor: str, naming: str = "hash") -> None:
        """Begin a file.

        Args:
            seed: of the recipe; pseudonyms depend on it.
            vendor: keeps apart people of the same name from different vendors.
            naming: ``hash`` = names become pseudonyms; ``keep`` = they are pseudonyms already, as the file first spells them.
        """
        self._seed: Final = seed
        self._vendor: Final = vendor
        self._naming: Final = naming
        self._address_of: dict[str, str] = {}
        self._numbers_of: dict[str, set[str]] = {}
        self._unnamed: Counter[str] = Counter()
        self._spellings: dict[str, dict[str, None]] = {}

    def link(self, number: str, address: str) -> None:
        """Note that a program knows one person by both; the first address of a number is the one that stays."""
        first = self._address_of.setdefault(compared(number), compared(address))
        if first == compared(address):
            self._numbers_of.setdefault(first, set()).add(compared(number))

    def pseudonym(self, name: str) -> str:
        """Return the pseudonym of a name: the same for the same seed, vendor and person.

        Who has the recipe can try names out: it keeps names out of the data, not from the data's makers.

        Raises:
            DataError: nothing of the name can be seen, or it goes over several lines.
        """
        if not compared(name):
            raise DataError("the annotator is missing: every vote needs one")
        if len(name.splitlines()) > 1:
            raise DataError("the annotator's name goes over several lines: a quotation mark is missing or too many")
        person = self._address_of.get(compared(name), compared(name))
        self._spellings.setdefault(person, {})[name] = None
        return self._who(person)

    def unnamed(self, subject: str) -> str:
        """Return the pseudonym of one more person of whom nothing is known but a vote on this subject."""
        self._unnamed[subject] += 1
        return ids.row_id("unnamed", self._seed, self._vendor, subject, self._unnamed[subject])

    def aggregate(self) -> str:
        """Return what stands in an annotator's place beside labels that were made of votes."""
        return ids.row_id("aggregated", self._seed, self._vendor)

    def _who(self, person: str) -> str:
        return next(iter(self._spellings[person])) if self._naming == "keep" else self._of(person)

    def _of(self, name: str) -> str:
        if self._naming == "keep":
            return name
        return ids.row_id("annotator", self._seed, self._vendor, unicodedata.normalize("NFC", name))

    def aliases(self) -> Mapping[str, Aliases]:
        """Return pseudonym -> its aliases, of those who have some."""
        found = {}
        for person, spellings in self._spellings.items():
            who, numbers = self._who(person), self._numbers_of.get(person, set())
            maybe = frozenset(map(self._of, numbers))
            same = frozenset(self._of(name) for name in (person, *spellings) if compared(name) not in numbers) - {who}
            if same or maybe:
                found[who] = Aliases(same=same, maybe=maybe)
        return found
