"""Annotators of a file: which names are one person, and under which pseudonym tables know that person.

Case, width, composition, hidden characters and space around a name make no other person (``contracts.text_forms.compared``).
An id that the file is said to have in place of names (``keep``) is another one in another case or width: only addresses, and
what has white space in it and so is a name after all, are compared as names are. Who differs by that alone is told.
A program may also know somebody by several names: Label Studio writes a number in one export and a number with an address in
the next. An address is one person everywhere. A number is one person within a file, and elsewhere only as long as no other
address claims it: two servers count from 1.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

from contracts import ids
from contracts.errors import DataError
from contracts.text_forms import compared, without_hidden


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
        self._unnamed = count(1)
        self._spellings: dict[str, dict[str, None]] = {}

    def _person(self, name: str) -> str:
        """Return what names of one person have in common."""
        plain = unicodedata.normalize("NFC", without_hidden(name).strip())
        return plain if self._naming == "keep" and _is_word(name) else compared(name)

    def link(self, number: str, address: str) -> None:
        """Note that a program knows one person by both; the first address of a number is the one that stays."""
        first = self._address_of.setdefault(self._person(number), self._person(address))
        if first == self._person(address):
            self._numbers_of.setdefault(first, set()).add(self._person(number))

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
        person = self._person(name)
        person = self._address_of.get(person, person)
        self._spellings.setdefault(person, {})[name] = None
        return self._who(person)

    def unnamed(self) -> str:
        """Return what stands for one more person of whom nothing is known, until all votes of the file are."""
        return f"unnamed {next(self._unnamed)}"

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
            same = frozenset(self._of(name) for name in (person, *spellings) if self._person(name) not in numbers) - {who}
            if same or maybe:
                found[who] = Aliases(same=same, maybe=maybe)
        return found

    def notes(self) -> Iterator[str]:
        """Yield what to know of ids that differ only in case or width: whether they are taken for one person."""
        alike: dict[str, list[str]] = {}
        for spellings in self._spellings.values():
            for name in spellings:
                if _is_word(name):
                    alike.setdefault(compared(name), []).append(name)
        for names in alike.values():
            told = ", ".join(map(repr, names))
            if (people := len({self._person(name) for name in names})) > 1:
                yield f"annotators {told} differ in case or width alone and are taken for {people} people"
            elif len({unicodedata.normalize("NFC", without_hidden(name)) for name in names}) > 1:
                yield f"annotators {told} are taken for one person; if these are ids, set annotators: keep in the mapping"


def _is_word(name: str) -> bool:
    """Return whether a name is one word and no address, so that it may be an id."""
    return "@" not in compared(name) and len(compared(name).split()) == 1
