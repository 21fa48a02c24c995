"""Sound that passes for speech of a text, for servers that stand in for a speech service."""

import hashlib
import io
from functools import lru_cache

import numpy as np
import soundfile

RATE_HZ = 24000
S_PER_CHARACTER = 0.07
_FORMATS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS")}
TYPES = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "opus": "audio/opus", "pcm": "audio/pcm"}


def pcm_of(text: str, voice: str, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return syllables of a buzz, int16, whose pitch depends on the voice and whose tones depend on the text."""
    seconds = 0.4 + S_PER_CHARACTER * len(text)
    draw = np.random.default_rng(int.from_bytes(hashlib.sha256(f"{voice}/{text}".encode()).digest()[:8]))
    pitch = 90 + 10 * (int.from_bytes(hashlib.sha256(voice.encode()).digest()[:2]) % 16)
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    syllable = np.clip(np.sin(2 * np.pi * 4 * at), 0, 1)
    tones = sum(np.sin(2 * np.pi * pitch * k * at + draw.uniform(0, 6)) / k for k in range(1, 20))
    return (np.clip(tones * syllable * 0.15, -1, 1) * 32000).astype(np.int16)


@lru_cache(maxsize=64)
def audio_of(text: str, voice: str, container: str, rate_hz: int = RATE_HZ) -> bytes:
    """Return it as a file, or as bare samples (``pcm``)."""
    pcm = pcm_of(text, voice, rate_hz)
    if container == "pcm":
        return pcm.astype("<i2").tobytes()
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate_hz, format=_FORMATS[container][0], subtype=_FORMATS[container][1])
    return buffer.getvalue()


def seconds_of(text: str) -> float:
    """Return how long it lasts."""
    return int((0.4 + S_PER_CHARACTER * len(text)) * RATE_HZ) / RATE_HZ
