"""What the voice-cloning engines share: a reference as a file, seeded random numbers, and a GPU that may not be there.

Their libraries take file paths, draw from global random states, and raise whatever they like about a single text.
"""

import contextlib
import importlib.metadata
import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from contracts.errors import SetupError
from contracts.jobs import Failure
from storage.downloads import HubFile
from synth.engine import Engine, Reference, RenderRequest, Voice, Waveform, max_reference_s, needs_reference_text, prepared

_GPU_DRIVER: Final = Path("/proc/driver/nvidia/version")


def reference_voice(model: str, spdx: str, architecture: str, sample_rate_hz: int) -> tuple[Voice, ...]:
    """Return the one voice of a cloning engine: that of the reference."""
    return (Voice(name="reference", model=model, license=spdx, architecture=architecture, sample_rate_hz=sample_rate_hz),)


def missing(
    modules: Sequence[str], install: str, device: str, model_path: str | None, *, holds: Sequence[str] = ()
) -> str | None:
    """Return what a GPU engine lacks on this machine: a module (then ``install``), its weights, or the GPU.

    Args:
        modules: Python modules that it imports.
        install: how to get them.
        device: cuda or cpu.
        model_path: where its weights should be; None = it fetches them.
        holds: files that must be in that folder.
    """
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        return f"no Python module {', '.join(absent)}: {install}"
    if model_path is not None and not Path(model_path).exists():
        return f"no model at {model_path}: download it there, or leave model_path out to fetch the published one"
    if model_path is not None and (missing := [name for name in holds if not Path(model_path, name).exists()]):
        return f"{model_path} has no {', '.join(missing)}: download the whole model there, or leave model_path out"
    if device.startswith("cuda") and not _GPU_DRIVER.exists():
        return "no NVIDIA driver: run it on a machine with a GPU, or set device to cpu (very slow)"
    return None


def published(model: str, model_path: str | None, *names: str) -> tuple[HubFile, ...]:
    """Return what an engine fetches from the Hub on first use.

    Args:
        model: id of the model.
        model_path: folder that holds it already; None = there is none.
        names: names that the file may have by which to tell whether the model is there.
    """
    return () if model_path is not None else (HubFile(repo=model, names=names),)


def require_device(device: str) -> None:
    """Check that torch sees the device.

    Raises:
        SetupError: it asks for CUDA and torch has none.
    """
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise SetupError(f"device {device!r} is asked for, but this torch ({torch.__version__}) sees no CUDA GPU")


def package_version(package: str) -> str:
    """Return an installed package's version; ``unversioned`` for a source checkout."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unversioned"


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's global generators inside the block, and put them back as they were."""
    import random

    import torch

    python_state, numpy_state = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


@contextlib.contextmanager
def reference_file(reference: Reference) -> Iterator[str]:
    """Yield the path of a WAV file of the reference, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="reference-") as folder:
        path = str(Path(folder, "reference.wav"))
        soundfile.write(path, reference.waveform, reference.sample_rate_hz, subtype="PCM_16")
        yield path


def imitate(
    requests: Sequence[RenderRequest],
    engine: Engine,
    sample_rate_hz: int,
    speak: Callable[[RenderRequest, Reference, str], Any],
) -> Iterator[Waveform | Failure]:
    """Answer requests one by one through ``speak(request, reference, path of the reference) -> samples``.

    A complaint of the library about one text becomes a failure. A CUDA fault is raised instead: after it every later call in
    this process fails too, so the worker must be started afresh.
    """
    for request in requests:
        ready = prepared(request, engine)
        if isinstance(ready, Failure):
            yield ready
            continue
        reference = ready.reference
        assert reference is not None  # an engine that clones gets no request without one
        if problem := _unusable(reference, engine):
            yield problem
            continue
        try:
            with seeded(ready.seed), reference_file(reference) as path:
                samples = speak(ready, reference, path)
            yield Waveform(np.asarray(samples, dtype=np.float32).ravel(), sample_rate_hz)
        except (AssertionError, IndexError, RuntimeError, ValueError) as error:
            if "CUDA error" in str(error):
                raise
            reason = "out_of_memory" if type(error).__name__ == "OutOfMemoryError" else "engine_error"
            yield Failure(reason, f"{type(error).__name__}: {error}"[:1000])


def _unusable(reference: Reference, engine: Engine) -> Failure | None:
    seconds, longest = len(reference.waveform) / reference.sample_rate_hz, max_reference_s(engine)
    if seconds > longest:
        return Failure("reference_too_long", f"the reference lasts {seconds:.1f} s, at most {longest:g} s are taken")
    if needs_reference_text(engine) and not (reference.text or "").strip():
        return Failure("no_reference_text", "this engine needs to know what the reference says")
    return None
