"""Lines of a plan for kinds whose items are clips that a corpus brings along; runs nothing and writes nothing."""

from collections.abc import Set

import pyarrow as pa
import pyarrow.compute as pc

from flows.run.kind import Line, stages_of
from flows.run.pipeline import Build, R_contra
from flows.run.wanted import wanted_rows
from flows.stages.corpus_clips import Usable, usable_clips
from flows.stages.metrics import metric_keys
from flows.stages.recordings import recording_keys
from flows.stages.utterances import read_corpora
from flows.views.asked_lines import asked_lines, money_line
from flows.views.plan_lines import (
    count_true,
    cpu_hours,
    is_finished,
    left_keys,
    listening_lines,
    megabytes,
    plan_line,
    release_line,
    total_of,
)


def plan_clips(build: Build[R_contra], why_not: Usable[R_contra]) -> list[Line]:
    """Return one row per stage: the rows that the recipe wants, those that are done, and what the others take.

    Args:
        build: the build.
        why_not: says which utterances can be items.

    Raises:
        UnisrmError: a corpus cannot be read, or none of its utterances can be an item.
    """
    found, _ = read_corpora(build)
    usable, _ = usable_clips(build, why_not, found)
    known = {stage.name for stage in stages_of(build) if is_finished(stage, build)}
    lines, clips = clip_lines(build, found, usable, known), usable.num_rows
    seconds = total_of(usable["duration_s"])
    if asking := asked_lines(
        build,
        known,
        lambda _stage, _task: clips,
        longest=max((text for text in usable["text"].to_pylist() if text), key=len, default=""),
        clip_s=seconds / clips,
    ):
        lines += [*asking, money_line(build, asking)]
    return [*lines, *listening_lines(build, clips, 0), release_line(build, clips, megabytes(build, seconds * 1.5))]


def clip_lines(build: Build[R_contra], found: pa.Table, usable: pa.Table, known: Set[str]) -> list[Line]:
    """Return the lines up to the metrics.

    Args:
        build: the build.
        found: all usable rows of the corpora.
        usable: those whose clips are wanted.
        known: stages that are up to date.
    """
    clips, seconds = usable.num_rows, total_of(usable["duration_s"])
    recordings = recording_keys(build, usable["utterance_id"])
    recorded = clips - len(left_keys(build, "recordings", "recordings", recordings))
    lines = [
        plan_line("utterances", found.num_rows, done=found.num_rows if "utterances" in known else 0),
        plan_line("contents", clips, done=clips if "contents" in known else 0),
        plan_line("recordings", clips, done=recorded, disk_mb=megabytes(build, seconds * (1 - recorded / clips))),
    ]
    samples = wanted_rows(build, "samples", columns=["duration_s"]) if "samples" in known else None
    for metric in build.recipe.metrics:
        rows, done, left_s = clips, 0, seconds
        if samples is not None:
            keys = pa.array(metric_keys(build, metric, samples["sample_id"].to_pylist()), pa.string())
            left = pc.is_in(keys, value_set=left_keys(build, "metrics", "metrics", keys))
            rows, done = samples.num_rows, samples.num_rows - count_true(left)
            left_s = total_of(samples.filter(left)["duration_s"])
        lines.append(plan_line(f"metrics {metric.name}", rows, done=done, cpu_h=cpu_hours("metric", metric.name, left_s)))
    return lines
