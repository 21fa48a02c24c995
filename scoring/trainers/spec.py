"""What an exported row says of its reward as JSON: the plug-in, its options, and the columns of the released row that it reads.

One column of text survives every trainer's loader. Nested ones do not: some fill missing keys of records, some hand out arrays.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from contracts import plugins
from contracts.errors import DataError
from scoring.reward import Reward

COLUMN: Final = "reward_spec"
"""Column of an exported row."""

_KEYS: Final = {"name", "options", "row"}


def rewards_of(completions: Sequence[Any], specs: Sequence[str]) -> list[dict[str, float]]:
    """Return the values of each completion by name; the last one is the reward.

    Args:
        completions: what a model wrote: texts, or lists of messages of which the last one counts.
        specs: ``reward_spec`` of the row of each.

    Raises:
        DataError: they are not equally many, a spec is none, or its row lacks what the reward compares with.
    """
    if len(completions) != len(specs):
        raise DataError(f"{len(completions)} completions and {len(specs)} values of {COLUMN}: one of each belongs together")
    return [_values(text_of(completion), spec) for completion, spec in zip(completions, specs, strict=True)]


def reward_of(values: dict[str, float]) -> float:
    """Return the reward among the values of a completion."""
    return list(values.values())[-1]


def text_of(completion: Any) -> str:
    """Return the text of a completion: itself, or the content of the last of its messages; where nothing is said, nothing.

    A model that only calls a tool says nothing: its message has no content, and its reward is that of an unreadable reply.
    """
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else None
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content or () if part.get("type") == "text")


def _values(text: str, spec: str) -> dict[str, float]:
    try:
        found = json.loads(spec)
    except (TypeError, ValueError) as error:
        raise DataError(f"{COLUMN} is no JSON: was the file written by unisrm-data release --export?") from error
    if not isinstance(found, dict) or found.keys() != _KEYS:
        raise DataError(f"{COLUMN} must have the keys {', '.join(sorted(_KEYS))}")
    plugin = _configured(found["name"], json.dumps(found["options"], sort_keys=True))
    (values,) = plugin.rewards([text], [found["row"]])
    return values


@lru_cache(maxsize=64)
def _configured(name: str, options: str) -> Reward:
    plugin: Reward = plugins.configure("reward", name, json.loads(options))
    return plugin
