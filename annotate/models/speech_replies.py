"""Speech services: what they have in common, and the audio of their replies.

A speech service gets a text and a voice, and replies an audio file. The ledger keeps the file as it came, beside the reply,
whose text says what it is (``described``).
"""

import hashlib
import io
import json
import re
import struct
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from annotate.models.judge import Service
from annotate.models.request import Estimate
from contracts.ids import canonical_json

Samples = npt.NDArray[np.float32]

_RAW: Final = re.compile(r"audio/(?:l16|pcm)\b", re.IGNORECASE)
_RATE: Final = re.compile(r"\brate=(\d{4,6})\b", re.IGNORECASE)
_CHANNELS: Final = re.compile(r"\bchannels=(\d+)\b", re.IGNORECASE)
_CHUNK: Final = struct.Struct("<4sI")
_UNKNOWN_SIZE: Final = 0x7FFFFFFF  # a server that streams writes the head before it knows the length, and a size from here on

_LONGEST_S: Final = 3600  # a small file can hold days of silence


class SpeechService(Service, Protocol):
    """A service that speaks: a frozen dataclass whose fields are its whole configuration."""

    def estimate(self, text: str, longest_s: float) -> Estimate:
        """Return the most that one attempt can take for a text whose speech lasts so many seconds at most."""
        ...


def raw_pcm(sample_rate_hz: int) -> str:
    """Return the media type of mono 16-bit samples without any head, little-endian as all speech services send them.

    RFC 2586 says that ``audio/L16`` is big-endian; Gemini and OpenAI send it, or ``pcm``, the other way round.
    """
    return f"audio/L16;rate={sample_rate_hz}"


def described(data: bytes, media_type: str) -> str:
    """Return the text of a reply with that audio: JSON with its media type, size in bytes and sha256."""
    return canonical_json({"media_type": media_type, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def media_type_of(text: str) -> str:
    """Return the media type in the text of a reply (``described``)."""
    return str(json.loads(text)["media_type"])


def speech_in(data: bytes, media_type: str) -> tuple[Samples, int]:
    """Return the speech in an audio file: samples of shape (n,), full scale is 1, and their rate in Hz; channels are averaged.

    Args:
        data: the file: WAV, FLAC, MP3, Ogg Opus, or raw 16-bit samples if the media type says so.
        media_type: as stated by the server, or by ``raw_pcm``.

    Raises:
        ValueError: it is no audio file, or a part of one.
    """
    if _RAW.match(media_type) and not data.startswith(b"RIFF"):
        return _raw(data, media_type)
    import soundfile

    if data.startswith(b"RIFF"):
        _require_whole(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            frames, rate = file.frames, int(file.samplerate)
            if frames > _LONGEST_S * rate:
                raise ValueError(f"it holds {frames / rate:.0f} s, where a reply has at most {_LONGEST_S}")
            samples = file.read(_LONGEST_S * rate + 1, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"it does not decode ({error})") from error
    if len(samples) != frames:
        raise ValueError(f"it holds {len(samples)} samples where its head says {frames}")
    return _mono(samples), rate


def _raw(data: bytes, media_type: str) -> tuple[Samples, int]:
    if (rate := _RATE.search(media_type)) is None:
        raise ValueError(f"its media type {media_type!r} states no sampling rate")
    channels = int(found[1]) if (found := _CHANNELS.search(media_type)) else 1
    if not channels or len(data) % (2 * channels):
        raise ValueError(f"{len(data)} bytes are no whole number of 16-bit samples in {channels} channels")
    return _mono(np.frombuffer(data, "<i2").reshape(-1, channels).astype(np.float32) / 32768.0), int(rate[1])


def _mono(samples: npt.NDArray[np.float32]) -> Samples:
    mono: Samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    return np.ascontiguousarray(mono)


def _require_whole(wav: bytes) -> None:
    """Refuse a WAV file that ends before its samples do: libsndfile takes it for a shorter one.

    Raises:
        ValueError: it does, or has no samples at all.
    """
    at = 12
    while at + _CHUNK.size <= len(wav):
        name, size = _CHUNK.unpack_from(wav, at)
        at += _CHUNK.size
        if name == b"data":
            if size < _UNKNOWN_SIZE and at + size > len(wav):
                raise ValueError(f"it holds {len(wav) - at} bytes of samples where its head says {size}")
            return
        at += size + size % 2
    raise ValueError("it is a WAV file without samples")


def served_facts(**facts: Any) -> str:
    """Return what a server said beside the audio, as a reply's ``raw``."""
    return canonical_json({name: value for name, value in facts.items() if value is not None})
