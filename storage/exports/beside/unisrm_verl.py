"""A data set for verl whose clips are decoded: set ``data.custom_cls.path=pkg://unisrm_verl``, ``name=AudioRLHFDataset``.

Needs verl, numpy and soundfile (and scipy where a clip has another rate than the processor wants).
"""

import io
from math import gcd
from typing import Any

import numpy as np
import soundfile
from verl.utils.dataset.rl_dataset import RLHFDataset

SAMPLE_RATE_HZ = 16_000
"""What Whisper's feature extractor, and so the processors of Qwen's audio models, take."""


class AudioRLHFDataset(RLHFDataset):  # type: ignore[misc]  # verl ships no types
    """Rows whose ``audios`` are paths, or records of ``bytes`` and ``path``; the processor gets mono float32 waveforms."""

    @classmethod
    def _extract_audio_info(cls, messages: list[dict[str, Any]]) -> Any:
        found = super()._extract_audio_info(messages)
        return [decoded(clip) for clip in found] if found else found


def decoded(clip: Any) -> Any:
    """Return a clip as mono samples of shape (n,) at ``SAMPLE_RATE_HZ``; what is decoded already stays as it is."""
    if isinstance(clip, dict):
        clip = io.BytesIO(clip["bytes"]) if clip.get("bytes") else clip["path"]
    if not isinstance(clip, str | io.BytesIO):
        return np.asarray(clip, np.float32)
    samples, rate = soundfile.read(clip, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate == SAMPLE_RATE_HZ:
        return mono
    from scipy.signal import resample_poly

    common = gcd(rate, SAMPLE_RATE_HZ)
    return resample_poly(mono, SAMPLE_RATE_HZ // common, rate // common).astype(np.float32)
