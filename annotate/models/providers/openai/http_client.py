"""HTTP requests to an OpenAI-compatible server, and the failures that their errors mean.

Every call is exactly one request. The SDK's retries are off (``max_retries=0``), and so is its only other resending, which is
for workload identities. The HTTP client is our own: its transport connects once (``retries`` 0) and follows no redirection,
because both would send a paid request again without a record in the ledger. After a broken connection httpcore2 resends only
what was not sent at all. The key is removed from everything that a server sends back.
"""

import asyncio
import contextlib
import math
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from annotate.models.calls import rate_limits
from annotate.models.judge import KEY_CHECK_S
from annotate.models.request import AttemptFailure
from annotate.models.scrubbing import scrub
from annotate.models.usage import decoded

if TYPE_CHECKING:
    import openai

R = TypeVar("R")

OPENAI_URL: Final = "https://api.openai.com/v1"

QUOTA_GONE: Final = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
"""Error codes that no waiting helps against."""

_MODEL_CODES: Final = ("model_not_found", "invalid_model")
_OPTION_PARAMS: Final = (
    "temperature",
    "max_completion_tokens",
    "max_tokens",
    "voice",
    "response_format",
    "instructions",
    "speed",
)
_ANSWER_MAY_BE_MADE: Final = (502, 504, 520, 524)  # a gateway answers for a server that may still work on the request
_CONNECT_S: Final = 10.0
_MESSAGE_CHARS: Final = 500

# OpenAI's own messages show the ends of a refused key, and servers with other keys do the same.
_KEY_LIKE: Final = re.compile(r"\bsk-[\w*.-]{8,}|[\w*-]*\*{3}[\w*-]*")
_LACKS_SCOPE: Final = re.compile(r"\bscopes?\b|insufficient permissions", re.IGNORECASE)
_PERIOD: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True)
class RawReply:
    """The body of a response with status 200, and how long it took."""

    body: str
    latency_s: float


@dataclass(frozen=True, kw_only=True)
class RawAudio:
    """The body of a response with status 200 that should be an audio file.

    Attributes:
        data: the body.
        media_type: as stated; empty = not stated.
        model_served: the model that spoke, if the server names it (header ``openai-model``).
        request_id: the server's name of the request, if it has one.
        latency_s: how long it took.
    """

    data: bytes
    media_type: str
    model_served: str | None
    request_id: str | None
    latency_s: float


@dataclass(frozen=True, kw_only=True)
class OpenAIHttpClient:
    """An open connection to one server.

    Attributes:
        client: the SDK's client.
        secret: the key, which must not leave it; None = no key is sent.
        key_variable: environment variable that holds it, for messages.
        timeout_s: longest wait for a call, and for each step of a transfer.
    """

    client: "openai.AsyncOpenAI"
    secret: str | None
    key_variable: str
    timeout_s: float

    async def ask(self, body: Mapping[str, Any]) -> RawReply | AttemptFailure:
        """Send one chat completion and return its body as it came."""
        started = time.monotonic()
        reply = await self.call(self.client.chat.completions.with_raw_response.create(**body))
        if isinstance(reply, AttemptFailure):
            return reply
        return RawReply(body=self.scrubbed(reply.text), latency_s=time.monotonic() - started)

    async def speak(self, body: Mapping[str, Any]) -> RawAudio | AttemptFailure:
        """Send one request for speech and return its body as it came."""
        started = time.monotonic()
        reply = await self.call(self.client.audio.speech.with_raw_response.create(**body))
        if isinstance(reply, AttemptFailure):
            return reply
        stated = {name: self.shown(reply.headers.get(name, "")) for name in ("content-type", "openai-model", "x-request-id")}
        return RawAudio(
            data=reply.content,
            media_type=stated["content-type"],
            model_served=stated["openai-model"] or None,
            request_id=stated["x-request-id"] or None,
            latency_s=time.monotonic() - started,
        )

    async def key_problem(self) -> AttemptFailure | None:
        """Return why the server refuses the key when its models are listed; None = it does not.

        A restricted key may send requests but not list models: that error is no refusal.
        """
        try:
            async with asyncio.timeout(KEY_CHECK_S):
                answer = await self.call(self.client.models.with_raw_response.list())
        except TimeoutError:
            return None
        refused = (
            isinstance(answer, AttemptFailure) and answer.reason == "key_refused" and not _LACKS_SCOPE.search(answer.message)
        )
        return answer if refused and isinstance(answer, AttemptFailure) else None

    async def call(self, sending: Awaitable[R], *, deadline: bool = True) -> R | AttemptFailure:
        """Await one call of the SDK and return its result, or the failure.

        Args:
            sending: the call.
            deadline: whether ``timeout_s`` bounds the whole of it; without, only each of its steps (a large upload).
        """
        import openai

        try:
            async with asyncio.timeout(self.timeout_s if deadline else None):
                return await sending
        except openai.APIStatusError as error:
            return self.rejected(error.status_code, error.response.text, error.response.headers)
        except openai.APIConnectionError as error:
            return self.broken(error.__cause__ or error)
        except TimeoutError:
            return _timeout(self.timeout_s)

    def broken(self, cause: BaseException) -> AttemptFailure:
        """Return the failure that an error of the connection means."""
        import httpx2

        what = self.shown(f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__)
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError | httpx2.UnsupportedProtocol):
            return AttemptFailure(
                reason="unreachable", message=f"no connection to {self.client.base_url.host} ({what})", kind="transient"
            )
        if isinstance(cause, httpx2.PoolTimeout):
            return AttemptFailure(reason="timeout", message=f"no free connection within {self.timeout_s:g} s", kind="transient")
        if isinstance(cause, httpx2.TimeoutException):
            return _timeout(self.timeout_s)
        return AttemptFailure(reason="connection_lost", message=what, kind="transient", lost=True)

    def rejected(self, status: int, body: str, headers: Mapping[str, str] | None = None) -> AttemptFailure:
        """Return the failure that a response with another status than 200 means.

        Args:
            status: HTTP status.
            body: its body; OpenAI wraps the error in ``error``, some compatible servers do not.
            headers: its headers.
        """
        error = _error_of(body)
        message = self.shown(f"HTTP {status}: {error.get('message') or body}")
        names = {str(error.get(field)) for field in ("code", "type")}
        param = str(error.get("param"))
        if status == 402 or names & set(QUOTA_GONE):
            return fatal("quota_gone", message, "add credit or raise the account's limit")
        if status == 429:
            if str(error.get("message")).startswith("Request too large"):  # larger than a whole minute's tokens
                return AttemptFailure(reason="bad_request", message=message, kind="request")
            return AttemptFailure(
                reason="rate_limited", message=message, kind="throttled", wait_s=asked_to_wait_s(headers or {})
            )
        if status in (401, 403) or "invalid_api_key" in names:
            named = self.key_variable or "the variable that key_variable names"
            return fatal("key_refused", message, f"check the key in {named}")
        if status == 404 or names & set(_MODEL_CODES) or param == "model":
            return fatal("no_such_model", message, "check the options model and base_url")
        if status == 408:
            return AttemptFailure(reason="timeout", message=message, kind="transient")
        if status == 409 or status >= 500:
            wait_s = asked_to_wait_s(headers or {})
            lost = status in _ANSWER_MAY_BE_MADE
            return AttemptFailure(reason="server_error", message=message, kind="transient", lost=lost, wait_s=wait_s)
        if status < 400:
            return fatal("unreachable", message, "the server sends one elsewhere: set the option base_url to where it is")
        if param in _OPTION_PARAMS:
            return fatal("bad_request", message, f"this model takes no such {param}: change the options")
        reason = "blocked" if names & {"content_filter", "content_policy_violation"} else "bad_request"
        return AttemptFailure(reason=reason, message=message, kind="request")

    def scrubbed(self, text: str) -> str:
        """Return text without the key."""
        return scrub(text, self.secret) if self.secret else text

    def shown(self, text: str) -> str:
        """Return text of a server as one short line without the key."""
        return one_line(_KEY_LIKE.sub("***", self.scrubbed(text)))


