"""Whether systems, roles and judges of a recipe of preferences fit each other and the plug-ins that they name."""

from collections.abc import Sequence, Set
from difflib import get_close_matches
from typing import Any

from annotate.models.inquiry import Inquiry
from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError
from flows.recipe.checks import check_measured
from flows.recipe.preference import PreferenceRecipe
from flows.recipe.sections import Role, System


def _negative_roles() -> list[str]:
    """Return the tasks whose text a system can speak instead of the target's."""
    return [name for name in plugins.names("task") if plugins.load("task", name).makes_negatives]


def check(recipe: PreferenceRecipe) -> None:
    """Check all that one field alone does not show.

    Raises:
        RecipeError: an unknown voice, a system, judge or role needing a metric, corpus or role that the recipe lacks, two
            judges that are one, or labels from what the recipe does not have.
    """
    for system in recipe.systems:
        if system.clips is None:
            _check_voices(system, [voice.name for voice in recipe.engines[system.name].voices()])
        elif system.clips not in {corpus.name for corpus in recipe.corpora}:
            raise RecipeError(f"systems.{system.name}.clips: {system.clips!r} is no corpus of this recipe")
    _check_labels(recipe)
    _check_roles(recipe)
    asked = set[str]()
    for wish in recipe.judges_of_pairs:
        check_judge(recipe, wish)
        inquiry = Inquiry.of(plugins.configure("task", wish.task), plugins.configure("judge", wish.name, wish.options))
        if inquiry.identity in asked:
            raise RecipeError(
                f"judges: {wish.name!r} with the same model and parameters on the same task {wish.task!r} is named twice; "
                "set votes for more votes"
            )
        asked.add(inquiry.identity)


def _check_voices(system: System, known: Sequence[str]) -> None:
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


def _check_labels(recipe: PreferenceRecipe) -> None:
    """Refuse labels from what the recipe does not have."""
    match recipe.labels_from:
        case "judge" if recipe.judge is None:
            raise RecipeError("judge: is needed: labels come from its judgments; or say where else they come from: labels.from")
        case "construction" if all(system.speaks == "target" for system in recipe.systems):
            raise RecipeError(
                "labels.from is construction, but every system speaks the target: let one speak what a role writes instead "
                f"({' or '.join(_negative_roles())})"
            )
        case "ratings":
            raise RecipeError("labels.from: ratings make labels in recipes of kind rated_pairs")


def check_judge(recipe: PreferenceRecipe, wish: Role) -> None:
    """Check that a judge of pairs can be asked in this recipe.

    Raises:
        RecipeError: it cannot: the message says what is missing.
    """
    judge = _check_asked(wish, "pairs")
    if recipe.prompts.reference == "none" and "reference_audio_id" in plugins.configure("task", wish.task).audios.values():
        raise RecipeError(f"task {wish.task!r} hears the prompt speech, but prompts.reference is none: set it to same_speaker")
    check_measured(recipe, f"judge {wish.name!r}", judge.facts)
    _check_given(plugins.configure("task", wish.task), {name for role in recipe.roles for name in _gives(role)})


def _gives(role: Role) -> tuple[str, ...]:
    task: TaskSpec = plugins.configure("task", role.task)
    return task.gives if task.subject == "prompts" else ()


def _check_roles(recipe: PreferenceRecipe) -> None:
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
        if system.speaks != "target" and system.speaks not in tasks & set(_negative_roles()):
            raise RecipeError(
                f"systems.{system.name}: speaks is {system.speaks!r}; it can be target, or "
                f"{' or '.join(_negative_roles())} where the recipe has that role"
            )


def _check_given(task: TaskSpec, given: Set[str]) -> None:
    """Refuse a task that shows what only another role writes, where that role does not come before it."""
    for name in task.shown:
        writers = [other for other in plugins.names("task") if name in plugins.load("task", other).gives and name != "text"]
        if writers and name not in given:
            raise RecipeError(f"task {task.name!r} shows {name}: add the role {' or '.join(writers)} before it")


def _check_asked(wish: Role, *subjects: str) -> Any:
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
