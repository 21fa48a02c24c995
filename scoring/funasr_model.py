"""Models of FunASR: what all plug-ins that load one share."""

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from contracts.errors import SetupError
from scoring.metric import absent, accelerator_missing
from storage.downloads import HubFile

_ORGANISATION: Final = "funasr"


def missing_model(model_path: str, published: str) -> str | None:
    """Return what to install, or that the model's folder is not there; None = nothing is missing.

    Args:
        model_path: folder, or a name that FunASR fetches on first use.
        published: name on the Hub, for the advice.
    """
    if Path(model_path).is_absolute() and not Path(model_path).is_dir():
        return f"{model_path} is not there: download {published}, or leave model_path out"
    return absent("funasr", install="funasr")


def model_downloads(model_path: str, hub: str) -> tuple[HubFile, ...]:
    """Return the model's weights, unless its folder is here or ModelScope has them, whose cache only FunASR knows."""
    if Path(model_path).is_dir() or hub != "hf":
        return ()
    repo = model_path if "/" in model_path else f"{_ORGANISATION}/{model_path}"
    return (HubFile(repo=repo, names=("model.pt",)),)


def load_model(model_path: str, hub: str, device: str, *, title: str, missing: str | None) -> Any:
    """Load a model.

    Args:
        model_path: folder, or a name that FunASR fetches on first use.
        hub: where it fetches from: ``ms`` (ModelScope) or ``hf`` (Hugging Face).
        device: ``cpu``, ``cuda`` or ``cuda:<n>``.
        title: what messages call it.
        missing: what its plug-in finds missing.

    Raises:
        SetupError: something is missing, or it does not load.
    """
    if problem := missing or accelerator_missing(device):
        raise SetupError(problem)
    from funasr import AutoModel

    try:
        return AutoModel(model=model_path, hub=hub, device=device, ncpu=1, disable_update=True, disable_pbar=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise SetupError(f"{title} {model_path} does not load on {device}: {error}") from error


def funasr_version() -> str:
    """Return what sessions report as their version."""
    return f"funasr {version('funasr')}"
