"""Normalisation of audio: every waveform becomes a standard clip, so that its format does not identify its system.

All standard clips have the same sampling rate, bandwidth, loudness, and length of lead-in and lead-out. Every step is a fixed
linear filter or a fixed rule in float64, without dither: the same input gives the same clip.
"""

import math
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from contracts.errors import DataError
from synth.engine import Waveform
from synth.loudness import ABSOLUTE_GATE_LUFS, integrated_loudness
from synth.resampling import (
    LOW_CUT_HZ,
    LOW_CUT_WIDTH_HZ,
    Signal,
    band_pass,
    limit_band,
    low_cut,
    low_pass,
    resample,
    resample_signal,
)

_CEILING: Final = 10 ** (-1 / 20)  # -1 dBFS: headroom for peaks between samples
_LARGEST_OFFSET: Final = 0.001
"""A larger offset at the ends is removed before filtering; a smaller one is an inaudible step (-60 dBFS)."""

_ENDS_S: Final = 0.05

_LARGEST_RUMBLE: Final = 0.01
_RUMBLE_SHARE: Final = 0.25
"""Rumble that stops abruptly at an end becomes a click in the filter, if it exceeds this share of the peak of the sound.

The breath of a first or last plosive reaches 0.17 in 558 recorded prompts."""

_FADE_S: Final = 0.01
_FRAME_S: Final = 0.01

_HUM_HZ: Final = 200.0
_HUM_WIDTH_HZ: Final = 160.0
"""Mains hum (50 or 60 Hz, and twice that) lies below this frequency; every voice has much energy above it."""

_SYLLABLE_FRAMES: Final = 10
"""The shortest speech sound: a sound that is loud for less than half of these frames (100 ms) is a click."""

_CREST_DB: Final = 6.0
"""The most by which the loudest 10 ms of speech exceed its loudest 100 ms; a click exceeds them by more."""


@dataclass(frozen=True, kw_only=True)
class AudioFormat:
    """The standard format of the clips of a data set.

    Attributes:
        sample_rate_hz: rate of the clip.
        bandwidth_hz: nothing is left above it; no source may carry less.
        loudness_lufs: integrated loudness, ITU-R BS.1770-4. A clip that would clip stays quieter, with its actual loudness
            noted: one neural clip in eight at -23, none of 450 at -26 (the customary level in dBov of ITU-T listening tests).
        trim_db: a 10 ms frame this far below the loudest one counts as silence at the ends.
        pad_s: silence kept before the first and after the last frame of sound.
        upsamples_references: whether reference speech may carry less than ``bandwidth_hz``.

    Raises:
        ValueError: the values contradict each other.
    """

    sample_rate_hz: int = 16000
    bandwidth_hz: int = 7000
    loudness_lufs: float = -26.0
    trim_db: float = 40.0
    pad_s: float = 0.15
    upsamples_references: bool = False

    def __post_init__(self) -> None:
        widest = 0.475 * self.sample_rate_hz  # the filters need some room below half the rate
        if not 1000 <= self.bandwidth_hz <= widest:
            raise ValueError(f"bandwidth_hz must lie between 1000 and {widest:g}, got {self.bandwidth_hz}")
        if not -70 < self.loudness_lufs <= -10:
            raise ValueError(f"loudness_lufs must lie in (-70, -10], got {self.loudness_lufs}")
        if not (self.trim_db > 0 and self.pad_s >= _FADE_S):
            raise ValueError(f"trim_db must be positive and pad_s at least {_FADE_S}")

    @property
    def lowest_native_rate_hz(self) -> float:
        """The lowest source rate that can carry ``bandwidth_hz``, with 5 % for the source's own filter."""
        return 2.1 * self.bandwidth_hz


@dataclass(frozen=True, kw_only=True)
class OriginalFormat:
    """The format of rated clips as people heard them: decoded, mono, at one rate; not trimmed, filtered or levelled.

    Attributes:
        sample_rate_hz: rate of the clip.

    Raises:
        ValueError: the rate is not between 8 and 48 kHz.
    """

    sample_rate_hz: int = 16000
    loudness_lufs: ClassVar[float | None] = None
    """None: the loudness is not changed."""

    def __post_init__(self) -> None:
        if not 8000 <= self.sample_rate_hz <= 48000:
            raise ValueError(f"sample_rate_hz must lie between 8000 and 48000, got {self.sample_rate_hz}")


