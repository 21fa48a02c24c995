"""Checks of who writes critiques of rated pairs, against the plug-ins that are named."""

from typing import Final

from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError
from flows.recipe.checks import check_measured
from flows.recipe.critiqued_recipe import CritiquedRecipe
from flows.recipe.role_checks import check_role
from flows.recipe.sections import Role

_HEARD: Final = frozenset({"audio", "audio_a", "audio_b"})
"""What a judge gets. The clips of a pair may say different texts, and a released prompt stands for itself."""


def check(recipe: CritiquedRecipe) -> None:
    """Check what one field alone does not show.

    Raises:
        RecipeError: a judge cannot do its task or lacks a metric, or the task shows more than the clips.
    """
    for critic in recipe.judges_of_pairs:
        check_critic(recipe, critic, "pairs")
    for writer in recipe.writers:
        check_critic(recipe, writer, "samples")


def check_critic(recipe: CritiquedRecipe, role: Role, subject: str) -> None:
    """Check who writes critiques of pairs or samples.

    Raises:
        RecipeError: see ``check``.
    """
    task: TaskSpec = plugins.configure("task", role.task)
    where = {"pairs": "critiques.pairs", "samples": "critiques.clips"}[subject]
    if task.subject != subject:
        raise RecipeError(f"{where}: task {role.task!r} is about {task.subject}, not {subject}")
    if shown := sorted({*task.shown, *task.audios.values()} - _HEARD):
        raise RecipeError(f"{where}: task {role.task!r} shows {shown[0]}: critiques of rated clips go by their sound alone")
    judge = check_role(role, subject)
    check_measured(recipe, f"judge {role.name!r}", judge.facts)
