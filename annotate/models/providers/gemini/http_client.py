"""HTTP requests to the Gemini API, and the failures that their errors mean.

Every call is exactly one request: the SDK's own repetitions (retries, continuation, function calls) are off, because each of
them could be billed without a record in the ledger. The key is removed from everything that a server sends back.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from annotate.models.calls.rate_limits import asked_to_wait_s
from annotate.models.providers.gemini.reply import GeminiReply
from annotate.models.request import AttemptFailure
from annotate.models.scrubbing import scrub
from annotate.models.usage import decoded

if TYPE_CHECKING:
    import httpx2
    from google import genai
    from google.genai import errors, types

T = TypeVar("T")

ADVICE: Final[Mapping[str, str]] = {
    "key_refused": "check the key in GEMINI_API_KEY or GOOGLE_API_KEY, and that its project may use the API",
    "no_such_model": "check the options model and base_url",
    "quota_gone": "raise the quota or the credit, or wait until it is back",
    "unreachable": "check the network and the option base_url",
}
"""Reason -> what a person should do."""

_HTTP_OF_GRPC: Final = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 11: 400, 14: 503, 16: 401}
"""Code in a batch (google.rpc.Code) -> HTTP status of the same failure."""
_PASSING: Final = (408, 409, 425, 499)
_ANSWER_MAY_BE_MADE: Final = (502, 504, 520, 524)  # a gateway answers for a server that may still work on the request
_FILE_GONE: Final = re.compile(r"\bfile\b.*(may not exist|not in an active state)", re.IGNORECASE | re.DOTALL)
# "Resource has been exhausted (e.g. check quota)" alone means a busy server, also to accounts far below their quota.
_CREDIT_GONE: Final = re.compile(r"credits?\b.*\b(deplet|exhaust|used up)|spend(ing)? (cap|limit)", re.IGNORECASE | re.DOTALL)
_QUOTA_GONE: Final = re.compile(r"exceeded your current quota.*billing", re.IGNORECASE | re.DOTALL)
_BLOCKED: Final = frozenset({"BLOCKED", "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"})
_SHORTEST_SECRET: Final = 12
_LONGEST_RATE_S: Final = 3600.0  # no limit per minute asks for more


@dataclass(frozen=True, kw_only=True)
class GeminiHttpClient:
    """An open connection; ``secret`` is the key, which must not leave it."""

    client: "genai.Client"
    httpx_client: "httpx2.AsyncClient"
    base_url: str
    secret: str = field(repr=False)
    timeout_s: float

    async def call(self, sdk_call: Awaitable[T], *, lost: bool = False, limit_s: float | None = None) -> T | AttemptFailure:
        """Await one call of the SDK and return its result, or the failure.

        Args:
            sdk_call: the call.
            lost: whether the server may have done the work although no reply arrives.
            limit_s: longest wait; None = that of the judge.
        """
        import httpx2
        from google.genai import errors

        limit_s = self.timeout_s if limit_s is None else limit_s
        try:
            async with asyncio.timeout(limit_s):
                return await sdk_call
        except errors.APIError as error:
            return self._rejected(error)
        except (TimeoutError, httpx2.ReadTimeout, httpx2.WriteTimeout):
            return AttemptFailure(reason="timeout", message=f"no reply within {limit_s:g} s", kind="transient", lost=lost)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            message = self.scrubbed(f"no connection to the Gemini API ({error})")
            return AttemptFailure(reason="unreachable", message=message, kind="transient", advice=ADVICE["unreachable"])
        except (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL) as error:
            message = self.scrubbed(f"the request cannot be sent ({error})")
            return AttemptFailure(reason="unreachable", message=message, kind="all_requests", advice=ADVICE["unreachable"])
        except httpx2.RequestError as error:
            message = self.scrubbed(f"{type(error).__name__}: {error}")
            return AttemptFailure(reason="connection_lost", message=message, kind="transient", lost=lost)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # The SDK raises these for a body with status 200 that is no JSON, or JSON of another shape.
            message = self.scrubbed(f"the body is no Gemini reply ({type(error).__name__}: {error})")[:500]
            return AttemptFailure(reason="malformed_body", message=message, kind="transient", lost=lost)

    async def generate(
        self,
        *,
        model: str,
        parts: Sequence[Mapping[str, Any]],
        config: "types.GenerateContentConfig",
        limit_s: float,
    ) -> GeminiReply | AttemptFailure:
        """Send one request for a reply of text."""
        answer = await self.body_of(model=model, parts=parts, config=config, limit_s=limit_s)
        if isinstance(answer, AttemptFailure):
            return answer
        found, latency_s = answer
        return self.received(found, latency_s=latency_s)

    async def body_of(
        self,
        *,
        model: str,
        parts: Sequence[Mapping[str, Any]],
        config: "types.GenerateContentConfig",
        limit_s: float,
    ) -> tuple[object, float] | AttemptFailure:
        """Send one request, and return the JSON of its reply and how long that took."""
        from google.genai import types

        content = types.Content(role="user", parts=[types.Part.model_validate(part) for part in parts])
        started = time.monotonic()
        reply = await self.call(
            self.client.aio.models.generate_content(model=model, contents=content, config=config), lost=True, limit_s=limit_s
        )
        if isinstance(reply, AttemptFailure):
            return reply
        body = (reply.sdk_http_response.body if reply.sdk_http_response else None) or ""
        found = decoded(body)
        if found is None:
            message = f"the body is no JSON: {self.scrubbed(body)[:200]!r}"
            return AttemptFailure(reason="malformed_body", message=message, kind="transient", lost=True)
        return found, time.monotonic() - started

    def received(self, body: object, *, latency_s: float | None = None) -> GeminiReply | AttemptFailure:
        """Read the JSON of a reply, and only the fields that are used: the reply was paid for, whatever else it holds."""
        text = self.scrubbed(json.dumps(body, ensure_ascii=False))
        clean = text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be stored
        try:
            return GeminiReply.of(decoded(clean), clean, latency_s)
        except (TypeError, ValueError, AttributeError):
            message = f"the body is no Gemini reply: {clean[:200]!r}"
            return AttemptFailure(reason="malformed_body", message=message, kind="transient", lost=True)

    def _rejected(self, error: "errors.APIError") -> AttemptFailure:
        details = error.details if isinstance(error.details, dict) else {}
        inner = details.get("error", details)
        inner = inner if isinstance(inner, dict) else {}
        return self.rejected(
            error.code,
            inner.get("status"),
            str(error.message or details),
            inner.get("details"),
            getattr(error.response, "headers", {}),
        )

    def rejected(
        self,
        code: int,
        status: object,
        message: str,
        details: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> AttemptFailure:
        """Return the failure that an error means.

        Args:
            code: HTTP status, or google.rpc.Code.
            status: its name, if it has one.
            message: the server's message.
            details: google.rpc error details.
            headers: of the response.
        """
        code = _HTTP_OF_GRPC.get(code, code if code >= 100 else 500)
        text = self.scrubbed(f"HTTP {code} {status or ''}: {message}")[:500]
        entries = [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
        wait_s = asked_to_wait_s(headers or {}, entries)
        if code == 429:
            if quota_is_gone(message, entries, wait_s):
                return _fatal("quota_gone", text)
            return AttemptFailure(reason="rate_limited", message=text, kind="throttled", wait_s=wait_s)
        if _FILE_GONE.search(message):
            return AttemptFailure(reason="expired", message=text, kind="transient", wait_s=wait_s)
        if code in _PASSING or code >= 500:
            lost = code in _ANSWER_MAY_BE_MADE
            return AttemptFailure(reason="server_error", message=text, kind="transient", lost=lost, wait_s=wait_s)
        if code in (401, 403) or status == "FAILED_PRECONDITION" or "API_KEY_INVALID" in json.dumps(entries):
            return _fatal("key_refused", text)
        if code == 402:
            return _fatal("quota_gone", text)
        if code == 404:
            return _fatal("no_such_model", text)
        if code < 400:
            return _fatal("unreachable", text)
        return AttemptFailure(reason="bad_request", message=text, kind="request")

    def scrubbed(self, text: str) -> str:
        """Return the text without the key, unless it is as short as a placeholder for a proxy: an ordinary word, perhaps."""
        return scrub(text, self.secret) if len(self.secret) >= _SHORTEST_SECRET else text


def _fatal(reason: str, message: str) -> AttemptFailure:
    return AttemptFailure(reason=reason, message=message, kind="all_requests", advice=ADVICE[reason])


def quota_is_gone(message: str, entries: Sequence[Mapping[str, Any]], wait_s: float | None) -> bool:
    """Tell a quota or credit that is used up from a limit per minute.

    Args:
        message: of the error with status 429.
        entries: its google.rpc details; a ``QuotaFailure`` names the limits that were passed.
        wait_s: how long the server asks to wait.
    """
    passed = [
        f"{violation.get('quotaId', '')} {violation.get('quotaMetric', '')}".lower()
        for entry in entries
        if isinstance(violations := entry.get("violations"), list)
        for violation in violations
        if isinstance(violation, dict)
    ]
    if any("perday" in limit or "per_day" in limit for limit in passed) or _CREDIT_GONE.search(message):
        return True
    if wait_s is not None:
        return wait_s > _LONGEST_RATE_S
    return not passed and _QUOTA_GONE.search(message) is not None
