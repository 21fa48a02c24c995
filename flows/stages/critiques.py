"""What judges write about rated pairs and their clips, and the stage ``critiques``: which critiques of pairs are kept.

Judges are asked after the splits, about the pairs that are in one: labels are those of the ratings, so nothing before them
needs a judge, and no critique is bought of a pair that is not released.
"""

import contextlib
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.ids import canonical_json
from contracts.joins import among, attach, sorted_by
from contracts.schemas import DROPS
from flows.recipe.critiqued_recipe import CritiquedRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.questions import known_ledger
from flows.run.wanted import made, wanted_rows
from flows.stages.judgments import judgments_stage
from flows.stages.reviews import reviews_stage
from flows.stages.splits import split_literals, splits_table
from scoring.reliability.critique_agreement import disagreements

_STAGE: Final = "critiques"
_RULE: Final = 1
"""Version of the rule which critiques are kept."""

_OF_JUDGMENT: Final = ("judgment_id", "pair_id", "total_a", "total_b", "input_tokens", "output_tokens")
_Build = Build[CritiquedRecipe]


def _pairs(build: _Build) -> pa.Table:
    """Return the pairs of the splits for which critiques are wanted."""
    assigned = build.tables.read(splits_table(build), ["item_id", "split"])
    splits = build.recipe.critiques.splits if build.recipe.critiques is not None else None
    if splits is not None:
        assigned = among(assigned, "split", pa.array(splits, pa.string()))
    return among(build.tables.read("pairs"), "pair_id", assigned["item_id"])


def _clips(build: _Build) -> pa.Table:
    """Return the samples of those pairs."""
    pairs = _pairs(build)
    ids = pa.concat_arrays([pairs[f"sample_{side}"].combine_chunks() for side in "ab"])
    return among(wanted_rows(build, "samples"), "sample_id", ids)


def _settings(build: _Build) -> object:
    splits = build.recipe.critiques.splits if build.recipe.critiques is not None else None
    return [splits, split_literals(build)]


JUDGMENTS: Final[Stage[CritiquedRecipe]] = judgments_stage(_pairs, reads=("splits@*",), settings=_settings, after="splits")
REVIEWS: Final[Stage[CritiquedRecipe]] = replace(
    reviews_stage(_clips, reads=("splits@*",), settings=_settings, after="splits"),
    active=lambda build: bool(build.recipe.writers),
)


def _critiques(build: _Build) -> Books:
    """Drop the critiques that do not agree with the labels.

    Raises:
        DataError: there are no critiques, or none is kept.
    """
    judgments = wanted_rows(build, "judgments", columns=_OF_JUDGMENT)
    labels = build.tables.read("labels", ["item_id", "label"])
    reasons = disagreements(judgments, labels)
    judgments = attach(judgments.append_column("reason", reasons), "pair_id", labels, "item_id", {"label": "label"})
    gone = judgments.filter(pc.is_valid(judgments["reason"]))
    if not judgments.num_rows:
        raise DataError("no critique of a pair was written: look at `unisrm-data status` for why the judgments failed")
    if gone.num_rows == judgments.num_rows:
        raise DataError(
            f"none of {judgments.num_rows} critiques gives the clip with the higher rating the higher score: look at "
            "`unisrm-data report`, and ask another judge"
        )
    drops = [_drop(row, cost) for row, cost in zip(gone.to_pylist(), _costs(build, gone["judgment_id"]), strict=True)]
    build.tables.replace(f"drops@{_STAGE}", sorted_by(pa.Table.from_pylist(drops, schema=DROPS), "row_id"))
    return Books(
        stage=_STAGE,
        unit="critiques of pairs",
        rows_in=judgments.num_rows,
        rows_out=judgments.num_rows - gone.num_rows,
        dropped=count(gone["reason"]),
    )


def _drop(row: dict[str, object], cost_usd: float | None) -> dict[str, object]:
    names = ("pair_id", "label", "total_a", "total_b", "input_tokens", "output_tokens")
    evidence = {name: row[name] for name in names} | {"cost_usd": cost_usd}
    return {
        "stage": _STAGE,
        "row_id": row["judgment_id"],
        "filter": _STAGE,
        "reason": row["reason"],
        "evidence": canonical_json(evidence),
    }


def _costs(build: _Build, judgment_ids: pa.ChunkedArray) -> list[float | None]:
    """Return what each of the judgments cost in dollars; None where the ledger has no request that was sent for it."""
    ids = judgment_ids.to_pylist()
    with contextlib.ExitStack() as opened:
        known = known_ledger(build)
        if known is None:
            return [None] * len(ids)
        ledger = opened.enter_context(known)
        return [sum(line["spent_usd"] for line in lines) if (lines := ledger.history(one)) else None for one in ids]


CRITIQUES: Final[Stage[CritiquedRecipe]] = Stage(
    name=_STAGE,
    reads=(*made("judgments"), "labels"),
    writes=(f"drops@{_STAGE}",),
    settings=lambda _build: _RULE,
    run=_critiques,
    active=lambda build: bool(build.recipe.judges_of_pairs),
)
