"""WORLD: speech taken apart into F0, spectral envelope and aperiodicity, and put together again.

Morise, Yokomori & Ozawa, IEICE Trans. E99-D, 2016, by the package pyworld. The same samples give the same parts, and the same
parts the same samples.
"""

import importlib.util
import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

RATE_HZ: Final = 16000
FRAME_S: Final = 0.005
_F0_FLOOR_HZ: Final = 60.0
_F0_CEILING_HZ: Final = 500.0

Signal = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Speech:
    """WORLD's parts of 16 kHz speech, in frames of 5 ms.

    Attributes:
        f0_hz: 0 = unvoiced, shape (frames,).
        envelope: power, shape (frames, bins).
        aperiodicity: share of noise in the power, shape (frames, bins).
    """

    f0_hz: Signal
    envelope: Signal
    aperiodicity: Signal


def missing_packages() -> str | None:
    """Return what to install."""
    if any(importlib.util.find_spec(module) is None for module in ("pyworld", "pkg_resources")):
        return "pip install pyworld==0.3.5 'setuptools<82'"
    return None


def analysis(samples: npt.NDArray[np.floating[Any]]) -> Speech:
    """Take 16 kHz speech apart."""
    pyworld = _world()
    signal = np.ascontiguousarray(samples, dtype=np.float64)
    f0, times = pyworld.harvest(signal, RATE_HZ, f0_floor=_F0_FLOOR_HZ, f0_ceil=_F0_CEILING_HZ)
    envelope = pyworld.cheaptrick(signal, f0, times, RATE_HZ, f0_floor=_F0_FLOOR_HZ)
    aperiodicity = pyworld.d4c(signal, f0, times, RATE_HZ, fft_size=2 * (envelope.shape[1] - 1))
    return Speech(f0, envelope, aperiodicity)


def synthesis(speech: Speech) -> Signal:
    """Put 16 kHz speech together."""
    parts = (np.ascontiguousarray(part) for part in (speech.f0_hz, speech.envelope, speech.aperiodicity))
    signal: Signal = _world().synthesize(*parts, RATE_HZ)
    return signal


def _world() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources, which announces its end
        import pyworld
    return pyworld