ClipFormat: TypeAlias = AudioFormat | OriginalFormat
"""Format of all clips of a data set."""


def format_literals(clip_format: ClipFormat) -> dict[str, object]:
    """Return a format of clips as literals, which are part of the keys of recordings and samples.

    ``trim_db``, ``pad_s`` and ``upsamples_references`` are included only if they are not the defaults: keys in existing
    workspaces do not have them.
    """
    literals: dict[str, object] = asdict(clip_format)
    if isinstance(clip_format, OriginalFormat):
        return literals | {"as_heard": True}
    usual = {name: getattr(AudioFormat, name) for name in ("trim_db", "pad_s", "upsamples_references")}
    return {name: value for name, value in literals.items() if name not in usual or value != usual[name]}


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """A clip in the format of its data set.

    Attributes:
        pcm: mono int16, shape (n,).
        sample_rate_hz: its rate.
        native_sample_rate_hz: rate of the source.
        loudness_lufs: integrated loudness of ``pcm``.
        duration_s: its length.
        trimmed_speech_s: seconds of the trimmed ends that are as loud as speech.
    """

    pcm: npt.NDArray[np.int16]
    sample_rate_hz: int
    native_sample_rate_hz: int
    loudness_lufs: float
    duration_s: float
    trimmed_speech_s: float = 0.0


def original_clip(waveform: Waveform, audio: OriginalFormat) -> Clip:
    """Return the clip of a rated waveform: resampled and quantised, nothing else.

    Values beyond full scale are clipped, as players do. A clip without loudness (BS.1770-4) gets that of the absolute gate.

    Raises:
        DataError: the waveform is empty or not finite.
    """
    if len(waveform.samples) == 0 or not np.isfinite(waveform.samples).all():
        raise DataError("cannot keep a waveform that is empty or not finite")
    rate = audio.sample_rate_hz
    samples = resample(waveform.samples, waveform.sample_rate_hz, rate).astype(np.float64)
    pcm = np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)
    return Clip(
        pcm=pcm,
        sample_rate_hz=rate,
        native_sample_rate_hz=waveform.sample_rate_hz,
        loudness_lufs=max(round(integrated_loudness(pcm / 32768, rate), 3), ABSOLUTE_GATE_LUFS),
        duration_s=len(pcm) / rate,
    )


def normalise(waveform: Waveform, audio: AudioFormat) -> Clip:
    """Return the standard clip of a waveform: resample, limit the band, trim, set the loudness, quantise.

    Raises:
        DataError: the waveform is empty, silent or not finite (``synth.sanity.inspect`` finds these first).
    """
    if len(waveform.samples) == 0 or not np.isfinite(waveform.samples).all():
        raise DataError("cannot normalise a waveform that is empty or not finite")
    rate = audio.sample_rate_hz
    whole = in_band(waveform, audio)
    signal, rest = _trim(whole, rate, audio)
    level = integrated_loudness(signal, rate)
    if not math.isfinite(level):
        raise DataError("cannot normalise a waveform that is silent")
    gain = min(10 ** ((audio.loudness_lufs - level) / 20), _CEILING / float(np.abs(signal).max()))
    pcm = np.round(signal * gain * 32768).astype(np.int16)
    return Clip(
        pcm=pcm,
        sample_rate_hz=rate,
        native_sample_rate_hz=waveform.sample_rate_hz,
        loudness_lufs=round(integrated_loudness(pcm / 32768, rate), 3),
        duration_s=len(pcm) / rate,
        trimmed_speech_s=_trimmed_speech_s(whole, rest, rate, audio),
    )


