"""The wire to the Gemini API: what one HTTP request brought back, sorted.

Every call is exactly one request: the SDK's own repetitions (retries, continuation, function calls) are off, because each of
them could be paid for without a line in the ledger. Nothing that a server sends back carries the key any further.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from annotate.models.calls.rate_limits import asked_to_wait_s
from annotate.models.judge import Trouble
from annotate.models.providers.gemini.reply import Arrival
from annotate.models.scrubbing import scrub
from annotate.models.usage import decoded

if TYPE_CHECKING:
    import httpx2
    from google import genai
    from google.genai import errors, types

T = TypeVar("T")

ADVICE: Final[Mapping[str, str]] = {
    "key_refused": "check the key in GEMINI_API_KEY or GOOGLE_API_KEY, and that its project may use the API",
    "no_such_model": "check the judge's model and base_url",
    "quota_gone": "raise the quota or the credit, or wait until it is back",
    "unreachable": "check the network and the judge's base_url",
}
"""Reason -> what a person should do."""

_HTTP_OF_GRPC: Final = {1: 499, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 11: 400, 14: 503, 16: 401}
"""Code in a batch (google.rpc.Code) -> HTTP status of the same trouble."""
_PASSING: Final = (408, 409, 425, 499)
_ANSWER_MAY_BE_MADE: Final = (502, 504, 520, 524)  # a gateway speaks for a server that may still be at work
_FILE_GONE: Final = re.compile(r"\bfile\b.*(may not exist|not in an active state)", re.IGNORECASE | re.DOTALL)
# "Resource has been exhausted (e.g. check quota)" alone means a busy server, also to accounts far below their quota.
_CREDIT_GONE: Final = re.compile(r"credits?\b.*\b(deplet|exhaust|used up)|spend(ing)? (cap|limit)", re.IGNORECASE | re.DOTALL)
_QUOTA_GONE: Final = re.compile(r"exceeded your current quota.*billing", re.IGNORECASE | re.DOTALL)
_BLOCKED: Final = frozenset({"BLOCKED", "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"})
_SHORTEST_SECRET: Final = 12
_LONGEST_RATE_S: Final = 3600.0  # no limit per minute asks for more


@dataclass(frozen=True, kw_only=True)
class Wire:
    """An open connection; ``secret`` is what must not leave it."""

    client: "genai.Client"
    http: "httpx2.AsyncClient"
    base_url: str
    secret: str = field(repr=False)
    timeout_s: float

    async def call(self, sdk_call: Awaitable[T], *, lost: bool = False, limit_s: float | None = None) -> T | Trouble:
        """Await one call of the SDK and return its result, or why there is none.

        Args:
            sdk_call: the call.
            lost: whether the server may have done it although no reply arrives.
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
            return Trouble(reason="timeout", message=f"no reply within {limit_s:g} s", kind="passing", lost=lost)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            message = self.scrubbed(f"no connection to the Gemini API ({error})")
            return Trouble(reason="unreachable", message=message, kind="passing", advice=ADVICE["unreachable"])
        except (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL) as error:
            message = self.scrubbed(f"the request cannot be sent ({error})")
            return Trouble(reason="unreachable", message=message, kind="everyone", advice=ADVICE["unreachable"])
        except httpx2.RequestError as error:
            message = self.scrubbed(f"{type(error).__name__}: {error}")
            return Trouble(reason="connection_lost", message=message, kind="passing", lost=lost)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # This is how the SDK meets a body with status 200 that is no JSON, or JSON of another shape.
            message = self.scrubbed(f"the body is no Gemini reply ({type(error).__name__}: {error})")[:500]
            return Trouble(reason="malformed_body", message=message, kind="passing", lost=lost)

    async def generate(
        self,
        *,
        model: str,
        parts: Sequence[Mapping[str, Any]],
        config: "types.GenerateContentConfig",
        limit_s: float,
    ) -> Arrival | Trouble:
        """Ask once."""
        from google.genai import types

        content = types.Content(role="user", parts=[types.Part.model_validate(part) for part in parts])
        started = time.monotonic()
        reply = await self.call(
            self.client.aio.models.generate_content(model=model, contents=content, config=config), lost=True, limit_s=limit_s
        )
        if isinstance(reply, Trouble):
            return reply
        body = (reply.sdk_http_response.body if reply.sdk_http_response else None) or ""
        found = decoded(body)
        if found is None:
            message = f"the body is no JSON: {self.scrubbed(body)[:200]!r}"
            return Trouble(reason="malformed_body", message=message, kind="passing", lost=True)
        return self.received(found, latency_s=time.monotonic() - started)

    def received(self, body: object, *, latency_s: float | None = None) -> Arrival | Trouble:
        """Read the JSON of a reply, and of that only what is used: whatever else it holds, it was paid for."""
        text = self.scrubbed(json.dumps(body, ensure_ascii=False))
        clean = text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be stored
        try:
            return Arrival.of(decoded(clean), clean, latency_s)
        except (TypeError, ValueError, AttributeError):
            message = f"the body is no Gemini reply: {clean[:200]!r}"
            return Trouble(reason="malformed_body", message=message, kind="passing", lost=True)

    def _rejected(self, error: "errors.APIError") -> Trouble:
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
    ) -> Trouble:
        """Sort an error.

        Args:
            code: HTTP status, or google.rpc.Code.
            status: its name, as far as it has one.
            message: what the server says.
            details: google.rpc error details.
            headers: of the response.
        """
        code = _HTTP_OF_GRPC.get(code, code if code >= 100 else 500)
        told = self.scrubbed(f"HTTP {code} {status or ''}: {message}")[:500]
        entries = [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
        wait_s = asked_to_wait_s(headers or {}, entries)
        if code == 429:
            if quota_is_gone(message, entries, wait_s):
                return _everyone("quota_gone", told)
            return Trouble(reason="rate_limited", message=told, kind="throttled", wait_s=wait_s)
        if _FILE_GONE.search(message):
            return Trouble(reason="expired", message=told, kind="passing", wait_s=wait_s)
        if code in _PASSING or code >= 500:
            lost = code in _ANSWER_MAY_BE_MADE
            return Trouble(reason="server_error", message=told, kind="passing", lost=lost, wait_s=wait_s)
        if code in (401, 403) or status == "FAILED_PRECONDITION" or "API_KEY_INVALID" in json.dumps(entries):
            return _everyone("key_refused", told)
        if code == 402:
            return _everyone("quota_gone", told)
        if code == 404:
            return _everyone("no_such_model", told)
        if code < 400:
            return _everyone("unreachable", told)
        return Trouble(reason="bad_request", message=told, kind="request")

    def scrubbed(self, text: str) -> str:
        """Return the text without the key; a placeholder such as a proxy takes is none, and may be an ordinary word."""
        return scrub(text, self.secret) if len(self.secret) >= _SHORTEST_SECRET else text


def _everyone(reason: str, message: str) -> Trouble:
    return Trouble(reason=reason, message=message, kind="everyone", advice=ADVICE[reason])


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
