"""The wire to the Gemini API: one HTTP request, and what came of it.

Every attempt is exactly one request: the SDK's own repetitions (retries, continuation, function calls) are off, because each
of them could be paid for without a line in the ledger. Nothing that a server sends back carries the key any further.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from annotate.judge import Refusal, Reply
from annotate.limits import asked_to_wait_s
from annotate.prices import Price

if TYPE_CHECKING:
    from google import genai
    from google.genai import errors, types

TRUE_OF_ALL: Final[Mapping[str, str]] = {
    "key_refused": "check the key in GEMINI_API_KEY or GOOGLE_API_KEY",
    "no_such_model": "check the judge's model and base_url",
    "rate_limited": "the quota seems to be used up, run the same command again when it is back",
    "unreachable": "check the network and the judge's base_url, then run the same command again",
}
"""Reason -> advice for troubles that the next request would meet as well."""

_PASSING: Final = (408, 500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A well-formed response: parsed, as it came, and how long it took."""

    response: "types.GenerateContentResponse"
    body: str
    latency_s: float


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """An attempt without a response.

    Attributes:
        reason: why, as a counted word.
        message: what happened.
        lost: whether a reply may have been made, and billed, and lost on the way.
        wait_s: how long the server asks to wait; None = it does not say.
        hopeless: whether sending it again is pointless.
    """

    reason: str
    message: str
    lost: bool = False
    wait_s: float | None = None
    hopeless: bool = False


@dataclass(frozen=True, kw_only=True)
class Wire:
    """An open connection to one model; ``secret`` is what must not leave it."""

    client: "genai.Client"
    model: str
    config: "types.GenerateContentConfig"
    timeout_s: float
    secret: str

    async def attempt(self, contents: list[Any]) -> Arrival | Trouble:
        """Make one HTTP request."""
        import httpx2
        from google.genai import errors, types

        config = self.config.model_copy(
            update={
                "automatic_continuation": False,
                "automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True),
                "should_return_http_response": True,  # the ledger keeps the body as it came
            }
        )
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout_s):
                reply = await self.client.aio.models.generate_content(model=self.model, contents=contents, config=config)
        except errors.APIError as error:
            return self._rejected(error)
        except TimeoutError:
            return Trouble(reason="timeout", message=f"no reply within {self.timeout_s:g} s", lost=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            return Trouble(reason="unreachable", message=self._scrubbed(f"no connection to the Gemini API ({error})"))
        except httpx2.TransportError as error:
            return Trouble(reason="connection_lost", message=self._scrubbed(f"{type(error).__name__}: {error}"), lost=True)
        body = self._scrubbed((reply.sdk_http_response.body if reply.sdk_http_response else None) or "")
        return _received(body, time.monotonic() - started)

    def _rejected(self, error: "errors.APIError") -> Trouble:
        """Sort an HTTP error."""
        message = self._scrubbed(f"HTTP {error.code} {error.status or ''}: {error.message or error.details}")[:500]
        details = error.details if isinstance(error.details, dict) else {}
        wait_s = asked_to_wait_s(getattr(error.response, "headers", {}), details.get("error", {}).get("details", []))
        if error.code == 429:
            return Trouble(reason="rate_limited", message=message, wait_s=wait_s)
        if error.code in _PASSING:
            return Trouble(reason="server_error", message=message, wait_s=wait_s)
        if error.code in (401, 403) or "API_KEY_INVALID" in json.dumps(details, default=str):
            return Trouble(reason="key_refused", message=message, hopeless=True)
        return Trouble(reason="no_such_model" if error.code == 404 else "bad_request", message=message, hopeless=True)

    def _scrubbed(self, text: str) -> str:
        return text.replace(self.secret, "***")


def _received(body: str, latency_s: float) -> Arrival | Trouble:
    """Read a body with status 200."""
    from google.genai import types
    from pydantic import ValidationError

    try:
        response = types.GenerateContentResponse.model_validate(json.loads(body))
    except (json.JSONDecodeError, ValidationError):
        return Trouble(reason="malformed_body", message=f"the body is no Gemini reply: {body[:200]!r}", lost=True)
    if not response.candidates and response.prompt_feedback is None:
        return Trouble(reason="malformed_body", message=f"the body holds no candidate: {body[:200]!r}", lost=True)
    return Arrival(response=response, body=body, latency_s=latency_s)


def answer(arrival: Arrival, price: Price, highest_usd: float) -> Reply | Refusal:
    """Turn a response into its text and price, or into why it has no text.

    Args:
        arrival: the response.
        price: what its tokens cost.
        highest_usd: what to book where it does not say how many tokens it took.
    """
    response, usage = arrival.response, arrival.response.usage_metadata
    tokens_in = usage.prompt_token_count if usage else None
    tokens_out = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0) if usage else None
    cost_usd = highest_usd
    if usage is not None and tokens_in is not None and tokens_out is not None:
        details = usage.prompt_tokens_details
        # Without details all input counts as audio, the dearer kind.
        audio = sum(part.token_count or 0 for part in details if part.modality == "AUDIO") if details else tokens_in
        cost_usd = price.usd(text_tokens=tokens_in - audio, audio_tokens=audio, output_tokens=tokens_out)
    candidate = response.candidates[0] if response.candidates else None
    parts = candidate.content.parts or [] if candidate and candidate.content else []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    if text:
        return Reply(
            text=text,
            model_served=response.model_version,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cost_usd=cost_usd,
            latency_s=arrival.latency_s,
            raw=arrival.body,
        )
    why = candidate.finish_reason if candidate else response.prompt_feedback and response.prompt_feedback.block_reason
    name = why.value if why else "no reason given"
    reason = "empty_reply" if name in ("STOP", "MAX_TOKENS", "no reason given") else "blocked"
    return Refusal(reason=reason, message=f"the model returned no text ({name})", cost_usd=cost_usd, raw=arrival.body)
