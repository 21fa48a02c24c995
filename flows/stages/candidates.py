"""The stages that make and measure the candidates: samples, metrics."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins
from contracts.ids import canonical_json
from contracts.jobs import Job
from contracts.joins import among, attach, sorted_by
from contracts.schemas import DROPS
from contracts.versions import meets
from flows.recipe.parts import Metric
from flows.run.books import Books
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, want, wanted_keys, wanted_rows
from flows.run.work import Work, count_done, do_missing
from flows.stages.gather import audio_format, audio_literals, current_recordings
from flows.stages.speaking import candidates_of
from flows.stages.writing import spoken_instead
from scoring.facts import wide
from scoring.measure import MeasureJob, metric_key
from synth import requests
from synth.handover import HANDOVER
from synth.render import RenderJob


def sample_requests(build: Build) -> pa.Table:
    """Return every sample that the recipe wants (schema synth.requests.WANTED)."""
    return requests.wanted(
        build.tables.read("prompts"),
        candidates_of(build),
        human=build.recipe.human,
        audio=audio_literals(build),
        seed=build.recipe.seed,
        written=spoken_instead(build),
    )


def current_samples(build: Build) -> pa.Table:
    """Return the rows of ``samples`` that this recipe wants, sorted by id."""
    return sorted_by(wanted_rows(build, "samples", "samples", lambda: sample_requests(build)["row_id"]), "sample_id")


def _samples(build: Build) -> Books:
    recordings, wanted = current_recordings(build), sample_requests(build)
    want(build, "samples", [(wanted["row_id"], wanted["subject_id"])])
    usable = _usable(build, wanted, recordings)
    human = usable.filter(pc.equal(usable["system"], "human"))
    missing = among(human, "row_id", build.tables.missing("samples", human["row_id"]))
    build.tables.append("samples", _human_samples(build, missing, recordings))
    work: list[tuple[Job, pa.Table]] = []
    for system in build.recipe.systems:
        job = RenderJob(
            engine=system.engine,
            options=canonical_json(system.options),
            system=system.name,
            audio=audio_format(build),
            workspace_url=build.workspace.url,
            version=system.version,
        )
        work.append((job, usable.filter(pc.equal(usable["system"], system.name))))
    do_missing(build, "samples", work)
    return count_done(build, "samples", wanted["row_id"])


def sample_books(build: Build) -> Books:
    """Count the samples."""
    return count_done(build, "samples", sample_requests(build)["row_id"])


def _usable(build: Build, wanted: pa.Table, recordings: pa.Table) -> pa.Table:
    """Return the requests whose recordings are there, with ``reference_audio_id``; the others become drops."""
    wanted = attach(wanted, "reference_utterance_id", recordings, "utterance_id", {"reference_audio_id": "audio_id"})
    wanted = attach(wanted, "target_utterance_id", recordings, "utterance_id", {"recording_id": "recording_id"})
    no_reference = pc.and_(pc.is_valid(wanted["reference_utterance_id"]), pc.is_null(wanted["reference_audio_id"]))
    no_recording = pc.and_(pc.equal(wanted["system"], "human"), pc.is_null(wanted["recording_id"]))
    reason: Any = pa.scalar(None, pa.string())
    reason = pc.if_else(pc.is_null(wanted["text"]), "no_written_text", reason)
    reason = pc.if_else(no_recording, "human_recording_failed", pc.if_else(no_reference, "reference_failed", reason))
    _drop_samples(build, wanted, reason)
    return wanted.filter(pc.is_null(reason))


def _drop_samples(build: Build, wanted: pa.Table, reason: pa.ChunkedArray) -> None:
    gone = wanted.append_column("reason", reason).filter(pc.is_valid(reason))
    drops = [
        {
            "stage": "samples",
            "row_id": row["row_id"],
            "filter": "recordings",
            "reason": row["reason"],
            "evidence": canonical_json(
                {
                    "prompt_id": row["subject_id"],
                    "reference_utterance_id": row["reference_utterance_id"],
                    "target_utterance_id": row["target_utterance_id"],
                }
            ),
        }
        for row in gone.to_pylist()
    ]
    build.tables.replace("drops@samples", sorted_by(pa.Table.from_pylist(drops, schema=DROPS), "row_id"))


def _human_samples(build: Build, wanted: pa.Table, recordings: pa.Table) -> pa.Table:
    """Turn recordings into samples of the system ``human``."""
    utterances = build.tables.read("utterances", ["utterance_id", "license"])
    format_columns = ("audio_id", "duration_s", "sample_rate_hz", "native_sample_rate_hz", "loudness_lufs")
    rows = attach(wanted, "target_utterance_id", recordings, "utterance_id", {name: name for name in format_columns})
    rows = attach(rows, "target_utterance_id", utterances, "utterance_id", {"license": "license"})
    count_rows = rows.num_rows
    return pa.table(
        {
            "sample_id": rows["row_id"],
            "prompt_id": rows["subject_id"],
            "group_id": rows["group_id"],
            "system": rows["system"],
            "engine": pa.repeat("human", count_rows),
            "engine_version": pa.repeat("", count_rows),
            "params": pa.repeat("{}", count_rows),
            **{name: rows[name] for name in format_columns},
            "is_synthetic": pa.repeat(False, count_rows),
            "license": rows["license"],
        }
    )


def _metric_work(build: Build) -> Work:
    samples = current_samples(build)
    table = attach(
        samples,
        "prompt_id",
        build.tables.read("prompts"),
        "prompt_id",
        {name: name for name in ("text", "language", "reference_utterance_id")},
    )
    table = attach(
        table, "reference_utterance_id", current_recordings(build), "utterance_id", {"reference_audio_id": "audio_id"}
    )
    asked = ("audio_id", "text", "language", "spoken_text", "reference_audio_id")
    table = table.select(["sample_id", *asked]).rename_columns({"sample_id": "subject_id"})
    work: list[tuple[Job, pa.Table]] = []
    for metric in build.recipe.metrics:
        keys = metric_keys(build, metric, table["subject_id"].to_pylist())
        options = canonical_json(metric.options)
        job = MeasureJob(metric=metric.name, options=options, workspace_url=build.workspace.url, version=metric.version)
        work.append((job, table.append_column("row_id", pa.array(keys, pa.string()))))
    return work


def _metrics(build: Build) -> Books:
    work = _metric_work(build)
    want(build, "metrics", [(requests["row_id"], requests["subject_id"]) for _, requests in work])
    do_missing(build, "metrics", work)
    return count_done(build, "metrics", wanted_keys(build, "metrics", lambda: _metric_keys(build)))


def metric_books(build: Build) -> Books:
    """Count the measurements: one per sample and metric."""
    return count_done(build, "metrics", _metric_keys(build))


def _metric_keys(build: Build) -> pa.Array:
    samples = current_samples(build)["sample_id"].to_pylist()
    keys = [key for metric in build.recipe.metrics for key in metric_keys(build, metric, samples)]
    return pa.array(keys, pa.string())


def metric_keys(build: Build, metric: Metric, samples: Sequence[str]) -> list[str]:
    """Return the keys under which a metric's values of these samples are wanted.

    Where the recipe demands a version, what another one measured stays in the table and is not wanted: the same sample is
    measured again, under a key of that version.
    """
    keys = [metric_key(sample, metric.name, metric.options) for sample in samples]
    if metric.version is None:
        return keys
    there = build.tables.read("metrics", ["metric_key", "model_version"])
    reported = dict(zip(there["metric_key"].to_pylist(), there["model_version"].to_pylist(), strict=True))
    return [
        key
        if meets(reported.get(key, metric.version), metric.version)
        else metric_key(sample, metric.name, metric.options, metric.version)
        for key, sample in zip(keys, samples, strict=True)
    ]


def current_facts(build: Build) -> pa.Table:
    """Return the metrics as columns: every value that the recipe's metrics can give, null where it was not scored."""
    names = [name for metric in build.recipe.metrics for name in plugins.load("metric", metric.name).value_names]
    return wide(current_metrics(build), names)


