"""Damaged clips: which sample they belong to, and retrying the rows that failed because of them.

A failure with the reason ``damaged_audio`` is caused by a file that can be restored, not by the row: it is recorded for the
books of one run and removed at the start of the next.
"""

from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DamagedPart
from flows.run.context import RunContext
from flows.run.pipeline import Build, Stage
from storage.blobs import DAMAGED_AUDIO


def forget_damaged(context: RunContext, failures: str, wanted: pa.Array | pa.ChunkedArray | None = None) -> None:
    """Remove the rows of a ``failures`` partition that failed for a damaged clip. The caller holds the workspace's lock.

    Args:
        context: the run.
        failures: the partition.
        wanted: only rows with one of these ``row_id``; None = all.
    """
    if not context.tables.num_rows(failures):
        return
    rows = context.tables.read(failures)
    damaged = pc.equal(rows["reason"], DAMAGED_AUDIO)
    if wanted is not None:
        flat = wanted.combine_chunks() if isinstance(wanted, pa.ChunkedArray) else wanted
        damaged = pc.and_(damaged, pc.is_in(rows["row_id"], value_set=flat))
    if pc.any(damaged).as_py():
        context.tables.replace(failures, rows.filter(pc.invert(damaged)))


def retry_damaged(build: Build, stages: Iterable[Stage]) -> None:
    """Let the stages whose rows failed for a damaged clip run again. The caller holds the workspace's lock."""
    for name in _failures(stages):
        forget_damaged(build, name)


def has_damaged(build: Build, stages: Iterable[Stage]) -> bool:
    """Say whether any row of these stages failed for a damaged clip."""
    return any(
        pc.any(pc.equal(build.tables.read(name, ["reason"])["reason"], DAMAGED_AUDIO)).as_py()
        for name in _failures(stages)
        if build.tables.num_rows(name)
    )


def _failures(stages: Iterable[Stage]) -> list[str]:
    return [name for stage in stages for name in stage.writes if name.startswith("failures@")]


def named_audio(build: Build) -> Callable[[str], bytes]:
    """Return a function that reads clips by their ids, and whose errors name the sample or recording. Thread-safe."""
    blobs = build.blobs

    def read(audio_id: str) -> bytes:
        try:
            return blobs.encoded(audio_id)
        except DamagedPart as error:
            raise DamagedPart(f"{_owner(build, audio_id)}: {error}") from error

    return read


def _owner(build: Build, audio_id: str) -> str:
    """Return the first sample, else the recording, that a clip belongs to, as a message names it."""
    for table, key, what in (("samples", "sample_id", "sample"), ("recordings", "utterance_id", "recording of utterance")):
        rows = build.tables.read(table, [key, "audio_id"])
        owners = rows.filter(pc.equal(rows["audio_id"], audio_id))[key].to_pylist()
        if owners:
            return f"{what} {min(owners)}"
    return "a clip of no sample"
