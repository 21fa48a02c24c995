# ruff: noqa: INP001 - a plug-in in a folder is no module of a package
"""Clear pairs: rated pairs whose ratings lie at least so far apart; a kind of data set outside of this project.

It goes by the stages of ``rated_pairs`` and has a key, a stage, released columns and a card of its own.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from flows.kinds import rated_pairs
from flows.run.books import Books
from flows.run.kind import Kind
from flows.run.pipeline import Build, Waiting
from flows.stages.release import release_stage
from flows.stages.release_form import Configuration
from storage.columns import RATED_PAIRS, Body, Count, ReleaseSchema
from storage.rows import Rows


class ClearPairsRecipe(rated_pairs.RatedPairsRecipe):
    """A recipe of kind ``clear_pairs``."""

    least_gap: float = Field(gt=0, description="the least difference of the two ratings")


def _clear_rulings(build: Build[ClearPairsRecipe]) -> Books | Waiting:
    """Rule as for rated pairs, but name no winner where the ratings are close; the filter ``tied_totals`` drops these."""
    books = _RULINGS.run(build)
    found = build.tables.read("rulings")
    is_close = pc.less(pc.abs(pc.subtract(found["total_a"], found["total_b"])), build.recipe.least_gap)
    verdict = pc.if_else(is_close, pa.scalar(None, pa.string()), found["verdict"])
    build.tables.replace("rulings", found.set_column(found.column_names.index("verdict"), "verdict", verdict))
    return books


class ClearPairRows:
    """The rows of rated pairs, less columns."""

    def __init__(self, rows: Rows) -> None:
        """Take the rows of rated pairs."""
        self._rows = rows

    def ordered(self, splits: pa.Table) -> pa.Table:
        """Return the rows in the order of a release."""
        return self._rows.ordered(splits)

    def batch(self, splits: pa.Table) -> pa.Table:
        """Return some release rows."""
        return self._rows.batch(splits).select(CLEAR_PAIRS.names)


_COLUMNS: Final = (
    *("pair_id", "text_a", "text_b", "language", "audio_a", "audio_b", "label", "scale", "rating_gap"),
    *("filters_passed", "leakage_group"),
    *("license", "license_a", "license_b", "is_synthetic_a", "is_synthetic_b", "corpus", "source_id_a", "source_id_b"),
)
CLEAR_PAIRS: Final = ReleaseSchema(
    columns=pa.schema([RATED_PAIRS.columns.field(name) for name in _COLUMNS]),
    body=Body(
        template=str(Path(__file__).with_suffix(".md.jinja")),
        counts={"gap": Count(columns=("rating_gap",), bounds=(1, 2, 3))},
    ),
    label_column="label",
    labels=RATED_PAIRS.labels,
)
"""Columns of a release, and its card."""

_MAKING: Final = rated_pairs.PLUGIN.stages[:-1]
_RULINGS: Final = next(stage for stage in _MAKING if stage.name == "rulings")
_CLEAR_RULINGS: Final = replace(
    _RULINGS, run=_clear_rulings, settings=lambda build: [_RULINGS.settings(build), build.recipe.least_gap]
)
_STAGES: Final = tuple(_CLEAR_RULINGS if stage is _RULINGS else stage for stage in _MAKING)
_RATED: Final = rated_pairs.FORM.configurations[0]
_FORM: Final = replace(
    rated_pairs.FORM,
    configurations=(
        Configuration(
            name=lambda _build: "clear_pairs",
            schema=lambda _build: CLEAR_PAIRS,
            rows=lambda build: ClearPairRows(_RATED.rows(build)),
        ),
    ),
)

PLUGIN: Final = Kind(recipe=ClearPairsRecipe, stages=(*_STAGES, release_stage(_STAGES, _FORM)), plan=rated_pairs.PLUGIN.plan)
