"""Lines of plans, for all kinds of data sets."""

import math
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins
from flows.listening.pay import planned_pay
from flows.recipe.listening_checks import terms_of
from flows.recipe.sections import JudgeSection
from flows.run.kind import Line, stages_of
from flows.run.marks import finished
from flows.run.pipeline import Asking, Build, Stage
from flows.stages.split_facts import split_sizes
from synth.sanity import duration_bounds
from synth.service_rendering import ServiceEngine

FLAC_BYTES_PER_SAMPLE: Final = 1.1
"""Size of 16-bit speech as FLAC, measured on the demo."""

REPLY_S: Final = 6.0
"""Assumed seconds of a reply to two clips, for the hours of a plan; the ledger has the measured ones."""


def spoken_line(line: Line, service: ServiceEngine, texts: Sequence[str]) -> Line:
    """Return the line of a system that is a service with its requests at their highest cost.

    Args:
        line: the same line without that.
        service: the engine.
        texts: what is left to be spoken.
    """
    each = [service.estimate(text, duration_bounds(text)[1]) for text in texts]
    pace, calls = service.pace, len(each)
    if not calls:
        return line
    per_minute = [60 * pace.concurrency / REPLY_S]
    per_minute += [pace.requests_per_minute] if pace.requests_per_minute else []
    return line | {
        "calls": calls,
        "usd_at_most": round(sum(one.usd for one in each), 2),
        "hours": round(calls / min(per_minute) / 60, 2),
        "note": f"speech of at most {sum(duration_bounds(text)[1] for text in texts) / 60:,.0f} minutes is counted",
    }


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
    """Return the CPU hours of an engine or metric for that many seconds of audio; None if its plug-in has no rate."""
    rate: float | None = getattr(plugins.load(kind, name), "cpu_s_per_audio_s", None)
    return None if rate is None else round(rate * audio_s / 3600, 3)


def megabytes(build: Build, audio_s: float) -> float:
    """Return the size on disk of that many seconds of audio."""
    return round(audio_s * build.recipe.clip_format.sample_rate_hz * FLAC_BYTES_PER_SAMPLE / 1e6, 1)


def left_keys(build: Build, stage: str, table: str, keys: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the keys that a stage has neither made nor failed to make."""
    left = build.tables.missing(table, keys)
    return left.filter(pc.invert(pc.is_in(left, value_set=build.tables.read(f"failures@{stage}", ["row_id"])["row_id"])))


def release_line(build: Build, rows: int, disk_mb: float) -> Line:
    """Return the line of the release: what may be in it, or what is in it if it is finished."""
    stage = stages_of(build)[-1]
    with build.noted(f"stage {stage.name}"):
        if (books := finished(stage, build)) is not None:
            return plan_line(stage.name, books.rows_out, done=books.rows_out)
    return plan_line(stage.name, rows, disk_mb=disk_mb) | {"note": "before filters"}


def is_answered(build: Build, stage: str, asking: Asking) -> bool:
    """Tell whether all questions that a stage has now were answered, or have failed."""
    return not any(len(left_keys(build, stage, asking.table, one.ids)) for one in asking.questions(build))


def is_finished(stage: Stage[Any], build: Build) -> bool:
    """Tell whether a stage is up to date; damage is noted, not raised."""
    with build.noted(f"stage {stage.name}"):
        return finished(stage, build) is not None
    return False


def times(judge: JudgeSection) -> int:
    """Return how often a judge is asked about each pair."""
    return judge.votes * (2 if judge.orders == "both" else 1)


def quota_lines(build: Build, pairs: int) -> list[Line]:
    """Return the line of the splits: whether that many pairs are enough for their quotas; nothing where there are none."""
    needed = sum(size.rows for size in split_sizes(build.recipe).values())
    if not needed:
        return []
    if needed > pairs:
        note = f"the quotas cannot be met: they take {needed:,} pairs, and there are at most {pairs:,}: raise prompts.texts"
    else:
        lost = 1 - needed / pairs
        note = f"the quotas take {needed:,} of at most {pairs:,} pairs: failures and filters may take {lost:.0%}"
    return [plan_line("splits", min(needed, pairs)) | {"note": note}]


def listening_lines(build: Build, samples: int, pairs: int) -> list[Line]:
    """Return the line of the listening test: the least number of votes, before any filter drops a pair."""
    section = build.recipe.listening
    if section is None:
        return []
    rows, each = samples if section.rated() else pairs, terms_of(build.recipe).protocol.votes_needed([])
    if section.of == "splits":
        sizes = split_sizes(build.recipe)
        quotas = sum(size.rows for size in sizes.values())
        verified = [sizes[split] for split in section.splits]
        share = sum(size.fraction or 0.0 for size in verified)
        rows = min(pairs, sum(size.rows for size in verified)) + math.ceil(max(0, pairs - quotas) * share)
    elif section.of in ("check", "critiques"):
        rows = min(pairs, section.check_pairs)
    done = rows if any(stage.name == section.stage and is_finished(stage, build) for stage in stages_of(build)) else 0
    return [
        plan_line(section.stage, rows, done=done)
        | {
            "note": f"{each} votes of people each, {each * rows:,} in all, more on disagreement"
            + planned_pay(section, each * rows)
        }
    ]
