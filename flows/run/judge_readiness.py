"""Whether judges and writers can be asked, before any work."""

from collections import Counter
from collections.abc import Callable, Sequence, Set
from typing import Any

from annotate.models.judge import Judge
from flows.run.kind import asking_stages, kind_of
from flows.run.pipeline import Build, Stage
from flows.run.question import judge_of, title_of
from flows.run.questions import all_replies_stored


def unready_judges(
    build: Build, left: Set[str], next_stage: Sequence[Stage[Any]], problem_of: Callable[[Judge], str | None]
) -> list[str]:
    """Return a line for each judge that cannot be asked and has to be; one that is asked nothing needs no key.

    For the next stage it is known whether all its replies are stored. The questions of later ones depend on rows that it may
    change: these go by the plan, which counts no call less than a build would make.

    Args:
        build: the build.
        left: names of the stages that have, or may get, something to do.
        next_stage: the first of them, or nothing.
        problem_of: returns what is wrong with a judge.
    """
    if not build.check_keys:
        return []
    known: dict[str, str | None] = {}
    silent: set[str] | None = None
    lines = list[str]()
    for name, asking in asking_stages(build):
        for number, role in enumerate(asking.roles(build) if name in left else ()):
            judge = judge_of(role)
            if (key := repr(judge)) not in known:
                known[key] = problem_of(judge)
            if (problem := known[key]) is None:
                continue
            is_next = any(stage.name == name for stage in next_stage)
            if is_next and all_replies_stored(build, name, asking.table, asking.questions(build)[number]):
                continue
            silent = _without_calls(build) if silent is None else silent
            if title_of(name, role) not in silent:
                lines.append(f"judge {role.name} ({role.task}): {problem}")
    return lines


def _without_calls(build: Build) -> set[str]:
    """Return the titles of the roles for which the plan counts no call."""
    calls = Counter[str]()
    for line in kind_of(build).plan(build.as_read_only()):
        calls[str(line["stage"])] += int(str(line["calls"]))
    return {title for title, number in calls.items() if not number}
