"""Silence before and after speech: nothing of the speech, but something that can tell clips apart.

Standard clips have the same lead-in and lead-out (``synth.dsp``); clips that are kept as people heard them have their own.
Speech is that of ``scoring.speech_activity``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from contracts.jobs import Failure, Resources
from scoring.metric import Measurement, MetricRequest
from scoring.pitch import HOP_S
from scoring.speech_activity import RATE_HZ, WINDOW, speech_activity
from synth.resampling import resample


class SilenceSession:
    """Nothing to load."""

    model = "silence"
    model_version = "1"

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Measure clip by clip."""
        for request in requests:
            if len(request.waveform) < WINDOW:
                yield Failure(reason="too_short", message=f"{len(request.waveform)} samples are too few to find speech in")
            else:
                yield Measurement(values=_values(request))


def _values(request: MetricRequest) -> dict[str, float | None]:
    activity = speech_activity(resample(request.waveform, request.sample_rate_hz, RATE_HZ))
    if activity is None:
        return dict.fromkeys(Silence.value_names)
    first, last = np.flatnonzero(activity.inside)[[0, -1]]
    return {"leading_silence_s": float(first) * HOP_S, "trailing_silence_s": float(len(activity.inside) - 1 - last) * HOP_S}


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Silence at the ends of a clip.

    Values (null = there is no sound at all): ``leading_silence_s``, ``trailing_silence_s``, in steps of 10 ms.
    """

    value_names: ClassVar[tuple[str, ...]] = ("leading_silence_s", "trailing_silence_s")
    nuisances: ClassVar[Mapping[str, float]] = {"leading_silence_s": 0.01, "trailing_silence_s": 0.01}
    cpu_s_per_audio_s: ClassVar[float | None] = 0.002
    needs_reference: ClassVar[bool] = False

    @property
    def resources(self) -> Resources:
        """One core, no model."""
        return Resources(batch_size=64)

    def missing(self) -> str | None:
        """Nothing: numpy and scipy are always there."""
        return None

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return SilenceSession.model_version

    def open(self) -> SilenceSession:
        """Return a session; there is nothing to load."""
        return SilenceSession()


PLUGIN = Silence
