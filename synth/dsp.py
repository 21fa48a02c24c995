"""Signal processing: whatever an engine or a corpus delivers becomes a standard clip, so that no format names its system.

A standard clip has one sampling rate, one bandwidth, one loudness, and the same short lead-in and lead-out. Every step is a
fixed linear filter or a fixed rule in float64, without dither: the same input gives the same clip.
"""

import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from contracts.errors import DataError
from synth.engine import Samples, Waveform
from synth.loudness import ABSOLUTE_GATE_LUFS, integrated_loudness

_Signal = npt.NDArray[np.float64]

_STOPBAND_DB: Final = 90.0
_LOW_CUT_HZ: Final = 50.0
_LOW_CUT_WIDTH_HZ: Final = 60.0
_HIGH_CUT_WIDTH_HZ: Final = 300.0
_CEILING: Final = 10 ** (-1 / 20)  # -1 dBFS: room for what happens between the samples
_LARGEST_OFFSET: Final = 0.001
"""A level of the ends that is taken out before filtering; a smaller one is a step that nobody hears (-60 dBFS)."""

_ENDS_S: Final = 0.05

_LARGEST_RUMBLE: Final = 0.01
_RUMBLE_SHARE: Final = 0.25
"""What breaks off at the ends below the band: more of it, beside the peak of the sound, makes them a click for the filter.

The breath of a first or last plosive reaches 0.17 in 558 recorded prompts."""

_FADE_S: Final = 0.01
_FRAME_S: Final = 0.01

_HUM_HZ: Final = 200.0
_HUM_WIDTH_HZ: Final = 160.0
"""Every voice has much above it; what hums with the mains (50 or 60 Hz, and twice that) lies below."""

_SYLLABLE_FRAMES: Final = 10
"""The shortest sound of speech that counts: what is loud for less than half of these frames (100 ms) is a click."""

_CREST_DB: Final = 6.0
"""By how much the loudest 10 ms of speech lie above its loudest 100 ms at most; what a click does is more."""


@dataclass(frozen=True, kw_only=True)
class AudioFormat:
    """What every clip of a data set is brought to.

    Attributes:
        sample_rate_hz: rate of the clip.
        bandwidth_hz: nothing is left above it; no source may carry less.
        loudness_lufs: integrated loudness, ITU-R BS.1770-4. A clip that would clip stays quieter and says so, which at -23 one
            neural clip in eight did and at -26 (the customary level in dBov of ITU-T listening tests) none of 450 did.
        trim_db: a 10 ms frame this far below the loudest one counts as silence at the ends.
        pad_s: what stays before the first and after the last frame that is not silence.

    Raises:
        ValueError: the values contradict each other.
    """

    sample_rate_hz: int = 16000
    bandwidth_hz: int = 7000
    loudness_lufs: float = -26.0
    trim_db: float = 40.0
    pad_s: float = 0.15

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
class AsHeard:
    """Clips as people heard them when they rated them: decoded, mono, at one rate; not trimmed, filtered or made louder.

    Attributes:
        sample_rate_hz: rate of the clip.

    Raises:
        ValueError: no speech is heard at that rate.
    """

    sample_rate_hz: int = 16000
    loudness_lufs: ClassVar[float | None] = None
    """Clips are as loud as they are."""

    def __post_init__(self) -> None:
        if not 8000 <= self.sample_rate_hz <= 48000:
            raise ValueError(f"sample_rate_hz must lie between 8000 and 48000, got {self.sample_rate_hz}")


ClipFormat: TypeAlias = AudioFormat | AsHeard
"""What all clips of a data set are brought to."""


def format_literals(clip_format: ClipFormat) -> dict[str, object]:
    """Return a format of clips as literals: they decide the keys of recordings and samples.

    ``trim_db`` and ``pad_s`` count where they are not the usual ones: no recipe sets them, and keys in workspaces lack them.
    """
    literals: dict[str, object] = asdict(clip_format)
    if isinstance(clip_format, AsHeard):
        return literals | {"as_heard": True}
    usual = {"trim_db": AudioFormat.trim_db, "pad_s": AudioFormat.pad_s}
    return {name: value for name, value in literals.items() if name not in usual or value != usual[name]}


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """A clip in the format of its data set.

    Attributes:
        pcm: mono int16, shape (n,).
        sample_rate_hz: its rate.
        native_sample_rate_hz: rate of what it was made from.
        loudness_lufs: integrated loudness of ``pcm``.
        duration_s: its length.
        trimmed_speech_s: seconds that sounded like speech in what was taken from the ends.
    """

    pcm: npt.NDArray[np.int16]
    sample_rate_hz: int
    native_sample_rate_hz: int
    loudness_lufs: float
    duration_s: float
    trimmed_speech_s: float = 0.0


