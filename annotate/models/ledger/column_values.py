"""Values as a ledger stores them: money as whole picodollars, texts that any database takes, answers by columns."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from annotate.models.request import Refusal, Reply
from annotate.models.usage import MOST_TOKENS, count

_PICO: Final = 10**12
_REPLY: Final = ("text", "model_served", "input_tokens", "output_tokens", "latency_s", "attempts", "raw")
_REFUSAL: Final = ("reason", "message", "raw")

# No text column takes NUL (PostgreSQL) or halves of surrogate pairs (both databases). A paid reply may hold either.
_UNSTORABLE: Final = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED: Final = re.compile("\x1a([0-9a-f]{4})")

REPLY_COLUMNS: Final = (*_REPLY, "spent_picousd")
"""What ``reply_in`` needs."""

ANSWER_COLUMNS: Final = (
    "latency_s",
    "model_served",
    "input_tokens",
    "output_tokens",
    "text",
    "raw",
    "reason",
    "message",
    "answered",
)
"""What ``answer_columns`` fills in."""


def utc_now() -> str:
    """Return the time, for people."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def to_picousd(usd: float) -> int:
    """Return dollars in picodollars.

    Raises:
        ValueError: it is no price.
    """
    if not math.isfinite(usd) or usd < 0:
        raise ValueError(f"{usd} is no price in dollars")
    return round(usd * _PICO)


def to_usd(picousd: int) -> float:
    """Return picodollars in dollars."""
    return int(picousd) / _PICO


def storable(text: str) -> str:
    """Return a text that both databases take; ``restored`` undoes it."""
    return _UNSTORABLE.sub(lambda found: f"\x1a{ord(found[0]):04x}", text)


def restored(text: str) -> str:
    """Return a stored text as it came."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def answer_columns(answer: Reply | Refusal, now: str) -> dict[str, Any]:
    """Return the columns that an answer fills in, beside state, attempts and money."""
    names: list[str] = [name for name in (_REPLY if isinstance(answer, Reply) else _REFUSAL) if name in ANSWER_COLUMNS]
    values = {name: getattr(answer, name) for name in names}
    stored: dict[str, Any] = {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
    return dict.fromkeys(ANSWER_COLUMNS) | _plausible(stored) | {"answered": now}


def reply_in(row: Mapping[str, Any]) -> Reply:
    """Return the reply in a row with ``REPLY_COLUMNS``."""
    columns: dict[str, Any] = {name: _restored(row[name]) for name in _REPLY}
    return Reply(**_plausible(columns), cost_usd=to_usd(row["spent_picousd"]))


def displayed(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as a person reads it, with money in dollars."""
    return {
        name.replace("_picousd", "_usd"): to_usd(value) if name.endswith("_picousd") else _restored(value)
        for name, value in row.items()
    }


def _plausible(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns with null for impossible numbers and names: older versions stored whatever a provider stated."""
    counts = {name: count(columns[name], MOST_TOKENS, least=1) for name in ("input_tokens", "output_tokens") if name in columns}
    names = {name: value for name, value in columns.items() if name == "model_served" and not isinstance(value, str)}
    return {**columns, **counts, **dict.fromkeys(names)}


def _restored(value: Any) -> Any:
    return restored(value) if isinstance(value, str) else value
