"""Strict JSON: replies that are one object with exactly the fields asked for.

Reading forgives white space around the object, one Markdown fence around the whole, the order of the keys, and line breaks
inside a text, which become spaces. Everything else is refused with a reason: text around the object, a second object, a key
twice, unknown or missing keys, NaN and Infinity, a value of another type (``true`` is no number, ``1.0`` no whole one), an
empty or overlong text, and characters that cannot be written or shown.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NoReturn, Protocol

from annotate.models.parse.envelope import opened
from annotate.models.task import ParseError, Written

_LONGEST_WHOLE_NUMBER: Final = 9
# C0 and C1 controls other than white space, half characters and hidden text, which JSON can smuggle in as escapes.
_ODD: Final = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff"
    r"\U000e0000-\U000e00ff]"
)


class Field(Protocol):
    """What the value of one key must be."""

    @property
    def form(self) -> str:
        """How it looks, for messages."""
        ...

    def read(self, value: object, where: str) -> Any:
        """Return the value, or raise ``ParseError``."""
        ...


@dataclass(frozen=True, kw_only=True)
class Text:
    """Text on one line.

    Attributes:
        longest: most characters.
    """

    longest: int = 4_000
    form: str = '"..."'

    def read(self, value: object, where: str) -> str:
        """Return the text with single spaces."""
        if not isinstance(value, str):
            raise ParseError("value_type", f"{where} must be text in quotation marks, not {_shown(value)}")
        if odd := _ODD.search(value):
            raise ParseError("not_text", f"{where} has the character U+{ord(odd[0]):04X}, which is no text")
        text = " ".join(value.split())
        if not text:
            raise ParseError("value_empty", f"{where} is empty")
        if len(text) > self.longest:
            raise ParseError("value_long", f"{where} has {len(text)} characters, at most {self.longest} are allowed")
        return text


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """One of a few values.

    Attributes:
        values: whole numbers or texts.
    """

    values: tuple[int, ...] | tuple[str, ...]

    @property
    def form(self) -> str:
        """The values, as JSON."""
        return " | ".join(json.dumps(value) for value in self.values)

    def read(self, value: object, where: str) -> int | str:
        """Return the value."""
        if type(value) is not type(self.values[0]):
            raise ParseError("value_type", f"{where} must be {self.form}, not {_shown(value)}")
        for allowed in self.values:
            if value == allowed:
                return allowed
        raise ParseError("value_range", f"{where} must be {self.form}, not {_shown(value)}")


@dataclass(frozen=True, kw_only=True)
class Items:
    """A list of objects.

    Attributes:
        count: how many.
        fields: fields of each.
    """

    count: int
    fields: Mapping[str, Field]

    @property
    def form(self) -> str:
        """One item, and how many."""
        return f"[{_form(self.fields)}, ... ({self.count} in all)]"

    def read(self, value: object, where: str) -> list[dict[str, Any]]:
        """Return the objects."""
        if not isinstance(value, list):
            raise ParseError("value_type", f"{where} must be a list, not {_shown(value)}")
        if len(value) != self.count:
            raise ParseError("item_count", f"{where} has {len(value)} items, it must have {self.count}")
        return [_object(item, self.fields, f"{where}[{number}]") for number, item in enumerate(value)]


def read(reply: str, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return the fields of a reply, in the order asked for.

    Raises:
        ParseError: with the reasons of ``annotate.models.parse.envelope`` or ``not_object``, ``json_malformed``,
            ``text_outside``, ``duplicate_key``, ``key_missing``, ``key_unknown``, ``value_type``, ``value_range``,
            ``value_empty``, ``value_long``, ``item_count`` or ``not_text``.
    """
    text = opened(reply)
    wanted = f"the reply must be the JSON object {_form(fields)} and nothing else"
    if not text.startswith("{"):
        raise ParseError("not_object", f"{wanted}; it starts with {text[:40]!r}")
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number, parse_int=_whole)
    try:
        value, end = decoder.raw_decode(text)
    except json.JSONDecodeError as error:
        raise ParseError("json_malformed", f"{wanted}; at character {error.pos + 1}: {error.msg}") from None
    except RecursionError:
        raise ParseError("json_malformed", f"{wanted}; its brackets are nested too deep") from None
    if rest := text[end:].strip():
        raise ParseError("text_outside", f"{wanted}; {rest[:40]!r} follows it")
    return _object(value, fields, "")


def written(reply: str, fields: Mapping[str, Field], scores: Mapping[str, str] = MappingProxyType({})) -> Written:
    """Return the content of a reply.

    Args:
        reply: the reply.
        fields: its keys.
        scores: name of a score -> key with its value.

    Raises:
        ParseError: see ``read``.
    """
    content = read(reply, fields)
    return Written(
        content=content,
        scores={name: float(content[key]) for name, key in scores.items()},
        completion=json.dumps(content, ensure_ascii=False, allow_nan=False),
    )


def _object(value: object, fields: Mapping[str, Field], where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParseError("value_type", f"{where} must be an object {_form(fields)}, not {_shown(value)}")
    inside = f"{where} " if where else ""
    if missing := [key for key in fields if key not in value]:
        raise ParseError("key_missing", f"{inside}lacks {', '.join(map(json.dumps, missing))}")
    if unknown := [key for key in value if key not in fields]:
        raise ParseError("key_unknown", f"{inside}has {json.dumps(unknown[0][:40])}; its only keys are {', '.join(fields)}")
    return {key: field.read(value[key], f"{where}.{key}" if where else key) for key, field in fields.items()}


def _form(fields: Mapping[str, Field]) -> str:
    return "{" + ", ".join(f'"{key}": {field.form}' for key, field in fields.items()) + "}"


def _shown(value: object) -> str:
    return json.dumps(value)[:40]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ParseError("duplicate_key", f"the key {json.dumps(key[:40])} stands there more than once")
        found[key] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise ParseError("json_malformed", f"{word} is no JSON")


def _whole(digits: str) -> int:
    if len(digits) > _LONGEST_WHOLE_NUMBER:
        raise ParseError("value_range", f"the number {digits[:20]}... is too large")
    return int(digits)
