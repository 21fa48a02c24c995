"""The fan-out ``recordings``: every recording of a corpus that a data set needs, as a clip in its format."""

import hashlib
import json
import socket
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar

import pyarrow as pa

from contracts.errors import DataError, RecipeError, SetupError
from contracts.failures import failure
from contracts.jobs import Failure, Outcome, Resources
from contracts.schemas import FAILURES, RECORDINGS
from corpora.root import LinkOutside, Root
from storage.blobs import BlobStore
from storage.workspace import Workspace
from synth.dsp import ClipFormat
from synth.recording import decode
from synth.sanity import recorded_clip


@dataclass(frozen=True, kw_only=True)
class RecordJob:
    """Bring recordings of corpora into the workspace.

    Request columns: ``row_id`` (the recording), ``subject_id`` (the utterance), ``corpus``, ``audio_path`` (relative to
    the corpus root; may be null), ``text`` (may be null: unknown), ``is_reference`` (whether it is a person's recording,
    which a format may take at a rate that is too low for other clips).

    Attributes:
        roots: corpus name -> folder or URL, as canonical JSON.
        audio: format of the clips.
        workspace_url: where clips are stored.
        linked_anywhere: corpora of which links that lead out of their folders are followed, too.
    """

    stage: ClassVar[str] = "recordings"
    table: ClassVar[str] = "recordings"

    roots: str
    audio: ClipFormat
    workspace_url: str
    linked_anywhere: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its rows are counted by."""
        return ""

    @property
    def resources(self) -> Resources:
        """One CPU; a clip takes milliseconds, a bucket's answer more."""
        return Resources(batch_size=16)

    def open(self) -> "RecordSession":
        """Open the corpus roots; no file is touched yet."""
        return RecordSession(self)


class RecordSession:
    """Corpus roots and the clips' store."""

    def __init__(self, job: RecordJob) -> None:
        self._job = job
        self._roots = dict[str, Root]()
        for corpus, url in json.loads(job.roots).items():
            try:
                self._roots[corpus] = Root(corpus, url, "anywhere" if corpus in job.linked_anywhere else "inside")
            except DataError:
                where = f"{url} on {socket.gethostname()}"
                raise SetupError(f"corpus {corpus!r} is not at {where}: every node must see it there") from None
        self._blobs = BlobStore(Workspace(job.workspace_url))

    def run(self, batch: pa.Table) -> Outcome:
        """Bring a batch in: a row of ``recordings`` or a failure for every request."""
        rows, failures = [], []
        for row in batch.to_pylist():
            result = self._record(row)
            if isinstance(result, Failure):
                where = f"corpus {row['corpus']}: {result.message}"
                failures.append(failure(self._job.stage, row["row_id"], row["subject_id"], result.reason, where))
            else:
                rows.append(result)
        return Outcome(
            rows=pa.Table.from_pylist(rows, schema=RECORDINGS),
            failures=pa.Table.from_pylist(failures, schema=FAILURES),
        )

    def _record(self, row: dict[str, Any]) -> dict[str, Any] | Failure:
        data = self._read(row["corpus"], row["audio_path"])
        if isinstance(data, Failure):
            return data
        waveform = decode(data, row["audio_path"])
        if isinstance(waveform, Failure):
            return waveform
        clip = recorded_clip(waveform, row["text"], self._job.audio, is_reference=row["is_reference"])
        if isinstance(clip, Failure):
            return Failure(clip.reason, f"{row['audio_path']}: {clip.message}")
        return {
            "recording_id": row["row_id"],
            "utterance_id": row["subject_id"],
            "audio_id": self._blobs.put(clip.pcm, clip.sample_rate_hz),
            "duration_s": clip.duration_s,
            "sample_rate_hz": clip.sample_rate_hz,
            "native_sample_rate_hz": clip.native_sample_rate_hz,
            "loudness_lufs": clip.loudness_lufs,
            "source_sha256": hashlib.sha256(data).hexdigest(),
        }

    def _read(self, corpus: str, path: str | None) -> bytes | Failure:
        if corpus not in self._roots:
            raise RecipeError(f"no root for corpus {corpus!r}; known: {', '.join(self._roots) or 'none'}")
        if not path:
            return Failure("missing_audio", "the corpus names no audio file")
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            return Failure("path_outside_corpus", f"{path} leaves the corpus root: correct the corpus's list of files")
        try:
            return self._roots[corpus].read(path)
        except LinkOutside as error:
            return Failure("link_outside_corpus", str(error))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return Failure("missing_audio", f"{path} is not there")
        except PermissionError:
            return Failure("unreadable_audio", f"{path} may not be read: correct its permissions")
