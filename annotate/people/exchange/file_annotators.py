"""Annotators of a file: which names are one person, and the pseudonym of each person.

Names that differ only in case, width, composition, hidden characters or surrounding space are one person
(``contracts.text_forms.compared``). Ids (``annotators: keep``) that differ in case or width are different persons, except
addresses and names with white space, which are compared like names; ``notes`` lists ids that differ in nothing else.

A program may know one person by several names: Label Studio writes a number in one export, and a number with an address in the
next. An address is the same person in all files. A number is the same person within one file, and in other files only if no
other address has it: two servers both count from 1.
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
        same: pseudonyms of other spellings of the name, as in earlier imports.
        maybe: pseudonyms of the number that a program gives the annotator.
    """

    same: frozenset[str] = frozenset()
    maybe: frozenset[str] = frozenset()


class Annotators:
    """The annotators found so far in one file."""

    def __init__(self, seed: int, vendor: str, naming: str = "hash") -> None:
        """Start with no annotators.

        Args:
            seed: of the recipe; pseudonyms depend on it.
            vendor: separates people of the same name from different vendors.
            naming: ``hash`` = names become pseudonyms; ``keep`` = they are pseudonyms already, in their first spelling.
        """
        self._seed: Final = seed
        self._vendor: Final = vendor
        self._naming: Final = naming
        self._address_of: dict[str, str] = {}
        self._numbers_of: dict[str, set[str]] = {}
        self._unnamed = count(1)
        self._spellings: dict[str, dict[str, None]] = {}

    def _person_key(self, name: str) -> str:
        """Return the form that all names of one person share."""
        plain = unicodedata.normalize("NFC", without_hidden(name).strip())
        return plain if self._naming == "keep" and _may_be_id(name) else compared(name)

    def link(self, number: str, address: str) -> None:
        """Record that a number and an address are one person; the first address of a number stays."""
        first = self._address_of.setdefault(self._person_key(number), self._person_key(address))
        if first == self._person_key(address):
            self._numbers_of.setdefault(first, set()).add(self._person_key(number))

    def pseudonym(self, name: str) -> str:
        """Return the pseudonym of a name: the same for the same seed, vendor and person.

        Pseudonyms keep names out of the data. They do not hide names from those who have the recipe and can guess names.

        Raises:
            DataError: the name has no visible characters, or several lines.
        """
        if not compared(name):
            raise DataError("the annotator is missing: every vote needs one")
        if len(name.splitlines()) > 1:
            raise DataError("the annotator's name goes over several lines: a quotation mark is missing or too many")
        person = self._person_key(name)
        person = self._address_of.get(person, person)
        self._spellings.setdefault(person, {})[name] = None
        return self._pseudonym_of_person(person)

    def unnamed_placeholder(self) -> str:
        """Return a placeholder for one more unnamed person, until all votes of the file are known."""
        return f"unnamed {next(self._unnamed)}"

    def aggregate_id(self) -> str:
        """Return the annotator id of labels that were aggregated from votes."""
        return ids.row_id("aggregated", self._seed, self._vendor)

    def _pseudonym_of_person(self, person: str) -> str:
        return next(iter(self._spellings[person])) if self._naming == "keep" else self._pseudonym_of_name(person)

    def _pseudonym_of_name(self, name: str) -> str:
        if self._naming == "keep":
            return name
        return ids.row_id("annotator", self._seed, self._vendor, unicodedata.normalize("NFC", name))

    def aliases(self) -> Mapping[str, Aliases]:
        """Return pseudonym -> its aliases, of annotators that have some."""
        found = {}
        for person, spellings in self._spellings.items():
            who, numbers = self._pseudonym_of_person(person), self._numbers_of.get(person, set())
            maybe = frozenset(map(self._pseudonym_of_name, numbers))
            names = [name for name in (person, *spellings) if self._person_key(name) not in numbers]
            same = frozenset(map(self._pseudonym_of_name, names)) - {who}
            if same or maybe:
                found[who] = Aliases(same=same, maybe=maybe)
        return found

    def notes(self) -> Iterator[str]:
        """Yield a note for ids that differ only in case or width: whether they count as one person."""
        alike: dict[str, list[str]] = {}
        for spellings in self._spellings.values():
            for name in spellings:
                if _may_be_id(name):
                    alike.setdefault(compared(name), []).append(name)
        for names in alike.values():
            listed = ", ".join(map(repr, names))
            if (people := len({self._person_key(name) for name in names})) > 1:
                yield f"annotators {listed} differ in case or width alone and are taken for {people} people"
            elif len({unicodedata.normalize("NFC", without_hidden(name)) for name in names}) > 1:
                yield f"annotators {listed} are taken for one person; if these are ids, set annotators: keep in the mapping"


def _may_be_id(name: str) -> bool:
    """Return whether a name may be an id: it is one word and no address."""
    return "@" not in compared(name) and len(compared(name).split()) == 1
