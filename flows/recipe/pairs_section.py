"""The section ``pairs`` of a recipe of kind ``preference``: how many pairs of which sort."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator

from flows.recipe.parts import Strict
from synth.pair_draw import Cell

Setting = Literal["en2en", "zh2zh", "en2zh", "zh2en", "en2mixed", "zh2mixed"]
Kind = Literal["human", "inter", "intra"]
_Pairs = Annotated[int, Field(gt=0, le=1_000_000_000)]


class PairBudget(Strict):
    """How many pairs, by style and language setting of the prompt and by kind of pair."""

    budget: dict[Literal["regular", "expressive"], dict[Setting, dict[Kind, _Pairs]]] = Field(
        min_length=1,
        description="style -> language setting -> kind -> pairs: {regular: {en2en: {inter: 9000, intra: 3000}}}. They are "
        "drawn by hash, and only clips of drawn pairs are made",
    )

    @field_validator("budget")
    @classmethod
    def _has_cells(cls, budget: dict[str, dict[str, dict[str, int]]]) -> dict[str, dict[str, dict[str, int]]]:
        for style, settings in budget.items():
            if not settings:
                raise ValueError(f"{style} has no language setting: write one of {', '.join(get_args(Setting))}")
            for setting, kinds in settings.items():
                if not kinds:
                    raise ValueError(f"{style}.{setting} has no pairs: write such as {{inter: 100}}")
        return budget

    @property
    def cells(self) -> dict[Cell, int]:
        """Cell -> pairs."""
        return {
            Cell(style, setting, kind): count
            for style, settings in self.budget.items()
            for setting, kinds in settings.items()
            for kind, count in kinds.items()
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of pairs that it has, in their usual order."""
        return tuple(kind for kind in get_args(Kind) if any(cell.kind == kind for cell in self.cells))

    def literals(self) -> dict[str, Any]:
        """Return what decides which pairs are drawn."""
        return self.model_dump()


def shortage(missing: Iterable[tuple[Cell, int]], budget: PairBudget) -> str:
    """Return a line for a budget that cannot be met."""
    cells = budget.cells
    told = "; ".join(f"{cell}: {cells[cell] - count:,} of {cells[cell]:,}" for cell, count in sorted(missing))
    advice = "choose more texts (prompts), add systems or takes, or ask for fewer"
    return f"pairs.budget cannot be met: there are only {told}: {advice}"
