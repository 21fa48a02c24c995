"""Pairs of rated clips: two clips of one content, of which the one that people rated higher is better (MOS-RMBench).

Nothing is synthesised and nobody is asked: a corpus brings clips, what they say, and ratings per rater or as means. Clips are
kept as they were heard.
"""

from collections.abc import Sequence
from typing import Final, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, model_validator

from contracts.errors import DataError
from contracts.ids import canonical_json, row_id
from contracts.joins import among, attach, sorted_by
from contracts.schemas import DROPS, PROMPTS, RULINGS, SAMPLES, SCORES
from flows.listening.evidence import heard_votes, votes_by_value
from flows.recipe.model import Origin, Recipe
from flows.recipe.parts import Strict
from flows.run.books import Books, count
from flows.run.kind import Kind, Line
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, want, wanted_rows
from flows.run.work import count_done, do_missing
from flows.stages import filters, metrics, splits, utterances, verification, votes
from flows.stages.filters import filters_of
from flows.stages.recordings import recording_requests, recording_work
from flows.stages.release import Form, pairs_were_heard, release_stage
from flows.stages.utterances import read_corpora
from flows.views.plan_lines import is_finished, listening_lines, megabytes, plan_line, total_of
from scoring.ratings import mean_ratings
from storage.columns import RATED_PAIRS
from storage.rated_rows import RatedPairRows
from synth.dsp import AsHeard, format_literals
from synth.pairs import HUMAN, pairs


class HeardAudio(Strict):
    """The format of all clips; beyond that they are as people heard them."""

    sample_rate_hz: int = Field(default=16000, ge=8000, le=48000)


class RatedPairsRecipe(Recipe):
    """A recipe of kind ``rated_pairs``."""

    kind: Literal["rated_pairs"]
    audio: HeardAudio = HeardAudio()
    scale: str = Field(min_length=1, description="the scale of ratings that decides, such as mos or naturalness")

    @model_validator(mode="after")
    def _labels_are_of_ratings(self) -> Self:
        if self.labels is not None and self.labels.origin != "ratings":
            raise ValueError("labels.from: pairs of rated clips are labelled by ratings: leave it out")
        return self

    @property
    def clip_format(self) -> AsHeard:
        """Clips as they were heard, at one rate."""
        return AsHeard(sample_rate_hz=self.audio.sample_rate_hz)

    @property
    def labels_from(self) -> Origin:
        """Labels come from the ratings."""
        return "ratings"


_Build = Build[RatedPairsRecipe]


def _check(recipe: RatedPairsRecipe) -> None:
    """Nothing: what this kind needs depends on the corpora alone."""


def chosen(table: pa.Table, scale: str) -> tuple[pa.Table, pa.Table]:
    """Return the utterances that can stand in a pair, with ``rating``, and the others as drops.

    Args:
        table: table of schema UTTERANCES.
        scale: the scale that decides.

    Reasons of drops: ``no_content`` (the corpus does not say which clips say the same) and ``no_rating`` (none on the scale).
    """
    rated = table.append_column("rating", mean_ratings(table["ratings"], scale))
    reason = pc.if_else(pc.is_null(rated["rating"]), "no_rating", pa.scalar(None, pa.string()))
    reason = pc.if_else(pc.is_null(rated["content_id"]), "no_content", reason)
    return rated.filter(pc.is_null(reason)), _drops("contents", rated.append_column("reason", reason))


def _drops(stage: str, rows: pa.Table) -> pa.Table:
    """Return a row of drops for each utterance with a reason, by id."""
    gone = rows.filter(pc.is_valid(rows["reason"])).select(["utterance_id", "corpus", "source_id", "source_ref", "reason"])
    drops = [
        {
            "stage": stage,
            "row_id": row["utterance_id"],
            "filter": stage,
            "reason": row["reason"],
            "evidence": canonical_json({name: row[name] for name in ("corpus", "source_id", "source_ref")}),
        }
        for row in gone.to_pylist()
    ]
    return sorted_by(pa.Table.from_pylist(drops, schema=DROPS), "row_id")


def _contents(build: _Build) -> Books:
    """Make one prompt of every content: what its clips say.

    Raises:
        DataError: no clip has both a content and a rating.
    """
    found = build.tables.read("utterances")
    usable, drops = chosen(found, build.recipe.scale)
    if not usable.num_rows:
        scales = sorted({rating["scale"] for ratings in found["ratings"].to_pylist() for rating in ratings or ()})
        raise DataError(
            f"no clip has a content_id and a rating on the scale {build.recipe.scale!r}; "
            f"there are {', '.join(scales) or 'no ratings at all'}: correct scale, or the manifest"
        )
    build.tables.replace("drops@contents", drops)
    build.tables.replace("prompts", prompts_of(usable))
    return Books(
        stage="contents",
        unit="clips",
        rows_in=found.num_rows,
        rows_out=usable.num_rows,
        dropped=count(drops["reason"]),
    )


