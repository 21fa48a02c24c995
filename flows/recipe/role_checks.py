"""Checks of one role of a recipe: whether its judge can be asked its task."""

from typing import Any

from contracts import plugins
from contracts.errors import RecipeError
from flows.recipe.sections import Role


def check_role(role: Role, *subjects: str) -> Any:
    """Return the configured judge of a role.

    Raises:
        RecipeError: the task is about other rows, the judge cannot do it, or has no batches.
    """
    task = role.spec
    judge = plugins.configure("judge", role.name, role.options)
    if task.subject not in subjects:
        where = {"pairs": "judge or judges", "assessments": "rationale, in a recipe of kind rated_clips"}
        raise RecipeError(f"task {role.task!r} is about {task.subject}: name it under {where.get(task.subject, 'roles')}")
    if judge.tasks is not None and role.task not in judge.tasks:
        raise RecipeError(f"judge {role.name!r} can do {', '.join(judge.tasks)}, not {role.task!r}")
    if role.mode == "batch" and not judge.has_batches:
        raise RecipeError(f"judge {role.name!r} has no batch interface: take mode: live")
    return judge
