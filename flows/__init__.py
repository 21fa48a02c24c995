"""Orchestration: the only package that knows Prefect and Ray.

``from flows import open_workspace`` is for notebooks.
"""

from typing import TYPE_CHECKING

__all__ = ["open_workspace"]

if TYPE_CHECKING:
    from flows.entry.notebook import open_workspace
else:

    def __getattr__(name: str) -> object:
        """Import what notebooks use when it is first asked for: the package itself must stay cheap to import."""
        if name == "open_workspace":
            from flows.entry.notebook import open_workspace

            return open_workspace
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
