"""Clips for the Gemini API: inside a request that stays small, otherwise uploaded once and named by address.

Gemini reads the FLAC files of the workspace as they are. An uploaded file lives for 48 hours and costs nothing.
"""

import asyncio
import base64
import datetime as dt
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from annotate.models.provider_clips import ClipCache
from annotate.models.providers.gemini.http_client import GeminiHttpClient
from annotate.models.request import AttemptFailure, JudgeRequest
from storage.blobs import BlobStore

MIME_TYPE: Final = "audio/flac"
_LIFETIME: Final = dt.timedelta(hours=48)
_PART_BYTES: Final = 120  # JSON around a clip, generously
_POLL_S: Final = 0.5

Part = Mapping[str, Any]
"""One part of a message in the API's JSON, but with bytes not yet in base64."""


@dataclass(frozen=True, slots=True)
class _Stored:
    uri: str
    until: dt.datetime


class ClipUploads:
    """Turns requests into the parts of messages, and remembers which clips are uploaded."""

    def __init__(self, clips: BlobStore | None, http: GeminiHttpClient, *, inline_bytes: int, lives_s: float) -> None:
        """Open.

        Args:
            clips: where the audio is.
            http: where it goes.
            inline_bytes: largest request with its clips inside.
            lives_s: how long an uploaded clip must still live when it is sent, in seconds.
        """
        self._clips = None if clips is None else ClipCache(clips)
        self._http = http
        self._inline_bytes = inline_bytes
        self._lives = dt.timedelta(seconds=lives_s)
        self._stored: dict[str, _Stored] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def duration_s(self, request: JudgeRequest) -> list[float]:
        """Return the length of each clip in seconds."""
        return [(await self._cache.measure(audio.audio_id, "flac")).duration_s for audio in request.audios]

    async def size(self, request: JudgeRequest) -> int:
        """Return how many bytes the parts take as JSON, at most."""
        inline, beside = await self._sizes(request)
        return beside if inline > self._inline_bytes else inline

    async def parts(self, request: JudgeRequest, limit_s: float) -> list[Part] | AttemptFailure:
        """Return the prompt and each clip after its label, after uploading the clips that do not fit.

        Args:
            request: the request.
            limit_s: longest time that the uploads may take, in seconds.
        """
        deadline = asyncio.get_running_loop().time() + limit_s
        inline, _ = await self._sizes(request)
        place = self._inline if inline <= self._inline_bytes else self._by_address
        placed = await asyncio.gather(*(place(audio.audio_id, deadline) for audio in request.audios))
        parts: list[Part] = [{"text": request.prompt}]
        for audio, part in zip(request.audios, placed, strict=True):
            if isinstance(part, AttemptFailure):
                return part
            parts += [{"text": f"[{audio.label}]"}, part]
        return parts

    def forget(self, request: JudgeRequest) -> None:
        """Upload the clips of a request again the next time: the API no longer has them."""
        for audio in request.audios:
            self._stored.pop(audio.audio_id, None)

    async def _sizes(self, request: JudgeRequest) -> tuple[int, int]:
        """Return the bytes of a request with its clips inside and beside it."""
        sizes = [(await self._cache.measure(audio.audio_id, "flac")).size for audio in request.audios]
        labels = sum(len(json.dumps(audio.label)) for audio in request.audios)
        beside = len(json.dumps(request.prompt)) + labels + 2 * _PART_BYTES * (len(sizes) + 1)
        return beside + sum(-(-size // 3) * 4 for size in sizes), beside

    @property
    def _cache(self) -> ClipCache:
        assert self._clips is not None, "a request with audio needs the clips"
        return self._clips

    async def _inline(self, audio_id: str, _deadline: float) -> Part | AttemptFailure:
        return {"inlineData": {"mimeType": MIME_TYPE, "data": (await self._cache.clip(audio_id, "flac")).data}}

    async def _by_address(self, audio_id: str, deadline: float) -> Part | AttemptFailure:
        uri = await self._uploaded(audio_id, deadline)
        return uri if isinstance(uri, AttemptFailure) else {"fileData": {"mimeType": MIME_TYPE, "fileUri": uri}}

    async def _uploaded(self, audio_id: str, deadline: float) -> str | AttemptFailure:
        """Return the address of a clip; of several requests that want the same one, the first uploads it."""
        lock = self._locks.setdefault(audio_id, asyncio.Lock())
        async with lock:
            now = dt.datetime.now(dt.UTC)
            stored = self._stored.get(audio_id)
            if stored is not None and stored.until - now > self._lives:
                return stored.uri
            outcome = await self._upload(audio_id, deadline)
            if isinstance(outcome, AttemptFailure):
                return outcome
            self._stored = {key: kept for key, kept in self._stored.items() if kept.until > now}
            self._stored[audio_id] = outcome
            return outcome.uri

    async def _upload(self, audio_id: str, deadline: float) -> _Stored | AttemptFailure:
        from google.genai import types

        loop, files = asyncio.get_running_loop(), self._http.client.aio.files
        data = io.BytesIO((await self._cache.clip(audio_id, "flac")).data)
        config = types.UploadFileConfig(mime_type=MIME_TYPE, display_name=audio_id)
        sent_at = dt.datetime.now(dt.UTC)
        file = await self._http.call(files.upload(file=data, config=config), limit_s=max(0.0, deadline - loop.time()))
        while not isinstance(file, AttemptFailure) and file.state == types.FileState.PROCESSING and file.name:
            await asyncio.sleep(min(_POLL_S, max(0.0, deadline - loop.time())))
            file = await self._http.call(files.get(name=file.name), limit_s=max(0.0, deadline - loop.time()))
        if isinstance(file, AttemptFailure):
            return file
        if file.state != types.FileState.ACTIVE or not file.uri:
            state = file.state.value if file.state else "no state"
            return AttemptFailure(reason="server_error", message=f"the uploaded clip is {state}, not ACTIVE", kind="transient")
        return _Stored(file.uri, file.expiration_time or sent_at + _LIFETIME)


def as_json(part: Part) -> Part:
    """Return a part as JSON, its bytes in the base64 of the SDK."""
    if "inlineData" not in part:
        return part
    blob = part["inlineData"]
    return {"inlineData": blob | {"data": base64.urlsafe_b64encode(blob["data"]).decode()}}
