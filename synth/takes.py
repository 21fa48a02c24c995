"""Takes: one text spoken several times by one system, with other seeds, temperatures or lengths (SpeechJudge, section 3.1).

Also the tries of one take: where an engine that draws random numbers fails by chance, another seed may do.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.ids import canonical_json
from contracts.rng import hash_fraction

_SEEDS: Final = 2**31

BY_CHANCE: Final = frozenset(
    {
        "empty",
        "not_finite",
        "silent",
        "clipped",
        "speech_trimmed",
        "too_short",
        "too_long",
        "over_limit",
        "engine_error",
        "engine_crash",
        "timeout",
        "worker_died",
    }
)
"""Reasons of failures that another seed may not meet. The others lie in the text, the reference or the engine."""


@dataclass(frozen=True, kw_only=True)
class Take:
    """How one clip of a system differs from the others of the same prompt; None = as the engine's options have it.

    Attributes:
        seed: of the engine; None = by hash of the recipe's seed and the sample.
        temperature: in place of the engine's own.
        duration_factor: on the length of the speech, above 1 is slower; it comes on top of the engine's own speed.
    """

    seed: int | None = None
    temperature: float | None = None
    duration_factor: float | None = None

    def literals(self) -> dict[str, float]:
        """Return what is set, by name."""
        named = {"seed": self.seed, "temperature": self.temperature, "duration_factor": self.duration_factor}
        return {name: value for name, value in named.items() if value is not None}


def chosen_takes(takes: Sequence[Take], count: int, *, seed: int, system: str, prompt_id: str) -> list[Take]:
    """Return ``count`` of the takes for a prompt, by hash: another prompt or another take in the list moves no other choice."""

    def rank(take: Take) -> float:
        return hash_fraction(seed, "take", f"{prompt_id}/{system}/{canonical_json(take.literals())}")

    return sorted(takes, key=rank)[:count]


def seed_of_try(seed: int, sample_id: str, number: int) -> int:
    """Return the seed of a try: of the first, number 0, the sample's own; of a later one by hash of that, sample and number."""
    return int(hash_fraction(seed, "try", f"{sample_id}/{number}") * _SEEDS) if number else seed


def count_tries(failed_tries: str | None) -> int:
    """Return how many tries the column ``failed_tries`` tells of."""
    return len(json.loads(failed_tries)) if failed_tries else 0


def is_by_chance(reason: str) -> bool:
    """Return whether another seed may avoid a failure: one of ``BY_CHANCE``, or an exception, named by its class."""
    return reason in BY_CHANCE or not reason.islower()
