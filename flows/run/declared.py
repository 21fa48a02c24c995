"""The recipe as a running stage sees it: the sections that its settings are made of, and no others.

A stage is up to date as long as its settings are unchanged. A stage that reads a section outside its settings would not be
run again when that section changes.
"""

from collections.abc import Collection, Iterable
from functools import cached_property
from types import FunctionType
from typing import Any, Final, TypeVar, cast

from contracts.errors import UndeclaredSection
from flows.recipe.model import Recipe

R = TypeVar("R", bound=Recipe)

FREE: Final = frozenset({"kind", "name", "seed", "budget_usd"})
"""Fields that any stage may read: names, the seed, which is part of all settings, and the budget, which changes no row."""


class _View:
    """A recipe that records which fields are read and refuses others; its properties and methods read the same fields."""

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
    """Return the recipe as a view that adds the names of the fields read from it to ``read``."""
    return cast("R", _View(recipe, read, None, ""))


def declared(recipe: R, stage: str, allowed: Collection[str]) -> R:
    """Return the recipe as a view of these fields: reading another one raises ``UndeclaredSection``."""
    return cast("R", _View(recipe, set(), {*allowed, *FREE}, stage))
