"""Which task the items of a release are judged in."""

from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError
from flows.benchmark.released_items import ReleasedItems


def task_of_items(items: ReleasedItems, name: str | None) -> TaskSpec | None:
    """Return the task of that name, or else the one that the configuration is called after; None = it is called after none.

    Raises:
        RecipeError: there is no such task, or it is not about such items.
    """
    if name is None and items.configuration not in plugins.names("task"):
        return None
    task: TaskSpec = plugins.configure("task", name or items.configuration)
    if task.subject == items.about:
        return task
    if name is None:
        return None
    raise RecipeError(f"task {name} is about {task.subject}, and {items} has {items.about}")


def required_task(items: ReleasedItems, name: str | None) -> TaskSpec:
    """Return the same.

    Raises:
        RecipeError: likewise, or none is known.
    """
    if (task := task_of_items(items, name)) is not None:
        return task
    tasks = plugins.intact("task", plugins.configure)
    fitting = sorted(one for one, task in tasks.items() if task.subject == items.about)
    raise RecipeError(f"{items} does not say in which task it is judged: name it with --task: {', '.join(fitting)}")
