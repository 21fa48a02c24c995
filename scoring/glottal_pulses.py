"""Glottal pulses of voiced speech, and how irregular their periods (jitter) and amplitudes (shimmer) are.

The method is that of Praat's manual, "Sound & Pitch: To PointProcess (cc)": in each voiced interval the first pulse is the
extremum of the waveform in the period around the interval's middle; from there the next one is looked for to both sides, 0.8
to 1.25 periods away, where the waveform resembles most that around the pulse before. Jitter and shimmer are Praat's "local"
ones ("PointProcess: Get jitter (local)", "Get shimmer (local)"), with its limits: periods of at most 20 ms that differ by a
factor of at most 1.3, amplitudes by at most 1.6.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from scoring.pitch import HOP_S, Floats, PitchTrack
from scoring.speech_activity import runs

_SHORTEST_STEP: Final = 0.8
_LONGEST_STEP: Final = 1.25
_LEAST_RESEMBLANCE: Final = 0.3
_RESEMBLANCE_AT_THE_EDGE: Final = 0.7

_LONGEST_PERIOD_S: Final = 0.02
_PERIOD_FACTOR: Final = 1.3
_AMPLITUDE_FACTOR: Final = 1.6
# The amplitude of a pulse is measured over this share of the periods before and after it.
_AMPLITUDE_REACH: Final = 0.2

FEWEST: Final = 10
"""Pairs of neighbours that a mean must rest on: fewer are chance."""


def glottal_pulses(waveform: npt.NDArray[np.float32], sample_rate_hz: int, pitch: PitchTrack) -> list[Floats]:
    """Return the times of the pulses of each voiced interval that has at least three, in samples.

    Args:
        waveform: mono samples, shape (n,).
        sample_rate_hz: their rate.
        pitch: the F0 contour of the same waveform.
    """
    samples = waveform.astype(np.float64)
    return [
        pulses
        for start, stop in runs(pitch.voiced)
        if len(pulses := _Interval(samples, sample_rate_hz, pitch.f0_hz, start, stop).pulses()) > 2
    ]


class _Interval:
    """A voiced interval: frames ``start`` to ``stop`` of the contour, and half a frame on both sides."""

    def __init__(self, samples: Floats, sample_rate_hz: int, f0_hz: Floats, start: int, stop: int) -> None:
        hop = HOP_S * sample_rate_hz
        self._samples = samples
        self._frames = np.arange(start, stop) * hop
        self._periods = sample_rate_hz / f0_hz[start:stop]
        self._left, self._right = self._frames[0] - hop / 2, min(self._frames[-1] + hop / 2, len(samples) - 1.0)

    def pulses(self) -> Floats:
        first = self._extremum((self._left + self._right) / 2)
        before = self._follow(first, -1)
        return np.array([*reversed(before), first, *self._follow(first, 1)])

    def _period(self, time: float) -> float:
        return float(np.interp(time, self._frames, self._periods))

    def _extremum(self, time: float) -> float:
        half = self._period(time) / 2
        start = max(0, round(time - half))
        around = self._samples[start : round(time + half) + 1]
        return float(start + np.abs(around - around.mean()).argmax())

    def _follow(self, first: float, direction: int) -> list[float]:
        """Return the pulses on one side of the first one, the nearest first."""
        found = list[float]()
        time, last = first, first
        while True:
            period = self._period(time)
            next_time, resemblance = self._most_alike(time, period, direction)
            if not period < next_time < len(self._samples) - period:
                return found
            is_outside = not self._left <= next_time <= self._right
            needed = _RESEMBLANCE_AT_THE_EDGE if is_outside else _LEAST_RESEMBLANCE
            if resemblance > needed and abs(next_time - last) > _SHORTEST_STEP * period:
                found.append(next_time)
                last = next_time
            if is_outside:
                return found
            time = next_time

    def _most_alike(self, time: float, period: float, direction: int) -> tuple[float, float]:
        """Return where a period of the waveform resembles most the one around ``time``, and their correlation there.

        Where no place resembles it more than those beside it, that is one period away, with a correlation of 0.
        """
        length = max(round(period), 2)
        at = round(time - period / 2)
        steps = np.arange(int(_SHORTEST_STEP * period), int(np.ceil(_LONGEST_STEP * period)) + 1) * direction
        starts = at + np.sort(steps)
        starts = starts[(starts >= 0) & (starts + length <= len(self._samples))]
        if at < 0 or at + length > len(self._samples) or len(starts) < 3:
            return time + direction * period, 0.0
        one = self._samples[at : at + length]
        others = np.lib.stride_tricks.sliding_window_view(self._samples[starts[0] : starts[-1] + length], length)
        # einsum adds in one order, whatever the number of threads.
        energy = np.einsum("i,i->", one, one) * np.einsum("ni,ni->n", others, others)
        products = np.einsum("ni,i->n", others, one)
        correlation = np.divide(products, np.sqrt(energy), out=np.zeros_like(products), where=energy > 0)
        before, here, after = correlation[:-2], correlation[1:-1], correlation[2:]
        is_peak = (here > before) & (here >= after)
        if not is_peak.any():
            return time + direction * period, 0.0
        best = int(np.where(is_peak, here, -1.0).argmax()) + 1
        shift, height = _vertex(correlation, best)
        return time + float(starts[best] - at) + shift, height


def _vertex(values: Floats, peak: int) -> tuple[float, float]:
    """Return where, from ``peak``, the parabola through a maximum and its neighbours has its vertex, and how high it is."""
    before, here, after = values[peak - 1 : peak + 2]
    shift = 0.5 * (before - after) / (before - 2 * here + after)
    return float(shift), float(here - 0.25 * (before - after) * shift)


def jitter(pulses: Sequence[Floats], sample_rate_hz: int) -> float | None:
    """Return the mean difference of neighbouring periods over the mean period; None if there are too few periods."""
    pairs = [_neighbours(times, sample_rate_hz) for times in pulses]
    differences = np.concatenate([np.abs(np.diff(periods))[usable] for periods, usable in pairs] or [np.empty(0)])
    counted = [periods[np.append(usable, False) | np.append(False, usable)] for periods, usable in pairs]
    if len(differences) < FEWEST:
        return None
    return float(differences.mean() / np.concatenate(counted).mean())


def shimmer(pulses: Sequence[Floats], waveform: npt.NDArray[np.float32], sample_rate_hz: int) -> float | None:
    """Return the mean difference of neighbouring amplitudes over the mean amplitude; None if there are too few."""
    samples = waveform.astype(np.float64)
    differences, amplitudes = list[float](), list[float]()
    for times in pulses:
        periods, usable = _neighbours(times, sample_rate_hz)
        reaches = _AMPLITUDE_REACH * periods
        found = [
            _amplitude(samples, times[number + 1], reaches[number], reaches[number + 1]) if usable[number] else 0.0
            for number in range(len(usable))
        ]
        amplitudes += [one for one in found if one > 0]
        for one, other in pairwise(found):
            if min(one, other) > 0 and max(one, other) <= _AMPLITUDE_FACTOR * min(one, other):
                differences.append(abs(one - other))
    return float(np.mean(differences) / np.mean(amplitudes)) if len(differences) >= FEWEST else None


def _neighbours(times: Floats, sample_rate_hz: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the periods between pulses, shape (n,), and which are comparable with the next one, shape (n - 1,)."""
    periods = np.diff(times)
    one, other = periods[:-1], periods[1:]
    longest = np.maximum(one, other)
    usable = (longest <= _LONGEST_PERIOD_S * sample_rate_hz) & (longest <= _PERIOD_FACTOR * np.minimum(one, other))
    return periods, usable


def _amplitude(samples: Floats, time: float, before: float, after: float) -> float:
    """Return the root mean square around a pulse under half a Hann window to each side."""
    places = np.arange(max(0, int(np.ceil(time - before))), min(len(samples) - 1, int(time + after)) + 1)
    phases = (places - time) / np.where(places < time, before, after)
    weighted = 0.5 + 0.5 * np.cos(np.pi * phases)
    return float(np.sqrt(np.sum((samples[places] * weighted) ** 2) / np.sum(weighted**2)))
