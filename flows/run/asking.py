"""The stages that ask judges, and what keeps a judge from being asked."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from annotate.models.judge import Judge
from flows.recipe.model import Role
from flows.run.pipeline import Build, Stage
from flows.run.questions import Question, all_kept, judge_of, roles_about, scripting_roles, writing_questions
from flows.run.wanted import WRITTEN
from flows.stages.judging import REVIEWED, judge_questions, review_questions
from flows.stages.writing import SCRIPTED, script_questions


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A stage that asks judges.

    Attributes:
        stage: its name.
        after: the stage that must have ended before its questions are known.
        table: where the answers go.
        roles: whom it asks.
        questions: its questions, one for each role.
    """

    stage: str
    after: str
    table: str
    roles: Sequence[Role]
    questions: Callable[[Build], list[Question]]


def asking_stages(build: Build) -> list[Asking]:
    """Return the stages that ask judges, in order."""
    judges = [build.recipe.judge, *build.recipe.judges]
    writers, reviewers = roles_about(build, "prompts"), roles_about(build, "samples", "judgments")
    return [
        Asking(stage="texts", after="prompts", table=SCRIPTED, roles=scripting_roles(build), questions=script_questions),
        Asking(stage="writings", after="texts", table=WRITTEN, roles=writers, questions=writing_questions),
        Asking(stage="judgments", after="pairs", table="judgments", roles=judges, questions=judge_questions),
        Asking(stage="reviews", after="judgments", table=REVIEWED, roles=reviewers, questions=review_questions),
    ]


def unready(build: Build, left: Set[str], next_stage: Sequence[Stage], problem_of: Callable[[Judge], str | None]) -> list[str]:
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
    for asking in asking_stages(build):
        for number, role in enumerate(asking.roles if asking.stage in left else ()):
            judge = judge_of(role)
            if (name := repr(judge)) not in known:
                known[name] = problem_of(judge)
            if (problem := known[name]) is None:
                continue
            is_next = any(stage.name == asking.stage for stage in next_stage)
            if not is_next or not all_kept(build, asking.stage, asking.table, asking.questions(build)[number]):
                lines.append(f"judge {role.name} ({role.task}): {problem}")
    return lines
