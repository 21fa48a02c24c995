"""Plug-ins: one file is one plug-in, found by its name and imported only when asked for.

A plug-in module defines ``PLUGIN``: a frozen, keyword-only dataclass (its fields are its whole configuration) or a value.
There is no registry: the files of a package are the list.
"""

import dataclasses
import importlib
import importlib.util
import math
import pkgutil
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, get_type_hints

from pydantic import TypeAdapter, ValidationError

from contracts.bounds import misread
from contracts.errors import RecipeError, SetupError

PACKAGES: Final[Mapping[str, str]] = {
    "kind": "flows.kinds",
    "corpus": "corpora",
    "engine": "synth.engines",
    "metric": "scoring.metrics",
    "reward": "scoring.rewards",
    "judge": "annotate.models.providers",
    "task": "annotate.models.tasks",
    "filter": "filters",
    "asr": "scoring.asr",
    "protocol": "annotate.people.protocols",
    "listener_rule": "annotate.people.rules",
}


_DEFINES: Final = re.compile(r"^PLUGIN\b|^from \S+ import PLUGIN as PLUGIN$", re.MULTILINE)


def names(kind: str) -> list[str]:
    """Return the names of all plug-ins of a kind, sorted, without importing any of them.

    A module that neither defines ``PLUGIN`` at the start of a line nor imports it as ``PLUGIN`` is support code, no plug-in.
    """
    spec = importlib.util.find_spec(PACKAGES[kind])
    if spec is None or spec.submodule_search_locations is None:
        return []
    found = []
    for module in pkgutil.iter_modules(spec.submodule_search_locations):
        origin = importlib.util.find_spec(f"{PACKAGES[kind]}.{module.name}")
        loader = origin.loader if origin else None
        source = loader.get_source(origin.name) if origin and hasattr(loader, "get_source") else None  # type: ignore[union-attr]
        if source and any(
            line.startswith("PLUGIN") or line.endswith("import PLUGIN as PLUGIN") for line in source.splitlines()
        ):
            found.append(module.name)
    return sorted(found)


def load(kind: str, name: str) -> Any:
    """Import one plug-in and return its ``PLUGIN``.

    Raises:
        RecipeError: no plug-in of that name; the message lists those that exist.
        SetupError: its module needs a package that is not installed.
    """
    known = names(kind)
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise RecipeError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}")
    try:
        module = importlib.import_module(f"{PACKAGES[kind]}.{name}")
    except ModuleNotFoundError as error:
        raise SetupError(f"{kind} {name!r} needs the Python package {error.name!r}, which is not installed") from error
    return module.PLUGIN


def configure(kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """Load a plug-in and build it from a recipe's options.

    Raises:
        RecipeError: unknown plug-in, unknown option (the nearest known one is named) or a value that it refuses.
        SetupError: a package is missing.
    """
    plugin = load(kind, name)
    if not isinstance(plugin, type):
        if options:
            raise RecipeError(f"{kind} {name!r} takes no options, got {', '.join(options)}")
        return plugin
    known = [field.name for field in dataclasses.fields(plugin) if field.init]
    for option in options or {}:
        if option not in known:
            close = get_close_matches(option, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise RecipeError(f"{kind} {name!r} has no option {option!r}.{hint} Known: {', '.join(known) or 'none'}")
    hints = get_type_hints(plugin)
    for option, value in (options or {}).items():
        if (why := misread(hints[option], value)) is not None:
            raise RecipeError(f"{kind} {name!r}: {option}: {why}")
    try:
        built = TypeAdapter(plugin).validate_python(dict(options or {}))
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'options'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise RecipeError(f"{kind} {name!r}: {'; '.join(problems)}") from None
    for option in options or {}:
        value = getattr(built, option)
        if isinstance(value, float) and not math.isfinite(value):
            raise RecipeError(f"{kind} {name!r}: {option}: {value} is no number to work with")
    return built
