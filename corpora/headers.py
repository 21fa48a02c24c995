"""What the first bytes of an audio file say, without decoding it: length, and whether the file is cut off.

The name of a file says nothing here (an MP3 named ``.wav`` is common): only its bytes do. Formats whose header does not state
a length (MP3, Ogg, streamed WAV) have an unknown one.
"""

import struct
from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 4096
"""How much of a file ``probe`` wants to see."""

_PCM_FORMATS: Final = {1, 3, 0xFFFE}  # integer, float, extensible: constant byte rate
_STREAMED: Final = {0, 0xFFFFFFFF, 0x7FFFFFFF}  # what writers that cannot seek back leave as the size


@dataclass(frozen=True, kw_only=True)
class Header:
    """Stated length (null = the header does not say) and why the file cannot be used (null = no reason seen)."""

    duration_s: float | None = None
    problem: str | None = None


def probe(head: bytes, size: int) -> Header:
    """Read an audio file's header.

    Args:
        head: the first ``HEAD_BYTES`` bytes of the file, or all of it if it is shorter.
        size: size of the whole file in bytes.

    Returns:
        The header; ``problem`` is ``empty_audio`` for a file of no bytes and ``truncated_audio`` for a WAV that is shorter
        than its header promises (decoders read such a file without complaint).
    """
    if size == 0:
        return Header(problem="empty_audio")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _wav(head, size)
    if head[:4] == b"fLaC" and len(head) >= 26:
        return _flac(head)
    return Header()


def _wav(head: bytes, size: int) -> Header:
    """Walk the RIFF chunks (Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0)."""
    byte_rate, position = None, 12
    while position + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, position)
        position += 8
        if name == b"fmt " and position + 16 <= len(head):
            kind, _, _, rate = struct.unpack_from("<HHII", head, position)
            byte_rate = rate if kind in _PCM_FORMATS else None
        elif name == b"data":
            if length in _STREAMED or not byte_rate:
                return Header()
            return Header(duration_s=length / byte_rate, problem="truncated_audio" if position + length > size else None)
        position += length + length % 2
    return Header()


def _flac(head: bytes) -> Header:
    """Read STREAMINFO, which must come first (RFC 9639, section 8.2): 20 bits of rate, 8 of others, 36 of total samples."""
    packed = int.from_bytes(head[18:26], "big")
    rate, total = packed >> 44, packed & ((1 << 36) - 1)
    return Header(duration_s=total / rate if rate and total else None)
