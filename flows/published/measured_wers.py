"""Word error rates of published clips, by the metric plug-in: the gap between two clips decides about hq."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts import plugins
from contracts.errors import DataError, SetupError
from scoring.metric import Measurement, Metric, MetricRequest, MetricSession
from storage.blobs import decoded

_AT_ONCE: Final = 16
_COLUMNS: Final = ["index", "language_setting", "target_text", "audioA", "audioB"]
_NAME: Final = "wer"


def wers_with(recogniser: str) -> Callable[[Path], pa.Table]:
    """Return what measures a file of published rows: a table with ``wer_a`` and ``wer_b``, null = could not be scored.

    Args:
        recogniser: speech recogniser plug-in of the metric ``wer``.

    Raises:
        RecipeError: there is no such recogniser.
        SetupError: this machine lacks something that it needs.
    """
    metric: Metric = plugins.configure("metric", _NAME, {"asr": recogniser})
    if (missing := metric.missing()) is not None:
        raise SetupError(f"speech recogniser {recogniser!r}: {missing}")
    session = metric.open()
    return lambda file: _measured(file, session)


def _measured(file: Path, session: MetricSession) -> pa.Table:
    found: dict[str, list[float | None]] = {"wer_a": [], "wer_b": []}
    rows = _rows(file)
    while some := list(islice(rows, _AT_ONCE)):
        requests = [_request(file, row, side) for row in some for side in "AB"]
        values = [answer.values[_NAME] if isinstance(answer, Measurement) else None for answer in session.measure(requests)]
        found["wer_a"] += values[::2]
        found["wer_b"] += values[1::2]
    return pa.table({name: pa.array(values, pa.float64()) for name, values in found.items()})


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(file) as opened:
        if missing := [column for column in _COLUMNS if column not in opened.schema_arrow.names]:
            raise DataError(f"{file.name} has no column {missing[0]}, which is measured: download the files with their clips")
        for batch in opened.iter_batches(_AT_ONCE, columns=_COLUMNS):
            yield from batch.to_pylist()


def _request(file: Path, row: dict[str, Any], side: str) -> MetricRequest:
    clip = row[f"audio{side}"] or {"bytes": None}
    try:
        samples, rate = decoded(clip["bytes"] or b"")
    except ValueError as error:
        raise DataError(f"{file.name}, index {row['index']}, audio{side}: the clip {error}") from error
    return MetricRequest(
        sample_id=f"{row['index']}{side}",
        waveform=samples.astype(np.float32) / np.float32(32768),
        sample_rate_hz=rate,
        text=row["target_text"],
        language=row["language_setting"].partition("2")[2],
    )
