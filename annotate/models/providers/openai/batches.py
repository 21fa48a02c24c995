"""OpenAI's batches: half the price, within a day.

A batch is a JSONL file of requests, each with its key as ``custom_id``. Its results are two other files, of replies and of
errors, in any order. Replies are matched by ``custom_id`` alone. Our name of a batch is in its metadata, so
that one whose creation was cut off can be found and adopted.

Source: OpenAI, guide "Batch API" and the docstrings of the SDK's ``batches`` and ``files``.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, ClassVar, Final, Protocol, TypeVar

from annotate.models.judge import BatchState
from annotate.models.prices import Price
from annotate.models.provider_clips import EncodedClip
from annotate.models.providers.openai.chat import ChatRequests, LabelledClips, answer, malformed
from annotate.models.providers.openai.http_client import QUOTA_GONE, OpenAIHttpClient, fatal
from annotate.models.request import AttemptError, AttemptFailure, AttemptOutcome, Estimate, JudgeRequest
from annotate.models.usage import UNBOUNDED, decoded

R = TypeVar("R")

_ENDPOINT: Final = "/v1/chat/completions"
_RUNNING: Final = ("validating", "in_progress", "finalizing", "cancelling")
_ENDED: Final = ("completed", "failed", "expired", "cancelled")
_UNFINISHED: Final = ("batch_expired", "batch_cancelled")
_CUSTOM_ID: Final = re.compile(r'"custom_id"\s*:\s*"([^"\\]+)"')
_PAGE: Final = 100


class _Text(Protocol):
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class OpenAIBatches:
    """An open connection to the batch interface.

    Attributes:
        most_requests: most requests of one batch.
        most_bytes: largest file of one batch; "200 MB" taken as the smaller of its meanings.
        http: the connection.
        chat_requests: makes the bodies of requests.
        price: what tokens cost.
        estimated: the judge's ``estimate``.
    """

    most_requests: ClassVar[int] = 50_000
    most_bytes: ClassVar[int] = 200_000_000

    http: OpenAIHttpClient
    chat_requests: ChatRequests
    price: Price
    estimated: Callable[..., Estimate]

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that this request can take in a batch."""
        audio_s, _ = await self.chat_requests.measure(request)
        return self.estimated(request.prompt, audio_s, batch=True)

    async def size(self, request: JudgeRequest) -> int:
        """Return how many bytes the request's line has."""
        _, sizes = await self.chat_requests.measure(request)
        silent = [(audio.label, EncodedClip(data=b"", duration_s=0.0)) for audio in request.audios]
        return len(self._line(request, silent)) + sum((size + 2) // 3 * 4 for size in sizes)

    async def submit(self, name: str, requests: Sequence[JudgeRequest]) -> str | AttemptFailure:
        """Upload the requests and create a batch of them; see ``annotate.models.judge.BatchSession``.

        Raises:
            DamagedPart: a clip is missing or damaged.
        """
        client = self.http.client
        with tempfile.TemporaryFile() as file:
            for request in requests:
                line = self._line(request, await self.chat_requests.load_clips(request))
                await asyncio.to_thread(file.write, line)
            file.seek(0)
            uploading = client.files.with_raw_response.create(
                file=(f"{name}.jsonl", file, "application/jsonl"), purpose="batch"
            )
            uploaded = await self._object(uploading, deadline=False)
        if isinstance(uploaded, AttemptFailure):
            return replace(uploaded, lost=False)  # a file alone costs nothing
        creating = client.batches.with_raw_response.create(
            input_file_id=uploaded["id"],
            endpoint=_ENDPOINT,
            completion_window="24h",
            metadata={"name": name},
        )
        batch = await self._object(creating)
        return batch if isinstance(batch, AttemptFailure) else str(batch["id"])

    async def find(self, name: str) -> str | AttemptFailure | None:
        """Search the account's batches, the latest first, for one of that name."""
        batches, further = self.http.client.batches.with_raw_response, True
        page = await self._object(batches.list(limit=_PAGE), field="data")
        while further and not isinstance(page, AttemptFailure):
            found = [batch for batch in page["data"] if isinstance(batch, dict) and isinstance(batch.get("id"), str)]
            for batch in found:
                if isinstance(batch.get("metadata"), dict) and batch["metadata"].get("name") == name:
                    return str(batch["id"])
            further = bool(found) and page.get("has_more") is not False
            if further:
                page = await self._object(batches.list(limit=_PAGE, after=found[-1]["id"]), field="data")
        return replace(page, lost=False) if isinstance(page, AttemptFailure) else None

    async def state(self, batch_id: str) -> BatchState | AttemptFailure:
        """Return the state of a batch."""
        batch = await self._retrieved(batch_id)
        if batch is None or isinstance(batch, AttemptFailure):
            return "gone" if batch is None else batch
        status = batch.get("status")
        if status not in (*_RUNNING, *_ENDED):
            return replace(malformed(str(batch)), lost=False)
        return "running" if status in _RUNNING else "ended"

    async def results(self, batch_id: str) -> AsyncIterator[tuple[str, AttemptOutcome]]:
        """Yield key and outcome of each request, each key once; a reply replaces a failure.

        A batch that failed its validation has no results: each of its requests gets the failure of the batch, or that of its
        own line. A line that cannot be read is a reply that was made, billed and lost.

        Raises:
            AttemptError: the results cannot be fetched now, or (``request``) never.
        """
        batch = await self._retrieved(batch_id)
        if isinstance(batch, AttemptFailure):
            raise AttemptError(batch)
        if batch is None:
            return
        answered: set[str] = set()
        failures: dict[str, AttemptFailure] = {}
        failed = batch.get("status") == "failed"
        for field in ("input_file_id",) if failed else ("output_file_id", "error_file_id"):
            with tempfile.TemporaryFile() as file:
                there = await self._download(batch.get(field), file)
                if failed:
                    failures = self._validation_failures(batch, file if there else None)
                elif there:
                    for key, outcome in self._outcomes(file):
                        if isinstance(outcome, AttemptFailure):
                            failures.setdefault(key, outcome)
                        elif key not in answered:
                            answered.add(key)
                            yield key, outcome
        for key, failure in failures.items():
            if key not in answered:
                yield key, failure

    def _line(self, request: JudgeRequest, labelled_clips: LabelledClips) -> bytes:
        body = self.chat_requests.body(request.prompt, labelled_clips)
        line = {"custom_id": request.key, "method": "POST", "url": _ENDPOINT, "body": body}
        return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    async def _object(
        self, sending: Awaitable[_Text], *, field: str = "id", deadline: bool = True
    ) -> dict[str, Any] | AttemptFailure:
        """Make a call and return its JSON object, which has the field."""
        reply = await self.http.call(sending, deadline=deadline)
        if isinstance(reply, AttemptFailure):
            return reply
        text = self.http.scrubbed(reply.text)
        found = decoded(text)
        kind = list if field == "data" else str
        return found if isinstance(found, dict) and isinstance(found.get(field), kind) else malformed(text)

    async def _retrieved(self, batch_id: str) -> dict[str, Any] | AttemptFailure | None:
        """Return the batch; None if no batch has that id."""
        asking = _unless_absent(self.http.client.batches.with_raw_response.retrieve(batch_id))
        reply = await self.http.call(asking)
        if reply is None:
            return None
        if isinstance(reply, AttemptFailure):
            return replace(reply, lost=False)
        found = decoded(reply.text)
        return found if isinstance(found, dict) else replace(malformed(self.http.scrubbed(reply.text)), lost=False)

    async def _download(self, file_id: object, into: IO[bytes]) -> bool:
        """Fetch a file; False if there is none, or none any more.

        Raises:
            AttemptError: it cannot be fetched now.
        """
        if not isinstance(file_id, str) or not file_id:
            return False
        fetched = await self.http.call(_unless_absent(self._stream(file_id, into)), deadline=False)
        if isinstance(fetched, AttemptFailure):
            raise AttemptError(replace(fetched, lost=False))
        into.seek(0)
        return fetched is not None

    async def _stream(self, file_id: str, into: IO[bytes]) -> bool:
        import httpx2
        import openai

        async with self.http.client.files.with_streaming_response.content(file_id) as reply:
            try:
                async for chunk in reply.iter_bytes():
                    into.write(chunk)
            except httpx2.TransportError as error:  # the SDK translates only what goes wrong before the body
                raise openai.APIConnectionError(request=reply.http_request) from error
        return True

    def _outcomes(self, file: IO[bytes]) -> Iterator[tuple[str, AttemptOutcome]]:
        for line in file:
            text = self.http.scrubbed(line.decode(errors="replace"))
            found = decoded(text)
            key = found.get("custom_id") if isinstance(found, dict) else None
            if isinstance(found, dict) and isinstance(key, str):
                yield key, self._outcome(found, text)
            elif (named := _CUSTOM_ID.search(text)) is not None:
                yield named[1], malformed(text)

    def _outcome(self, line: Mapping[str, Any], text: str) -> AttemptOutcome:
        response, error = line.get("response"), line.get("error")
        if isinstance(response, dict) and type(status := response.get("status_code")) is int:
            raw = json.dumps(response.get("body"), ensure_ascii=False)
            if status != 200:
                return self.http.rejected(status, raw)
            return answer(response.get("body"), raw, price=self.price, highest=UNBOUNDED, has_audio=None, batch=True)
        if not isinstance(error, dict):
            return malformed(text)
        message = self.http.shown(str(error.get("message") or error))
        if error.get("code") in _UNFINISHED:
            return AttemptFailure(reason="expired", message=message, kind="transient")
        return AttemptFailure(reason="server_error", message=message, kind="transient")

    def _validation_failures(self, batch: Mapping[str, Any], file: IO[bytes] | None) -> dict[str, AttemptFailure]:
        """Return the failure of each request of a batch that failed its validation, which costs nothing.

        Args:
            batch: the batch.
            file: its requests; None if the provider no longer has them.

        Raises:
            AttemptError: its requests are not known.
        """
        stated = batch.get("errors")
        listed = stated.get("data") if isinstance(stated, dict) else None
        errors = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        sorted_out = [(_line_of(each), self._validation(each)) for each in errors]
        of_all = next((failure for line, failure in sorted_out if line is None or failure.kind != "request"), None)
        if not errors:
            of_all = fatal("bad_request", f"batch {batch.get('id')} failed without a reason", "look it up in the dashboard")
        of_others = AttemptFailure(reason="server_error", message="other requests of its batch were refused", kind="transient")
        if file is None:
            raise AttemptError(replace(of_all or of_others, kind="request"))
        own = dict(sorted_out)
        lines = enumerate((_CUSTOM_ID.search(line.decode(errors="replace")) for line in file), start=1)
        return {named[1]: of_all or own.get(number, of_others) for number, named in lines if named is not None}

    def _validation(self, error: Mapping[str, Any]) -> AttemptFailure:
        """Return the failure that one error of a validation means."""
        code = str(error.get("code"))
        message = self.http.shown(f"batch refused ({code}): {error.get('message')}")
        if code == "token_limit_exceeded":  # too many tokens of other batches are waiting
            return AttemptFailure(reason="rate_limited", message=message, kind="throttled")
        if code in QUOTA_GONE:
            return fatal("quota_gone", message, "add credit or raise the account's limit")
        if code == "model_not_found" or error.get("param") == "model" or "model" in code:
            return fatal("no_such_model", message, "choose a model that the provider takes in batches")
        if _line_of(error) is None:
            return fatal("bad_request", message, "ask one by one instead of in batches")
        return AttemptFailure(reason="bad_request", message=message, kind="request")


def _line_of(error: Mapping[str, Any]) -> int | None:
    line = error.get("line")
    return line if isinstance(line, int) else None


async def _unless_absent(sending: Awaitable[R]) -> R | None:
    import openai

    try:
        return await sending
    except openai.NotFoundError:
        return None