def current_metrics(build: Build) -> pa.Table:
    """Return the rows of ``metrics`` about this recipe's samples under this recipe's configuration."""
    return wanted_rows(build, "metrics", "metrics", lambda: _metric_keys(build))


def candidate_literals(build: Build) -> object:
    """Return all that decides which samples there are and what is in them, beyond the prompts."""
    systems = [
        [
            candidate.system,
            candidate.engine,
            candidate.params,
            list(candidate.voices),
            candidate.voices_per_prompt,
            candidate.speaks,
            [HANDOVER, *map(astuple, build.recipe.engines[candidate.system].controls)],
        ]
        for candidate in candidates_of(build)
    ]
    return [audio_literals(build), build.recipe.human, systems]


CANDIDATES: tuple[Stage, ...] = (
    Stage(
        name="samples",
        reads=("utterances", "prompts", *made("writings", "recordings")),
        writes=("wanted@samples", "samples", "failures@samples", "drops@samples"),
        settings=candidate_literals,
        run=_samples,
        count=sample_books,
        on_cluster=True,
    ),
    Stage(
        name="metrics",
        reads=("prompts", *made("recordings", "samples")),
        writes=("wanted@metrics", "metrics", "failures@metrics"),
        settings=lambda build: [candidate_literals(build), [metric.model_dump() for metric in build.recipe.metrics]],
        run=_metrics,
        count=metric_books,
        on_cluster=True,
    ),
)
