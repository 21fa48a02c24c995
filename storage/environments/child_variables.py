"""The environment variables of processes that run foreign packages: no keys, and nothing of our interpreter's."""

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from contracts.secret_variables import without_looking_secret

_OURS: Final = frozenset({"VIRTUAL_ENV", "PYTHONHOME"})
_NEEDED: Final = re.compile(r".*_PROXY", re.IGNORECASE)
"""Kept: proxies, whose login may be needed to download weights and packages."""

_OF_UV: Final = re.compile(r"UV_.*")

_WITHHELD: ContextVar[frozenset[str]] = ContextVar("withheld", default=frozenset())


@contextlib.contextmanager
def withheld(names: Collection[str]) -> Iterator[None]:
    """Keep further variables from the processes that are started inside the block, such as the keys that judges declare."""
    before = _WITHHELD.set(_WITHHELD.get() | frozenset(names))
    try:
        yield
    finally:
        _WITHHELD.reset(before)


def session_variables(python: Path | None) -> dict[str, str]:
    """Return the variables of a session's process; programs beside its interpreter come first."""
    variables = _harmless(_NEEDED)
    if python is not None:
        variables["PATH"] = os.pathsep.join([str(python.parent), *filter(None, [variables.get("PATH")])])
    return variables


def uv_variables() -> dict[str, str]:
    """Return the variables of uv, which runs the build scripts of packages; its own settings may hold an index's login."""
    kept = re.compile(f"{_NEEDED.pattern}|{_OF_UV.pattern}", re.IGNORECASE)
    return _harmless(kept) | {"UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def _harmless(kept: re.Pattern[str]) -> dict[str, str]:
    return without_looking_secret(os.environ, never=_WITHHELD.get() | _OURS, kept=kept)
