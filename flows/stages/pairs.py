"""The stage ``pairs``: which two samples are compared."""

from collections.abc import Mapping
from typing import Final

from contracts.joins import sorted_by
from flows.recipe.pairs_section import shortage
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from flows.stages.speaking import pairs_of
from synth.pair_draw import Cell, draw
from synth.pairing import of_two_clips


def _pairs(build: Build[PreferenceRecipe]) -> Books:
    samples = wanted_rows(build, "samples")
    found = pairs_of(build, samples)
    missing: Mapping[Cell, int] = {}
    if (budget := build.recipe.pairs) is not None:
        bought = draw(found, build.tables.read("prompts"), budget.cells, seed=build.recipe.seed)
        found, missing = bought.pairs, bought.missing
    made, drops = of_two_clips(found, samples)
    build.tables.replace("drops@pairs", drops)
    build.tables.replace("pairs", sorted_by(made, "pair_id"))
    per_prompt = count(samples["prompt_id"])
    possible = sum(n * (n - 1) // 2 for n in per_prompt.values())
    unwanted = possible - found.num_rows
    return Books(
        stage="pairs",
        unit="possible pairs",
        rows_in=possible,
        rows_out=made.num_rows,
        dropped=count(drops["reason"]) | ({"kind_not_wanted" if budget is None else "not_drawn": unwanted} if unwanted else {}),
        notes=(shortage(missing.items(), budget),) if budget is not None and missing else (),
    )


def _settings(build: Build[PreferenceRecipe]) -> object:
    budget, is_contrasted = build.recipe.pairs, bool(build.recipe.negatives)
    if budget is not None:
        return budget.literals()
    return ["contrasted"] if is_contrasted else list(build.recipe.pair_kinds)


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="pairs",
    reads=made("samples"),
    writes=("pairs", "drops@pairs"),
    reads_if=lambda build: ("prompts",) if build.recipe.pairs else (),
    settings=_settings,
    run=_pairs,
)
