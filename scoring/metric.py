"""Interface of metrics: plug-ins that measure clips as named numbers.

A metric plug-in is one file in ``scoring/metrics``; ``scoring.measure`` runs it over a workspace.
"""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from contracts.jobs import Failure, Resources

Waveform = npt.NDArray[np.float32]
Better = Literal["lower", "higher"]


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricRequest:
    """One clip to measure.

    Attributes:
        sample_id: the sample.
        waveform: mono samples in [-1, 1), shape (n,).
        sample_rate_hz: rate of ``waveform``.
        text: what the clip should say; empty = not known.
        language: language of ``text``: ``en``, ``zh``, or ``mixed`` for code-switched text.
        reference: speech of the speaker that the clip should sound like, shape (m,); None where there is none.
        reference_rate_hz: rate of ``reference``.
        spoken_text: what its speaker was to speak instead of ``text``; None = that very text.
    """

    sample_id: str
    waveform: Waveform
    sample_rate_hz: int
    text: str
    language: str
    reference: Waveform | None = None
    reference_rate_hz: int | None = None
    spoken_text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The result of a metric for one clip.

    Attributes:
        values: value name -> number; None = this value cannot be measured on this clip.
        detail: what the numbers rest on, as canonical JSON.
    """

    values: Mapping[str, float | None]
    detail: str | None = None


class MetricSession(Protocol):
    """A metric with its model loaded."""

    @property
    def model(self) -> str:
        """Name of the model that measures."""
        ...

    @property
    def model_version(self) -> str:
        """Version of that model or of the package that carries it."""
        ...

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Yield one measurement per request, in order. It depends on its request only, not on the rest of the batch."""
        ...


class Metric(Protocol):
    """Configuration of a metric: a frozen dataclass whose fields are its options.

    It may also have ``cpu_s_per_audio_s: ClassVar[float | None]``, the CPU seconds on one core that a second of audio takes;
    without it a plan says that the time is unknown; and ``environment: ClassVar[Environment]``, where its sessions run unless
    the recipe says otherwise. A metric of acoustic features has ``features: ClassVar[Mapping[str, Feature]]``, by value name
    (``scoring.feature``). A classifier has ``classifies: ClassVar[tuple[str, Mapping[str, str]]]``: a name for what it tells,
    and value name -> class; filters see the class of the largest value under that name. Values that say nothing of quality, but
    may tell which clip was chosen, are ``nuisances: ClassVar[Mapping[str, float]]``: value name -> the smallest difference that
    counts; the audit of shortcuts looks at them. A metric that can judge has ``better: ClassVar[Mapping[str, Better]]``: value
    name -> whether the better clip is the one with the lower or the higher value; the value that stands for the metric comes
    first. A metric whose model is a plug-in of its own has ``hosted()``, which returns that model if it runs in an environment
    of its own, and ``with_model_in`` (``scoring.hosted_model.PlacesItsModel``).
    """

    value_names: ClassVar[tuple[str, ...]]
    needs_reference: ClassVar[bool] = False

    @property
    def resources(self) -> Resources:
        """Resources of one session."""
        ...

    def missing(self) -> str | None:
        """Return in one line what is missing on this machine and how to get it; None = ready. Loads nothing."""
        ...

    def installed_version(self) -> str | None:
        """Return the ``model_version`` that a session would report here, without loading; called only if nothing is missing.

        None: only an open session knows.
        """
        ...

    def open(self) -> MetricSession:
        """Load the model.

        Raises:
            SetupError: something is missing on this machine; the message is that of ``missing``.
        """
        ...


def absent(*modules: str, install: str) -> str | None:
    """Return how to install Python modules if one of them is missing, without importing any; None = all are installed."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return f"Python module {', '.join(missing)} is not installed: pip install {install}" if missing else None


def accelerator_missing(device: str) -> str | None:
    """Return a line if a GPU is asked for and there is none. Imports torch to find out, so it is not for ``missing``."""
    if not device.startswith("cuda"):
        return None
    import torch

    if torch.cuda.is_available():
        return None
    advice = "set the option device to cpu (--option device=cpu), or run where there is one"
    return f"device {device!r} is asked for and there is no GPU here: {advice}"
