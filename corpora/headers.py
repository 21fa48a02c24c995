"""What the header of an audio file says, and where it must not be believed: length, and whether the file is cut off.

The name of a file says nothing here (an MP3 named ``.wav`` is common): only its bytes do. A length is computed from bytes that
are there: byte rates are often wrong, and programs that write to a pipe leave a placeholder as the length. Formats whose
header does not state a length (MP3, Ogg, compressed WAV) have an unknown one.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 4096
"""How much of a file ``probe`` wants to see."""

_SAMPLE_BITS: Final = {6: 8, 7: 8}  # A-law and mu-law, whatever their header says
_PCM_FORMATS: Final = {1, 3, *_SAMPLE_BITS}  # integer, float
_EXTENSIBLE: Final = 0xFFFE

_LARGEST_STATED: Final = 0x7FFF0000
"""Programs that do not know a length leave 0, or this or more: 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF."""

_FLAC_LENGTH: Final = slice(18, 26)
"""Of STREAMINFO, which must come first (RFC 9639, section 8.2): 20 bits of rate, 8 of others, 36 of total samples."""
_FLAC_TOTAL: Final = (1 << 36) - 1


@dataclass(frozen=True, kw_only=True)
class Header:
    """Length in seconds (null = the header does not say) and why the file cannot be used (null = no reason seen)."""

    duration_s: float | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Extent:
    """Where the audio starts, how many bytes of it the header states, and bytes per second (null = no constant rate)."""

    start: int
    stated: int
    byte_rate: float | None = None


def probe(head: bytes, size: int) -> Header:
    """Read an audio file's header.

    Args:
        head: the first ``HEAD_BYTES`` bytes of the file, or more, or all of it if it is shorter.
        size: size of the whole file in bytes.

    Returns:
        The header; ``problem`` is ``empty_audio`` for a file without a byte of audio and ``truncated_audio`` for a WAV, W64,
        AIFF, AU, CAF or NIST file that is shorter than its header promises (decoders read such a file without complaint).
    """
    if size == 0:
        return Header(problem="empty_audio")
    if head[:4] == b"fLaC" and len(head) >= _FLAC_LENGTH.stop:
        packed = int.from_bytes(head[_FLAC_LENGTH], "big")
        rate, total = packed >> 44, packed & _FLAC_TOTAL
        return Header(duration_s=total / rate if rate and total else None)
    extent = _extent(head)
    if extent is None:
        return Header()
    there = size - extent.start
    if there <= 0:
        return Header(problem="truncated_audio" if 0 < extent.stated < _LARGEST_STATED else "empty_audio")
    if there < extent.stated < _LARGEST_STATED:
        return Header(problem="truncated_audio")
    length = min(extent.stated or there, there)
    return Header(duration_s=length / extent.byte_rate if extent.byte_rate else None)


def without_false_length(data: bytes) -> bytes:
    """Return an audio file in a form that a decoder reads to its end: as it is, but for a length that would stop it.

    These are a WAV that states 0 bytes of audio before its audio, and the total of a FLAC, which writers to a pipe leave at 0
    and which says nothing that decoding does not.
    """
    if data[:4] == b"fLaC" and len(data) >= _FLAC_LENGTH.stop:
        packed = int.from_bytes(data[_FLAC_LENGTH], "big") & ~_FLAC_TOTAL
        return data[: _FLAC_LENGTH.start] + packed.to_bytes(8, "big") + data[_FLAC_LENGTH.stop :]
    extent = _extent(data) if data[:4] in {b"RIFF", b"RF64"} else None
    if extent is not None and extent.stated == 0 and len(data) > extent.start:
        return b"RIFF" + data[4 : extent.start - 4] + b"\xff\xff\xff\xff" + data[extent.start :]
    return data


def _extent(head: bytes) -> _Extent | None:
    kind = head[:4]
    if kind in {b"RIFF", b"RF64", b"RIFX"} and head[8:12] == b"WAVE":
        return _wav(head, ">" if kind == b"RIFX" else "<")
    if kind == b"FORM":
        return next(
            (_Extent(start=at, stated=size) for name, at, size in _chunks(head, ">") if name in {b"SSND", b"BODY"}), None
        )
    if kind == b"riff":
        return _w64(head)
    if kind == b"caff":
        return _caf(head)
    if kind == b".snd" and len(head) >= 12:
        start, stated = struct.unpack_from(">II", head, 4)
        return _Extent(start=start, stated=stated)
    return _nist(head) if kind == b"NIST" else None


def _chunks(head: bytes, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and size of chunks (Microsoft and IBM, Multimedia Programming Interface and Data Specifications)."""
    position = 12
    while position + 8 <= len(head):
        name, size = struct.unpack_from(f"{order}4sI", head, position)
        yield name, position + 8, size
        position += 8 + size + size % 2


def _wav(head: bytes, order: str) -> _Extent | None:
    byte_rate, long_size = None, None
    for name, at, size in _chunks(head, order):
        if name == b"ds64" and at + 16 <= len(head):  # EBU Tech 3306: sizes that do not fit into 32 bits
            (long_size,) = struct.unpack_from("<Q", head, at + 8)
        elif name == b"fmt " and at + 16 <= len(head):
            kind, channels, rate, _, _, bits = struct.unpack_from(f"{order}HHIIHH", head, at)
            if kind == _EXTENSIBLE and at + 26 <= len(head):
                (kind,) = struct.unpack_from(f"{order}H", head, at + 24)
            if kind in _PCM_FORMATS:
                byte_rate = rate * channels * -(-_SAMPLE_BITS.get(kind, bits) // 8)
        elif name == b"data":
            return _Extent(start=at, stated=size if long_size is None else long_size, byte_rate=byte_rate)
    return None


def _w64(head: bytes) -> _Extent | None:
    """Walk the chunks of Sony Wave64: names of 16 bytes, sizes of 64 bits that count both, starts at multiples of 8."""
    position = 40
    while position + 24 <= len(head):
        name, size = struct.unpack_from("<4s12xQ", head, position)
        if name == b"data":
            return _Extent(start=position + 24, stated=max(0, size - 24))
        position += max(24, size + -size % 8)
    return None


def _caf(head: bytes) -> _Extent | None:
    """Walk the chunks of Apple's Core Audio Format; audio of unknown length has the size -1 and reaches to the end."""
    position = 8
    while position + 12 <= len(head):
        name, size = struct.unpack_from(">4sq", head, position)
        position += 12
        if name == b"data":
            return _Extent(start=position, stated=max(size, 0))
        position += max(size, 0)
    return None


def _nist(head: bytes) -> _Extent | None:
    """Read a NIST SPHERE header: its own length in the second line, then lines of name, type and value."""
    length = re.match(rb"NIST_1A\n *(\d{1,7})\n", head)
    found = {name: int(value) for name, value in re.findall(rb"^(\w+) -i (\d{1,12})$", head[:HEAD_BYTES], re.MULTILINE)}
    stated = found.get(b"sample_count", 0) * found.get(b"sample_n_bytes", 1) * found.get(b"channel_count", 1)
    return _Extent(start=int(length[1]), stated=stated) if length else None
