"""Removal of keys from the texts of servers: some echo a key, and their texts are kept.

A key is found by its letters and digits, whatever stands between them (hidden characters, line breaks, punctuation), in either
case, forwards or backwards, in any width, behind the escapes of JSON, URLs and HTML and these in one another, and in base64 or
hexadecimal digits. No list is complete: a server that is meant to leak a key can always write it in another way.
"""

import base64
import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_STARS: Final = "***"
_LEAST: Final = 16
"""Letters and digits of a key that is looked for in other forms: a short one could be a part of ordinary words."""
_DEPTH: Final = 4
_ESCAPE: Final = re.compile(
    r"\\+(?:u([0-9a-f]{4})|x([0-9a-f]{2})|[bfnrtv0])|((?:%[0-9a-f]{2})+)|&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});?"
    r"|<[^<>]{0,40}>",
    re.IGNORECASE,
)
_ESCAPED: Final = "\\%&<"
# Most escapes of a reply: line breaks and letters of other scripts. None of them stands for a part of a key.
_OTHER: Final = re.compile(r"""\\\\*(?:[bfnrtv0"/]|u(?!00[2-7]|[fF]{2}[0-5])[0-9a-fA-F]{4})""")
_REST: Final = bytes(one for one in range(128) if not chr(one).isalnum())
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=_-]*")

Span = tuple[int, int]


@lru_cache(maxsize=16)
def _pattern(secret: str) -> re.Pattern[str]:
    # JSON may write any character as an escape.
    return re.compile("".join(rf"(?:{re.escape(one)}|\\u(?i:{ord(one):04x}))" for one in secret))


@lru_cache(maxsize=16)
def _needles(secret: str) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the patterns of a key: in any case, and in exactly this one."""
    plain = _flat(secret)
    if len(plain) < _LEAST:
        return (), ()
    raw = secret.encode()
    encoded = []
    for before in range(3):  # how many bytes of what stands before it share its first group
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        encoded.append(_flat(whole[-(-before * 8 // 6) : len(whole) - 1]))
    folded = plain.lower()
    return (folded, folded[::-1], raw.hex().encode()), tuple(encoded)


def scrub(text: str, secret: str) -> str:
    """Return the text with stars for every secret in it; see above."""
    anycase, exact = _needles(secret)
    if not anycase:
        return _pattern(secret).sub(_STARS, text)
    if any(sign in secret for sign in _ESCAPED):  # what looks like an escape in the key itself would be decoded below
        text = _pattern(secret).sub(_STARS, text)
    for level in _levels(text):
        flat = _flat(level)
        folded = flat.lower()
        if any(needle in folded for needle in anycase) or any(needle in flat for needle in exact):
            return _starred(text, anycase, exact)
    return text


def _flat(text: str) -> bytes:
    """Return the ASCII letters and digits of a text, wide ones and those with marks as plain ones."""
    return (text if text.isascii() else unicodedata.normalize("NFKD", text)).encode("ascii", "ignore").translate(None, _REST)


def _levels(text: str) -> Iterator[str]:
    """Yield a text and what its escapes stand for, those of escapes too."""
    yield text
    for _ in range(_DEPTH):
        if not any(sign in text for sign in _ESCAPED):
            return
        decoded = _OTHER.sub(" ", text)
        if any(sign in decoded for sign in _ESCAPED):
            decoded = _ESCAPE.sub(_decoded, decoded)
        if decoded == text:
            return
        text = decoded
        yield text


def _decoded(escape: re.Match[str]) -> str:
    written = escape[0]
    if digits := escape[1] or escape[2]:
        return chr(int(digits, 16)) if int(digits, 16) <= 0x10FFFF else ""
    if escape[3]:
        return bytes.fromhex(escape[3].replace("%", "")).decode("utf-8", "replace")
    if written.startswith("&"):
        decoded = html.unescape(written if written.endswith(";") else f"{written};")
        return written if decoded.startswith("&") and len(decoded) > 1 else decoded
    return " "


def _starred(text: str, anycase: tuple[bytes, ...], exact: tuple[bytes, ...]) -> str:
    """Return a text with stars in place of what is found at any level, from its first character as written to its last."""
    found: list[Span] = []
    level, spans = text, [(place, place + 1) for place in range(len(text))]
    for _ in range(_DEPTH + 1):
        flat, places = _flat_with_places(level)
        for start, end in _hits(flat.lower(), anycase):
            found.append((spans[places[start]][0], spans[places[end - 1]][1]))
        for start, end in _hits(flat, exact):
            found.append(_whole_base64(text, spans[places[start]][0], spans[places[end - 1]][1]))
        level, spans = _decoded_with_spans(level, spans)
    for start, end in reversed(_merged(found)):
        text = text[:start] + _STARS + text[end:]
    return text


def _hits(haystack: bytes, needles: tuple[bytes, ...]) -> Iterator[Span]:
    for needle in needles:
        yield from (hit.span() for hit in re.finditer(re.escape(needle), haystack))


def _whole_base64(text: str, start: int, end: int) -> Span:
    """Return the place of an encoded key with its first and last characters, which hold parts of its neighbours, too."""
    before = _BASE64.match(text[start - 1 :: -1]) if start else None
    after = _BASE64.match(text, end)
    return start - (before.end() if before else 0), after.end() if after else end


def _flat_with_places(text: str) -> tuple[bytes, list[int]]:
    flat = [_flat(character) for character in text]
    return b"".join(flat), [place for place, letters in enumerate(flat) for _ in letters]


def _decoded_with_spans(text: str, spans: list[Span]) -> tuple[str, list[Span]]:
    """Decode one level; each character keeps the place where it is written in the text that all began with."""
    pieces: list[str] = []
    kept: list[Span] = []
    last = 0
    for escape in _ESCAPE.finditer(text):
        pieces.append(text[last : escape.start()])
        kept += spans[last : escape.start()]
        decoded = _decoded(escape)
        pieces.append(decoded)
        kept += [(spans[escape.start()][0], spans[escape.end() - 1][1])] * len(decoded)
        last = escape.end()
    return "".join([*pieces, text[last:]]), [*kept, *spans[last:]]


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
