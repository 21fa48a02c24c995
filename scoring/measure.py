"""The fan-out ``metrics``: every sample measured by one metric."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from contracts.errors import DamagedPart, SetupError
from contracts.failures import failure
from contracts.ids import row_id
from contracts.jobs import Failure, Outcome, Resources
from contracts.plugin_environment import Environment
from contracts.schemas import FAILURES, METRICS
from contracts.versions import meets, wrong_version
from scoring.hosted_model import placed_metric
from scoring.metric import Measurement, Metric, MetricRequest
from storage.blobs import DAMAGED_AUDIO, BlobStore
from storage.environments.contents_record import record_contents
from storage.workspace import Workspace


def metric_key(sample_id: str, metric: str, options: Mapping[str, Any], version: str | None = None) -> str:
    """Return the id of a row of ``metrics``: the same sample, metric and options are measured once.

    Args:
        sample_id: the sample.
        metric: the metric plug-in.
        options: its options.
        version: the version that a recipe demands, for a sample that another one has measured before.
    """
    return row_id("metric", sample_id, metric, options, *([] if version is None else [version]))


@dataclass(frozen=True, kw_only=True)
class MeasureJob:
    """Measure samples with one metric.

    Request columns: ``row_id`` (the metric key), ``subject_id`` (the sample), ``audio_id``, ``text`` (null = not known),
    ``language``, ``spoken_text`` (what was said instead of the text, else null) and ``reference_audio_id`` (may be null).

    Attributes:
        metric: name of the metric plug-in.
        options: its options as canonical JSON.
        workspace_url: where the clips lie.
        version: the only version that may measure (see ``contracts.versions``); None = any.
        environment: where its model runs; None = where the metric says.
    """

    stage: ClassVar[str] = "metrics"
    table: ClassVar[str] = "metrics"

    metric: str
    options: str
    workspace_url: str
    version: str | None = None
    environment: Environment | None = None

    def placed(self) -> Metric:
        """Return the metric, or its stand-in where it runs in an environment of its own.

        Raises:
            RecipeError: unknown metric or option.
        """
        return placed_metric(self.metric, json.loads(self.options), self.environment)

    @property
    def name(self) -> str:
        """What its rows are counted by."""
        return self.metric

    @property
    def resources(self) -> Resources:
        """What the metric occupies."""
        return self.placed().resources

    def open(self) -> "MeasureSession":
        """Load the metric's model.

        Raises:
            SetupError: the metric cannot run on this machine, or has another version than the recipe demands.
        """
        return MeasureSession(self)


class MeasureSession:
    """An open metric and the clips' store."""

    def __init__(self, job: MeasureJob) -> None:
        self._job = job
        self._metric = job.placed()
        workspace = Workspace(job.workspace_url)
        self._blobs = BlobStore(workspace)
        self._session = self._metric.open()
        if job.version is not None and not meets(self._session.model_version, job.version):
            raise SetupError(wrong_version(f"metric {job.metric}", self._session.model_version, job.version))
        record_contents(workspace, self._session)

    def run(self, batch: pa.Table) -> Outcome:
        """Measure a batch: a row of ``metrics`` or a failure for every request."""
        rows, failures, readable, requests = [], [], [], []
        for row in batch.to_pylist():
            request = self._request(row)
            if isinstance(request, Failure):
                failures.append(self._failure(row, request))
            else:
                readable.append(row)
                requests.append(request)
        for row, answer in zip(readable, self._session.measure(requests), strict=True):
            if not isinstance(answer, Measurement | Failure):
                raise TypeError(f"metric {self._job.metric}: measure() must yield a Measurement or Failure, got {answer!r:.60}")
            result = answer if isinstance(answer, Failure) else self._defect(answer) or answer
            if isinstance(result, Failure):
                failures.append(self._failure(row, result))
            else:
                rows.append(self._row(row, result))
        return Outcome(
            rows=pa.Table.from_pylist(rows, schema=METRICS),
            failures=pa.Table.from_pylist(failures, schema=FAILURES),
        )

    def _request(self, row: Mapping[str, Any]) -> MetricRequest | Failure:
        """Read a row's clips; a clip that is missing in storage fails its row, not the batch."""
        reference = reference_rate = None
        try:
            waveform, rate = self._blobs.waveform(row["audio_id"])
            if self._metric.needs_reference and row["reference_audio_id"] is not None:
                reference, reference_rate = self._blobs.waveform(row["reference_audio_id"])
        except DamagedPart as error:
            return Failure(reason=DAMAGED_AUDIO, message=f"sample {row['subject_id']}: {error}")
        return MetricRequest(sample_id=row["subject_id"], waveform=waveform, sample_rate_hz=rate, text=row["text"] or "",
                             language=row["language"], reference=reference, reference_rate_hz=reference_rate,
                             spoken_text=row["spoken_text"])  # fmt: skip

    def _defect(self, answer: Measurement) -> Failure | None:
        """Return the problem of a measurement that must not be stored; None = no problem."""
        names = set(self._metric.value_names)
        if set(answer.values) != names:
            odd = ", ".join(sorted(names ^ set(answer.values)))
            return Failure(reason="invalid_value", message=f"metric {self._job.metric} lacks or invents the values {odd}")
        wild = [f"{name} = {value}" for name, value in answer.values.items() if value is not None and not math.isfinite(value)]
        return Failure(reason="invalid_value", message=f"metric {self._job.metric} says {', '.join(wild)}") if wild else None

    def _row(self, row: Mapping[str, Any], answer: Measurement) -> dict[str, Any]:
        return {
            "metric_key": row["row_id"],
            "sample_id": row["subject_id"],
            "metric": self._job.metric,
            "model": self._session.model,
            "model_version": self._session.model_version,
            "values": [(name, _rounded(answer.values[name])) for name in self._metric.value_names],
            "detail": answer.detail,
        }

    def _failure(self, row: Mapping[str, Any], problem: Failure) -> dict[str, str]:
        return failure(self._job.stage, row["row_id"], row["subject_id"], problem.reason, problem.message)


def _rounded(value: float | None) -> float | None:
    """Round to six decimals: no metric is more precise, and further digits depend on a machine's vector instructions."""
    return None if value is None else round(float(value), 6) + 0.0
