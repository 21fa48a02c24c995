"""What the plans of all kinds of data sets are made of."""

import math
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins
from flows.recipe.listening_checks import terms_of
from flows.recipe.sections import Judge, Role
from flows.run.kind import Line
from flows.run.marks import finished
from flows.run.pipeline import Asking, Build, Stage
from flows.run.question import judge_of, task_of
from flows.run.questions import known_ledger
from flows.stages.split_facts import split_sizes

FLAC_BYTES_PER_SAMPLE: Final = 1.1
"""Size of 16-bit speech as FLAC, measured on the demo."""

_REPLY_S: Final = 6.0
"""Seconds that a model takes to hear two clips and answer, for the hours of a plan; the ledger keeps the true ones."""

_LIKELY_REPLY: Final = "x" * 3000
"""A passage that does not exist yet: a judgment's reasoning is about so long."""

_LIKELY_TURNS: Final = 8
"""Turns before a dialogue's target (DailyTalk has 9.4 turns a dialogue)."""

BESIDE: Final = "a second question after a reply that cannot be used, and attempts lost on the way, come on top"


def asked_line(stage: str, role: Role, rows: int, *, done: int, longest: str, clip_s: float) -> Line:
    """Say what one role takes at most: every call with the longest text, a full-length reply and one clip per label."""
    task, judge = task_of(role), judge_of(role)
    shown = {name: _LIKELY_REPLY if name in task.passages else longest for name in task.shown}
    heard_s = sum(clip_s * (_LIKELY_TURNS if "{n}" in label else 1) for label in task.audios)
    each = judge.estimate(task.render("en", **shown), heard_s, batch=role.mode == "batch")
    calls = 0 if judge.facts else rows - done
    line = plan_line(
        f"{stage} {role.task} {role.name}/{judge.model}", rows, done=done, calls=calls, usd_at_most=round(each.usd * calls, 2)
    )
    if judge.facts:
        return line | {"note": "a rule: no call, no cost"}
    if not calls:
        return line
    tokens = f"at most {each.input_tokens * calls:,} tokens in, {each.output_tokens * calls:,} out"
    if role.mode == "batch":
        return line | {"hours": "up to 24 a batch", "note": tokens}
    pace = judge.pace
    per_minute = [60 * pace.concurrency / _REPLY_S]
    per_minute += [pace.requests_per_minute] if pace.requests_per_minute else []
    per_minute += [pace.tokens_per_minute / each.input_tokens] if pace.tokens_per_minute and each.input_tokens else []
    return line | {"hours": round(calls / min(per_minute) / 60, 2), "note": tokens}


def spent_usd(build: Build) -> float:
    """Return what the ledger owes so far."""
    with build.noted("ledger"):
        if (known := known_ledger(build)) is not None:
            with known as ledger:
                return ledger.owed_usd()
    return 0.0


def plan_line(
    stage: str,
    rows: int,
    *,
    done: int = 0,
    calls: int = 0,
    usd_at_most: float = 0.0,
    cpu_h: float | None = 0.0,
    disk_mb: float = 0.0,
) -> Line:
    """Return one row of a plan."""
    return {
        "stage": stage,
        "rows": rows,
        "done": done,
        "calls": calls,
        "usd_at_most": usd_at_most,
        "hours": 0.0,
        "cpu_hours": "unknown" if cpu_h is None else cpu_h,
        "disk_mb": disk_mb,
        "note": "",
    }


def count_true(flags: pa.Array | pa.ChunkedArray) -> int:
    """Return how many flags are set."""
    return int(pc.sum(flags).as_py() or 0)


def total_of(column: pa.ChunkedArray) -> float:
    """Return the sum of a column, 0 for an empty one."""
    return float(pc.sum(column).as_py() or 0.0)


def cpu_hours(kind: str, name: str, audio_s: float) -> float | None:
    """Return the CPU hours that an engine or metric takes for so many seconds of audio; None if its plug-in does not say."""
    rate: float | None = getattr(plugins.load(kind, name), "cpu_s_per_audio_s", None)
    return None if rate is None else round(rate * audio_s / 3600, 3)


def megabytes(build: Build, audio_s: float) -> float:
    """Return what so many seconds of audio take on the disk."""
    return round(audio_s * build.recipe.clip_format.sample_rate_hz * FLAC_BYTES_PER_SAMPLE / 1e6, 1)


def left_keys(build: Build, stage: str, table: str, keys: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the keys that a stage has neither made nor given up."""
    left = build.tables.missing(table, keys)
    return left.filter(pc.invert(pc.is_in(left, value_set=build.tables.read(f"failures@{stage}", ["row_id"])["row_id"])))


def is_answered(build: Build, stage: str, asking: Asking) -> bool:
    """Say whether the questions that a stage has now have all been answered, or were given up."""
    return not any(len(left_keys(build, stage, asking.table, one.ids)) for one in asking.questions(build))


def is_finished(stage: Stage[Any], build: Build) -> bool:
    """Say whether a stage is up to date; damage is noted, not raised."""
    with build.noted(f"stage {stage.name}"):
        return finished(stage, build) is not None
    return False


def times(judge: Judge) -> int:
    """Return how often a judge is asked about a pair."""
    return judge.votes * (2 if judge.orders == "both" else 1)


def listening_lines(build: Build, samples: int, pairs: int) -> list[Line]:
    """Say how many votes people are asked for at least, before any filter drops a pair."""
    wish = build.recipe.listening
    if wish is None:
        return []
    rows, each = samples if wish.rated() else pairs, terms_of(build.recipe).protocol.votes_needed([])
    if wish.of == "splits":
        sizes = split_sizes(build.recipe)
        quotas = sum(size.rows for size in sizes.values())
        heard = [sizes[split] for split in wish.splits]
        share = sum(size.fraction or 0.0 for size in heard)
        rows = min(pairs, sum(size.rows for size in heard)) + math.ceil(max(0, pairs - quotas) * share)
    return [
        plan_line(wish.stage, rows) | {"note": f"{each} votes of people each, {each * rows:,} in all, more on disagreement"}
    ]
