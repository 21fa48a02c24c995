"""The stage ``metrics``: every sample measured."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins
from contracts.ids import canonical_json
from contracts.jobs import Job
from contracts.joins import attach
from contracts.versions import meets
from flows.recipe.parts import MetricSection
from flows.run.books import Books
from flows.run.pipeline import Build, Stage
from flows.run.plugin_versions import installed_problem
from flows.run.wanted import made, want, wanted_rows
from flows.run.work import Work, count_done, do_missing
from scoring.facts import wide
from scoring.hosted_model import placed_metric
from scoring.measure import MeasureJob, metric_key


def measuring(build: Build) -> Callable[[pa.Table], Work]:
    """Return a function from samples (schema SAMPLES) to the recipe's metrics, as jobs with their requests.

    It reads the tables that the requests rest on, once.
    """
    prompts = build.tables.read("prompts", ["prompt_id", "text", "language", "reference_utterance_id"])
    recordings = wanted_rows(build, "recordings", columns=["utterance_id", "audio_id"])
    prompts = attach(prompts, "reference_utterance_id", recordings, "utterance_id", {"reference_audio_id": "audio_id"})
    reported = {metric.name: _reported_versions(build, metric) for metric in build.recipe.metrics}

    def work(samples: pa.Table) -> Work:
        told = {name: name for name in ("text", "language", "reference_audio_id")}
        table = attach(samples, "prompt_id", prompts, "prompt_id", told)
        # Where a prompt is no text but a pool of clips, the text of each clip is its own.
        table = table.set_column(table.column_names.index("text"), "text", pc.coalesce(table["text"], table["spoken_text"]))
        table = table.select(["sample_id", "audio_id", "spoken_text", *told]).rename_columns({"sample_id": "subject_id"})
        found: list[tuple[Job, pa.Table]] = []
        for metric in build.recipe.metrics:
            keys = _keys(metric, table["subject_id"].to_pylist(), reported[metric.name])
            job = MeasureJob(
                metric=metric.name,
                options=canonical_json(metric.options),
                workspace_url=build.workspace.url,
                version=metric.version,
                environment=metric.chosen_environment,
            )
            found.append((job, table.append_column("row_id", pa.array(keys, pa.string()))))
        return found

    return work


def _metrics(build: Build) -> Books:
    work = measuring(build)(wanted_rows(build, "samples"))
    want(build, "metrics", [(requests["row_id"], requests["subject_id"]) for _, requests in work])
    do_missing(build, "metrics", work)
    return count_done(build, "metrics")


def metric_keys(build: Build, metric: MetricSection, samples: Sequence[str]) -> list[str]:
    """Return the keys under which a metric's values of these samples are wanted.

    Where the recipe demands a version, what another one measured stays in the table and is not wanted: the same sample is
    measured again, under a key of that version.
    """
    return _keys(metric, samples, _reported_versions(build, metric))


def _reported_versions(build: Build, metric: MetricSection) -> dict[str, str]:
    """Return metric key -> the version that measured, for a metric of which the recipe demands one; else nothing."""
    if metric.version is None:
        return {}
    there = build.tables.read("metrics", ["metric_key", "model_version"])
    return dict(zip(there["metric_key"].to_pylist(), there["model_version"].to_pylist(), strict=True))


def _keys(metric: MetricSection, samples: Sequence[str], reported: Mapping[str, str]) -> list[str]:
    keys = [metric_key(sample, metric.name, metric.options) for sample in samples]
    if metric.version is None:
        return keys
    return [
        key
        if meets(reported.get(key, metric.version), metric.version)
        else metric_key(sample, metric.name, metric.options, metric.version)
        for key, sample in zip(keys, samples, strict=True)
    ]


def current_facts(build: Build) -> pa.Table:
    """Return the metrics as columns: every value that the recipe's metrics can give, null where it was not scored."""
    names = [name for metric in build.recipe.metrics for name in plugins.load("metric", metric.name).value_names]
    return wide(wanted_rows(build, "metrics"), names)


def _wrong_versions(build: Build, is_left: bool) -> list[str]:
    """Return which demanded versions the metrics here do not have."""
    problems = list[str]()
    for metric in build.recipe.metrics if is_left else ():
        if metric.version is not None:
            here = placed_metric(metric.name, metric.options, metric.chosen_environment).installed_version()
            problems += installed_problem(f"metric {metric.name}", here, metric.version)
    return problems


STAGE: Final[Stage] = Stage(
    name="metrics",
    reads=("prompts", *made("recordings", "samples")),
    writes=("wanted@metrics", "metrics", "failures@metrics"),
    settings=lambda build: [metric.model_dump() for metric in build.recipe.metrics],
    run=_metrics,
    wrong_versions=_wrong_versions,
    needs=lambda build: {
        f"metric {metric.name}": placed_metric(metric.name, metric.options, metric.chosen_environment)
        for metric in build.recipe.metrics
    },
    active=lambda build: bool(build.recipe.metrics),
    on_cluster=True,
)