def prompts_of(usable: pa.Table) -> pa.Table:
    """Return a row of schema PROMPTS per content of rated utterances, by id; a content's first clip speaks for it."""
    first: dict[str, dict[str, object]] = {}
    columns = ["utterance_id", "corpus", "content_id", "text", "language", "style", "license"]
    for row in sorted_by(usable.select(columns), "utterance_id").to_pylist():
        group = group_of(row["corpus"], row["content_id"])
        prompt = {
            "prompt_id": row_id("content prompt", group),
            "group_id": group,
            "setting": f"{row['language']}2{row['language']}",
            **{name: row[name] for name in ("text", "language", "style", "corpus", "license")},
        }
        known = first.setdefault(group, prompt)
        known["text"] = known["text"] if known["text"] is not None else row["text"]
    return sorted_by(pa.Table.from_pylist(list(first.values()), schema=PROMPTS), "prompt_id")


def group_of(corpus: str, content_id: str) -> str:
    """Return the text group of a content."""
    return row_id("content", corpus, content_id)


def _requests(build: _Build) -> pa.Table:
    usable, _ = chosen(build.tables.read("utterances"), build.recipe.scale)
    return recording_requests(build, usable["utterance_id"])


def _recordings(build: _Build) -> Books:
    requests = _requests(build)
    want(build, "recordings", [(requests["row_id"], requests["subject_id"])])
    do_missing(build, "recordings", recording_work(build, requests))
    return count_done(build, "recordings")


def _samples(build: _Build) -> Books:
    """Take every recording for a sample of its system."""
    usable, _ = chosen(build.tables.read("utterances"), build.recipe.scale)
    recordings = wanted_rows(build, "recordings")
    rows = samples_of(usable, recordings)
    known = among(rows, "sample_id", build.tables.missing("samples", rows["sample_id"]))
    build.tables.append("samples", known)
    want(build, "samples", [(rows["sample_id"], rows["prompt_id"])])
    failed = recordings["utterance_id"].combine_chunks()
    lost = usable.append_column("reason", pa.repeat("recording_failed", usable.num_rows))
    lost = lost.filter(pc.invert(pc.is_in(usable["utterance_id"], value_set=failed)))
    build.tables.replace("drops@samples", _drops("samples", lost))
    dropped = {"recording_failed": lost.num_rows} if lost.num_rows else {}
    return Books(stage="samples", unit="clips", rows_in=usable.num_rows, rows_out=rows.num_rows, dropped=dropped)


def samples_of(usable: pa.Table, recordings: pa.Table) -> pa.Table:
    """Return a row of schema SAMPLES per recording of a rated utterance, by id."""
    names = ("corpus", "content_id", "system", "license")
    rows = attach(recordings, "utterance_id", usable, "utterance_id", {name: name for name in names})
    groups = [
        group_of(corpus, content)
        for corpus, content in zip(rows["corpus"].to_pylist(), rows["content_id"].to_pylist(), strict=True)
    ]
    kept = ("audio_id", "duration_s", "sample_rate_hz", "native_sample_rate_hz", "loudness_lufs", "license", "utterance_id")
    samples = pa.table(
        {
            "sample_id": pa.array([row_id("rated sample", one) for one in rows["recording_id"].to_pylist()], pa.string()),
            "prompt_id": pa.array([row_id("content prompt", group) for group in groups], pa.string()),
            "group_id": pa.array(groups, pa.string()),
            "system": pc.coalesce(rows["system"], HUMAN),
            "engine": pa.repeat("corpus", rows.num_rows),
            "engine_version": pa.repeat("", rows.num_rows),
            "params": pa.repeat("{}", rows.num_rows),
            "is_synthetic": pc.is_valid(rows["system"]),
            **{name: rows[name] for name in kept},
        }
    )
    return sorted_by(among(samples, "sample_id", samples["sample_id"]), "sample_id").select(
        [name for name in SAMPLES.names if name in samples.column_names]
    )


def _pairs(build: _Build) -> Books:
    samples = wanted_rows(build, "samples")
    found = pairs(samples, seed=build.recipe.seed)
    build.tables.replace("pairs", sorted_by(found, "pair_id"))
    return Books(stage="pairs", unit="possible pairs", rows_in=found.num_rows, rows_out=found.num_rows)


def _rulings(build: _Build) -> Books:
    ruled = rulings_of(
        build.tables.read("pairs"), wanted_rows(build, "samples"), build.tables.read("utterances"), build.recipe.scale
    )
    build.tables.replace("rulings", ruled)
    return Books(stage="rulings", unit="rated pairs", rows_in=ruled.num_rows, rows_out=ruled.num_rows)


