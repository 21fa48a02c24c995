"""Environments with packages of their own: built by uv once per machine, under a lock, and usable only when complete."""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contracts.errors import SetupError
from contracts.plugin_environment import SESSION_REQUIREMENTS, Environment, environment_key
from storage.downloads import cache_home
from storage.environments.child_variables import uv_variables
from storage.local_files import atomic_path

FOLDER: Final = "UNISRM_ENVIRONMENTS"
"""Environment variable with the folder of built environments; default: ``unisrm-data/environments`` in the user's cache."""

_RECORD: Final = "unisrm-environment.json"
"""Written last into an environment: what it was made of and what is in it. An environment without it is not complete."""

_COMPLAINT_LINES: Final = 6
_RESOLUTION_LIMIT_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class BuiltEnvironment:
    """A complete environment in the cache.

    Attributes:
        key: its name, by what it was made of.
        folder: where it lies.
        made_of: the literals of its ``Environment``.
        packages: its packages, as ``name==version`` or ``name @ URL``, sorted.
        python_version: version of its interpreter.
        size_mb: its size on disk when it was built; files that it shares with uv's cache count.
    """

    key: str
    folder: Path
    made_of: Mapping[str, Any]
    packages: tuple[str, ...]
    python_version: str
    size_mb: float

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def has_imported(self, modules: Sequence[str]) -> bool:
        """Tell whether these modules could be imported in it, as far as was noted."""
        return self._note(modules).exists()

    def note_imported(self, modules: Sequence[str]) -> None:
        """Note that these modules could be imported in it."""
        self._note(modules).touch()

    def _note(self, modules: Sequence[str]) -> Path:
        return self.folder / f"imported-{hashlib.sha256(' '.join(modules).encode()).hexdigest()[:16]}"


def cache_folder() -> Path:
    """Return the folder that holds the built environments."""
    return Path(os.environ.get(FOLDER) or cache_home() / "unisrm-data" / "environments").expanduser()


def built(environment: Environment) -> BuiltEnvironment | None:
    """Return an environment with requirements if it is complete; None = it is yet to be built."""
    return _read(cache_folder() / key_here(environment))


def all_built() -> list[BuiltEnvironment]:
    """Return the complete environments in the cache, by key."""
    folder = cache_folder()
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [found for entry in entries if (found := _read(entry)) is not None]


def build(environment: Environment) -> BuiltEnvironment:
    """Return an environment with requirements, built now if need be; of several processes one builds and the others wait.

    Raises:
        SetupError: it cannot be built; the message has uv's last lines. Nothing is left of it.
    """
    if (found := built(environment)) is not None:
        return found
    key = key_here(environment)
    folder = cache_folder() / key
    with _locked(folder):
        if (found := _read(folder)) is not None:
            return found
        shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed
        try:
            _make(environment, folder)
            return _recorded(environment, key, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def download_size(environment: Environment) -> tuple[int, float] | None:
    """Return the packages of an environment that is to be built and their size in MB, as the package index has them.

    Nothing is downloaded but the index's own pages. None: the index cannot be reached, or the requirements have no solution.
    """
    command = ["pip", "compile", "-", "--python", _python(environment), "--format", "pylock.toml", "--no-header"]
    with contextlib.suppress(SetupError, subprocess.TimeoutExpired), _overrides(environment) as options:
        done = _uv([*command, *options], text=_requirements(environment), limit_s=_RESOLUTION_LIMIT_S)
        if done.returncode == 0:
            sizes = [_package_bytes(package) for package in tomllib.loads(done.stdout)["packages"]]
            return len(sizes), sum(sizes) / 1e6
    return None


def key_here(environment: Environment) -> str:
    """Return the name under which this machine keeps an environment."""
    facts = {"machine": platform.machine(), "system": sys.platform, "default_python": sys.version_info[:2]}
    return environment_key(environment, facts)


def _package_bytes(package: Mapping[str, Any]) -> int:
    """Return the size of the largest file of a package for this machine: which one is taken is known to uv alone."""
    sizes = [int(file["size"]) for file in package.get("wheels", []) if "size" in file]
    return max(sizes) if sizes else int(package.get("sdist", {}).get("size", 0))


def _make(environment: Environment, folder: Path) -> None:
    _checked(environment, _uv(["venv", "--no-project", "--python", _python(environment), str(folder)]))
    command = ["pip", "install", "--python", str(folder / "bin" / "python"), "-r", "-"]
    with _overrides(environment) as options:
        _checked(environment, _uv([*command, *options], text=_requirements(environment)))


def _recorded(environment: Environment, key: str, folder: Path) -> BuiltEnvironment:
    python = folder / "bin" / "python"
    listed = _checked(environment, _uv(["pip", "freeze", "--python", str(python)])).stdout.split("\n")
    version = subprocess.run([python, "-c", "import platform; print(platform.python_version())"],
                             capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    size = sum(entry.lstat().st_size for entry in folder.rglob("*")) / 1e6
    record = {
        "made_of": environment.literals(),
        "packages": sorted(line.strip() for line in listed if line.strip()),
        "python_version": version,
        "size_mb": round(size, 1),
    }
    with atomic_path(folder / _RECORD) as path:
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    found = _read(folder)
    assert found is not None
    assert found.key == key
    return found


def _read(folder: Path) -> BuiltEnvironment | None:
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return BuiltEnvironment(
            key=folder.name,
            folder=folder,
            made_of=record["made_of"],
            packages=tuple(record["packages"]),
            python_version=record["python_version"],
            size_mb=record["size_mb"],
        )
    except (OSError, ValueError, KeyError, TypeError):  # not there, or cut off: it is built anew
        return None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time build an environment; the lock ends with its process."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder.parent / f"{folder.name}.lock").open("ab")
    except OSError as error:
        raise SetupError(f"environments cannot be kept in {folder.parent}: {error}; set {FOLDER} to another folder") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _requirements(environment: Environment) -> str:
    return "\n".join([*SESSION_REQUIREMENTS, *environment.requirements]) + "\n"


@contextlib.contextmanager
def _overrides(environment: Environment) -> Iterator[list[str]]:
    """Yield uv's options for the overrides, which it reads from a file."""
    if not environment.overrides:
        yield []
        return
    with tempfile.NamedTemporaryFile("w", prefix="overrides-", suffix=".txt") as file:
        file.write("\n".join(environment.overrides) + "\n")
        file.flush()
        yield ["--overrides", file.name]


def _python(environment: Environment) -> str:
    return environment.python or sys.executable


def _checked(environment: Environment, done: "subprocess.CompletedProcess[str]") -> "subprocess.CompletedProcess[str]":
    if done.returncode:
        complaint = [line.strip() for line in done.stderr.splitlines() if line.strip()][-_COMPLAINT_LINES:]
        raise SetupError(f"the environment ({environment}) cannot be built: {' '.join(complaint)}")
    return done


def _uv(arguments: Sequence[str], *, text: str = "", limit_s: float | None = None) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if program is None:
        raise SetupError("the program uv, which builds environments, is not installed: pip install uv")
    return subprocess.run(
        [program, "--quiet", *arguments],
        input=text,
        capture_output=True,
        text=True,
        env=uv_variables(),
        timeout=limit_s,
        check=False,
    )
