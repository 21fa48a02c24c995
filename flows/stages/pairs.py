"""The stage ``pairs``: which two samples are compared."""

from typing import Final

from contracts.joins import sorted_by
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from synth.pairing import pairs


def _pairs(build: Build[PreferenceRecipe]) -> Books:
    samples = wanted_rows(build, "samples")
    made = pairs(samples, seed=build.recipe.seed, kinds=build.recipe.pair_kinds)
    build.tables.replace("pairs", sorted_by(made, "pair_id"))
    per_prompt = count(samples["prompt_id"])
    possible = sum(n * (n - 1) // 2 for n in per_prompt.values())
    return Books(
        stage="pairs",
        unit="possible pairs",
        rows_in=possible,
        rows_out=made.num_rows,
        dropped={"kind_not_wanted": possible - made.num_rows} if possible > made.num_rows else {},
    )


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="pairs",
    reads=made("samples"),
    writes=("pairs",),
    settings=lambda build: list(build.recipe.pair_kinds),
    run=_pairs,
)
