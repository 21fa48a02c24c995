"""Weights that a plug-in's session fetches when it is first opened: whether they are on this machine, or else can be had.

A plug-in that fetches nothing has no method ``downloads``. Nothing here fetches anything but the headers of a file.
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
        """Say whether it is on this machine, where the session looks for it."""
        ...

    def refusal(self) -> str | None:
        """Say in one line why it cannot be fetched now; None = its server offers it."""
        ...


@runtime_checkable
class Downloading(Protocol):
    """A plug-in whose session fetches files on first use."""

    def downloads(self) -> Sequence[Download]:
        """Return what a session needs beyond what ``missing`` speaks of."""
        ...


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """A file of a model on the Hugging Face Hub.

    Attributes:
        repo: id of the model.
        names: the file; several are names that it may have, of which one is enough.
        cache_dir: where it is kept; None = the Hub's own cache.
        may_fetch: whether the session asks the Hub for what is not cached.
    """

    repo: str
    names: tuple[str, ...]
    cache_dir: str | None = None
    may_fetch: bool = True

    def __str__(self) -> str:
        return f"{self.names[0]} of {self.repo} (Hugging Face)"

    def is_cached(self) -> bool:
        """Say whether one of the names is in the cache."""
        import huggingface_hub

        try:
            found = [huggingface_hub.try_to_load_from_cache(self.repo, name, self.cache_dir) for name in self.names]
        except ValueError:  # no model can have that id
            return False
        return any(isinstance(path, str) for path in found)

    def refusal(self) -> str | None:
        """Return what the Hub says of the file's headers."""
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
        """Say whether it is there."""
        return self.path.exists()

    def refusal(self) -> str | None:
        """Return what the server says of the file's headers."""
        return _web_refusal(self.url)


def to_fetch(plugin: Any) -> list[Download]:
    """Return what a session of the plug-in would fetch here before it works; nothing may be missing otherwise."""
    return [file for file in plugin.downloads() if not file.is_cached()] if isinstance(plugin, Downloading) else []


def unobtainable(plugin: Any) -> str | None:
    """Return the first file that is neither here nor to be had, and what to do; None = a session gets all that it needs."""
    refused = ((file, why) for file in to_fetch(plugin) if (why := file.refusal()) is not None)
    return next((f"its weights are not on this machine and cannot be fetched: {file}: {why}" for file, why in refused), None)


@functools.cache
def _hub_refusal(repo: str, names: tuple[str, ...]) -> str | None:
    import httpx2
    import huggingface_hub

    said = ""
    for name in names:
        try:
            huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repo, name), timeout=TIMEOUT_S)
        except (OSError, ValueError, httpx2.HTTPError) as error:
            said = said or _one_line(error)
        else:
            return None
    return f"{said}; fetch it where there is a network (hf download {repo}) and bring its folder or cache here"


@functools.cache
def _web_refusal(url: str) -> str | None:
    asked = urllib.request.Request(url, method="HEAD")  # noqa: S310 - an address in a plug-in's code
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S):  # noqa: S310
            return None
    except (OSError, ValueError, urllib.error.HTTPError) as error:
        return f"{_one_line(error)}; fetch it where there is a network and bring it here"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def cache_home() -> Path:
    """Return the folder for caches (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
