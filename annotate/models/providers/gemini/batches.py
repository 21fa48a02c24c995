"""Gemini's batch interface: half the price, an answer within a day.

A batch is always handed in as an uploaded file of JSON lines and comes back as one, because its lines carry our keys both
ways. Requests inside the call that creates a batch do not: their replies come back in another order
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

from annotate.models.judge import BatchState, Estimate, JudgeRequest, Refusal, Reply, Trouble, TroubleRaised
from annotate.models.providers.gemini.uploads import Parcels, Part, as_json
from annotate.models.providers.gemini.wire import Wire
from annotate.models.usage import UNBOUNDED, decoded
from contracts.errors import StorageError

if TYPE_CHECKING:
    from google.genai import types

    from annotate.models.providers.gemini.client import Gemini

CLIP_LIVES_S: Final = 40 * 3600.0
"""How long an uploaded clip must still live when its batch is handed in: a batch may wait for a day and more."""

_LINE_BYTES: Final = 400  # JSON around a request
_SLOWEST_BYTES_PER_S: Final = 100_000  # of an upload that is not given up
_LINES_AT_ONCE: Final = 256
_PAGE: Final = 100
_ENDED: Final = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


@dataclass(frozen=True, kw_only=True)
class GeminiBatches:
    """An open line to the batch interface; see ``annotate.models.judge.BatchLine``."""

    judge: "Gemini"
    wire: Wire
    parcels: Parcels

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
        return await self.judge.estimate_of(request, self.parcels, batch=True)

    async def size(self, request: JudgeRequest) -> int:
        """Return how many bytes of a batch it takes, at most."""
        return await self.parcels.size(request) + len(request.key) + _LINE_BYTES

    async def submit(self, name: str, requests: Sequence[JudgeRequest]) -> str | Trouble:
        """Upload the requests as a file and hand it in under that name.

        Raises:
            StorageError: there is no room for the file.
        """
        from google.genai import types

        files, batches = self.wire.client.aio.files, self.wire.client.aio.batches
        with tempfile.TemporaryDirectory(prefix="unisrm-batch-") as folder:
            path = Path(folder) / "requests.jsonl"
            if (trouble := await self._write(path, requests)) is not None:
                return trouble
            config = types.UploadFileConfig(mime_type="jsonl", display_name=name)
            limit_s = self.wire.timeout_s + path.stat().st_size / _SLOWEST_BYTES_PER_S
            file = await self.wire.call(files.upload(file=path, config=config), limit_s=limit_s)
        if isinstance(file, Trouble):
            return file
        if not file.name:
            return Trouble(reason="malformed_body", message="the uploaded file has no name", kind="passing")
        create = batches.create(model=self.judge.model, src=file.name, config={"display_name": name})
        job = await self.wire.call(create, lost=True)
        if isinstance(job, Trouble):
            return job
        return job.name or Trouble(reason="malformed_body", message="the batch has no name", kind="passing", lost=True)

    async def _write(self, path: Path, requests: Sequence[JudgeRequest]) -> Trouble | None:
        """Write one line per request; clips too large for a line are uploaded on the way."""
        with _room(path.parent), path.open("wb") as lines:
            for request in requests:
                parts = await self.parcels.parts(request, self.wire.timeout_s)
                if isinstance(parts, Trouble):
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

    async def find(self, name: str) -> str | Trouble | None:
        """Return the id of the batch of that name, from the list of all batches."""
        return await self.wire.call(self._found(name))

    async def _found(self, name: str) -> str | None:
        async for job in await self.wire.client.aio.batches.list(config={"page_size": _PAGE}):
            if job.display_name == name and job.name:
                return job.name
        return None

    async def state(self, batch_id: str) -> BatchState | Trouble:
        """Return how far a batch is; a trouble if it failed as a whole for a reason that would fail any other."""
        job = await self.wire.call(self.wire.client.aio.batches.get(name=batch_id))
        if isinstance(job, Trouble):
            return "gone" if job.reason == "no_such_model" else job
        # The SDK says JOB_STATE_x, but passes on a BATCH_STATE_x that it does not know.
        state = job.state.value.rpartition("_STATE_")[2] if job.state else None
        if state == "FAILED" and _file_of(job) is None:
            return await self._why_failed(batch_id)
        return "ended" if state in _ENDED else "running"

    async def _why_failed(self, batch_id: str) -> BatchState | Trouble:
        """Read the error of a failed batch, which the SDK leaves out of its ``BatchJob``."""
        reply = await self.wire.call(
            self.wire.http.get(
                f"{self.wire.base_url}/v1beta/{batch_id}", headers={"x-goog-api-key": self.wire.secret}, timeout=None
            )
        )
        if isinstance(reply, Trouble):
            return reply
        if reply.status_code != 200:
            return self.wire.rejected(reply.status_code, None, "the failed batch cannot be read")
        error = json_object(reply.content).get("error")
        trouble = self._trouble(error) if isinstance(error, dict) else None
        if trouble is None or trouble.kind != "everyone":
            return "ended"
        # A reason of its own: a key that is refused now says nothing of the batch, but this one is over, and was not billed.
        return replace(trouble, reason="batch_failed", message=f"the batch {batch_id} failed: {trouble.message}")

    async def results(self, batch_id: str) -> AsyncIterator[tuple[str, Reply | Refusal | Trouble]]:
        """Yield key and answer of every line that an ended batch finished.

        A line that is no JSON, or has no key, is passed over: the request that it may have been is without an answer.

        Raises:
            TroubleRaised: the file of results cannot be fetched now, or, of the kind ``request``, never again.
        """
        job = await self.wire.call(self.wire.client.aio.batches.get(name=batch_id))
        if isinstance(job, Trouble):
            raise TroubleRaised(_final_if_gone(job))
        if (name := _file_of(job)) is None:
            return
        with tempfile.TemporaryFile(prefix="unisrm-batch-") as file:
            with _room(Path(tempfile.gettempdir())):
                await self._download(name, file)
            file.seek(0)
            while lines := await asyncio.to_thread(lambda: list(islice(file, _LINES_AT_ONCE))):
                for key, answer in self._answers(lines):
                    yield key, answer

    async def _download(self, name: str, file: IO[bytes]) -> None:
        loop, timeout_s = asyncio.get_running_loop(), self.wire.timeout_s
        try:
            async with asyncio.timeout(timeout_s) as deadline:

                def write(data: bytes) -> None:
                    deadline.reschedule(loop.time() + timeout_s)  # as long as data comes
                    file.write(data)

                download = self.wire.client.aio.files.download(file=name, destination=_Sink(write))  # type: ignore[call-overload]
                trouble = await self.wire.call(download, limit_s=float("inf"))
        except TimeoutError:
            trouble = Trouble(reason="timeout", message=f"no results within {timeout_s:g} s", kind="passing")
        if isinstance(trouble, Trouble):
            raise TroubleRaised(_final_if_gone(trouble))

    def _answers(self, lines: Iterable[bytes]) -> Iterator[tuple[str, Reply | Refusal | Trouble]]:
        for line in lines:
            entry = json_object(line)
            key, error = entry.get("key"), entry.get("error") or entry.get("status")
            if not isinstance(key, str):
                continue
            if isinstance(error, dict):
                yield key, self._trouble(error)
                continue
            arrival = self.wire.received(entry.get("response"))
            if isinstance(arrival, Trouble):
                yield key, arrival
                continue
            yield key, arrival.answer(self.judge.price, highest=UNBOUNDED, heard=True, batch=True)

    def _trouble(self, error: Mapping[str, Any]) -> Trouble:
        code = error.get("code")
        message = str(error.get("message") or error)
        code = code if type(code) is int else 13
        trouble = self.wire.rejected(code, error.get("status"), message, error.get("details"))
        return replace(trouble, lost=False)  # the provider itself says that there is no answer


@dataclass(frozen=True)
class _Sink:
    """A destination of a download, as the SDK wants it."""

    write: Any


@contextlib.contextmanager
def _room(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"the file of a batch cannot be written to {folder} ({error.strerror}): "
            "set TMPDIR to a larger disk, or lower the judge's batch_mb and batch_requests"
        ) from error


def _final_if_gone(trouble: Trouble) -> Trouble:
    """Return what is wrong with results; those that the provider deleted were made and billed, and will not come back."""
    if trouble.reason not in ("expired", "no_such_model"):
        return trouble
    return replace(trouble, reason="expired", kind="request", lost=True, advice="")


def _file_of(job: "types.BatchJob") -> str | None:
    return job.dest.file_name if job.dest else None


def json_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line; an empty one if it holds none."""
    value = decoded(line)
    return value if isinstance(value, dict) else {}
