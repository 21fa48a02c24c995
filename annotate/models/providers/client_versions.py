"""Versions of the clients that judges use."""

import functools
import importlib.metadata


@functools.cache
def client_version(package: str) -> str:
    """Return a package and its version, such as ``openai 3.52.0``.

    It is cached, because every row names it: parsing the package's metadata takes a millisecond.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    return f"{package} {importlib.metadata.version(package)}"
