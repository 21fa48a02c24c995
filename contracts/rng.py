"""Seeded randomness that depends on what a row is, never on when or where it is processed."""

import hashlib
import hmac

import numpy as np

from contracts.ids import canonical_json


def generator_for(seed: int, stage: str, row_key: str) -> np.random.Generator:
    """Return the generator of one row in one stage.

    Two rows never share a stream and the number of shards, workers or restarts does not matter. Philox is counter-based
    and its stream is fixed by NumPy's compatibility policy.
    """
    key = hashlib.sha256(canonical_json([seed, stage, row_key]).encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def secret_generator_for(secret: str, seed: int, stage: str, row_key: str) -> np.random.Generator:
    """Return a generator like that of ``generator_for`` whose numbers nobody can foretell without the secret."""
    key = hmac.new(secret.encode(), canonical_json([seed, stage, row_key]).encode(), hashlib.sha256).digest()[:16]
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def hash_fraction(seed: int, stage: str, row_key: str) -> float:
    """Return a number in [0, 1) that is fixed by its arguments: what to sort or threshold by for a stable choice."""
    key = hashlib.sha256(canonical_json([seed, stage, row_key]).encode()).digest()
    return int.from_bytes(key[:7], "big") / 2**56
