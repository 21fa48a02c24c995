"""The stage ``rulings``: one verdict per pair of all judgments on it."""

from typing import Final

import pyarrow.compute as pc

from contracts.joins import sorted_by
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from scoring.reliability.aggregation import RULED_ON, rulings


def _rulings(build: Build[PreferenceRecipe]) -> Books:
    judgments = wanted_rows(build, "judgments", 0, RULED_ON)
    ruled = rulings(judgments, on_disagreement=build.recipe.judges_of_pairs[0].on_disagreement)
    build.tables.replace("rulings", sorted_by(ruled, "pair_id"))
    judged = pc.count_distinct(judgments["pair_id"]).as_py()
    return Books(stage="rulings", unit="judged pairs", rows_in=judged, rows_out=ruled.num_rows)


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="rulings",
    reads=made("judgments"),
    writes=("rulings",),
    settings=lambda build: build.recipe.judges_of_pairs[0].on_disagreement,
    run=_rulings,
    active=lambda build: build.recipe.judge is not None,
)
