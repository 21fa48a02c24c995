"""What keeps judges and writers from being asked."""

from collections.abc import Callable, Sequence, Set
from typing import Any

from annotate.models.judge import Judge
from flows.run.kind import asking_stages
from flows.run.pipeline import Build, Stage
from flows.run.question import judge_of
from flows.run.questions import all_kept


def unready(
    build: Build, left: Set[str], next_stage: Sequence[Stage[Any]], problem_of: Callable[[Judge], str | None]
) -> list[str]:
    """Return what keeps judges from being asked, one line each; a judge whose replies are all there already needs no key.

    Whether they are is known of the next stage alone: the questions of a later one rest on what is still to be made.

    Args:
        build: the build.
        left: stages that have, or may come to have, something to do.
        next_stage: the first of them, if there is one.
        problem_of: what is wrong with a judge.
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
            if not is_next or not all_kept(build, name, asking.table, asking.questions(build)[number]):
                lines.append(f"judge {role.name} ({role.task}): {problem}")
    return lines
