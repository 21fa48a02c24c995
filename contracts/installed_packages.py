"""Installed packages as folders of files, such as a model's weights, without importing them."""

import importlib.util
from pathlib import Path


def package_folder(name: str) -> Path | None:
    """Return the folder of an installed package; None = it is not installed, or a single file.

    Importing a package only for its files can load much that nobody asked for, or fail.
    """
    spec = importlib.util.find_spec(name)
    return Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None
