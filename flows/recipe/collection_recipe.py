"""Recipes of the kind ``collection``: several recipes as the configurations of one release."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, model_serializer, model_validator

from contracts.errors import RecipeError
from contracts.yaml_mapping import read_yaml
from flows.recipe.load import check_whole, load
from flows.recipe.model import Recipe
from flows.recipe.parts import Strict, expanded
from flows.recipe.sections import CorpusSection
from flows.recipe.splits_section import Quota, SplitName, Splits
from synth.dsp import ClipFormat

PartName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]

_OWN: Final = frozenset({"kind", "name", "plugins", "workspace", "seed", "parts", "release"})


def _as_section(value: object) -> object:
    return {"recipe": value} if isinstance(value, str) else value


class PartSection(Strict):
    """One part."""

    recipe: str = Field(min_length=1, description="path of its recipe; relative = beside the collection's")
    quotas: dict[SplitName, Quota] | None = Field(
        default=None, min_length=1, description="size of each of its splits, in place of those in its recipe"
    )


class CollectionRecipe(Recipe):
    """A recipe of kind ``collection``. Corpora, splits and all that is done with them stand in the recipes of the parts."""

    kind: str = "collection"
    parts: dict[PartName, Annotated[PartSection, BeforeValidator(_as_section)]] = Field(
        min_length=1, description="name -> recipe, or recipe and quotas. A part is kept apart from those before it"
    )
    corpora: list[CorpusSection] = Field(default_factory=list, max_length=0)
    splits: Splits = Field(default_factory=Splits.model_construct)

    @model_validator(mode="after")
    def _has_its_own_keys_only(self) -> Self:
        if foreign := sorted(self.model_fields_set - _OWN):
            raise ValueError(f"{foreign[0]}: belongs into the recipes of the parts; a collection has {', '.join(sorted(_OWN))}")
        return self

    @model_serializer(mode="plain")
    def _own_keys(self) -> dict[str, Any]:
        """Return what a collection says; where the recipes of the parts lie decides nothing."""
        parts = {name: {"quotas": part.quotas} for name, part in self.parts.items()}
        return {"kind": self.kind, "name": self.name, "seed": self.seed, "parts": parts, "release": self.release.model_dump()}

    @property
    def clip_format(self) -> ClipFormat:
        """There is none.

        Raises:
            RecipeError: always: each part has a format of its own.
        """
        raise RecipeError(f"collection {self.name}: the clips of each part have a format of their own")

    @cached_property
    def part_recipes(self) -> Mapping[str, Recipe]:
        """Name -> recipe of each part, with the sizes and the seed that the collection says.

        Raises:
            RecipeError: a recipe is wrong, or the sizes do not fit it.
        """
        return {name: self._part(name, part) for name, part in self.parts.items()}

    def _part(self, name: str, part: PartSection) -> Recipe:
        try:
            if read_yaml(Path(part.recipe), "a recipe").get("kind") == self.kind:  # which could hold this one
                raise RecipeError(f"{part.recipe} is a collection itself: name its parts here")  # noqa: TRY301
            recipe = load(part.recipe)
            changes: dict[str, Any] = {"seed": self.seed} if "seed" in self.model_fields_set else {}
            if part.quotas is not None:
                changes["splits"] = recipe.splits.with_quotas(part.quotas)
            recipe = recipe.model_copy(update=changes)
            check_whole(recipe)
        except RecipeError as error:
            raise RecipeError(f"parts.{name}: {error}") from error
        return recipe

    def rooted(self, folder: Path) -> Self:
        """Return the recipe with the paths of its parts made absolute.

        Raises:
            RecipeError: a path holds a variable that is not set.
        """
        found = {}
        for name, part in self.parts.items():
            path = folder / Path(expanded(part.recipe, f"parts.{name}.recipe")).expanduser()
            found[name] = part.model_copy(update={"recipe": str(path.resolve())})
        return self.model_copy(update={"parts": found})


def check(recipe: CollectionRecipe) -> None:
    """Check the parts.

    Raises:
        RecipeError: one of them cannot go by what earlier parts have in their splits.
    """
    for number, (name, part) in enumerate(recipe.part_recipes.items()):
        if part.has_compartments:
            raise RecipeError(
                f"parts.{name}: subsets and by_teacher make splits that share texts, which no other part could go by: "
                "release it by itself"
            )
        if part.draws_pairs and number:
            raise RecipeError(
                f"parts.{name}: draws its pairs (pairs.categories) for splits that it makes before: let it be the first part"
            )
