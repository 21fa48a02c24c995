"""Bounds of the scales on which a corpus is rated, as a recipe states them."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from contracts.errors import DataError
from contracts.text_forms import keyed
from corpora.reader import Utterance

Score = Annotated[float, Field(ge=-1e9, le=1e9)]
Bounds = Mapping[str, tuple[Score, Score]]
"""Scale -> lowest and highest rating."""


def check_bounds(bounds: Bounds) -> None:
    """Refuse bounds that nothing is between.

    Raises:
        ValueError: a scale has no name, or its lowest rating is not below its highest.
    """
    for name, (low, high) in bounds.items():
        if not keyed(name) or not low < high:
            raise ValueError(
                f"scales: {name!r}: {low:g} and {high:g} must be the lowest and the highest rating of a named scale"
            )


def within(rows: Iterable[Utterance], bounds: Bounds, where: str) -> Iterator[Utterance]:
    """Yield the rows; one with a rating beyond its scale gets the problem ``rating_out_of_range`` and no rating.

    Args:
        rows: the clips of a corpus.
        bounds: a scale that is not named has none.
        where: address of the corpus's list, for messages.

    Raises:
        DataError: at the end, if no clip is rated on one of the scales.
    """
    known = {unicodedata.normalize("NFC", keyed(name)): (name, bounds[name]) for name in bounds}
    unseen = dict(known)
    for row in rows:
        for rating in row.ratings or ():
            if (found := known.get(rating.scale)) is None:
                continue
            unseen.pop(rating.scale, None)
            low, high = found[1]
            if not low <= rating.score <= high:
                row.ratings = None
                if row.problem is None:
                    row.problem = "rating_out_of_range"
                    row.problem_detail = f"{rating.scale}: {rating.score:g} is not between {low:g} and {high:g}"
                break
        yield row
    for name, _ in unseen.values():
        raise DataError(f"{where}: scales: no clip is rated on {name!r}: write the scale as the ratings do")