def as_heard(waveform: Waveform, audio: AsHeard) -> Clip:
    """Make the clip of a waveform that people rated as it is: resample and quantise, nothing else.

    What exceeds full scale is cut there, as players do. A clip without loudness (BS.1770-4) is noted at the absolute gate.

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
    """Make the standard clip of a waveform: resample, limit the band, trim, set the loudness, quantise.

    Raises:
        DataError: there is nothing to hear in it (``synth.sanity.inspect`` says so before).
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


def in_band(waveform: Waveform, audio: AudioFormat, fade_s: float = 0.0) -> _Signal:
    """Return what of a waveform a clip can carry, at its rate: no offset, no rumble, nothing above the bandwidth.

    An offset goes before the filter: where the file starts and ends it is a step, which the filter would make a sound. It is
    measured there, for the mean of all is not 0 either where speech is lopsided and lies between digital silence.

    Args:
        waveform: samples, not empty.
        audio: the clip's format.
        fade_s: over how much of both ends it is faded before the filter, so that a tone that breaks off there is no click.
    """
    signal, native = waveform.samples.astype(np.float64), waveform.sample_rate_hz
    ends = round(_ENDS_S * native)
    levels = float(np.median(signal[:ends])), float(np.median(signal[-ends:]))
    if max(map(abs, levels)) > _LARGEST_OFFSET:
        signal -= np.linspace(*levels, len(signal))
    _fade(signal, min(round(fade_s * native), len(signal) // 2))
    signal = _resample(signal, native, audio.sample_rate_hz, min(audio.bandwidth_hz, native // 3))
    limited = _limit_band(signal, audio.sample_rate_hz, audio.bandwidth_hz)
    rumble = max(_rumble(signal, audio.sample_rate_hz), _rumble(signal[::-1], audio.sample_rate_hz))
    if rumble > max(_LARGEST_RUMBLE, _RUMBLE_SHARE * float(np.abs(limited).max())):
        half = len(_band(audio.sample_rate_hz, audio.bandwidth_hz)) // 2
        inner = limited[half:-half]  # beyond it the filter sees only half of what breaks off
        _fade(inner, min(round(_FADE_S * audio.sample_rate_hz), len(inner) // 2))
        limited[:half] = limited[-half:] = 0
    return limited


def _rumble(signal: _Signal, rate: int) -> float:
    """Return the peak of what lies below the band at the beginning of a signal."""
    kernel = _low_pass(rate, _LOW_CUT_HZ - _LOW_CUT_WIDTH_HZ / 2, _LOW_CUT_HZ + _LOW_CUT_WIDTH_HZ / 2)
    start = signal[: 2 * len(kernel)]
    return float(np.abs(np.convolve(start, kernel, mode="valid")).max()) if len(start) > len(kernel) else 0.0


def above_hum(signal: _Signal, rate: int) -> _Signal:
    """Return what lies above the hum of the mains, for measuring: clips keep it."""
    from scipy.signal import fftconvolve

    hum: _Signal = fftconvolve(signal, _low_cut(rate, _HUM_HZ, _HUM_WIDTH_HZ), mode="same")
    return hum


def sustained_dbfs(signal: _Signal, rate: int) -> float:
    """Return the level of the loudest 100 ms, without what lasts for less than half of them."""
    levels = _sustained(signal, rate)
    return float(levels.max(initial=-200.0))


def _sustained(signal: _Signal, rate: int) -> _Signal:
    """Return the level of every 100 ms in dBFS: the median of their frames, so that a click does not count."""
    energy = _energy(signal, rate)
    blocks = np.pad(energy, (0, -len(energy) % _SYLLABLE_FRAMES)).reshape(-1, _SYLLABLE_FRAMES)
    levels: _Signal = 10 * np.log10(np.maximum(np.median(blocks, axis=1), 1e-20))
    return levels


def _energy(signal: _Signal, rate: int) -> _Signal:
    hop = round(_FRAME_S * rate)
    energy: _Signal = (np.pad(signal, (0, -len(signal) % hop)).reshape(-1, hop) ** 2).mean(axis=1)
    return energy


def _trimmed_speech_s(signal: _Signal, rest: _Signal, rate: int, audio: AudioFormat) -> float:
    """Return for how many seconds the part that was cut away is as loud as speech may be beside the loudest syllable."""
    if not len(rest):
        return 0.0
    floor = sustained_dbfs(above_hum(signal, rate), rate) - audio.trim_db + _CREST_DB
    return float((_sustained(above_hum(rest, rate), rate) >= floor).sum()) * _SYLLABLE_FRAMES * _FRAME_S


def _fade(signal: _Signal, length: int) -> None:
    if length:
        rise = np.sin(np.linspace(0, np.pi / 2, length)) ** 2
        signal[:length] *= rise
        signal[-length:] *= rise[::-1]


def resample(samples: Samples, rate_hz: int, target_hz: int) -> Samples:
    """Return samples at another rate, flat up to nine tenths of the lower band edge."""
    return _resample(samples.astype(np.float64), rate_hz, target_hz, int(0.45 * min(rate_hz, target_hz))).astype(np.float32)


def _resample(signal: _Signal, rate: int, target: int, passband_hz: int) -> _Signal:
    if rate == target:
        return signal
    from scipy.signal import resample_poly

    ratio = Fraction(target, rate)
    taps = _anti_alias(rate * ratio.numerator, min(rate, target), passband_hz)
    resampled: _Signal = resample_poly(signal, ratio.numerator, ratio.denominator, window=taps)
    return resampled


@lru_cache(maxsize=32)
def _anti_alias(rate: int, narrower: int, passband_hz: int) -> _Signal:
    """Low-pass at the common multiple of both rates: what would fold into the passband is gone, what folds above may stay."""
    stopband_hz = narrower - passband_hz
    return _low_pass(rate, passband_hz, stopband_hz)


def _low_pass(rate: float, passband_hz: float, stopband_hz: float) -> _Signal:
    from scipy.signal import firwin, kaiserord

    taps, beta = kaiserord(_STOPBAND_DB, (stopband_hz - passband_hz) / (rate / 2))
    kernel: _Signal = firwin(taps | 1, (passband_hz + stopband_hz) / 2, window=("kaiser", beta), fs=rate)
    return kernel


@lru_cache(maxsize=8)
def _band(rate: int, bandwidth_hz: int) -> _Signal:
    """Linear-phase band-pass: rumble and offset out, and nothing above the bandwidth."""
    low = _low_pass(rate, bandwidth_hz - _HIGH_CUT_WIDTH_HZ, bandwidth_hz)
    return np.convolve(low, _low_cut(rate, _LOW_CUT_HZ, _LOW_CUT_WIDTH_HZ))


@lru_cache(maxsize=8)
def _low_cut(rate: int, frequency_hz: float, width_hz: float) -> _Signal:
    high = -_low_pass(rate, frequency_hz - width_hz / 2, frequency_hz + width_hz / 2)
    high[len(high) // 2] += 1
    return high


def _limit_band(signal: _Signal, rate: int, bandwidth_hz: int) -> _Signal:
    from scipy.signal import fftconvolve

    filtered: _Signal = fftconvolve(signal, _band(rate, bandwidth_hz), mode="same")
    return filtered


def _trim(signal: _Signal, rate: int, audio: AudioFormat) -> tuple[_Signal, _Signal]:
    """Cut silence at both ends down to the pad, or add digital silence where there is less, and fade in and out.

    Returns:
        What is kept, and what was cut away.
    """
    hop = round(_FRAME_S * rate)
    energy = _energy(signal, rate)
    active = np.flatnonzero(energy >= energy.max() * 10 ** (-audio.trim_db / 10))
    pad = round(audio.pad_s * rate)
    start, stop = active[0] * hop - pad, (active[-1] + 1) * hop + pad
    kept = np.pad(signal[max(start, 0) : stop], (max(-start, 0), max(stop - len(signal), 0)))
    _fade(kept, round(_FADE_S * rate))
    return kept, np.concatenate([signal[: max(start, 0)], signal[stop:]])