def in_band(waveform: Waveform, audio: AudioFormat, fade_s: float = 0.0) -> Signal:
    """Return a waveform at the clip's rate, without offset, rumble, and everything above the bandwidth.

    The offset is removed before filtering, as the filter would turn the steps at the ends into sound. It is measured at the
    ends, as the mean of the whole signal differs from 0 without an offset where asymmetric speech lies in digital silence.

    Args:
        waveform: samples, not empty.
        audio: the clip's format.
        fade_s: length of a fade at both ends before filtering, so that a tone that stops abruptly is no click.
    """
    signal, native = waveform.samples.astype(np.float64), waveform.sample_rate_hz
    ends = round(_ENDS_S * native)
    levels = float(np.median(signal[:ends])), float(np.median(signal[-ends:]))
    if max(map(abs, levels)) > _LARGEST_OFFSET:
        signal -= np.linspace(*levels, len(signal))
    _fade(signal, min(round(fade_s * native), len(signal) // 2))
    signal = resample_signal(signal, native, audio.sample_rate_hz, min(audio.bandwidth_hz, native // 3))
    limited = limit_band(signal, audio.sample_rate_hz, audio.bandwidth_hz)
    rumble = max(_rumble(signal, audio.sample_rate_hz), _rumble(signal[::-1], audio.sample_rate_hz))
    if rumble > max(_LARGEST_RUMBLE, _RUMBLE_SHARE * float(np.abs(limited).max())):
        half = len(band_pass(audio.sample_rate_hz, audio.bandwidth_hz)) // 2
        inner = limited[half:-half]  # outside of it the filter kernel overlaps the abrupt end
        _fade(inner, min(round(_FADE_S * audio.sample_rate_hz), len(inner) // 2))
        limited[:half] = limited[-half:] = 0
    return limited


def _rumble(signal: Signal, rate: int) -> float:
    """Return the peak of the rumble, below the band, at the beginning of a signal."""
    kernel = low_pass(rate, LOW_CUT_HZ - LOW_CUT_WIDTH_HZ / 2, LOW_CUT_HZ + LOW_CUT_WIDTH_HZ / 2)
    start = signal[: 2 * len(kernel)]
    return float(np.abs(np.convolve(start, kernel, mode="valid")).max()) if len(start) > len(kernel) else 0.0


def above_hum(signal: Signal, rate: int) -> Signal:
    """Return a signal without mains hum, for measurements; clips themselves keep it."""
    from scipy.signal import fftconvolve

    filtered: Signal = fftconvolve(signal, low_cut(rate, _HUM_HZ, _HUM_WIDTH_HZ), mode="same")
    return filtered


def sustained_dbfs(signal: Signal, rate: int) -> float:
    """Return the level of the loudest 100 ms in dBFS, without sounds of less than half that length."""
    levels = _sustained(signal, rate)
    return float(levels.max(initial=-200.0))


def _sustained(signal: Signal, rate: int) -> Signal:
    """Return the level of every 100 ms in dBFS: the median of their frames, so that a click does not count."""
    energy = _energy(signal, rate)
    blocks = np.pad(energy, (0, -len(energy) % _SYLLABLE_FRAMES)).reshape(-1, _SYLLABLE_FRAMES)
    levels: Signal = 10 * np.log10(np.maximum(np.median(blocks, axis=1), 1e-20))
    return levels


def _energy(signal: Signal, rate: int) -> Signal:
    hop = round(_FRAME_S * rate)
    energy: Signal = (np.pad(signal, (0, -len(signal) % hop)).reshape(-1, hop) ** 2).mean(axis=1)
    return energy


def _trimmed_speech_s(signal: Signal, rest: Signal, rate: int, audio: AudioFormat) -> float:
    """Return how many seconds of the trimmed ends may be speech, given the loudest syllable of the whole signal."""
    if not len(rest):
        return 0.0
    floor = sustained_dbfs(above_hum(signal, rate), rate) - audio.trim_db + _CREST_DB
    return float((_sustained(above_hum(rest, rate), rate) >= floor).sum()) * _SYLLABLE_FRAMES * _FRAME_S


def _fade(signal: Signal, length: int) -> None:
    if length:
        rise = np.sin(np.linspace(0, np.pi / 2, length)) ** 2
        signal[:length] *= rise
        signal[-length:] *= rise[::-1]


def _trim(signal: Signal, rate: int, audio: AudioFormat) -> tuple[Signal, Signal]:
    """Trim silence at both ends to the length of the pad, or add digital silence, and fade in and out.

    Returns:
        The kept part, and the trimmed ends.
    """
    hop = round(_FRAME_S * rate)
    energy = _energy(signal, rate)
    active = np.flatnonzero(energy >= energy.max() * 10 ** (-audio.trim_db / 10))
    pad = round(audio.pad_s * rate)
    start, stop = active[0] * hop - pad, (active[-1] + 1) * hop + pad
    kept = np.pad(signal[max(start, 0) : stop], (max(-start, 0), max(stop - len(signal), 0)))
    _fade(kept, round(_FADE_S * rate))
    return kept, np.concatenate([signal[: max(start, 0)], signal[stop:]])
