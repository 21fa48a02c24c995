"""Pairs of rated clips: two clips of one content, of which the one that people rated higher is better (MOS-RMBench).

Nothing is synthesised and nobody is asked: a corpus brings clips, what they say, and ratings per rater or as means. Clips are
kept as they were heard.
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from flows.kinds.clip_plan import clip_lines
from flows.kinds.rated_configurations import CRITIQUE_READS, prompt_versions, rated_configurations
from flows.listening.evidence import counted_votes, votes_by_value
from flows.recipe.critiques_checks import check
from flows.recipe.rated_pairs_recipe import RatedPairsRecipe
from flows.run.books import Books, count
from flows.run.kind import Kind, Line
from flows.run.marks import mark_of
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, want, wanted_rows
from flows.run.work import count_done, do_missing
from flows.stages import (
    audit,
    claims,
    critique_check,
    drawn_pairs,
    filters,
    gold_clips,
    label_check,
    metrics,
    splits,
    utterances,
    verification,
    votes,
)
from flows.stages.critiques import CRITIQUES, JUDGMENTS, REVIEWS
from flows.stages.drawn_pairs import rated, rule_literals, usable_clips
from flows.stages.filters import filters_of
from flows.stages.recordings import recording_requests, recording_work
from flows.stages.release import pairs_were_voted_on, release_stage
from flows.stages.release_form import Form
from flows.stages.split_facts import split_sizes
from flows.stages.utterances import read_corpora
from flows.views.asked_lines import asked_lines, money_line
from flows.views.plan_lines import (
    is_finished,
    listening_lines,
    megabytes,
    plan_line,
    release_line,
    total_of,
)
from flows.views.rated_statistics import card_statistics, report_content
from storage.rated_rows import RatedPairRows
from synth import rated_clips
from synth.dsp import format_literals

_Build = Build[RatedPairsRecipe]


def _contents(build: _Build) -> Books:
    """Make one prompt of every content, or of every pool of clips that pairs are drawn of.

    Raises:
        DataError: no clip has both a content and a rating, or no split takes any.
    """
    found = build.tables.read("utterances")
    clips, drops = usable_clips(build, found)
    build.tables.replace("drops@contents", drops)
    build.tables.replace("prompts", rated_clips.contents(clips))
    dropped = count(drops["reason"])
    return Books(stage="contents", unit="clips", rows_in=found.num_rows, rows_out=clips.num_rows, dropped=dropped)


def _recordings(build: _Build) -> Books:
    requests = recording_requests(build, _clips(build)["utterance_id"])
    want(build, "recordings", [(requests["row_id"], requests["subject_id"])])
    do_missing(build, "recordings", recording_work(build, requests))
    return count_done(build, "recordings")


def _samples(build: _Build) -> Books:
    """Take every recording for a sample of its system, but for sounds that are in another split, too."""
    clips, recordings = _clips(build), wanted_rows(build, "recordings")
    samples = rated_clips.samples(clips, recordings)
    is_there = pc.is_in(clips["utterance_id"], value_set=recordings["utterance_id"].combine_chunks())
    reason = pc.if_else(is_there, pa.scalar(None, pa.string()), "recording_failed")
    if build.recipe.draws_pairs:
        twice = samples.filter(rated_clips.of_one_sound(samples, clips))["utterance_id"].combine_chunks()
        reason = pc.if_else(pc.is_in(clips["utterance_id"], value_set=twice), "audio_in_two_splits", reason)
        samples = samples.filter(pc.invert(pc.is_in(samples["utterance_id"], value_set=twice)))
    build.tables.replace("samples", samples)
    want(build, "samples", [(samples["sample_id"], samples["prompt_id"])])
    drops = rated_clips.drops("samples", clips, reason)
    build.tables.replace("drops@samples", drops)
    dropped = count(drops["reason"])
    return Books(stage="samples", unit="clips", rows_in=clips.num_rows, rows_out=samples.num_rows, dropped=dropped)


def _clips(build: _Build) -> pa.Table:
    return usable_clips(build, build.tables.read("utterances"))[0]


def _rulings(build: _Build) -> Books:
    found, samples = build.tables.read("pairs"), wanted_rows(build, "samples")
    clips, _ = rated(build, build.tables.read("utterances"))
    ruled = rated_clips.rulings(found, samples, clips, build.recipe.scale)
    build.tables.replace("rulings", ruled)
    return Books(stage="rulings", unit="rated pairs", rows_in=found.num_rows, rows_out=ruled.num_rows)


def _rows(build: _Build) -> RatedPairRows:
    return RatedPairRows(
        pairs=build.tables.read("pairs"),
        labels=build.tables.read("labels"),
        rulings=build.tables.read("rulings"),
        prompts=build.tables.read("prompts"),
        utterances=build.tables.read("utterances"),
        samples=wanted_rows(build, "samples"),
        filters=[rule.name for rule in filters_of(build)],
        scale=build.recipe.scale,
        votes=votes_by_value(counted_votes(build)) if pairs_were_voted_on(build) else None,
    )


def _statement(build: _Build) -> str:
    """Say where labels come from, and how evenly clips are used."""
    mark = mark_of(drawn_pairs.STAGE, build)
    notes = "".join(f" {note[0].upper()}{note[1:]}." for note in (mark.books.notes if mark is not None else ()))
    scale = f"on the scale {build.recipe.scale}, which the corpora brought along"
    if build.recipe.rated_by == "computation":
        return f"The labels come from simulated ratings {scale}: they were computed, and nobody listened.{notes}"
    return f"The labels come from people's ratings {scale}.{notes}"


def _possible_pairs(build: _Build, clips: pa.Table) -> int:
    """Return how many pairs are wanted, or could be made."""
    if build.recipe.draws_pairs:
        return sum(size.rows for size in split_sizes(build.recipe).values())
    sizes = pc.value_counts(clips["group_id"])
    return sum(n * (n - 1) // 2 for n in (item["counts"].as_py() for item in sizes))


def _plan(build: _Build) -> list[Line]:
    """Return what a build would do; nothing is synthesised or paid for.

    Raises:
        UnisrmError: a corpus cannot be read, or no clip has both a content and a rating.
    """
    found, _ = read_corpora(build)
    usable, _ = usable_clips(build, found)
    known = {stage.name for stage in _MAKING if stage.active(build) and is_finished(stage, build)}
    clips, seconds = usable.num_rows, total_of(usable["duration_s"])
    if "pairs" in known:
        pairs = build.tables.num_rows("pairs")
    else:
        pairs = _possible_pairs(build, usable)
    lines = clip_lines(build, found, usable, known)
    lines.append(plan_line("pairs", pairs, done=pairs if "pairs" in known else 0))
    lines += _asking(build, known, {"pairs": pairs, "samples": clips}, clip_s=seconds / clips)
    return [*lines, *listening_lines(build, clips, pairs), release_line(build, pairs, megabytes(build, seconds * 1.5))]


def _asking(build: _Build, known: set[str], rows: Mapping[str, int], *, clip_s: float) -> list[Line]:
    """Return a line for each role that writes critiques, and one for the money; nothing where nobody is asked.

    Before the splits are there, as many pairs and clips are counted as there can be.
    """
    if not (build.recipe.judges_of_pairs or build.recipe.writers):
        return []
    lines = asked_lines(build, known, lambda _stage, task: rows[task.subject], longest="", clip_s=clip_s)
    return [*lines, money_line(build, lines)]


_MAKING: Final[tuple[Stage[RatedPairsRecipe], ...]] = (
    utterances.STAGE,
    Stage(
        name="contents",
        reads=("utterances",),
        writes=("prompts", "drops@contents"),
        settings=rule_literals,
        run=_contents,
    ),
    Stage(
        name="recordings",
        reads=("utterances",),
        writes=("wanted@recordings", "recordings", "failures@recordings"),
        settings=lambda build: [
            *rule_literals(build),
            format_literals(build.recipe.clip_format),
            [corpus.root for corpus in build.recipe.corpora],
        ],
        run=_recordings,
        on_cluster=True,
    ),
    Stage(
        name="samples",
        reads=("utterances", *made("recordings")),
        writes=("wanted@samples", "samples", "drops@samples"),
        settings=rule_literals,
        run=_samples,
    ),
    metrics.STAGE,
    drawn_pairs.STAGE,
    Stage(
        name="rulings",
        reads=("utterances", *made("samples"), "pairs"),
        writes=("rulings",),
        settings=rule_literals,
        run=_rulings,
    ),
    gold_clips.STAGE,
    votes.STAGE,
    filters.STAGE,
    claims.STAGE,
    splits.STAGE,
    JUDGMENTS,
    REVIEWS,
    CRITIQUES,
    verification.STAGE,
    label_check.STAGE,
    critique_check.STAGE,
    audit.STAGE,
)

FORM: Final[Form[RatedPairsRecipe]] = Form(
    reads=("utterances", "prompts", *made("recordings", "samples", "metrics"), "pairs", "rulings", "labels", *CRITIQUE_READS),
    configurations=rated_configurations(_rows, lambda build: build.recipe.scale),
    statement=_statement,
    statistics=card_statistics,
    annotated=lambda build: "found" if build.recipe.rated_by == "people" else "machine-generated",
    identity=lambda build: [*(rule.name for rule in filters_of(build)), *prompt_versions(build)],
    versioned=("metrics", "judgments"),
)

PLUGIN: Final = Kind(
    recipe=RatedPairsRecipe,
    check=check,
    stages=(*_MAKING, release_stage(_MAKING, FORM)),
    plan=_plan,
    report=lambda build: [("report_rated.html.jinja", report_content(build))],
)
