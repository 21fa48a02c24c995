"""Versions of the clients that judges use."""

import functools
import importlib.metadata


@functools.cache
def client_version(package: str) -> str:
    """Return a package and its version, such as ``openai 3.52.0``.

    It is looked up once: every row names it, and each look parses the package's metadata, which takes a millisecond.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    return f"{package} {importlib.metadata.version(package)}"
