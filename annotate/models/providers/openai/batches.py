"""OpenAI's batches: half the price, within a day.

A batch is a JSONL file of requests, each under its key as ``custom_id``; what becomes of them is in two other files, of
replies and of errors, in any order. Replies are matched by ``custom_id`` alone. Our name of a batch is in its metadata, so
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

from annotate.models.judge import BatchState, Estimate, JudgeRequest, Refusal, Reply, Trouble, TroubleRaised
from annotate.models.prices import Price
from annotate.models.provider_clips import Clip
from annotate.models.providers.openai.chat import Heard, Questions, answer, malformed
from annotate.models.providers.openai.wire import QUOTA_GONE, Wire, everyone
from annotate.models.usage import UNBOUNDED, decoded

R = TypeVar("R")

_ENDPOINT: Final = "/v1/chat/completions"
_RUNNING: Final = ("validating", "in_progress", "finalizing", "cancelling")
_ENDED: Final = ("completed", "failed", "expired", "cancelled")
_UNFINISHED: Final = ("batch_expired", "batch_cancelled")
_CUSTOM_ID: Final = re.compile(r'"custom_id"\s*:\s*"([^"\\]+)"')
_PAGE: Final = 100

Outcome = Reply | Refusal | Trouble


class _Text(Protocol):
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class OpenAIBatches:
    """An open connection to the batch interface.

    Attributes:
        most_requests: most requests of one batch.
        most_bytes: largest file of one batch; "200 MB" taken as the smaller of its meanings.
        wire: the connection.
        questions: what is asked.
        price: what it costs.
        estimated: the judge's ``estimate``.
    """

    most_requests: ClassVar[int] = 50_000
    most_bytes: ClassVar[int] = 200_000_000

    wire: Wire
    questions: Questions
    price: Price
    estimated: Callable[..., Estimate]

    async def estimate(self, request: JudgeRequest) -> Estimate:
        """Return the most that this request can take in a batch."""
        audio_s, _ = await self.questions.measure(request)
        return self.estimated(request.prompt, audio_s, batch=True)

    async def size(self, request: JudgeRequest) -> int:
        """Return how many bytes its line has."""
        _, sizes = await self.questions.measure(request)
        silent = [(audio.label, Clip(data=b"", duration_s=0.0)) for audio in request.audios]
        return len(self._line(request, silent)) + sum((size + 2) // 3 * 4 for size in sizes)

    async def submit(self, name: str, requests: Sequence[JudgeRequest]) -> str | Trouble:
        """Upload the requests and create a batch of them; see ``annotate.models.judge.BatchLine``.

        Raises:
            DamagedPart: a clip is missing or damaged.
        """
        client = self.wire.client
        with tempfile.TemporaryFile() as file:
            for request in requests:
                line = self._line(request, await self.questions.hear(request))
                await asyncio.to_thread(file.write, line)
            file.seek(0)
            uploading = client.files.with_raw_response.create(
                file=(f"{name}.jsonl", file, "application/jsonl"), purpose="batch"
            )
            uploaded = await self._object(uploading, deadline=False)
        if isinstance(uploaded, Trouble):
            return replace(uploaded, lost=False)  # a file alone costs nothing
        creating = client.batches.with_raw_response.create(
            input_file_id=uploaded["id"],
            endpoint=_ENDPOINT,
            completion_window="24h",
            metadata={"name": name},
        )
        batch = await self._object(creating)
        return batch if isinstance(batch, Trouble) else str(batch["id"])

    async def find(self, name: str) -> str | Trouble | None:
        """Look through the batches of the account, the youngest first, for one of that name."""
        batches, further = self.wire.client.batches.with_raw_response, True
        page = await self._object(batches.list(limit=_PAGE), field="data")
        while further and not isinstance(page, Trouble):
            found = [batch for batch in page["data"] if isinstance(batch, dict) and isinstance(batch.get("id"), str)]
            for batch in found:
                if isinstance(batch.get("metadata"), dict) and batch["metadata"].get("name") == name:
                    return str(batch["id"])
            further = bool(found) and page.get("has_more") is not False
            if further:
                page = await self._object(batches.list(limit=_PAGE, after=found[-1]["id"]), field="data")
        return replace(page, lost=False) if isinstance(page, Trouble) else None

    async def state(self, batch_id: str) -> BatchState | Trouble:
        """Return how far a batch is."""
        batch = await self._retrieved(batch_id)
        if batch is None or isinstance(batch, Trouble):
            return "gone" if batch is None else batch
        status = batch.get("status")
        if status not in (*_RUNNING, *_ENDED):
            return replace(malformed(str(batch)), lost=False)
        return "running" if status in _RUNNING else "ended"

    async def results(self, batch_id: str) -> AsyncIterator[tuple[str, Outcome]]:
        """Yield what became of each request, each key once; a reply beats a trouble.

        A batch that failed its validation has no results: each of its requests gets the trouble that the batch had, and
        one whose own line was wrong gets that. A line that cannot be read is a reply that was made, paid for and lost.

        Raises:
            TroubleRaised: the results cannot be fetched now, or (``request``) never.
        """
        batch = await self._retrieved(batch_id)
        if isinstance(batch, Trouble):
            raise TroubleRaised(batch)
        if batch is None:
            return
        answered: set[str] = set()
        troubles: dict[str, Trouble] = {}
        failed = batch.get("status") == "failed"
        for field in ("input_file_id",) if failed else ("output_file_id", "error_file_id"):
            with tempfile.TemporaryFile() as file:
                there = await self._download(batch.get(field), file)
                if failed:
                    troubles = self._refused(batch, file if there else None)
                elif there:
                    for key, outcome in self._outcomes(file):
                        if isinstance(outcome, Trouble):
                            troubles.setdefault(key, outcome)
                        elif key not in answered:
                            answered.add(key)
                            yield key, outcome
        for key, trouble in troubles.items():
            if key not in answered:
                yield key, trouble

    def _line(self, request: JudgeRequest, heard: Heard) -> bytes:
        body = self.questions.body(request.prompt, heard)
        line = {"custom_id": request.key, "method": "POST", "url": _ENDPOINT, "body": body}
        return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    async def _object(self, sending: Awaitable[_Text], *, field: str = "id", deadline: bool = True) -> dict[str, Any] | Trouble:
        """Make a call and return the JSON object that it gives, which has the field."""
        reply = await self.wire.call(sending, deadline=deadline)
        if isinstance(reply, Trouble):
            return reply
        text = self.wire.scrubbed(reply.text)
        found = decoded(text)
        kind = list if field == "data" else str
        return found if isinstance(found, dict) and isinstance(found.get(field), kind) else malformed(text)

    async def _retrieved(self, batch_id: str) -> dict[str, Any] | Trouble | None:
        """Return the batch; None if there is none of that id."""
        asking = _unless_absent(self.wire.client.batches.with_raw_response.retrieve(batch_id))
        reply = await self.wire.call(asking)
        if reply is None:
            return None
        if isinstance(reply, Trouble):
            return replace(reply, lost=False)
        found = decoded(reply.text)
        return found if isinstance(found, dict) else replace(malformed(self.wire.scrubbed(reply.text)), lost=False)

    async def _download(self, file_id: object, into: IO[bytes]) -> bool:
        """Fetch a file; False if there is none, or none any more.

        Raises:
            TroubleRaised: it cannot be fetched now.
        """
        if not isinstance(file_id, str) or not file_id:
            return False
        fetched = await self.wire.call(_unless_absent(self._stream(file_id, into)), deadline=False)
        if isinstance(fetched, Trouble):
            raise TroubleRaised(replace(fetched, lost=False))
        into.seek(0)
        return fetched is not None

    async def _stream(self, file_id: str, into: IO[bytes]) -> bool:
        import httpx2
        import openai

        async with self.wire.client.files.with_streaming_response.content(file_id) as reply:
            try:
                async for chunk in reply.iter_bytes():
                    into.write(chunk)
            except httpx2.TransportError as error:  # the SDK translates only what goes wrong before the body
                raise openai.APIConnectionError(request=reply.http_request) from error
        return True

    def _outcomes(self, file: IO[bytes]) -> Iterator[tuple[str, Outcome]]:
        for line in file:
            text = self.wire.scrubbed(line.decode(errors="replace"))
            found = decoded(text)
            key = found.get("custom_id") if isinstance(found, dict) else None
            if isinstance(found, dict) and isinstance(key, str):
                yield key, self._outcome(found, text)
            elif (named := _CUSTOM_ID.search(text)) is not None:
                yield named[1], malformed(text)

    def _outcome(self, line: Mapping[str, Any], text: str) -> Outcome:
        response, error = line.get("response"), line.get("error")
        if isinstance(response, dict) and type(status := response.get("status_code")) is int:
            raw = json.dumps(response.get("body"), ensure_ascii=False)
            if status != 200:
                return self.wire.rejected(status, raw)
            return answer(response.get("body"), raw, price=self.price, highest=UNBOUNDED, has_audio=None, batch=True)
        if not isinstance(error, dict):
            return malformed(text)
        message = self.wire.shown(str(error.get("message") or error))
        if error.get("code") in _UNFINISHED:
            return Trouble(reason="expired", message=message, kind="passing")
        return Trouble(reason="server_error", message=message, kind="passing")

    def _refused(self, batch: Mapping[str, Any], file: IO[bytes] | None) -> dict[str, Trouble]:
        """Return what a batch that failed its validation means for each of its requests, which cost nothing.

        Args:
            batch: it.
            file: its requests; None if the provider has them no more.

        Raises:
            TroubleRaised: nobody knows which requests it had.
        """
        stated = batch.get("errors")
        listed = stated.get("data") if isinstance(stated, dict) else None
        errors = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        sorted_out = [(_line_of(each), self._validation(each)) for each in errors]
        of_all = next((trouble for line, trouble in sorted_out if line is None or trouble.kind != "request"), None)
        if not errors:
            of_all = everyone("bad_request", f"batch {batch.get('id')} failed without a reason", "look it up in the dashboard")
        spared = Trouble(reason="server_error", message="other requests of its batch were refused", kind="passing")
        if file is None:
            raise TroubleRaised(replace(of_all or spared, kind="request"))
        own = dict(sorted_out)
        lines = enumerate((_CUSTOM_ID.search(line.decode(errors="replace")) for line in file), start=1)
        return {named[1]: of_all or own.get(number, spared) for number, named in lines if named is not None}

    def _validation(self, error: Mapping[str, Any]) -> Trouble:
        """Sort one error of a validation."""
        code = str(error.get("code"))
        message = self.wire.shown(f"batch refused ({code}): {error.get('message')}")
        if code == "token_limit_exceeded":  # too many tokens of other batches are waiting
            return Trouble(reason="rate_limited", message=message, kind="throttled")
        if code in QUOTA_GONE:
            return everyone("quota_gone", message, "add credit or raise the account's limit")
        if code == "model_not_found" or error.get("param") == "model" or "model" in code:
            return everyone("no_such_model", message, "choose a model that the provider takes in batches")
        if _line_of(error) is None:
            return everyone("bad_request", message, "ask one by one instead of in batches")
        return Trouble(reason="bad_request", message=message, kind="request")


def _line_of(error: Mapping[str, Any]) -> int | None:
    line = error.get("line")
    return line if isinstance(line, int) else None


async def _unless_absent(sending: Awaitable[R]) -> R | None:
    import openai

    try:
        return await sending
    except openai.NotFoundError:
        return None
