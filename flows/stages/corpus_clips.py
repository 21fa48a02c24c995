"""The stages of kinds whose items are clips that a corpus brings along: ``contents``, ``recordings`` and ``samples``.

Each clip becomes the one sample of a prompt of its own. Clips are kept as they were heard.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.joins import among
from flows.run.books import Books, count
from flows.run.kind import item_of
from flows.run.pipeline import Build, R_contra, Stage
from flows.run.wanted import made, want, wanted_rows
from flows.run.work import count_done, do_missing
from flows.stages.recordings import recording_requests, recording_work
from synth import clip_prompts
from synth.dsp import format_literals
from synth.rated_clips import drops
from synth.rated_clips import samples as samples_of

Usable: TypeAlias = Callable[[R_contra, pa.Table], pa.Array | pa.ChunkedArray]
"""From a recipe and rows of schema UTTERANCES to why each of them can be no item; null = it can."""


def usable_clips(build: Build[R_contra], why_not: Usable[R_contra], utterances: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the utterances that can be items, with ``group_id`` and ``prompt_id``, and the others as drops.

    Raises:
        DataError: none of them can.
    """
    reason = why_not(build.recipe, utterances)
    usable, gone = utterances.filter(pc.is_null(reason)), drops("contents", utterances, reason)
    if not usable.num_rows:
        reasons = ", ".join(f"{name} {rows}" for name, rows in count(gone["reason"]).items())
        raise DataError(f"none of {utterances.num_rows} utterances can be one of the {item_of(build).plural}: {reasons}")
    return clip_prompts.grouped(usable), gone


def _usable(why_not: Usable[Any], build: Build) -> pa.Table:
    return usable_clips(build, why_not, build.tables.read("utterances"))[0]


def _contents(why_not: Usable[Any], build: Build) -> Books:
    found = build.tables.read("utterances")
    usable, gone = usable_clips(build, why_not, found)
    build.tables.replace("drops@contents", gone)
    build.tables.replace("prompts", clip_prompts.prompts(usable))
    dropped = count(gone["reason"])
    return Books(stage="contents", unit="clips", rows_in=found.num_rows, rows_out=usable.num_rows, dropped=dropped)


def _recordings(why_not: Usable[Any], build: Build) -> Books:
    requests = recording_requests(build, _usable(why_not, build)["utterance_id"])
    want(build, "recordings", [(requests["row_id"], requests["subject_id"])])
    do_missing(build, "recordings", recording_work(build, requests))
    return count_done(build, "recordings")


def _samples(why_not: Usable[Any], build: Build) -> Books:
    """Take every recording for a sample of its system."""
    usable, recordings = _usable(why_not, build), wanted_rows(build, "recordings")
    samples = samples_of(usable, recordings)
    build.tables.append("samples", among(samples, "sample_id", build.tables.missing("samples", samples["sample_id"])))
    want(build, "samples", [(samples["sample_id"], samples["prompt_id"])])
    is_there = pc.is_in(usable["utterance_id"], value_set=recordings["utterance_id"].combine_chunks())
    lost = drops("samples", usable, pc.if_else(is_there, pa.scalar(None, pa.string()), "recording_failed"))
    build.tables.replace("drops@samples", lost)
    dropped = count(lost["reason"])
    return Books(stage="samples", unit="clips", rows_in=usable.num_rows, rows_out=samples.num_rows, dropped=dropped)


def clip_stages(
    why_not: Usable[R_contra], settings: Callable[[Build[R_contra]], list[object]]
) -> tuple[Stage[R_contra], Stage[R_contra], Stage[R_contra]]:
    """Return the three stages.

    Args:
        why_not: says which utterances can be items.
        settings: the part of the recipe that decides it, as literals.
    """
    return (
        Stage(
            name="contents",
            reads=("utterances",),
            writes=("prompts", "drops@contents"),
            settings=settings,
            run=partial(_contents, why_not),
        ),
        Stage(
            name="recordings",
            reads=("utterances",),
            writes=("wanted@recordings", "recordings", "failures@recordings"),
            settings=lambda build: [
                *settings(build),
                format_literals(build.recipe.clip_format),
                [corpus.root for corpus in build.recipe.corpora],
            ],
            run=partial(_recordings, why_not),
            on_cluster=True,
        ),
        Stage(
            name="samples",
            reads=("utterances", *made("recordings")),
            writes=("wanted@samples", "samples", "drops@samples"),
            settings=settings,
            run=partial(_samples, why_not),
        ),
    )
