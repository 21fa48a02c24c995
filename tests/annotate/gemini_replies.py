"""What the local Gemini server says: replies, errors and token counts in the API's own JSON."""

import base64
import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from tests.annotate.spoken_audio import audio_of, seconds_of

TEXT_TOKENS, AUDIO_TOKENS, REPLY_TOKENS, THOUGHT_TOKENS = 700, 96, 250, 50
MODEL_SERVED = "gemini-2.5-flash-001"

_DIMENSIONS = (
    "Text Fidelity & Intelligibility",
    "Speaker Similarity to Prompt Speech",
    "Prosody & Expressiveness Appropriateness",
    "Naturalness & Audio Quality",
)


@dataclass(frozen=True)
class Answer:
    """What the server does with one request: ``body`` None drops the connection; ``cut`` bytes of it are promised and not sent."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int = 0


def card(prompt: str, *, tied: bool = False) -> str:
    """Return a well-formed Task 1 reply whose scores depend on the prompt (UniSRM, App. A, Fig. 3)."""
    digits = [int(digit, 16) % 11 for digit in hashlib.sha256(prompt.encode()).hexdigest()[:8]]
    digits[7] = (digits[7] + (sum(digits[:4]) == sum(digits[4:]))) % 11
    a, b = digits[:4], digits[:4] if tied else digits[4:]
    lines = ["<think>"]
    for letter, scores in (("A", a), ("B", b)):
        lines.append(f"[Speech {letter}]")
        for number, (name, score) in enumerate(zip(_DIMENSIONS, scores, strict=True), start=1):
            lines.append(f"{number}) {name}: score={score}/10; explanation: as heard")
        lines.append(f"Total_{letter} = {'+'.join(map(str, scores))}={sum(scores)}")
    lines += ["[Comparison summary]", "- One is better. The other is worse.", "</think>"]
    return "\n".join([*lines, f"<answer>Speech {'B' if sum(b) > sum(a) else 'A'} is better</answer>"])


def reply(text: str, **changes: Any) -> dict[str, Any]:
    """Return a generateContent response as the API documents it, with token counts that are always the same."""
    return response(text, TEXT_TOKENS, AUDIO_TOKENS, REPLY_TOKENS, thoughts=THOUGHT_TOKENS) | changes


def response(text: str, text_tokens: int, audio_tokens: int, reply_tokens: int, *, thoughts: int = 0) -> dict[str, Any]:
    """Return a generateContent response with these token counts."""
    details = [{"modality": "TEXT", "tokenCount": text_tokens}]
    if audio_tokens:
        details.append({"modality": "AUDIO", "tokenCount": audio_tokens})
    return {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": text_tokens + audio_tokens,
            "candidatesTokenCount": reply_tokens,
            "thoughtsTokenCount": thoughts,
            "totalTokenCount": text_tokens + audio_tokens + reply_tokens + thoughts,
            "promptTokensDetails": details,
        },
        "modelVersion": MODEL_SERVED,
        "responseId": "r-1",
    }


def is_speech(body: dict[str, Any]) -> bool:
    """Tell whether a request asks for audio."""
    config = body.get("generationConfig", {})
    return bool(config.get("responseModalities") == ["AUDIO"])


def spoken(body: dict[str, Any]) -> dict[str, Any]:
    """Return a generateContent response that reads out what stands after the first empty line of the prompt."""
    text = prompt_of(body).partition("\n\n")[2]
    voice = _camel(body)["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"]
    data = base64.b64encode(audio_of(text, voice, "pcm")).decode()
    made = response("", len(prompt_of(body)) // 4 + 1, 0, math.ceil(25 * seconds_of(text)))
    made["candidates"][0]["content"]["parts"] = [{"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": data}}]
    made["usageMetadata"]["candidatesTokensDetails"] = [
        {"modality": "AUDIO", "tokenCount": made["usageMetadata"]["candidatesTokenCount"]}
    ]
    return made


def error(status: int, word: str, message: str, details: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return an error body as the API documents it."""
    return {"error": {"code": status, "message": message, "status": word, "details": details or []}}


def retry_info(delay_s: float) -> dict[str, Any]:
    """Return the error detail that asks for a wait."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{delay_s:g}s"}


def quota_failure(*quota_ids: str) -> dict[str, Any]:
    """Return the error detail that names the limits that were passed."""
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name} for name in quota_ids]}


def identity(body: Any) -> str:
    """Return the sha256 of a request's canonical JSON: equal requests are the same request."""
    return hashlib.sha256(json.dumps(_camel(body), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _camel(value: Any) -> Any:
    """Return JSON with its keys in one of the two spellings that protobuf's JSON takes."""
    if isinstance(value, dict):
        return {re.sub("_([a-z])", lambda match: match[1].upper(), key): _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value


def prompt_of(body: dict[str, Any]) -> str:
    """Return the first text of a request."""
    return str(body["contents"][0]["parts"][0]["text"])


def inline_clips(body: dict[str, Any]) -> list[tuple[str, str, bytes]]:
    """Return label, mime type and bytes of each clip inside a request."""
    clips = []
    parts = body["contents"][0]["parts"]
    for label, part in zip(parts[1::2], parts[2::2], strict=True):
        if blob := part.get("inlineData"):
            kind = blob.get("mimeType") or blob["mime_type"]  # protobuf's JSON knows a field by both names
            clips.append((label["text"], kind, base64.urlsafe_b64decode(blob["data"])))
    return clips


def uploaded_clips(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return label and address of each clip that a request only names."""
    parts = body["contents"][0]["parts"]
    named = [(label["text"], part.get("fileData")) for label, part in zip(parts[1::2], parts[2::2], strict=True)]
    return [(label, data.get("fileUri") or data["file_uri"]) for label, data in named if data]


def flac_s(flac: bytes) -> float:
    """Return the length of a FLAC file in seconds, from its STREAMINFO block (RFC 9639, 8.2)."""
    rate = int.from_bytes(flac[18:21]) >> 4
    return (int.from_bytes(flac[21:26]) & 0xFFFFFFFFF) / rate


def audio_tokens(clips: list[bytes]) -> int:
    """Return what clips count: 32 tokens a second, each rounded up."""
    return sum(math.ceil(32 * flac_s(clip)) for clip in clips)


def identity_text(prompt: str, _clips: list[tuple[str, bytes]]) -> str:
    """Answer with the prompt."""
    return prompt
