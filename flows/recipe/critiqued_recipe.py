"""What recipes of rated pairs say of critiques, and of the configurations that are released (MOS-RMBench)."""

from collections.abc import Sequence
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from flows.recipe.model import Recipe
from flows.recipe.parts import Name, Strict
from flows.recipe.sections import JudgeSection, Role

Configuration = Literal["rated_pairs", "pairs", "critiques", "clips"]
_PLAIN: Final[tuple[Configuration, ...]] = ("rated_pairs",)


class PairCritic(JudgeSection):
    """A judge that writes one critique of each pair, in its stored order."""

    task: str = "critique_pair"
    orders: Literal["stored"] = "stored"
    votes: Literal[1] = 1


class ClipCritic(Role):
    """A judge that writes about each clip by itself."""

    task: str = "critique_clip"


class CritiquesSection(Strict):
    """Who writes critiques, and of which pairs and clips."""

    pairs: PairCritic | None = Field(default=None, description="critiques of both clips with scores; null = none")
    clips: ClipCritic | None = Field(default=None, description="critiques of the single clips, in words; null = none")
    splits: list[Name] | None = Field(
        default=None, min_length=1, description="of pairs in these splits, and of the clips in them; null = of all"
    )

    @model_validator(mode="after")
    def _asks_somebody(self) -> Self:
        if self.pairs is None and self.clips is None:
            raise ValueError("give pairs or clips: who writes them")
        return self


class CritiquedRecipe(Recipe):
    """Keys of recipes of rated pairs about critiques and configurations."""

    critiques: CritiquesSection | None = Field(
        default=None, exclude_if=lambda section: section is None, description="what judges write; null = nobody is asked"
    )
    configurations: tuple[Configuration, ...] = Field(
        default=_PLAIN,
        min_length=1,
        exclude_if=lambda names: names == _PLAIN,  # a recipe from before the key is the recipe that it was
        description="rated_pairs: the pairs; pairs: the pairs with prompts; critiques: the pairs with a critique that agrees "
        "with the ratings; clips: the clips of the pairs with their mean ratings",
    )

    @model_validator(mode="after")
    def _configurations_and_critiques_fit(self) -> Self:
        self.require_unique("configurations", self.configurations)
        if {"rated_pairs", "pairs"} <= set(self.configurations):
            raise ValueError("configurations: pairs are the rows of rated_pairs with prompts: take one of them")
        critics = {"critiques": self._critic_of_pairs, "clips": self.critiques.clips if self.critiques else None}
        for name, critic in critics.items():
            if critic is not None and name not in self.configurations:
                raise ValueError(f"critiques: are released in the configuration {name}: add it to configurations")
        if "critiques" in self.configurations and self._critic_of_pairs is None:
            raise ValueError("configurations: critiques need somebody who writes them: add critiques: {pairs: {name: ...}}")
        if self.critiques is not None and self.critiques.splits is not None:
            self.require_unique("critiques.splits", self.critiques.splits)
            if unknown := [name for name in self.critiques.splits if name not in self.splits.named()]:
                raise ValueError(f"critiques.splits: {unknown[0]!r} is no split of this recipe")
        return self

    @property
    def _critic_of_pairs(self) -> PairCritic | None:
        return self.critiques.pairs if self.critiques is not None else None

    @property
    def judges_of_pairs(self) -> Sequence[JudgeSection]:
        """Who writes critiques of pairs; it decides no label."""
        return () if self.critiques is None or self.critiques.pairs is None else (self.critiques.pairs,)

    @property
    def has_critiques(self) -> bool:
        """Whether somebody writes critiques of pairs."""
        return self._critic_of_pairs is not None

    @property
    def writers(self) -> Sequence[Role]:
        """Who writes about single clips."""
        return () if self.critiques is None or self.critiques.clips is None else (self.critiques.clips,)
