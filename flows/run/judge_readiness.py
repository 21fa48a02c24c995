"""Whether judges and writers can be asked, before any work."""

from collections.abc import Callable, Sequence, Set
from typing import Any

from annotate.models.judge import Judge
from flows.run.kind import asking_stages
from flows.run.pipeline import Build, Stage
from flows.run.question import judge_of
from flows.run.questions import all_replies_stored


def unready_judges(
    build: Build, left: Set[str], next_stage: Sequence[Stage[Any]], problem_of: Callable[[Judge], str | None]
) -> list[str]:
    """Return a line for each judge that cannot be asked; a judge whose replies are all stored already needs no key.

    Whether they are stored is known only for the next stage: the questions of later ones depend on rows that are still missing.

    Args:
        build: the build.
        left: names of the stages that have, or may get, something to do.
        next_stage: the first of them, or nothing.
        problem_of: returns what is wrong with a judge.
    """
    if not build.check_keys:
        return []
    known: dict[str, str | None] = {}
    lines = list[str]()
    for name, asking in asking_stages(build):
        for number, role in enumerate(asking.roles(build) if name in left else ()):
            judge = judge_of(role)
            if (key := repr(judge)) not in known:
                known[key] = problem_of(judge)
            if (problem := known[key]) is None:
                continue
            is_next = any(stage.name == name for stage in next_stage)
            if not is_next or not all_replies_stored(build, name, asking.table, asking.questions(build)[number]):
                lines.append(f"judge {role.name} ({role.task}): {problem}")
    return lines
