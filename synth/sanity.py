"""Is this clip speech of this text at all? Coarse bounds that catch broken renderings, not bad ones."""

import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.errors import DataError
from contracts.jobs import Failure
from synth.dsp import (
    AudioFormat,
    Clip,
    ClipFormat,
    OriginalFormat,
    above_hum,
    in_band,
    normalise,
    original_clip,
    sustained_dbfs,
)
from synth.engine import Waveform

SILENT_DBFS: Final = -66.0
"""A clip whose loudest 100 ms (``synth.dsp.sustained_dbfs``) lie below this is silent.

The quietest of 558 recorded prompts and engines reach more than -30."""

TRIMMED_SHARE: Final = 0.1
TRIMMED_S: Final = 0.15
"""What may be lost of the speech where silence is cut from the ends, as a share of what is kept and in seconds: a breath."""

CLIPPED_SHARE: Final = 0.002
"""Share of samples on a flat top. Our engines stay below 0.0001, but for one espeak variant at 0.0002."""

_ENDS_S: Final = 0.1
"""Faded at both ends before the level is measured: what breaks off there clicks in the band, wherever it lies itself."""

FULL_SCALE: Final = 0.99
"""Where a flat top is clipping, not the shape of the sound."""

FASTEST_S: Final = 0.02
SLOWEST_S: Final = 0.25
SLACK_S: Final = 3.0
"""Seconds per unit of text, and what silence may add. The prompts take 0.06 to 0.14 s a letter, silence included."""

# (at least, at most) units: "7" is five letters long when spoken, "%" seven, a Chinese character is a syllable.
_LETTER: Final = (1, 1)
_IDEOGRAPH: Final = (2, 4)
_DIGIT: Final = (1, 8)
_SYMBOL: Final = (0, 8)
_SILENT: Final = (0, 0)


def standard_clip(
    waveform: Waveform,
    text: str | None,
    audio: AudioFormat,
    expected_rate_hz: int | None = None,
    *,
    is_reference: bool = False,
) -> Clip | Failure:
    """Return the standard clip of a raw one, or why there is none: ``inspect``, ``normalise``, and a look at what is left.

    The reasons beside those of ``inspect``: ``speech_trimmed`` (a click is so much louder than the speech that
    this counts as silence), and ``too_short`` for what is left of a clip without the silence at its ends.
    """
    if problem := inspect(waveform, text, audio, expected_rate_hz, is_reference=is_reference):
        return problem
    try:
        clip = normalise(waveform, audio)
    except DataError as error:
        return Failure("silent", str(error))
    kept_s = clip.duration_s - 2 * audio.pad_s
    if clip.trimmed_speech_s > max(TRIMMED_S, TRIMMED_SHARE * kept_s):
        lost = f"{clip.trimmed_speech_s:.1f} s of speech lie {audio.trim_db:g} dB below a click"
        return Failure("speech_trimmed", f"{lost} and would be cut off as silence, {kept_s:.2f} s would stay: remove the click")
    if text is not None and clip.duration_s < (shortest := duration_bounds(text)[0]):
        return Failure("too_short", f"{kept_s:.2f} s of sound for {len(text)} characters; at least {shortest:.2f} s")
    return clip


def recorded_clip(waveform: Waveform, text: str | None, audio: ClipFormat, *, is_reference: bool = False) -> Clip | Failure:
    """Return the clip of a recording, or why there is none: of one that people rated as it is, that there is no sound at all.

    A clip that is silent, noisy, clipped or cut short was rated for that. The reasons are ``empty`` and ``not_finite``, and
    for a standard clip those of ``standard_clip``.
    """
    if not isinstance(audio, OriginalFormat):
        return standard_clip(waveform, text, audio, is_reference=is_reference)
    return _no_sound(waveform) or original_clip(waveform, audio)