@contextlib.asynccontextmanager
async def connected(
    *, base_url: str | None, key_variable: str, timeout_s: float, concurrency: int
) -> AsyncIterator[OpenAIHttpClient]:
    """Open a connection.

    Args:
        base_url: the server; None = OpenAI, whatever ``OPENAI_BASE_URL`` says, because another server is another model.
        key_variable: the environment variable that holds the key; empty for a server that wants none.
        timeout_s: see ``OpenAIHttpClient``.
        concurrency: most connections.
    """
    import httpx2
    import openai

    from annotate.models.providers.http_connections import http_client

    secret = os.environ[key_variable].strip() if key_variable else None
    timeout = httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))
    async with http_client(concurrency, timeout=timeout, follow_redirects=False) as http:
        client = openai.AsyncOpenAI(
            api_key=secret or "none",
            base_url=base_url or OPENAI_URL,
            max_retries=0,
            timeout=timeout,
            http_client=http,
        )
        if base_url is not None:
            client.organization = client.project = None  # another server must not learn the names of an OpenAI account
        yield OpenAIHttpClient(client=client, secret=secret, key_variable=key_variable, timeout_s=timeout_s)


def fatal(reason: str, message: str, advice: str) -> AttemptFailure:
    """Return a failure that every other request would meet as well."""
    return AttemptFailure(reason=reason, message=message, kind="all_requests", advice=advice)


def one_line(text: str) -> str:
    """Return text of a server as one short line that a terminal can show."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())[:_MESSAGE_CHARS]


def asked_to_wait_s(headers: Mapping[str, str]) -> float | None:
    """Return how long a server asks to wait; None = not stated.

    Args:
        headers: ``retry-after-ms``; ``Retry-After`` in seconds or as a date (RFC 9110, 10.2.3); ``x-ratelimit-reset-requests``
            and ``-tokens`` such as ``6m0s``, of which the used-up one counts (the other is hours off after one long request).
    """
    if (wait_s := rate_limits.asked_to_wait_s(headers, ())) is not None:
        return wait_s
    resets = {
        kind: sum(float(number) * _SECONDS[unit] for number, unit in periods)
        for kind in ("requests", "tokens")
        if (periods := _PERIOD.findall(headers.get(f"x-ratelimit-reset-{kind}", "")))
    }
    used_up = [wait_s for kind, wait_s in resets.items() if headers.get(f"x-ratelimit-remaining-{kind}") == "0"]
    reset_s = max(used_up, default=min(resets.values(), default=None))
    return reset_s if reset_s is not None and math.isfinite(reset_s) else None


def _timeout(timeout_s: float) -> AttemptFailure:
    return AttemptFailure(reason="timeout", message=f"no reply within {timeout_s:g} s", kind="transient", lost=True)


def _error_of(body: str) -> Mapping[str, Any]:
    found = decoded(body)
    inner = found.get("error", found) if isinstance(found, dict) else None
    return inner if isinstance(inner, dict) else {}
