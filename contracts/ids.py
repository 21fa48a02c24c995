"""Content-derived identity: the same thing has the same id on every machine, for ever."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

_LITERALS: Final = "an id must be made of str, int, bool, None, finite float, list or dict"

# 128 bits: the chance of one collision among 1e9 rows is about 1e-21, and the ids stay readable in a table.
ID_HEX_LENGTH: Final = 32

# Made once: ids are made by the million.
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: object) -> str:
    """Serialise literals to the one JSON text that stands for them.

    Keys are sorted, no white space, no escapes beyond JSON's own, floats by shortest round-trip.

    Raises:
        TypeError: a value is no literal (an object's repr may hold an address or a path, so it must never be hashed), or
            a mapping key is no string.
        ValueError: a float is NaN or infinite.
    """
    return _ENCODER.encode(_checked(value))


def _checked(value: object) -> object:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{_LITERALS}; got a mapping with a key that is no string")
        return {key: _checked(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_checked(item) for item in value]
    raise TypeError(f"{_LITERALS}; got {type(value).__name__}")


def digest(value: object) -> str:
    """Return the full sha256 (64 hex digits) of a literal's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def row_id(kind: str, *parts: object) -> str:
    """Return the id of a row: 32 hex digits of the hash of its kind and of the literals that define it."""
    return digest([kind, *parts])[:ID_HEX_LENGTH]


def audio_id(pcm: npt.NDArray[np.int16], sample_rate_hz: int) -> str:
    """Return the id of a clip: hash of its decoded PCM and rate, so that container and encoder do not matter.

    Args:
        pcm: mono samples, shape (n,).
        sample_rate_hz: sampling rate.

    Raises:
        TypeError: not one-dimensional int16.
    """
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise TypeError(f"audio_id takes mono int16 samples, got {pcm.dtype} of shape {pcm.shape}")
    hasher = hashlib.sha256(f"pcm16/{sample_rate_hz}/".encode())
    hasher.update(np.ascontiguousarray(pcm, dtype="<i2").tobytes())
    return hasher.hexdigest()[:ID_HEX_LENGTH]
