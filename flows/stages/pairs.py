"""The stage ``pairs``: which two samples are compared."""

from typing import Final

from contracts.joins import sorted_by
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from flows.stages.speaking import pairs_of
from synth.pairing import of_two_clips


def _pairs(build: Build[PreferenceRecipe]) -> Books:
    samples = wanted_rows(build, "samples")
    found = pairs_of(build, samples)
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
        dropped=count(drops["reason"]) | ({"kind_not_wanted": unwanted} if unwanted else {}),
    )


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="pairs",
    reads=made("samples"),
    writes=("pairs", "drops@pairs"),
    settings=lambda build: ["contrasted"] if build.recipe.negatives else list(build.recipe.pair_kinds),
    run=_pairs,
)
