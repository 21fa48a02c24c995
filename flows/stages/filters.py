"""The stage ``filters``: items leave for counted reasons; the others are labelled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic

import pyarrow as pa

from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.joins import attach, sorted_by
from contracts.schemas import empty
from filters import chain, comparisons
from flows.listening.store import VOTED, all_votes, takes_votes
from flows.recipe.parts import Plugin
from flows.run.books import Books, count
from flows.run.kind import item_of
from flows.run.pipeline import Build, R_contra, Stage
from flows.run.question import task_of
from flows.run.questions import roles_about, with_reviews
from flows.run.wanted import made, wanted_rows
from flows.stages.metrics import current_facts
from flows.stages.rebalance import rebalanced


@dataclass(frozen=True, kw_only=True)
class Labelling(Generic[R_contra]):
    """What filters see of a kind's items, and which labels the kept ones get.

    Attributes:
        reads: tables of which both are made.
        reads_if: tables that are read only with some recipes.
        seen: returns ``item_id`` and every column that a filter may read.
        filters: returns the filters that look at every item.
        labels: returns the kept ones of these rows as a table of schema LABELS.
        settings: the part of the recipe that decides the labels, as literals.
    """

    reads: tuple[str, ...]
    reads_if: Callable[[Build[R_contra]], tuple[str, ...]] = lambda _build: ()
    seen: Callable[[Build[R_contra]], pa.Table]
    filters: Callable[[Build[R_contra]], list[Plugin]]
    labels: Callable[[Build[R_contra], pa.Table], pa.Table]
    settings: Callable[[Build[R_contra]], list[object]]


def _filters(labelling: Labelling[Any], build: Build) -> Books:
    seen = labelling.seen(build)
    rules = [(rule.name, plugins.configure("filter", rule.name, rule.options)) for rule in labelling.filters(build)]
    kept, drops = chain.apply(seen, rules)
    labels = labelling.labels(build, kept)
    if (section := build.recipe.rebalance) is not None:
        labels, more = rebalanced(build, labels, section)
        drops = pa.concat_tables([drops, more])
    build.tables.replace("drops@filters", sorted_by(drops, "row_id"))
    build.tables.replace("labels", sorted_by(labels, "item_id"))
    return Books(
        stage="filters",
        unit=item_of(build).plural,
        rows_in=seen.num_rows,
        rows_out=labels.num_rows,
        dropped=count(drops["reason"]),
    )


def filters_stage(labelling: Labelling[R_contra]) -> Stage[R_contra]:
    """Return the stage for a kind's items."""
    return Stage(
        name="filters",
        reads=labelling.reads,
        reads_if=labelling.reads_if,
        writes=("labels", "drops@filters"),
        settings=lambda build: [
            *labelling.settings(build),
            [rule.model_dump() for rule in labelling.filters(build)],
            [metric.name for metric in build.recipe.metrics],
            *([build.recipe.rebalance.model_dump()] if build.recipe.rebalance is not None else []),
            *(code for rule in labelling.filters(build) if (code := plugins.digest_of_own("filter", rule.name)) is not None),
        ],
        run=partial(_filters, labelling),
    )


def is_judged_before(build: Build) -> bool:
    """Tell whether judges are asked before the filters, if at all, and not about a split that they divide."""
    return build.recipe.splits.taught is None


def _compared(build: Build) -> pa.Table:
    prompts, samples, facts = build.tables.read("prompts"), wanted_rows(build, "samples"), current_facts(build)
    table = comparisons.join(
        pairs=build.tables.read("pairs"),
        samples=samples,
        rulings=build.tables.read("rulings") if is_judged_before(build) else empty("rulings"),
        facts=facts,
        prompts=prompts,
        votes=all_votes(build),
        labels_from=build.recipe.labels_from,
    )
    if not _tells_classes(build):
        return table
    table = attach(table, "prompt_id", prompts, "prompt_id", {"target_utterance_id": "target_utterance_id"})
    table = attach(table, "target_utterance_id", build.tables.read("utterances"), "utterance_id", {"emotion": "emotion"})
    for classes in (_written(build), comparisons.classes(facts, _classifiers(build))):
        for side in ("a", "b"):
            names = {f"{name}_{side}": name for name in classes.column_names[1:] if f"{name}_{side}" not in table.column_names}
            table = attach(table, f"sample_{side}", classes, "sample_id", names)
    return table


