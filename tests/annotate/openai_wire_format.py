"""What OpenAI's API sends, as its reference documents it; for the local server and for tests that script it."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sent:
    """One response: ``body`` None drops the connection; ``cut`` bytes are promised and not sent."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    kind: str = "application/json"


def error(status: int, code: str | None, message: str, kind: str = "invalid_request_error", **more: Any) -> Sent:
    """Return an error as the API documents it."""
    headers = more.pop("headers", {})
    return Sent(status, {"error": {"message": message, "type": kind, "param": None, "code": code} | more}, headers)


def identity(body: dict[str, Any]) -> str:
    """Return what a request is known by."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def completion(
    text: str | None,
    *,
    model: str = "gpt-audio",
    sent: int = 700,
    heard: int = 60,
    back: int = 250,
    reasoning: int = 0,
    finish: str = "stop",
    refusal: str | None = None,
) -> dict[str, Any]:
    """Return a chat completion as the API documents it."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1760000000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": sent,
            "completion_tokens": back,
            "total_tokens": sent + back,
            "prompt_tokens_details": {"audio_tokens": heard, "cached_tokens": 0, "text_tokens": sent - heard},
            "completion_tokens_details": {"audio_tokens": 0, "reasoning_tokens": reasoning},
        },
    }
