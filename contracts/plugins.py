"""Plug-ins: one file is one plug-in, found by its name and imported only when asked for.

A plug-in module defines ``PLUGIN``: a frozen, keyword-only dataclass (its fields are its whole configuration) or a value.
There is no registry: the files of a package are the list, beside entry points of installed packages and the files of folders
that a recipe names.
"""

import dataclasses
import hashlib
import importlib
import importlib.util
import math
import os
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_type_hints

from pydantic import TypeAdapter, ValidationError

from contracts.bounds import misread
from contracts.errors import RecipeError, SetupError, UnisrmError
from contracts.plugin_shapes import class_faults, value_faults

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
    "export": "storage.exports",
}


FOLDERS: Final = "UNISRM_PLUGINS"
"""Environment variable with folders of plug-ins, as in PATH: workers inherit it."""

_DEFINES: Final = re.compile(r"^PLUGIN\b|^from \S+ import PLUGIN as PLUGIN$", re.MULTILINE)


def add_folder(folder: Path) -> None:
    """Make the plug-ins of a folder known: ``<folder>/<kind>/<name>.py``, such as ``my_plugins/filter/long_clips.py``.

    Raises:
        RecipeError: it is no folder, or holds a folder that is no kind of plug-in.
    """
    if not folder.is_dir():
        raise RecipeError(f"plugins: {folder} is no folder")
    kinds = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "_")))
    for kind in kinds:
        if kind not in PACKAGES:
            close = get_close_matches(kind, PACKAGES, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise RecipeError(f"plugins: {folder / kind}: no kind of plug-in.{hint} Known: {', '.join(sorted(PACKAGES))}")
    known = _folders()
    if folder.resolve() not in known:
        os.environ[FOLDERS] = os.pathsep.join(map(str, [*known, folder.resolve()]))


def _folders() -> list[Path]:
    folders = [Path(entry) for entry in os.environ.get(FOLDERS, "").split(os.pathsep) if entry]
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise RecipeError(f"{FOLDERS}: {missing[0]} is no folder")
    return folders


def names(kind: str) -> list[str]:
    """Return the names of all plug-ins of a kind, sorted, without importing any of them.

    They come from this project, from installed packages (entry points of the group ``unisrm_data.<kind>``) and from the folders
    that a recipe or ``UNISRM_PLUGINS`` names. A module that neither defines ``PLUGIN`` at the start of a line nor imports it as
    ``PLUGIN`` is support code, no plug-in.

    Raises:
        RecipeError: two of them have one name.
    """
    return sorted(_sources(kind))


def _sources(kind: str) -> dict[str, str | Path]:
    """Return name -> module, or the file of one that lies in a folder."""
    found: dict[str, str | Path] = {name: f"{PACKAGES[kind]}.{name}" for name in _built_in(kind)}
    others: list[tuple[str, str | Path]] = list(_installed(kind))
    others += [
        (file.stem, file)
        for folder in _folders()
        for file in sorted((folder / kind).glob("*.py"))
        if file.is_file() and _may_define(file)
    ]
    for name, source in others:
        if name in found:
            raise RecipeError(f"{kind} {name!r} is there twice: {found[name]} and {source}; give one another name")
        found[name] = source
    return found


def _may_define(file: Path) -> bool:
    """Tell whether a file defines a plug-in; one that cannot be read is an error when it is used."""
    try:
        return _DEFINES.search(file.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return True


@cache
def _built_in(kind: str) -> tuple[str, ...]:
    spec = importlib.util.find_spec(PACKAGES[kind])
    if spec is None or spec.submodule_search_locations is None:
        return ()
    found = []
    for module in pkgutil.iter_modules(spec.submodule_search_locations):
        origin = importlib.util.find_spec(f"{PACKAGES[kind]}.{module.name}")
        loader = origin.loader if origin else None
        source = loader.get_source(origin.name) if origin and hasattr(loader, "get_source") else None  # type: ignore[union-attr]
        if source and _DEFINES.search(source):
            found.append(module.name)
    return tuple(found)


@cache
def _installed(kind: str) -> tuple[tuple[str, str], ...]:
    return tuple((point.name, point.module) for point in metadata.entry_points(group=f"unisrm_data.{kind}"))


def _module(kind: str, name: str, source: str | Path) -> ModuleType:
    if isinstance(source, str):
        return importlib.import_module(source)
    known = f"unisrm_plugins.{kind}.{name}"
    if known in sys.modules:
        return sys.modules[known]
    spec = importlib.util.spec_from_file_location(known, source)
    if spec is None or spec.loader is None:
        raise RecipeError(f"{kind} {name!r}: {source} is no Python module")
    module = sys.modules[known] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[known]
        raise
    return module


def load(kind: str, name: str) -> Any:
    """Import one plug-in and return its ``PLUGIN``.

    Raises:
        RecipeError: no plug-in of that name; the message lists those that exist. Or it lies outside of this project, and lacks
            something that its kind must have; the message names file and member.
        SetupError: its module needs a package that is not installed.
    """
    sources = _sources(kind)
    if name not in sources:
        known = sorted(sources)
        close = get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise RecipeError(f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}")
    try:
        module = _module(kind, name, sources[name])
    except ModuleNotFoundError as error:
        raise SetupError(f"{kind} {name!r} needs the Python package {error.name!r}, which is not installed") from error
    except (Exception, SystemExit) as error:
        if name in _built_in(kind):
            raise
        why = " ".join(str(error).split())
        raise RecipeError(f"{kind} {name!r} cannot be imported from {sources[name]}: {type(error).__name__}: {why}") from error
    if not hasattr(module, "PLUGIN"):
        raise RecipeError(f"{kind} {name!r}: {sources[name]} defines no PLUGIN")
    if name not in _built_in(kind):
        check = class_faults if isinstance(module.PLUGIN, type) else value_faults
        _refuse(kind, name, check(kind, module.PLUGIN))
    return module.PLUGIN


def intact(kind: str, take: Callable[[str, str], Any] = load) -> dict[str, Any]:
    """Return name -> ``PLUGIN`` of all plug-ins of a kind, without broken ones of others: these are errors where they are used.

    Args:
        kind: the kind.
        take: ``load``, or ``configure`` for plug-ins with their default options.

    Raises:
        SetupError: one of this project needs a package that is not installed.
    """
    found: dict[str, Any] = {}
    for name in names(kind):
        try:
            found[name] = take(kind, name)
        except (RecipeError, SetupError):
            if name in _built_in(kind):
                raise
    return found


def broken(kind: str) -> dict[str, str]:
    """Return name -> problem of the plug-ins of others that cannot be used, whatever their options."""
    found: dict[str, str] = {}
    for name, _ in _outside(kind):
        try:
            load(kind, name)
        except (RecipeError, SetupError) as error:
            found[name] = str(error)
    return found


def _refuse(kind: str, name: str, faults: Sequence[str]) -> None:
    if faults:
        raise RecipeError(f"{kind} {name!r} ({_sources(kind)[name]}): {'; '.join(faults)}; see docs/extending.md")


def where_raised(error: BaseException) -> str | None:
    """Return the plug-in of others, with its file and line, in whose code an error was raised; None if it was elsewhere."""
    own = {
        os.path.realpath(file): f"{kind} {name!r}"
        for kind in PACKAGES
        for name, source in _outside(kind)
        if (file := str(source) if isinstance(source, Path) else getattr(sys.modules.get(source), "__file__", None))
    }
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.realpath(frame.filename) in own]
    return f"{own[os.path.realpath(frames[-1].filename)]} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else None


def _outside(kind: str) -> list[tuple[str, str | Path]]:
    """Return name and module, or file, of the plug-ins that are not this project's."""
    return [(name, source) for name, source in _sources(kind).items() if name not in _built_in(kind)]


def digest_of_own(kind: str, name: str) -> str | None:
    """Return the hash of the file of a plug-in that lies in a folder of the user's; None for any other.

    Plug-ins of packages have versions; a file is edited, and what it decided must be decided anew.
    """
    source = _sources(kind).get(name)
    return hashlib.sha256(source.read_bytes()).hexdigest()[:32] if isinstance(source, Path) else None


def configure(kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
    """Load a plug-in and build it from a recipe's options.

    Raises:
        RecipeError: unknown plug-in, unknown option (the nearest known one is named) or a value that it refuses.
        SetupError: a package is missing.
    """
    plugin = load(kind, name)
    if name in _built_in(kind):
        return _configured(kind, name, plugin, options or {})
    try:
        built = _configured(kind, name, plugin, options or {})
        faults = value_faults(kind, built)
    except UnisrmError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())
        where = _sources(kind)[name]
        raise RecipeError(f"{kind} {name!r} ({where}) cannot be configured: {type(error).__name__}: {why}") from error
    _refuse(kind, name, faults)
    return built


def _configured(kind: str, name: str, plugin: Any, options: Mapping[str, Any]) -> Any:
    if not isinstance(plugin, type):
        if options:
            raise RecipeError(f"{kind} {name!r} takes no options, got {', '.join(options)}")
        return plugin
    if not dataclasses.is_dataclass(plugin):
        raise RecipeError(f"{kind} {name!r}: its PLUGIN is a class, but no dataclass")
    known = [field.name for field in dataclasses.fields(plugin) if field.init]
    for option in options:
        if option not in known:
            close = get_close_matches(option, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise RecipeError(f"{kind} {name!r} has no option {option!r}.{hint} Known: {', '.join(known) or 'none'}")
    hints = get_type_hints(plugin)
    for option, value in options.items():
        if (why := misread(hints[option], value)) is not None:
            raise RecipeError(f"{kind} {name!r}: {option}: {why}")
    try:
        built = TypeAdapter(plugin).validate_python(dict(options))
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'options'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise RecipeError(f"{kind} {name!r}: {'; '.join(problems)}") from None
    for option in options:
        value = getattr(built, option)
        if isinstance(value, float) and not math.isfinite(value):
            raise RecipeError(f"{kind} {name!r}: {option}: {value} is no number to work with")
    return built
