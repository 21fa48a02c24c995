"""Fan-outs: work that needs a loaded engine or model, done batch by batch, wherever there is room for it.

A *job* is a small picklable value that knows how to open a *session*; a session turns a batch of requests into rows and
failures. Jobs know nothing of Ray, and ``flows.run.fanout`` knows nothing of speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # engines in environments of their own import this module, and pyarrow is not there
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one session occupies while it is open, and how much it takes at once."""

    cpus: float = 1.0
    gpus: float = 0.0
    batch_size: int = 8


@dataclass(frozen=True)
class Failure:
    """Why nothing came of a request: a word to count by, and a sentence for a person."""

    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a batch: every request is in exactly one of the two tables.

    Attributes:
        rows: rows of the job's output table.
        failures: rows of ``failures``.
    """

    rows: pa.Table
    failures: pa.Table


class JobSession(Protocol):
    """An open engine or model."""

    def run(self, batch: pa.Table) -> Outcome:
        """Process one batch. A problem of one request is a failure row; an exception means the batch as a whole broke."""
        ...


class Job(Protocol):
    """Picklable description of one fan-out.

    Request tables have a column ``row_id`` (the key of the row to produce) and ``subject_id`` (the input row it is about),
    and whatever else the session needs.
    """

    @property
    def stage(self) -> str:
        """Name of the stage, as failures record it."""
        ...

    @property
    def name(self) -> str:
        """What the stage's work is counted by: a system, a metric; empty = nothing."""
        ...

    @property
    def table(self) -> str:
        """Name of the output table."""
        ...

    @property
    def resources(self) -> Resources:
        """What a session occupies."""
        ...

    def open(self) -> JobSession:
        """Load whatever is heavy.

        Raises:
            SetupError: something is missing on this machine.
        """
        ...
