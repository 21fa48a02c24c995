"""The stage ``rulings``: one verdict per pair of all judgments on it."""

from typing import Final

import pyarrow.compute as pc

from contracts.joins import sorted_by
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from scoring.reliability.aggregation import RULED_ON, rulings


def rule(build: Build[PreferenceRecipe]) -> Books:
    """Commit one ruling per judged pair, and return the books."""
    judgments = wanted_rows(build, "judgments", 0, RULED_ON)
    ruled = rulings(judgments, on_disagreement=build.recipe.judges_of_pairs[0].on_disagreement)
    build.tables.replace("rulings", sorted_by(ruled, "pair_id"))
    judged = pc.count_distinct(judgments["pair_id"]).as_py()
    return Books(stage="rulings", unit="judged pairs", rows_in=judged, rows_out=ruled.num_rows)


def settings(build: Build[PreferenceRecipe]) -> object:
    """Return the part of the recipe that decides the rulings, as literals."""
    return build.recipe.judges_of_pairs[0].on_disagreement


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="rulings",
    reads=made("judgments"),
    writes=("rulings",),
    settings=settings,
    run=rule,
    active=lambda build: build.recipe.judge is not None and not build.recipe.is_taught,
)
