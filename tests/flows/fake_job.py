"""A job whose requests say what shall happen to them: the fan-out's own behaviour, without speech."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa

from contracts.failures import failure
from contracts.jobs import Outcome, Resources
from contracts.schemas import FAILURES, METRICS


@dataclass(frozen=True, kw_only=True)
class TroubleJob:
    """Does what the column ``text`` says: fine, fail, raise, die, or ``die_once``; each attempt is a line of the log."""

    stage: ClassVar[str] = "trouble"
    table: ClassVar[str] = "metrics"
    log: str
    batch_size: int = 4
    gpus: float = 0.0
    opens: bool = True

    @property
    def name(self):
        return "trouble"

    @property
    def resources(self):
        return Resources(batch_size=self.batch_size, gpus=self.gpus)

    def open(self):
        if not self.opens:
            raise RuntimeError("the model file is gone")
        return TroubleSession(self)


class TroubleSession:
    def __init__(self, job):
        self.log = Path(job.log)

    def run(self, batch):
        rows, failures = [], []
        for request in batch.to_pylist():
            with self.log.open("a") as log:
                log.write(json.dumps({"row": request["row_id"], "pid": os.getpid()}) + "\n")
            what = request["text"]
            if what == "die" or (what == "die_once" and self._attempts(request["row_id"]) == 1):
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "raise":
                raise ZeroDivisionError("the engine broke")
            if what == "fail":
                failures.append(failure("trouble", request["row_id"], request["subject_id"], "no_good", "as asked"))
            else:
                rows.append(
                    {
                        "metric_key": request["row_id"],
                        "sample_id": request["subject_id"],
                        "metric": "m",
                        "model": "m",
                        "model_version": "1",
                        "values": [("v", 1.0)],
                        "detail": None,
                    }
                )
        return Outcome(
            rows=pa.Table.from_pylist(rows, schema=METRICS), failures=pa.Table.from_pylist(failures, schema=FAILURES)
        )

    def _attempts(self, row):
        return sum(json.loads(line)["row"] == row for line in self.log.read_text().splitlines())


def requests(*texts):
    ids = [f"row{number:03d}" for number in range(len(texts))]
    return pa.table({"row_id": ids, "subject_id": ids, "text": list(texts)})
