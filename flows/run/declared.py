"""The recipe as a running stage sees it: the sections that its settings are made of, and no others.

A stage is up to date as long as its settings are what they were. A section that it reads without naming it in its settings
would keep a stale stage without a word.
"""

from collections.abc import Collection, Iterable
from functools import cached_property
from types import FunctionType
from typing import Any, Final, TypeVar, cast

from contracts.errors import UndeclaredSection
from flows.recipe.model import Recipe

R = TypeVar("R", bound=Recipe)

FREE: Final = frozenset({"kind", "name", "seed", "budget_usd"})
"""Fields that any stage may read: names, the seed, which is a part of all settings, and the budget, which decides no row."""


class _View:
    """A recipe whose fields are noted, or refused, when they are read; what is derived from fields is derived from these."""

    def __init__(self, recipe: Recipe, read: set[str], allowed: Collection[str] | None, stage: str) -> None:
        self._recipe, self._read, self._allowed, self._stage = recipe, read, allowed, stage

    def __getattr__(self, name: str) -> Any:
        recipe = self._recipe
        if name == "model_dump":  # the whole recipe
            self._note(type(recipe).model_fields)
            return recipe.model_dump
        if name in type(recipe).model_fields:
            self._note([name])
            return getattr(recipe, name)
        found = next((vars(kind)[name] for kind in type(recipe).__mro__ if name in vars(kind)), None)
        if isinstance(found, property) and found.fget is not None:
            return found.fget(self)
        if isinstance(found, cached_property):
            return found.func(self)
        if isinstance(found, FunctionType):
            return found.__get__(self)
        return getattr(recipe, name)

    def _note(self, names: Iterable[str]) -> None:
        for name in names:
            self._read.add(name)
            if self._allowed is not None and name not in self._allowed:
                raise UndeclaredSection(
                    f"stage {self._stage!r} reads the section {name!r} of the recipe, which its settings do not hold"
                )

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._recipe)


def noting(recipe: R, read: set[str]) -> R:
    """Return the recipe so that the names of the fields that are read of it are put into ``read``."""
    return cast("R", _View(recipe, read, None, ""))


def declared(recipe: R, stage: str, allowed: Collection[str]) -> R:
    """Return the recipe with these fields alone: reading another one raises ``UndeclaredSection``."""
    return cast("R", _View(recipe, set(), {*allowed, *FREE}, stage))
