"""JSON that people write or other programs export: a key stands once in its object, and numbers are finite."""

import json
from collections.abc import Sequence
from typing import Any, Final, Never


class DuplicateKey(ValueError):
    """An object names a key twice: which value is meant cannot be known."""


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DuplicateKey(f"key {key!r} stands twice in one object")
        found[key] = value
    return found


def _constant(word: str) -> Never:
    raise ValueError(f"{word} is no JSON number")


DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def noting_decoder(doubled: list[str]) -> json.JSONDecoder:
    """Return a decoder that goes on after a key that an object has twice, and adds it to a list; the first value stays."""

    def found(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        first: dict[str, Any] = {}
        for key, value in pairs:
            if first.setdefault(key, value) is not value:
                doubled.append(key)
        return first

    return json.JSONDecoder(object_pairs_hook=found, parse_constant=_constant)


def json_value(text: str) -> Any:
    """Return the value of a text that is one JSON value.

    Raises:
        ValueError: it is none, names a key of an object twice, holds NaN or Infinity, or nests too deep.
    """
    try:
        return DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
