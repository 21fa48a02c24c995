"""YAML files that people write: one mapping of keys each."""

import os
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import RecipeError


def read_yaml(path: str | os.PathLike[str], what: str) -> dict[Any, Any]:
    """Return the mapping that a file holds.

    Args:
        path: the file.
        what: what it should be, for the message, such as ``a recipe``.

    Raises:
        RecipeError: the file cannot be read, is no YAML, or is no mapping; names the file.
    """
    file = Path(path)
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file}: no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"{file}: {what} is a YAML mapping, this is {type(raw).__name__}")
    return raw