def rulings_of(found: pa.Table, samples: pa.Table, rated: pa.Table, scale: str) -> pa.Table:
    """Return a row of schema RULINGS per pair, by id: the higher mean rating wins, equal ones are no preference.

    Args:
        found: table of schema PAIRS.
        samples: table of schema SAMPLES, each of which stands for one utterance.
        rated: table of schema UTTERANCES.
        scale: the scale that decides.
    """
    usable, _ = chosen(rated, scale)
    raters = [_raters(ratings, scale) for ratings in usable["ratings"].to_pylist()]
    usable = usable.append_column("raters", pa.array(raters, pa.int64()))
    table = sorted_by(found, "pair_id").select(["pair_id", "sample_a", "sample_b"])
    for side in ("a", "b"):
        table = attach(table, f"sample_{side}", samples, "sample_id", {f"utterance_{side}": "utterance_id"})
        names = {f"total_{side}": "rating", f"votes_{side}": "raters"}
        table = attach(table, f"utterance_{side}", usable, "utterance_id", names)
    a, b = table["total_a"], table["total_b"]
    none = pa.scalar(None, pa.string())
    verdict = pc.if_else(pc.greater(a, b), "a", pc.if_else(pc.less(a, b), "b", none))
    scores = {
        f"scores_{side}": pa.array(
            [[(scale, score)] for score in table[f"total_{side}"].to_pylist()], RULINGS.field("scores_a").type
        )
        for side in ("a", "b")
    }
    return pa.table(
        {
            "pair_id": table["pair_id"],
            "verdict": verdict,
            **{name: pa.array(values, SCORES) for name, values in scores.items()},
            "total_a": a,
            "total_b": b,
            "votes_a": table["votes_a"],
            "votes_b": table["votes_b"],
            "votes_none": pa.repeat(0, table.num_rows),
            "order_flip": pa.nulls(table.num_rows, pa.bool_()),
            "judgment_ids": pa.array([[]] * table.num_rows, pa.list_(pa.string())),
        },
        schema=RULINGS,
    )


def _raters(ratings: Sequence[dict[str, object]], scale: str) -> int:
    """Return how many ratings of a clip are known to stand behind its mean; 0 = unknown."""
    mine = [rating for rating in ratings if rating["scale"] == scale]
    single = sum(rating["rater"] is not None for rating in mine)
    return single or max((int(str(rating["raters"] or 0)) for rating in mine), default=0)


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
        heard=votes_by_value(heard_votes(build)) if pairs_were_heard(build) else None,
    )


def _plan(build: _Build) -> list[Line]:
    """Return what a build would do; nothing is synthesised or paid for."""
    found, _ = read_corpora(build)
    usable, _ = chosen(found, build.recipe.scale)
    sizes = pc.value_counts(pc.binary_join_element_wise(usable["corpus"], usable["content_id"], "/"))
    possible = sum(n * (n - 1) // 2 for n in (item["counts"].as_py() for item in sizes))
    done = {stage.name for stage in _MAKING if is_finished(stage, build)}
    counts = {"utterances": found.num_rows, "contents": usable.num_rows, "recordings": usable.num_rows, "pairs": possible}
    seconds = total_of(usable["duration_s"])
    lines = [
        plan_line(
            stage, rows, done=rows if stage in done else 0, disk_mb=megabytes(build, seconds) if stage == "recordings" else 0.0
        )
        for stage, rows in counts.items()
    ]
    lines += [plan_line(f"metrics {metric.name}", usable.num_rows) for metric in build.recipe.metrics]
    release = plan_line("release", possible, disk_mb=megabytes(build, seconds * 1.5)) | {"note": "before filters"}
    return [*lines, *listening_lines(build, usable.num_rows, possible), release]


_MAKING: Final[tuple[Stage[RatedPairsRecipe], ...]] = (
    utterances.STAGE,
    Stage(
        name="contents",
        reads=("utterances",),
        writes=("prompts", "drops@contents"),
        settings=lambda build: build.recipe.scale,
        run=_contents,
    ),
    Stage(
        name="recordings",
        reads=("utterances",),
        writes=("wanted@recordings", "recordings", "failures@recordings"),
        settings=lambda build: [
            build.recipe.scale,
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
        settings=lambda build: build.recipe.scale,
        run=_samples,
    ),
    metrics.STAGE,
    Stage(name="pairs", reads=made("samples"), writes=("pairs",), settings=lambda _build: [], run=_pairs),
    Stage(
        name="rulings",
        reads=("utterances", *made("samples"), "pairs"),
        writes=("rulings",),
        settings=lambda build: build.recipe.scale,
        run=_rulings,
    ),
    votes.STAGE,
    filters.STAGE,
    splits.STAGE,
    verification.STAGE,
)

FORM: Final[Form[RatedPairsRecipe]] = Form(
    reads=("utterances", "prompts", *made("recordings", "samples", "metrics"), "pairs", "rulings", "labels"),
    configuration=lambda _build: "rated_pairs",
    schema=lambda _build: RATED_PAIRS,
    rows=_rows,
    statement=lambda build: (
        f"The labels come from people's ratings on the scale {build.recipe.scale}, which the corpora brought along."
    ),
    annotated="found",
    identity=lambda build: [rule.name for rule in filters_of(build)],
)

PLUGIN: Final = Kind(recipe=RatedPairsRecipe, check=_check, stages=(*_MAKING, release_stage(_MAKING, FORM)), plan=_plan)
