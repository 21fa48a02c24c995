"""The section ``subsets`` of a recipe: named views of the same pairs, each after a filter (SpeechJudge, appendix A.2)."""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field

from contracts.errors import RecipeError
from flows.recipe.parts import Strict

OTHER: Final = "other"
"""Split of pairs that belong to no split; ``<split>_other`` has those that share something with the pairs of that one."""

SubsetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


class SubsetSection(Strict):
    """One subset."""

    after: str | None = Field(
        default=None, description="filter whose kept pairs these are; null = all pairs that have all their votes"
    )


def in_order(subsets: Mapping[str, SubsetSection], filters: Sequence[str]) -> list[str]:
    """Return the names of subsets from the widest to the narrowest."""
    places = {None: -1} | {name: place for place, name in enumerate(filters)}
    return sorted(subsets, key=lambda name: (places[subsets[name].after], name))


def check_subsets(
    subsets: Mapping[str, SubsetSection], filters: Sequence[str], splits: Collection[str], labels_from: str
) -> None:
    """Check that each subset comes after a filter of the recipe, and the last one after all.

    Args:
        subsets: name -> section, in the recipe's order.
        filters: names of the filters, in order.
        splits: names of the splits as they are assigned and released.
        labels_from: where labels come from.

    Raises:
        RecipeError: one does not.
    """
    if not subsets:
        return
    if labels_from != "votes":
        raise RecipeError(f"subsets: are of pairs that people voted on, but labels come from {labels_from}: leave them out")
    for name, subset in subsets.items():
        if subset.after is not None and subset.after not in filters:
            raise RecipeError(f"subsets.{name}.after: {subset.after!r} is no filter of this recipe: {', '.join(filters)}")
    names = in_order(subsets, filters)
    for one, other in pairwise(names):
        if subsets[one].after == subsets[other].after:
            raise RecipeError(f"subsets: {one} and {other} are the same pairs: keep one")
    if subsets[names[-1]].after != filters[-1]:
        raise RecipeError(f"subsets: one must come after the last filter, {filters[-1]!r}: its pairs are those that are split")
    if taken := [split for split in splits if split == OTHER or split.endswith(f"_{OTHER}")]:
        raise RecipeError(f"splits: {taken[0]!r}: wider subsets call pairs so that are in no split: take another name")
