"""Lines of plans about language models: their calls, and the money in all."""

from collections.abc import Callable, Sequence
from typing import Final

from annotate.models.task import TaskSpec
from flows.recipe.sections import JudgeSection, Role
from flows.run.kind import Line, asking_stages, stages_of
from flows.run.pipeline import Build
from flows.run.question import judge_of, task_of, title_of
from flows.run.questions import known_ledger
from flows.views.plan_lines import REPLY_S, left_keys, plan_line, times

_LIKELY_REPLY: Final = "x" * 3000
"""Stands for a passage that does not exist yet; a judgment's reasoning is about as long."""

_LIKELY_TURNS: Final = 8
"""Turns before a dialogue's target (DailyTalk has 9.4 turns a dialogue)."""

_BESIDE: Final = "a second question after a reply that cannot be used, and attempts lost on the way, come on top"


def asked_lines(
    build: Build, known: set[str], rows: Callable[[str, TaskSpec], int], *, longest: str, clip_s: float
) -> list[Line]:
    """Return one line per role and judge at its highest cost.

    Args:
        build: the build.
        known: stages that are up to date; stages of which all questions are answered are added.
        rows: returns how many rows a stage may ask about, by its name and its task; it counts where the questions are not known
            yet.
        longest: the longest text.
        clip_s: mean length of a clip.
    """
    lines, active = list[Line](), {stage.name for stage in stages_of(build)}
    for stage, asking in asking_stages(build):
        before = active & {*asking.after}
        is_known = bool(before) and before <= known
        questions = asking.questions(build) if is_known else []
        left = [len(left_keys(build, stage, asking.table, question.ids)) for question in questions]
        if is_known and not any(left):
            known.add(stage)
        for number, role in enumerate(asking.roles(build)):
            wanted, done = rows(stage, task_of(role)), 0
            if isinstance(role, JudgeSection):
                wanted *= times(role)
            if questions:
                wanted, done = len(questions[number].ids), len(questions[number].ids) - left[number]
            lines.append(_asked_line(stage, role, wanted, done=done, longest=longest, clip_s=clip_s))
    return lines


def _asked_line(stage: str, role: Role, rows: int, *, done: int, longest: str, clip_s: float) -> Line:
    """Return the line of one role at its highest cost: each call with the longest text and reply and a clip per label."""
    task, judge = task_of(role), judge_of(role)
    shown = {name: _LIKELY_REPLY if name in task.passages else longest for name in task.shown}
    heard_s = sum(clip_s * (_LIKELY_TURNS if "{n}" in label else 1) for label in task.audios)
    each = judge.estimate(task.render("en", **shown), heard_s, batch=role.mode == "batch")
    calls = 0 if judge.facts else rows - done
    line = plan_line(title_of(stage, role), rows, done=done, calls=calls, usd_at_most=round(each.usd * calls, 2))
    if judge.facts:
        return line | {"note": "a rule: no call, no cost"}
    if not calls:
        return line
    tokens = f"at most {each.input_tokens * calls:,} tokens in, {each.output_tokens * calls:,} out"
    if role.mode == "batch":
        return line | {"hours": "up to 24 a batch", "note": tokens}
    pace = judge.pace
    per_minute = [60 * pace.concurrency / REPLY_S]
    per_minute += [pace.requests_per_minute] if pace.requests_per_minute else []
    per_minute += [pace.tokens_per_minute / each.input_tokens] if pace.tokens_per_minute and each.input_tokens else []
    return line | {"hours": round(calls / min(per_minute) / 60, 2), "note": tokens}


def money_line(build: Build, lines: Sequence[Line]) -> Line:
    """Return the line of the money in all that these lines may take at most, beside the budget."""
    total = sum(float(str(line["usd_at_most"])) for line in lines)
    calls = sum(int(str(line["calls"])) for line in lines)
    money = plan_line("money", 0, calls=calls, usd_at_most=round(total, 2))
    spent, budget = _spent_usd(build), build.recipe.budget_usd
    money["note"] = f"spent so far {spent:.2f} USD; {_BESIDE}" if total else f"spent so far {spent:.2f} USD"
    if budget is None:
        return money | {"note": f"no budget_usd: no paid call is allowed; {money['note']}"}
    over = "which may not be enough; " if total > budget - spent else ""
    return money | {"note": f"budget {budget:g} USD, {over}{money['note']}"}


def _spent_usd(build: Build) -> float:
    """Return the cost in the ledger so far."""
    with build.noted("ledger"):
        if (known := known_ledger(build)) is not None:
            with known as ledger:
                return ledger.owed_usd()
    return 0.0