def inspect(
    waveform: Waveform,
    text: str | None,
    audio: AudioFormat,
    expected_rate_hz: int | None = None,
    *,
    is_reference: bool = False,
) -> Failure | None:
    """Return why a raw clip must not be used; None for a sane one.

    Args:
        waveform: what the engine or the file delivered.
        text: what is spoken in it; None if unknown, then any length will do.
        audio: format that the clip is to be brought to.
        expected_rate_hz: rate at which it should have come.
        is_reference: whether it is compared with no other clip; the format may let such a one be duller than the others.

    The reasons: ``empty``, ``not_finite``, ``wrong_rate``, ``narrow_band`` (its rate cannot carry the format's bandwidth, so
    it would sound duller than all others), ``silent`` (or offset, rumble, hum and clicks alone), ``clipped``, ``too_short``,
    ``too_long``. A steady tone in the band of speech is none of them: whether a sound is speech is for metrics to tell.
    """
    if problem := _no_sound(waveform):
        return problem
    samples, rate = waveform.samples, waveform.sample_rate_hz
    if expected_rate_hz is not None and rate != expected_rate_hz:
        return Failure("wrong_rate", f"the clip has {rate} Hz, its voice speaks at {expected_rate_hz} Hz")
    if rate < audio.lowest_native_rate_hz and not (is_reference and audio.upsamples_references):
        remedy = f"take a source of {audio.lowest_native_rate_hz:g} Hz or more, or lower bandwidth_hz for all"
        if is_reference:
            remedy += "; references alone may be upsampled: audio.upsample_references"
        return Failure("narrow_band", f"{rate} Hz cannot carry a bandwidth of {audio.bandwidth_hz} Hz: {remedy}")
    speech = above_hum(in_band(waveform, audio, _ENDS_S), audio.sample_rate_hz)
    if (level := sustained_dbfs(speech, audio.sample_rate_hz)) < SILENT_DBFS:
        measured = f"without offset, rumble, hum, clicks and what lies above {audio.bandwidth_hz} Hz"
        return Failure("silent", f"the loudest 100 ms reach {level:.1f} dBFS {measured}, below {SILENT_DBFS:g}")
    if (share := _flat_top_share(samples)) > CLIPPED_SHARE:
        return Failure("clipped", f"{share:.2%} of the samples sit at full scale, more than {CLIPPED_SHARE:.2%}")
    if text is None:
        return None
    seconds = len(samples) / rate
    shortest, longest = duration_bounds(text)
    if seconds < shortest:
        return Failure("too_short", f"{seconds:.2f} s for {len(text)} characters; at least {shortest:.2f} s")
    if seconds > longest:
        return Failure("too_long", f"{seconds:.2f} s for {len(text)} characters; at most {longest:.2f} s")
    return None


def _no_sound(waveform: Waveform) -> Failure | None:
    samples = waveform.samples
    if len(samples) == 0:
        return Failure("empty", "the clip has no samples")
    if not np.isfinite(samples).all():
        return Failure("not_finite", f"{int((~np.isfinite(samples)).sum())} of {len(samples)} samples are NaN or infinite")
    return None


def duration_bounds(text: str) -> tuple[float, float]:
    """Return the least and the most seconds that a text can sensibly take, silence included."""
    least, most = (sum(units) for units in zip(_SILENT, *(_units(character) for character in text), strict=True))
    return least * FASTEST_S, most * SLOWEST_S + SLACK_S


def _units(character: str) -> tuple[int, int]:
    category = unicodedata.category(character)
    if category in {"Lo", "Nl"}:
        return _IDEOGRAPH
    if category.startswith("L"):
        return _LETTER
    if category.startswith("N"):
        return _DIGIT
    if category.startswith("S") or character in "%&@#*/":
        return _SYMBOL
    return _SILENT


def _flat_top_share(samples: npt.NDArray[np.float32]) -> float:
    """Share of samples within 0.1 % of an extreme that is at full scale: a float engine may pass 1.0 unharmed.

    Each side counts by itself, for an offset moves one away from full scale; what was clipped before the offset came on top
    spans the whole range between them.
    """
    low, high = float(samples.min()), float(samples.max())
    near = 0.001 * max(-low, high)
    full = high - low >= 2 * FULL_SCALE
    share = 0.0
    if high >= FULL_SCALE or full:
        share += float((samples >= high - near).mean())
    if low <= -FULL_SCALE or full:
        share += float((samples <= low + near).mean())
    return share
