"""A metric as a judge: the clip with the better value is preferred (SpeechJudge, Table 1; UniSRM, Table 1).

Which value is better, the lower or the higher one, the metric says itself. Equal values are a tie; a clip that the metric
cannot measure has no value, and its pair no answer. Of single clips the value itself is the score on every scale.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from contracts import plugins
from contracts.errors import RecipeError
from contracts.ids import canonical_json, row_id
from contracts.jobs import Outcome
from contracts.joins import among
from contracts.schemas import empty
from flows.benchmark.bench_run import BenchRun
from flows.benchmark.judge_answers import JUDGE_ANSWERS, unreadable
from flows.benchmark.released_items import ReleasedItems
from flows.run.books import Books
from flows.run.wanted import want
from flows.run.work import HereJobs, count_done, do_missing
from scoring.measure import MeasureJob, metric_key
from scoring.metric import Better, Metric

_STAGE: Final = "metrics"
_LANGUAGE: Final = "en"


@dataclass(frozen=True, kw_only=True)
class MetricJudge:
    """A metric as a judge.

    Attributes:
        name: the metric plug-in.
        options: its options.
        value: which of its values is looked at.
        better: whether the lower or the higher one is better.
    """

    name: str
    options: Mapping[str, Any]
    value: str
    better: Better

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any], value: str | None) -> "MetricJudge":
        """Return the judge that a metric is, by its first value that can judge or by another one.

        Raises:
            RecipeError: there is no such metric, option or value, or the metric says nothing of quality.
        """
        plugins.configure("metric", name, options)
        better: Mapping[str, Better] = getattr(plugins.load("metric", name), "better", {})
        if not better:
            raise RecipeError(f"metric {name} does not say which of its values is better: it cannot judge")
        if value is not None and value not in better:
            raise RecipeError(f"metric {name} has no value {value!r} to judge by: it has {', '.join(better)}")
        chosen = value or next(iter(better))
        return cls(name=name, options=options, value=chosen, better=better[chosen])

    @property
    def metric(self) -> Metric:
        """The configured metric."""
        found: Metric = plugins.configure("metric", self.name, self.options)
        return found

    @property
    def label(self) -> str:
        """What tables call it: the value, and the metric where that has another name."""
        return self.value if self.value == self.name else f"{self.name} {self.value}"


def measure_items(run: BenchRun, items: ReleasedItems, judge: MetricJudge, *, retry_failed: bool = False) -> Books:
    """Measure the clips that were not measured before. The caller holds the workspace's lock.

    Without a Ray cluster this process measures, one batch after another.

    Args:
        run: the run.
        items: the items.
        judge: the metric.
        retry_failed: whether clips that could not be measured before are tried again.
    """
    if retry_failed:
        run.tables.replace(f"failures@{_STAGE}", empty("failures"))
    job = MeasureJob(metric=judge.name, options=canonical_json(judge.options), workspace_url=run.workspace.url)
    requests = _requests(items, judge)
    want(run, _STAGE, [(requests["row_id"], requests["subject_id"])])
    if run.ray_address is None:
        do_missing(run, _STAGE, [], HereJobs(work=[(job, requests)], run=_measured_here))
    else:
        do_missing(run, _STAGE, [(job, requests)])
    return count_done(run, _STAGE, unit="clips").balanced()


def _measured_here(job: MeasureJob, rows: pa.Table) -> Iterator[Outcome]:
    session, size = job.open(), job.resources.batch_size
    for start in range(0, rows.num_rows, size):
        yield session.run(rows.slice(start, size))


def _requests(items: ReleasedItems, judge: MetricJudge) -> pa.Table:
    """Return one request for each clip, text and reference (see ``scoring.measure.MeasureJob``)."""
    rows = {key: row for side in _sides(items) for key, row in _clips(items, judge, side)}
    columns = ("row_id", "subject_id", "audio_id", "text", "language", "spoken_text", "reference_audio_id")
    return pa.Table.from_pylist(list(rows.values()), schema=pa.schema([(name, pa.string()) for name in columns]))


def _sides(items: ReleasedItems) -> tuple[str, ...]:
    return ("_a", "_b") if items.about == "pairs" else ("",)


def _clips(items: ReleasedItems, judge: MetricJudge, side: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield, for each item, the key of the measurement of one of its clips, and the request."""

    def column(*names: str) -> list[Any]:
        name = next((name for name in names if name in items.rows.column_names), None)
        return [None] * len(items.ids) if name is None else items.rows[name].to_pylist()

    texts = column("text", f"text{side}"), column("language"), column(f"spoken_text{side}"), column("prompt_audio")
    for audio, text, language, spoken, reference in zip(column(f"audio{side}"), *texts, strict=True):
        clip = row_id("bench_clip", audio, text, language, spoken, reference)
        key = metric_key(clip, judge.name, judge.options)
        request = {"audio_id": audio, "text": text, "language": language or _LANGUAGE, "spoken_text": spoken}
        yield key, {"row_id": key, "subject_id": clip, "reference_audio_id": reference, **request}


def answers_by(run: BenchRun, items: ReleasedItems, judge: MetricJudge) -> pa.Table:
    """Return what the measurements say of the items, rows of ``flows.benchmark.judge_answers.JUDGE_ANSWERS``."""
    keys = [[key for key, _ in _clips(items, judge, side)] for side in _sides(items)]
    wanted = pa.array(sorted({key for side in keys for key in side}), pa.string())
    rows = among(run.tables.read(_STAGE), "metric_key", wanted).to_pylist()
    value = {row["metric_key"]: dict(row["values"]).get(judge.value) for row in rows}
    failures = among(run.tables.read(f"failures@{_STAGE}"), "row_id", wanted).to_pylist()
    why = {row["row_id"]: (row["reason"], row["message"]) for row in failures}
    found = []
    for item, clips in zip(items.ids, zip(*keys, strict=True), strict=True):
        place = {"item_id": item, "order": "ab", "vote": 0}
        missing = next((key for key in clips if value.get(key) is None), None)
        if missing is not None:
            found.append(
                place | unreadable(*why.get(missing, ("not_measured", f"{judge.value} cannot be measured of this clip")))
            )
        else:
            found.append(place | _answer(items, judge, [value[key] for key in clips]))
    return pa.Table.from_pylist(found, schema=JUDGE_ANSWERS)


def _answer(items: ReleasedItems, judge: MetricJudge, values: list[Any]) -> dict[str, Any]:
    if items.about == "samples":
        return {"scores": [(scale, values[0]) for scale in items.true_scores]}
    a, b = values if judge.better == "higher" else [-value for value in values]
    verdict = None if a == b else ("a" if a > b else "b")
    return {"verdict": verdict}


def model_of(run: BenchRun, judge: MetricJudge) -> tuple[str, str]:
    """Return the model that measured, and its version; two versions are named both."""
    rows = run.tables.read(_STAGE, ["metric", "model", "model_version"]).to_pylist()
    mine = [row for row in rows if row["metric"] == judge.name]
    return tuple(" and ".join(sorted({row[name] for row in mine})) for name in ("model", "model_version"))  # type: ignore[return-value]
