"""DNSMOS: how clean a listener would find the audio, predicted by Microsoft's networks.

Reddy, Gopal & Cutler, "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric to evaluate noise
suppressors", ICASSP 2022, and the P.808 network of the 2021 paper. It tracks noise and distortion, not naturalness.

The networks and the definition of their input are those of the package speechmos; its own code reads 9.01 s windows one
second apart after doubling short clips, and computes the features with librosa, whose first call compiles for 20 s. Here a
short clip is repeated to exactly one window, and the features are plain numpy.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from contracts.errors import SetupError
from contracts.installed_packages import package_folder
from contracts.jobs import Failure, Resources
from scoring.mel import mel_filters
from scoring.metric import Better, Measurement, MetricRequest, Waveform, absent
from scoring.pitch import Floats, frames_of
from synth.resampling import resample

_RATE_HZ: Final = 16000
_WINDOW: Final = 144160  # 9.01 s
_STEP: Final = 16000

_MEL_FFT: Final = 321
_MEL_HOP: Final = 160
_MEL_BANDS: Final = 120
_MEL_TAIL: Final = 160  # the P.808 network sees the window without its last hop
_MEL_FLOOR: Final = 1e-10
_MEL_RANGE_DB: Final = 80.0

# The networks' raw outputs are mapped to opinion scores by the quadratics that DNSMOS publishes, highest power first.
_TO_SIG: Final = (-0.08397278, 1.22083953, 0.0052439)
_TO_BAK: Final = (-0.13166888, 1.60915514, -0.39604546)
_TO_OVRL: Final = (-0.06766283, 1.11546468, 0.04602535)


class DnsmosSession:
    """Both networks, each on one thread."""

    model = "dnsmos p835 + p808"

    def __init__(self, folder: Path) -> None:
        self._p835 = _network(folder / "sig_bak_ovr.onnx")
        self._p808 = _network(folder / "model_v8.onnx")
        self._filters = mel_filters(_RATE_HZ, _MEL_FFT, _MEL_BANDS)
        self.model_version = _version()

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Score clip by clip."""
        for request in requests:
            if not request.waveform.size:
                yield Failure(reason="empty_audio", message="the clip has no samples")
                continue
            waveform = np.clip(resample(request.waveform, request.sample_rate_hz, _RATE_HZ), -1.0, 1.0)
            scores = np.mean([self._opinion(window) for window in windows(waveform)], axis=0)
            yield Measurement(values=dict(zip(Dnsmos.value_names, map(float, scores), strict=True)))

    def _opinion(self, window: Waveform) -> Floats:
        """Return the four values of one window."""
        sig, bak, ovrl = self._p835.run(None, {"input_1": window[None, :]})[0][0]
        features = log_mel(window[:-_MEL_TAIL], self._filters).astype(np.float32)
        p808 = self._p808.run(None, {"input_1": features[None, :, :]})[0][0][0]
        opinions = (np.polyval(_TO_OVRL, ovrl), np.polyval(_TO_SIG, sig), np.polyval(_TO_BAK, bak), p808)
        return np.array(opinions, dtype=np.float64)


def _network(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def windows(waveform: Waveform) -> list[Waveform]:
    """Cut 16 kHz samples into windows of 9.01 s, one second apart; a shorter clip is repeated to one window.

    Like the published script, this counts whole seconds and leaves out a last window that would just fit.
    """
    if len(waveform) < _WINDOW:
        return [np.resize(waveform, _WINDOW)]
    count = max(1, len(waveform) // _STEP - _WINDOW // _STEP)
    return [waveform[start * _STEP : start * _STEP + _WINDOW] for start in range(count)]


def log_mel(waveform: Waveform, filters: Floats) -> Floats:
    """Return the P.808 network's features: mel power in dB below the loudest, 80 dB deep, moved to about [-1, 1].

    Args:
        waveform: 16 kHz samples, shape (n,).
        filters: shape (bands, bins).

    Returns:
        Shape (ceil(n / 160), bands).
    """
    frames = frames_of(waveform, _MEL_FFT, _MEL_HOP)
    # A periodic Hann window is a symmetric one of the next length without its last value.
    power = np.einsum("fb,mb->fm", np.abs(np.fft.rfft(frames * np.hanning(_MEL_FFT + 1)[:-1])) ** 2, filters)
    decibels = 10 * np.log10(np.maximum(power, _MEL_FLOOR)) - 10 * np.log10(max(float(power.max()), _MEL_FLOOR))
    features: Floats = (np.maximum(decibels, -_MEL_RANGE_DB) + 40.0) / 40.0
    return features


@dataclass(frozen=True, kw_only=True)
class Dnsmos:
    """Predicted mean opinion scores, 1 to 5.

    Values: ``dnsmos_ovrl`` (overall), ``dnsmos_sig`` (speech), ``dnsmos_bak`` (background), ``dnsmos_p808`` (P.808 overall).
    """

    value_names: ClassVar[tuple[str, ...]] = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "dnsmos_p808")
    cpu_s_per_audio_s: ClassVar[float | None] = 0.15
    better: ClassVar[Mapping[str, Better]] = {
        "dnsmos_ovrl": "higher",
        "dnsmos_sig": "higher",
        "dnsmos_bak": "higher",
        "dnsmos_p808": "higher",
    }
    needs_reference: ClassVar[bool] = False

    @property
    def resources(self) -> Resources:
        """One core."""
        return Resources(batch_size=16)

    def missing(self) -> str | None:
        """Return what to install."""
        if problem := absent("speechmos", "onnxruntime", install="speechmos==0.0.1.1 onnxruntime"):
            return problem
        if not (_folder() / "sig_bak_ovr.onnx").is_file():
            return "module speechmos has no DNSMOS models: pip install --force-reinstall speechmos==0.0.1.1"
        return None

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return _version()

    def open(self) -> DnsmosSession:
        """Load both networks from the package's files, without importing it: its modules import librosa."""
        if problem := self.missing():
            raise SetupError(problem)
        return DnsmosSession(_folder())


def _folder() -> Path:
    return (package_folder("speechmos") or Path()) / "dnsmos_models"


def _version() -> str:
    return f"speechmos {version('speechmos')}"


PLUGIN = Dnsmos
