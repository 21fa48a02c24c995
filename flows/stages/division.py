"""The split that a teacher's replies divide (SpeechJudge, section 5.1): its judgments come after the labels, and of it alone.

Items on which the teacher chose as people did are for supervised fine-tuning, with its reply; all others for reinforcement
learning, without. So a tie is wrong, and so is a reply that cannot be used: the paper keeps as demonstrations only what agrees
with people, and calls all the rest challenging. Both halves are parts of one training set and may share texts; all other splits
share nothing with either.
"""

from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.joins import attach
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage, Waiting
from flows.run.wanted import made
from flows.stages import rulings
from flows.stages.judgments import judgments_stage
from flows.stages.split_facts import with_teacher
from flows.stages.splits import split_literals, splits_table

READS: Final = ("labels", "rulings")
"""Tables that decide the division, beside the assignment."""


def reads_of_division(build: Build[Any]) -> tuple[str, ...]:
    """Return the tables that a stage which reads divided splits must declare, where the recipe divides one."""
    return READS if build.recipe.splits.taught is not None else ()


def divided(build: Build[Any], assigned: pa.Table) -> pa.Table:
    """Return an assignment (schema SPLITS) with the split that a teacher divides replaced by its two parts.

    Without any ruling nobody has been asked yet, and it stays whole.
    """
    split = build.recipe.splits.taught
    if split is None or not build.tables.num_rows("rulings"):
        return assigned
    parts = build.recipe.splits.named()[split].by_teacher
    said = with_teacher(
        assigned.select(["item_id"]), build.tables.read("labels", ["item_id", "label"]), build.tables.read("rulings")
    )["teacher"]
    part = pc.if_else(pc.fill_null(pc.equal(said, "right"), False), parts.right, parts.wrong)
    found = pc.if_else(pc.equal(assigned["split"], split), part, assigned["split"])
    return assigned.set_column(assigned.column_names.index("split"), assigned.schema.field("split"), found)


def taught_items(build: Build[Any]) -> pa.Table:
    """Return ``item_id`` and ``teacher`` (right or wrong) of the items that the teacher is asked about."""
    split = build.recipe.splits.taught
    assigned = build.tables.read(splits_table(build), ["item_id", "split"])
    items = assigned.filter(pc.equal(assigned["split"], split)).select(["item_id"])
    found = with_teacher(items, build.tables.read("labels", ["item_id", "label"]), build.tables.read("rulings"))
    wrong = pc.fill_null(found["teacher"], "wrong")
    return items.append_column("teacher", wrong)


def _pairs(build: Build[PreferenceRecipe]) -> pa.Table:
    """Return the pairs that the teacher is asked about."""
    split = build.recipe.splits.taught
    assigned = build.tables.read(splits_table(build), ["item_id", "split"])
    taught = attach(build.tables.read("pairs"), "pair_id", assigned, "item_id", {"split": "split"})
    return taught.filter(pc.equal(taught["split"], split)).drop_columns(["split"])


def _rulings(build: Build[PreferenceRecipe]) -> Books:
    books = rulings.rule(build)
    found = count(taught_items(build)["teacher"])
    parts = build.recipe.splits.released()
    right, wrong = (split for split, whole in parts.items() if whole == build.recipe.splits.taught)
    note = (
        f"the teacher is right about {found.get('right', 0)} pairs ({right}), and not about {found.get('wrong', 0)} ({wrong})"
    )
    return Books(stage=books.stage, unit=books.unit, rows_in=books.rows_in, rows_out=books.rows_out, notes=(note,))


_ASKED: Final[Stage[PreferenceRecipe]] = judgments_stage(
    _pairs,
    reads=("splits@*",),
    settings=split_literals,
    after="splits",
    active=lambda build: build.recipe.is_taught and bool(build.recipe.judges_of_pairs),
)


def _judgments(build: Build[PreferenceRecipe]) -> Books | Waiting:
    """Ask the teacher.

    Raises:
        DataError: there is nothing to ask about, or none of its replies can be used.
    """
    if not _pairs(build).num_rows:
        raise DataError(
            f"split {build.recipe.splits.taught} is empty, so that there is nothing to ask the teacher about: look at "
            "`unisrm-data status` for what dropped the pairs, or give the other splits less"
        )
    books = _ASKED.run(build)
    if isinstance(books, Books) and sum(books.failed.values()) == books.rows_in:
        reasons = ", ".join(f"{reason} {number}" for reason, number in books.failed.items())
        raise DataError(
            f"none of the teacher's {books.rows_in} replies can be used ({reasons}): `unisrm-data status` shows the failures; "
            "ask another judge, or ask again with --retry-failed"
        )
    return books


JUDGMENTS: Final[Stage[PreferenceRecipe]] = replace(_ASKED, run=_judgments)
"""The teacher and second opinions on it, after the splits."""

RULINGS: Final[Stage[PreferenceRecipe]] = Stage(
    name="rulings",
    reads=(*made("judgments"), "labels", "splits@*"),
    writes=("rulings",),
    settings=lambda build: [rulings.settings(build), split_literals(build)],
    run=_rulings,
    active=lambda build: build.recipe.is_taught,
)
