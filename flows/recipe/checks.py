"""Whether the parts of a recipe fit each other and the plug-ins that they name."""

from collections.abc import Mapping, Sequence, Set
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from annotate.models.inquiry import Inquiry
from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError
from filters.comparisons import COMPARED
from flows.recipe.listening_section import check_listening

if TYPE_CHECKING:
    from flows.recipe.model import Recipe, Role

NEGATIVES: Final = frozenset({"negative_text", "negative_turn"})
"""Roles whose text a system can speak instead of the target's."""


def check(recipe: "Recipe") -> None:
    """Check all that one field alone does not show.

    Raises:
        RecipeError: an unknown plug-in, a wrong option of one, an unknown voice, a judge, filter, task or system needing a
            metric or role that the recipe lacks, two judges that are one, a listening test that does not fit, or splits
            that need one.
    """
    for corpus in recipe.corpora:
        place = f"corpora.{corpus.name}.options"
        if "name" in corpus.options:
            raise RecipeError(f"{place}: name: the corpus is called {corpus.name!r} already: leave the option out")
        configured(place, "corpus", corpus.reader, {"name": corpus.name, **corpus.options})
    for system in recipe.systems:
        known = [voice.name for voice in recipe.engines[system.name].voices()]
        for voice in system.voices or []:
            if voice not in known:
                close = get_close_matches(voice, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                raise RecipeError(f"systems.{system.name}: engine {system.engine!r} has no voice {voice!r}, {hint}")
        if system.voices_per_prompt > len(system.voices or known):
            raise RecipeError(
                f"systems.{system.name}: voices_per_prompt is {system.voices_per_prompt}, but it has "
                f"{len(system.voices or known)} voices"
            )
    for metric in recipe.metrics:
        configured(f"metrics.{metric.name}.options", "metric", metric.name, metric.options)
    _check_roles(recipe)
    asked = set[str]()
    for wish in (recipe.judge, *recipe.judges):
        check_judge(recipe, wish)
        inquiry = Inquiry.of(plugins.configure("task", wish.task), plugins.configure("judge", wish.name, wish.options))
        if inquiry.identity in asked:
            raise RecipeError(
                f"judges: {wish.name!r} with the same model and parameters on the same task {wish.task!r} is named twice; "
                "set votes for more votes"
            )
        asked.add(inquiry.identity)
    for rule in recipe.filters:
        reads = plugins.configure("filter", rule.name, rule.options).columns
        sides = [column.removesuffix("_a") for column in reads if column.endswith("_a") and column not in COMPARED]
        _check_measured(recipe, f"filter {rule.name!r}", sides)
    check_listening(recipe)
    for name, split in recipe.splits.named().items():
        if split.where.rests_on_votes() and (recipe.listening is None or recipe.listening.of != "pairs"):
            raise RecipeError(f"splits.sets.{name}.where asks what listeners said of every pair: add listening with of: pairs")


def configured(place: str, kind: str, name: str, options: Mapping[str, Any]) -> Any:
    """Return a configured plug-in.

    Raises:
        RecipeError: an unknown plug-in or a wrong option; names the place in the recipe.
    """
    try:
        return plugins.configure(kind, name, options)
    except RecipeError as error:
        raise RecipeError(f"{place}: {error}") from None


def check_judge(recipe: "Recipe", wish: "Role") -> None:
    """Check that a judge of pairs can be asked in this recipe.

    Raises:
        RecipeError: it cannot: the message says what is missing.
    """
    judge = _check_asked(wish, "pairs")
    if recipe.prompts.reference == "none" and "reference_audio_id" in plugins.configure("task", wish.task).audios.values():
        raise RecipeError(f"task {wish.task!r} hears the prompt speech, but prompts.reference is none: set it to same_speaker")
    _check_measured(recipe, f"judge {wish.name!r}", judge.facts)
    _check_given(plugins.configure("task", wish.task), {name for role in recipe.roles for name in _gives(role)})


def _gives(role: "Role") -> tuple[str, ...]:
    task: TaskSpec = plugins.configure("task", role.task)
    return task.gives if task.subject == "prompts" else ()


def _check_roles(recipe: "Recipe") -> None:
    """Refuse what needs a role that the recipe does not have, or has later."""
    given: set[str] = set()
    for role in recipe.roles:
        _check_asked(role, "prompts", "samples", "judgments")
        task: TaskSpec = plugins.configure("task", role.task)
        if task.subject == "prompts":
            _check_given(task, given)
            given |= set(task.gives)
    tasks = {role.task for role in recipe.roles}
    if set(recipe.prompts.variants) != {"transcript"} and "style_continuation" not in tasks:
        raise RecipeError("prompts.variants: texts beside the transcript need the role style_continuation")
    for system in recipe.systems:
        if system.speaks != "target" and system.speaks not in tasks & NEGATIVES:
            raise RecipeError(
                f"systems.{system.name}: speaks is {system.speaks!r}; it can be target, or "
                f"{' or '.join(sorted(NEGATIVES))} where the recipe has that role"
            )


def _check_given(task: TaskSpec, given: Set[str]) -> None:
    """Refuse a task that shows what only another role writes, where that role does not come before it."""
    for name in task.shown:
        writers = [other for other in plugins.names("task") if name in plugins.load("task", other).gives and name != "text"]
        if writers and name not in given:
            raise RecipeError(f"task {task.name!r} shows {name}: add the role {' or '.join(writers)} before it")


def _check_asked(wish: "Role", *subjects: str) -> Any:
    """Return the configured judge of a role.

    Raises:
        RecipeError: the task is about other rows, the judge cannot do it, or has no batches.
    """
    task: TaskSpec = plugins.configure("task", wish.task)
    judge = plugins.configure("judge", wish.name, wish.options)
    if task.subject not in subjects:
        where = "judge or judges" if task.subject == "pairs" else "roles"
        raise RecipeError(f"task {wish.task!r} is about {task.subject}: name it under {where}")
    if judge.tasks is not None and wish.task not in judge.tasks:
        raise RecipeError(f"judge {wish.name!r} can do {', '.join(judge.tasks)}, not {wish.task!r}")
    if wish.mode == "batch" and not judge.has_batches:
        raise RecipeError(f"judge {wish.name!r} has no batch interface: take mode: live")
    return judge


def _check_measured(recipe: "Recipe", who: str, values: Sequence[str]) -> None:
    """Refuse a judge or filter that needs a number which no metric of the recipe gives: it would stop after all the work."""
    given = {value for metric in recipe.metrics for value in plugins.load("metric", metric.name).value_names}
    lacking = [value for value in values if value not in given]
    if lacking:
        givers = sorted(
            name for name in plugins.names("metric") if set(plugins.load("metric", name).value_names) & set(lacking)
        )
        raise RecipeError(f"{who} needs {', '.join(lacking)}: add metrics: {', '.join(givers)}")
