"""Checks of the sections that all recipes share, against each other and the plug-ins that they name."""

from collections.abc import Sequence
from typing import Any

from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError
from filters.comparisons import COMPARED
from flows.recipe.listening_checks import check_listening
from flows.recipe.model import Recipe
from flows.recipe.parts import configured
from scoring.audit.features import OF_CLIPS, ORIGINS, POSITION, nuisances_of, unmeasured


def check(recipe: Recipe) -> None:
    """Check what one field alone does not show.

    Raises:
        RecipeError: an unknown plug-in, a wrong option of one, a filter without the metric that it needs, labels from votes
            without a filter that makes them, a listening test that does not fit, or splits that need one.
    """
    for corpus in recipe.corpora:
        place = f"corpora.{corpus.name}.options"
        if "name" in corpus.options:
            raise RecipeError(f"{place}: name: the corpus is called {corpus.name!r} already: leave the option out")
        configured(place, "corpus", corpus.reader, {"name": corpus.name, **corpus.options})
    for metric in recipe.metrics:
        configured(f"metrics.{metric.name}.options", "metric", metric.name, metric.options)
    for rule in recipe.filters:
        reads = plugins.configure("filter", rule.name, rule.options).columns
        sides = [column.removesuffix("_a") for column in reads if column.endswith("_a") and column not in COMPARED]
        check_measured(recipe, f"filter {rule.name!r}", sides)
    _check_labels(recipe)
    _check_rebalance(recipe)
    check_listening(recipe)
    for name, split in recipe.splits.named().items():
        if split.where.rests_on_votes() and (recipe.listening is None or recipe.listening.of != "pairs"):
            raise RecipeError(f"splits.sets.{name}.where asks what listeners said of every pair: add listening with of: pairs")


def _check_rebalance(recipe: Recipe) -> None:
    if recipe.rebalance is None:
        return
    if not recipe.compares:
        raise RecipeError(f"rebalance: is for pairs of clips; items of kind {recipe.kind} are single clips: leave it out")
    measured = [value for metric in recipe.metrics for value in nuisances_of(metric.name)]
    known = [POSITION, *OF_CLIPS, *ORIGINS, *measured]
    for name in recipe.rebalance.features:
        if name not in known:
            givers = unmeasured(tuple(metric.name for metric in recipe.metrics))
            add = f": add metrics: {givers[name]}" if name in givers else f"; known: {', '.join(known)}"
            raise RecipeError(f"rebalance.features: nothing measures {name!r}{add}")


def _check_labels(recipe: Recipe) -> None:
    makers = [rule.name for rule in recipe.filters if plugins.load("filter", rule.name).makes_labels]
    if makers and recipe.labels_from != "votes":
        raise RecipeError(f"filter {makers[0]!r} makes labels of votes, but labels.from is {recipe.labels_from}: keep one")
    if recipe.labels_from == "votes" and not makers and recipe.compares:
        known = [name for name, rule in plugins.intact("filter").items() if rule.makes_labels]
        raise RecipeError(f"labels.from is votes: add a filter that makes labels of them: {', '.join(known)}")


def check_measured(recipe: Recipe, who: str, values: Sequence[str]) -> None:
    """Refuse a judge or filter that needs what no metric or role tells of clips: it would fail only after hours."""
    given = {value for metric in recipe.metrics for value in _told_by(plugins.load("metric", metric.name))}
    written = {name for role in recipe.writers for name in _written_of_clips(plugins.load("task", role.task))}
    missing = [value for value in values if value not in given | written]
    if missing:
        metrics = [name for name, metric in plugins.intact("metric").items() if set(_told_by(metric)) & set(missing)]
        roles = [name for name, task in plugins.intact("task").items() if set(_written_of_clips(task)) & set(missing)]
        ways = [f"metrics: {', '.join(metrics)}"] if metrics else []
        ways += [f"roles: {', '.join(roles)}"] if roles else []
        raise RecipeError(f"{who} needs {', '.join(missing)}: add {', or '.join(ways)}")


def _told_by(metric: Any) -> tuple[str, ...]:
    return (*metric.value_names, *getattr(metric, "classifies", ())[:1])


def _written_of_clips(task: TaskSpec) -> tuple[str, ...]:
    return task.gives if task.subject == "samples" else ()
