"""Ratings that a corpus brings along: their columns in a manifest, their JSON, and the file ``ratings.csv``."""

import contextlib
import math
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.text_forms import keyed
from corpora.delimited import separated_rows, unknown

FILE: Final = "ratings.csv"
_COLUMNS: Final = ("id", "rater", "scale", "score")
_KEYS: Final = ("scale", "rater", "score", "raters", "std")
_COLUMN: Final = re.compile(r"rating\.([^.]+)(?:\.(raters|std))?", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_LARGEST: Final = 1e9
_MOST_RATERS: Final = 1_000_000_000


class BadRating(ValueError):
    """A rating that cannot be read: which field of which row, and why."""


class DuplicateRating(BadRating):
    """A clip has two ratings of one rater, or two means, on one scale."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipRating:
    """One rating of a clip. Fields as in the column ``ratings`` of ``UTTERANCES``.

    Raises:
        BadRating: the score, or the deviation of a mean, is beyond any scale: means of such would not be finite.
    """

    scale: str
    score: float
    rater: str | None = None
    raters: int | None = None
    std: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("score", self.score), ("std", self.std)):
            if value is not None and not abs(value) <= _LARGEST:
                raise BadRating(f"{self.scale}: {name} {value:g} is beyond any scale")


def is_rating_column(name: str) -> bool:
    """Tell whether a column has the form ``rating.<scale>``, ``rating.<scale>.raters`` or ``rating.<scale>.std``."""
    match = _COLUMN.fullmatch(name)
    return match is not None and bool(keyed(match[1]))


def of_columns(fields: Mapping[str, Any]) -> Iterator[ClipRating]:
    """Yield the means in the columns of one row; an empty field is no rating.

    Raises:
        BadRating: a value is no number, or there is one about a mean that is not there.
    """
    scales = dict.fromkeys(match[1] for name in fields if (match := _COLUMN.fullmatch(name)))
    for scale in scales:
        mean = {"score": f"rating.{scale}", "raters": f"rating.{scale}.raters", "std": f"rating.{scale}.std"}
        given = {key: (column, fields[column]) for key, column in mean.items() if not _is_empty(fields.get(column))}
        if given:
            yield _rating(scale, None, given, mean["score"])


def of_list(value: Any, where: str) -> Iterator[ClipRating]:
    """Yield the ratings of a JSON list of ``{scale, score, rater?, raters?, std?}``; without a rater it is a mean.

    Args:
        value: the list; null = no ratings.
        where: file and row, for messages.

    Raises:
        BadRating: it is no such list, or a value in it has another type.
        DataError: a rating has an unknown key.
    """
    if not isinstance(value, list | None):
        raise BadRating("ratings: no list")
    for place, item in enumerate(value or (), start=1):
        at = f"ratings, item {place}"
        if not isinstance(item, dict):
            raise BadRating(f"{at}: no object")
        for key in item:
            if key not in _KEYS:
                raise unknown(key, _KEYS, f"{where}, {at}")
        rater = item.get("rater")
        given = {key: (f"{at}: {key}", item[key]) for key in ("score", "raters", "std") if item.get(key) is not None}
        rater = None if rater is None else _name(rater, f"{at}: rater")
        yield _rating(_name(item.get("scale"), f"{at}: scale"), rater, given, f"{at}: score")


class RatingsFile:
    """``ratings.csv`` beside a manifest: one rating per line, with the columns ``id, rater, scale, score``."""

    def __init__(self, text: str, where: str, name: str) -> None:
        """Read the file.

        Args:
            text: the file.
            where: its address, for messages.
            name: its name below the root.

        Raises:
            DataError: its header or its quotes are malformed.
        """
        self.name = name
        self.malformed = list[int]()
        """Numbers of rows that cannot be read at all."""
        self._rows = dict[str, list[tuple[int, str, str, str]]]()
        self._found = set[str]()
        for number, fields in separated_rows(text, where, _check_columns, _COLUMNS, tabs=False):
            if fields is None:
                self.malformed.append(number)
            else:
                row = number, sys.intern(fields["rater"]), sys.intern(fields["scale"]), sys.intern(fields["score"])
                self._rows.setdefault(fields["id"], []).append(row)

    def of_clip(self, source_id: str) -> Iterator[ClipRating]:
        """Return the ratings of one clip.

        Raises:
            BadRating: while they are read: a name is missing, or a score is no number.
        """
        self._found.add(source_id)
        return map(self._rating, self._rows.get(source_id, ()))

    def _rating(self, row: tuple[int, str, str, str]) -> ClipRating:
        number, rater, scale, score = row
        at = f"{self.name}:{number}"
        given = {} if _is_empty(score) else {"score": (f"{at}: score", score)}
        return _rating(_name(scale, f"{at}: scale"), _name(rater, f"{at}: rater"), given, f"{at}: score")

    def of_others(self) -> Iterator[tuple[int, str, int]]:
        """Yield the clips that are not in the manifest: number of their first row, id, and number of ratings."""
        for source_id, rows in self._rows.items():
            if source_id not in self._found:
                yield rows[0][0], source_id, len(rows)


def once_each(ratings: Iterable[ClipRating]) -> tuple[ClipRating, ...]:
    """Return the ratings of one clip.

    Raises:
        DuplicateRating: a rater has two ratings on one scale, or a scale has two means.
    """
    found = dict[tuple[str, str | None], ClipRating]()
    for rating in ratings:
        if found.setdefault((rating.scale, rating.rater), rating) is not rating:
            whose = "two means" if rating.rater is None else f"two ratings of {rating.rater!r}"
            raise DuplicateRating(f"{whose} on the scale {rating.scale!r}")
    return tuple(found.values())


def _rating(scale: str, rater: str | None, given: Mapping[str, tuple[str, Any]], place: str) -> ClipRating:
    """Make a rating of the values that are given, each with its place; ``place`` is that of the score."""
    if "score" not in given:
        raise BadRating(f"{place}: missing")
    numbers = {key: finite_number(value, where) for key, (where, value) in given.items()}
    raters = numbers.get("raters")
    for key, (where, value) in given.items():
        if rater is not None and key != "score":
            raise BadRating(f"{where}: only a mean over raters has it")
        if key == "raters" and not (numbers[key].is_integer() and 1 <= numbers[key] <= _MOST_RATERS):
            raise BadRating(f"{where}: {value!r} is no number of raters")
        if key == "std" and numbers[key] < 0:
            raise BadRating(f"{where}: {value!r} is negative")
    return ClipRating(
        scale=unicodedata.normalize("NFC", keyed(scale)),
        rater=rater,
        score=numbers["score"],
        raters=None if raters is None else int(raters),
        std=numbers.get("std"),
    )


def finite_number(value: Any, where: str) -> float:
    """Return a number of JSON, or one written with a point as JSON and programs write it."""
    is_written = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
    if is_written or (isinstance(value, int | float) and not isinstance(value, bool)):
        with contextlib.suppress(OverflowError):  # an integer of 400 digits
            if math.isfinite(number := float(value)):
                return number
    raise BadRating(f"{where}: {str(value)[:40]!r} is no finite number")


def _name(value: Any, where: str) -> str:
    """Return a name without the blanks around it; a JSON integer is one, too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not keyed(value):
        raise BadRating(f"{where}: {'missing' if _is_empty(value) else 'no name'}")
    return value.strip()


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _check_columns(names: list[str], where: str) -> None:
    for name in names:
        if name not in _COLUMNS:
            raise unknown(name, _COLUMNS, where)
