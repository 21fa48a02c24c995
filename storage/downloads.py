"""Weights that a plug-in's session downloads on first use: whether they are cached, or can be downloaded.

A plug-in that downloads nothing has no method ``downloads``. This module requests only the headers of files.
"""

import functools
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

TIMEOUT_S: Final = 10.0


class Download(Protocol):
    """One file that a session needs."""

    def is_cached(self) -> bool:
        """Tell whether it is on this machine, where the session looks for it."""
        ...

    def refusal(self) -> str | None:
        """Return in one line why it cannot be downloaded now; None = its server offers it."""
        ...


@runtime_checkable
class Downloading(Protocol):
    """A plug-in whose session downloads files on first use."""

    def downloads(self) -> Sequence[Download]:
        """Return the files that a session needs beside what ``missing`` checks."""
        ...


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a model on the Hugging Face Hub.

    Attributes:
        repo: id of the model.
        names: name of the file, or alternative names, of which one is enough.
        cache_dir: where it is kept; None = the Hub's own cache.
        may_fetch: whether the session downloads what is not cached.
    """

    repo: str
    names: tuple[str, ...]
    cache_dir: str | None = None
    may_fetch: bool = True

    def __str__(self) -> str:
        return f"{self.names[0]} of {self.repo} (Hugging Face)"

    def is_cached(self) -> bool:
        """Tell whether one of the names is in the cache."""
        import huggingface_hub

        try:
            found = [huggingface_hub.try_to_load_from_cache(self.repo, name, self.cache_dir) for name in self.names]
        except ValueError:  # no model can have that id
            return False
        return any(isinstance(path, str) for path in found)

    def refusal(self) -> str | None:
        """Return why the Hub does not offer the file; None = it does."""
        if not self.may_fetch:
            return "it is not in the cache, and local_files_only forbids to fetch it"
        return _hub_refusal(self.repo, self.names)


@dataclass(frozen=True, kw_only=True)
class WebFile:
    """A file or archive at an address.

    Attributes:
        url: the address.
        path: where the session keeps it.
    """

    url: str
    path: Path

    def __str__(self) -> str:
        return self.url

    def is_cached(self) -> bool:
        """Tell whether it exists."""
        return self.path.exists()

    def refusal(self) -> str | None:
        """Return why the server does not offer the file, and where to bring it; None = it does."""
        why = _web_refusal(self.url)
        return None if why is None else f"{why} ({self.path})"


def to_fetch(plugin: Any) -> list[Download]:
    """Return the files that a session of the plug-in would download here; only for a plug-in with nothing missing."""
    return [file for file in plugin.downloads() if not file.is_cached()] if isinstance(plugin, Downloading) else []


def unobtainable(plugin: Any) -> str | None:
    """Return the first file that is neither cached nor offered, and what to do; None = there is no such file."""
    refused = ((file, why) for file in to_fetch(plugin) if (why := file.refusal()) is not None)
    return next((f"its weights are not on this machine and cannot be fetched: {file}: {why}" for file, why in refused), None)


@functools.cache
def _hub_refusal(repo: str, names: tuple[str, ...]) -> str | None:
    import httpx2
    import huggingface_hub

    refusal = ""
    for name in names:
        try:
            huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repo, name), timeout=TIMEOUT_S)
        except (OSError, ValueError, httpx2.HTTPError) as error:
            refusal = refusal or _one_line(error)
        else:
            return None
    return f"{refusal}; fetch it where there is a network (hf download {repo}) and bring its folder or cache here"


@functools.cache
def _web_refusal(url: str) -> str | None:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - an address in a plug-in's code
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return None
    except (OSError, ValueError, urllib.error.HTTPError) as error:
        return f"{_one_line(error)}; fetch it where there is a network and bring it here"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def cache_home() -> Path:
    """Return the folder for caches (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def torch_hub() -> Path:
    """Return the folder where torch.hub keeps code and checkpoints, as ``torch.hub.get_dir`` does, without importing torch."""
    return Path(os.environ.get("TORCH_HOME") or cache_home() / "torch").expanduser() / "hub"