def _asked(build: Build) -> set[str]:
    """Return what the filters want to know of both clips, by name."""
    read = [plugins.configure("filter", rule.name, rule.options).columns for rule in filters_of(build)]
    return {column.removesuffix("_a") for columns in read for column in columns if column.endswith("_a")}


def _classifiers(build: Build) -> list[tuple[str, Mapping[str, str]]]:
    """Return what the metrics that classify clips tell, where a filter asks for it."""
    metrics = [plugins.load("metric", metric.name) for metric in build.recipe.metrics]
    return [metric.classifies for metric in metrics if getattr(metric, "classifies", [None])[0] in _asked(build)]


def _roles_about_clips(build: Build) -> list[tuple[int, TaskSpec]]:
    """Return the roles that write about clips what a filter asks for, and their numbers among those that review."""
    tasks = [task_of(role) for role in roles_about(build, "samples", "judgments")]
    return [
        (number, task) for number, task in enumerate(tasks) if task.subject == "samples" and _asked(build) & set(task.gives)
    ]


def _tells_classes(build: Build) -> bool:
    return bool(_roles_about_clips(build) or _classifiers(build))


def _written(build: Build) -> pa.Table:
    """Return ``sample_id`` and what roles wrote about the clips, by the names of their tasks."""
    table = wanted_rows(build, "samples", columns=[])
    for number, task in _roles_about_clips(build):
        table = with_reviews(build, table, number, task)
    return table


def filters_of(build: Build) -> list[Plugin]:
    """Return the filters that look at every pair: the recipe's, after those without which its labels make no sense."""
    origin, rules = build.recipe.labels_from, build.recipe.filters
    needs = {"judge", "both_orders"} if origin == "judge" and build.recipe.judges_of_pairs[0].orders == "both" else {origin}
    needed = [name for name, rule in plugins.intact("filter").items() if needs & set(rule.needed_by)]
    return [*(Plugin(name=name) for name in needed if name not in {rule.name for rule in rules}), *rules]


def _labels(build: Build, kept: pa.Table) -> pa.Table:
    """Label every kept pair, and say which judgments or votes the label rests on."""
    origin = build.recipe.labels_from
    votes = (
        sorted_by(all_votes(build).select(["vote_id", "pair_id", "discarded"]), "vote_id").to_pylist()
        if origin == "votes"
        else []
    )
    votes_of: dict[str, list[str]] = {}
    for vote in (vote for vote in votes if vote["discarded"] is None):
        votes_of.setdefault(vote["pair_id"], []).append(vote["vote_id"])
    lists = pa.list_(pa.string())
    return pa.table(
        {
            "item_id": kept["item_id"],
            "label": kept["verdict"],
            "source": pa.repeat("judgment" if origin == "judge" else origin, kept.num_rows),
            "judgment_ids": kept["judgment_ids"] if origin == "judge" else pa.array([[]] * kept.num_rows, lists),
            "vote_ids": pa.array([votes_of.get(item, []) for item in kept["item_id"].to_pylist()], lists),
        }
    )


STAGE: Final[Stage] = filters_stage(
    Labelling(
        reads=("prompts", *made("samples", "metrics"), "pairs", "votes"),
        reads_if=lambda build: (
            *(("rulings",) if is_judged_before(build) else ()),
            *((VOTED,) if takes_votes(build) else ()),
            *(("utterances",) if _tells_classes(build) else ()),
            *(made("reviews") if _roles_about_clips(build) else ()),
        ),
        seen=_compared,
        filters=filters_of,
        labels=_labels,
        settings=lambda build: [build.recipe.labels_from, *(task.name for _, task in _roles_about_clips(build))],
    )
)
"""The stage for pairs."""
