"""Gemini's batch interface: half the price, an answer within a day.

A batch is always submitted as an uploaded file of JSON lines, and its results come as one, because the lines carry our keys
both ways. Requests inside the call that creates a batch do not: their replies come back in another order
(googleapis/python-genai#1909), and without the metadata that went out with them (#2008).
"""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from annotate.models.judge import BatchState
from annotate.models.providers.gemini.http_client import GeminiHttpClient
from annotate.models.providers.gemini.uploads import ClipUploads, Part, as_json
from annotate.models.request import AttemptError, AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from annotate.models.usage import UNBOUNDED, decoded
from contracts.errors import StorageError

if TYPE_CHECKING:
    from google.genai import types

    from annotate.models.providers.gemini.client import Gemini

CLIP_LIVES_S: Final = 40 * 3600.0
"""How long an uploaded clip must still live when its batch is submitted: a batch may wait for a day and more."""

_LINE_BYTES: Final = 400  # JSON around a request
_SLOWEST_BYTES_PER_S: Final = 100_000  # of an upload that is not given up
_LINES_AT_ONCE: Final = 256
_PAGE: Final = 100
_ENDED: Final = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


@dataclass(frozen=True, kw_only=True)
class GeminiBatches:
    """An open session of the batch interface; see ``annotate.models.judge.BatchSession``."""

    judge: "Gemini"
    http: GeminiHttpClient
    uploads: ClipUploads

    @property
    def most_requests(self) -> int:
        """Most requests of one batch."""
        return self.judge.batch_requests

    @property
    def most_bytes(self) -> int:
        """Largest batch, by ``size``."""
        return int(self.judge.batch_mb * 1e6)

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that this request can take in a batch."""
        return await self.judge.estimate_of(request, self.uploads, batch=True)

    async def size(self, request: JudgeRequest) -> int:
        """Return how many bytes of a batch the request takes, at most."""
        return await self.uploads.size(request) + len(request.key) + _LINE_BYTES

    async def submit(self, name: str, requests: Sequence[JudgeRequest]) -> str | AttemptFailure:
        """Upload the requests as a file and create a batch of that name.

        Raises:
            StorageError: there is no room for the file.
        """
        from google.genai import types

        files, batches = self.http.client.aio.files, self.http.client.aio.batches
        with tempfile.TemporaryDirectory(prefix="unisrm-batch-") as folder:
            path = Path(folder) / "requests.jsonl"
            if (failure := await self._write(path, requests)) is not None:
                return failure
            config = types.UploadFileConfig(mime_type="jsonl", display_name=name)
            limit_s = self.http.timeout_s + path.stat().st_size / _SLOWEST_BYTES_PER_S
            file = await self.http.call(files.upload(file=path, config=config), limit_s=limit_s)
        if isinstance(file, AttemptFailure):
            return file
        if not file.name:
            return AttemptFailure(reason="malformed_body", message="the uploaded file has no name", kind="transient")
        create = batches.create(model=self.judge.model, src=file.name, config={"display_name": name})
        job = await self.http.call(create, lost=True)
        if isinstance(job, AttemptFailure):
            return job
        return job.name or AttemptFailure(reason="malformed_body", message="the batch has no name", kind="transient", lost=True)

    async def _write(self, path: Path, requests: Sequence[JudgeRequest]) -> AttemptFailure | None:
        """Write one line per request; clips too large for a line are uploaded before it."""
        with _disk_errors(path.parent), path.open("wb") as lines:
            for request in requests:
                parts = await self.uploads.parts(request, self.http.timeout_s)
                if isinstance(parts, AttemptFailure):
                    return parts
                await asyncio.to_thread(lines.write, self._line(request.key, parts))
        return None

    def _line(self, key: str, parts: Sequence[Part]) -> bytes:
        request = {
            "contents": [{"parts": [as_json(part) for part in parts], "role": "user"}],
            "generationConfig": {
                "temperature": self.judge.temperature,
                "maxOutputTokens": self.judge.max_output_tokens,
                "candidateCount": 1,
            },
        }
        return json.dumps({"key": key, "request": request}).encode() + b"\n"

    async def find(self, name: str) -> str | AttemptFailure | None:
        """Return the id of the batch of that name, from the list of all batches."""
        return await self.http.call(self._found(name))

    async def _found(self, name: str) -> str | None:
        async for job in await self.http.client.aio.batches.list(config={"page_size": _PAGE}):
            if job.display_name == name and job.name:
                return job.name
        return None

    async def state(self, batch_id: str) -> BatchState | AttemptFailure:
        """Return the state of a batch; a failure if the batch failed for a reason that would fail any other."""
        job = await self.http.call(self.http.client.aio.batches.get(name=batch_id))
        if isinstance(job, AttemptFailure):
            return "gone" if job.reason == "no_such_model" else job
        # The SDK says JOB_STATE_x, but passes on a BATCH_STATE_x that it does not know.
        state = job.state.value.rpartition("_STATE_")[2] if job.state else None
        if state == "FAILED" and _file_of(job) is None:
            return await self._why_failed(batch_id)
        return "ended" if state in _ENDED else "running"

    async def _why_failed(self, batch_id: str) -> BatchState | AttemptFailure:
        """Read the error of a failed batch, which the SDK leaves out of its ``BatchJob``."""
        reply = await self.http.call(
            self.http.httpx_client.get(
                f"{self.http.base_url}/v1beta/{batch_id}", headers={"x-goog-api-key": self.http.secret}, timeout=None
            )
        )
        if isinstance(reply, AttemptFailure):
            return reply
        if reply.status_code != 200:
            return self.http.rejected(reply.status_code, None, "the failed batch cannot be read")
        error = json_object(reply.content).get("error")
        failure = self._failure(error) if isinstance(error, dict) else None
        if failure is None or failure.kind != "all_requests":
            return "ended"
        # A reason of its own: a key that is refused now says nothing of the batch, but this batch has ended and was not billed.
        return replace(failure, reason="batch_failed", message=f"the batch {batch_id} failed: {failure.message}")

    async def results(self, batch_id: str) -> AsyncIterator[tuple[str, Reply | Refusal | AttemptFailure]]:
        """Yield key and outcome of every line that an ended batch finished.

        A line that is no JSON, or has no key, is skipped: its request stays without an answer.

        Raises:
            AttemptError: the file of results cannot be fetched now, or, of the kind ``request``, never again.
        """
        job = await self.http.call(self.http.client.aio.batches.get(name=batch_id))
        if isinstance(job, AttemptFailure):
            raise AttemptError(_final_if_gone(job))
        if (name := _file_of(job)) is None:
            return
        with tempfile.TemporaryFile(prefix="unisrm-batch-") as file:
            with _disk_errors(Path(tempfile.gettempdir())):
                await self._download(name, file)
            file.seek(0)
            while lines := await asyncio.to_thread(lambda: list(islice(file, _LINES_AT_ONCE))):
                for key, answer in self._answers(lines):
                    yield key, answer

    async def _download(self, name: str, file: IO[bytes]) -> None:
        loop, timeout_s = asyncio.get_running_loop(), self.http.timeout_s
        try:
            async with asyncio.timeout(timeout_s) as deadline:

                def write(data: bytes) -> None:
                    deadline.reschedule(loop.time() + timeout_s)  # as long as data comes
                    file.write(data)

                download = self.http.client.aio.files.download(file=name, destination=_Sink(write))  # type: ignore[call-overload]
                failure = await self.http.call(download, limit_s=float("inf"))
        except TimeoutError:
            failure = AttemptFailure(reason="timeout", message=f"no results within {timeout_s:g} s", kind="transient")
        if isinstance(failure, AttemptFailure):
            raise AttemptError(_final_if_gone(failure))

    def _answers(self, lines: Iterable[bytes]) -> Iterator[tuple[str, Reply | Refusal | AttemptFailure]]:
        for line in lines:
            entry = json_object(line)
            key, error = entry.get("key"), entry.get("error") or entry.get("status")
            if not isinstance(key, str):
                continue
            if isinstance(error, dict):
                yield key, self._failure(error)
                continue
            reply = self.http.received(entry.get("response"))
            if isinstance(reply, AttemptFailure):
                yield key, reply
                continue
            yield key, reply.answer(self.judge.price, highest=UNBOUNDED, has_audio=True, batch=True)

    def _failure(self, error: Mapping[str, Any]) -> AttemptFailure:
        code = error.get("code")
        message = str(error.get("message") or error)
        code = code if type(code) is int else 13
        failure = self.http.rejected(code, error.get("status"), message, error.get("details"))
        return replace(failure, lost=False)  # the provider itself states that there is no answer


@dataclass(frozen=True)
class _Sink:
    """A destination of a download, as the SDK wants it."""

    write: Any


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the file of a batch cannot be written to {folder} ({error.strerror}): "
            "set TMPDIR to a larger disk, or lower the judge's batch_mb and batch_requests"
        ) from error


def _final_if_gone(failure: AttemptFailure) -> AttemptFailure:
    """Return a failure to fetch results, made final if the provider deleted them: they were billed, and will not come back."""
    if failure.reason not in ("expired", "no_such_model"):
        return failure
    return replace(failure, reason="expired", kind="request", lost=True, advice="")


def _file_of(job: "types.BatchJob") -> str | None:
    return job.dest.file_name if job.dest else None


def json_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line; an empty one if it holds none."""
    value = decoded(line)
    return value if isinstance(value, dict) else {}
