"""``MANIFEST.json`` of a release: its files with sizes and hashes, and comparing them with the folder."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Final, Literal

from contracts.errors import DamagedPart
from contracts.ids import digest
from storage.store_errors import store_errors

MANIFEST: Final = "MANIFEST.json"
DIGITS: Final = 12
"""Hex digits of the content's digest at the end of a release's folder name."""

_FORMAT: Final = 1
_CHUNK_BYTES: Final = 1 << 22


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of the manifest; ``rows`` is null for files that are no shards."""

    path: str
    sha256: str
    size_bytes: int
    rows: int | None


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with one file of a release.

    Attributes:
        path: the file, relative to the release.
        kind: ``unlisted`` = it is not in the manifest.
        what: message that follows the file's name.
    """

    path: str
    kind: Literal["missing", "changed", "unreadable", "unlisted"]
    what: str

    @property
    def is_shard(self) -> bool:
        """Whether loading the release by its card would read the file as rows."""
        return self.path.endswith(".parquet") and len(PurePosixPath(self.path).parts) == 2

    def __str__(self) -> str:
        return f"{self.path} {self.what}"


Compartments = Mapping[str, str]
"""Split -> the compartment that it is a part of, where that is not the split itself."""

_WHOLE: Final[Compartments] = MappingProxyType({})


def content_digest(files: Sequence[File], compartments: Compartments = _WHOLE) -> str:
    """Return the digest of a release's content, the end of its folder name."""
    listed: list[Any] = [asdict(file) for file in files]
    return digest([*listed, *([dict(compartments)] if compartments else [])])[:DIGITS]


def manifest_text(version: str, files: Sequence[File], compartments: Compartments = _WHOLE) -> str:
    """Return the manifest's text. Without compartments it is that of a release from before there were any."""
    told = {"compartments": dict(sorted(compartments.items()))} if compartments else {}
    listed = [asdict(file) for file in files]
    return json.dumps({"format": _FORMAT, "version": version, **told, "files": listed}, indent=1) + "\n"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a manifest says: version of the release, its files, and the compartments of its splits."""

    version: str
    files: list[File]
    compartments: Compartments


def read(filesystem: Any, root: str) -> list[File]:
    """Return the lines of a release's manifest; arguments and errors as of ``read_whole``."""
    return read_whole(filesystem, root).files


def read_whole(filesystem: Any, root: str) -> Manifest:
    """Return a release's manifest.

    Args:
        filesystem: fsspec file system.
        root: the release's folder there.

    Raises:
        DamagedPart: it is missing, cannot be read, or does not have the digest in the folder's name.
        StorageError: the store cannot be reached.
    """
    where = f"{root}/{MANIFEST}"
    try:
        with store_errors(filesystem, f"reading {where}"):
            data = filesystem.cat_file(where)
        manifest = json.loads(data)
        if manifest["format"] != _FORMAT:
            raise DamagedPart(f"{where} has the format {manifest['format']!r}: a newer unisrm-data wrote it, or it was changed")
        version, files = str(manifest["version"]), [_file(line) for line in manifest["files"]]
        compartments = {str(split): str(whole) for split, whole in manifest.get("compartments", {}).items()}
    except FileNotFoundError:
        raise DamagedPart(f"{root} has no {MANIFEST}: it is no complete release; build it again") from None
    except OSError as error:
        raise DamagedPart(f"{where} cannot be read ({error}): restore it, or build the release again") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedPart(f"{where} is damaged ({type(error).__name__}): restore it, or build the release again") from error
    stated = PurePosixPath(root).name.rpartition("-")[2]
    if len(stated) == DIGITS and not stated.strip("0123456789abcdef") and stated != content_digest(files, compartments):
        raise DamagedPart(f"{where} is not the one that the folder is named after: restore it, or build the release again")
    return Manifest(version=version, files=files, compartments=compartments)


def _file(line: Any) -> File:
    """Return a line of a manifest; raise a ValueError or TypeError if it has other fields or types."""
    file = File(**line)
    kinds = {"path": str, "sha256": str, "size_bytes": int, "rows": int | None}
    if wrong := [name for name, kind in kinds.items() if not isinstance(getattr(file, name), kind)]:
        raise ValueError(f"{wrong[0]} has another type")
    return file


States = Mapping[str, str]
"""File -> its metadata: size, times, inode or ETag. They change with every write."""


def states(filesystem: Any, root: str) -> dict[str, str]:
    """Return the current state of every file of a release."""
    return {path: str(sorted(facts.items())) for path, facts in _listing(filesystem, root).items()}


def faults(filesystem: Any, root: str, files: Sequence[File], *, hashed: States = MappingProxyType({})) -> list[Fault]:
    """Return what differs between the manifest and the files, sorted by path.

    Presence and size of every file are compared, and the hash of those whose state has changed since it was last checked.

    Args:
        filesystem: fsspec file system.
        root: the release's folder there.
        files: the manifest's lines.
        hashed: states of the files when their hashes were right.
    """
    there = _listing(filesystem, root)
    found, to_hash = list[Fault](), list[File]()
    for file in files:
        if (facts := there.pop(file.path, None)) is None:
            found.append(Fault(path=file.path, kind="missing", what="is missing"))
        elif facts["size"] != file.size_bytes:
            what = f"has {facts['size']} bytes, {MANIFEST} says {file.size_bytes}"
            found.append(Fault(path=file.path, kind="changed", what=what))
        elif hashed.get(file.path) != str(sorted(facts.items())):
            to_hash.append(file)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        found += [fault for fault in pool.map(lambda file: _hashed(filesystem, root, file), to_hash) if fault is not None]
    there.pop(MANIFEST, None)
    found += [Fault(path=path, kind="unlisted", what=f"is in no line of {MANIFEST}: remove it") for path in there]
    return sorted(found, key=lambda fault: fault.path)


def _listing(filesystem: Any, root: str) -> dict[str, dict[str, Any]]:
    filesystem.invalidate_cache()
    with store_errors(filesystem, f"listing {root}"):
        found = filesystem.find(root, detail=True)
    return {path[len(root) :].lstrip("/"): facts for path, facts in found.items()}


def _hashed(filesystem: Any, root: str, file: File) -> Fault | None:
    hasher = hashlib.sha256()
    try:
        with store_errors(filesystem, f"reading {root}/{file.path}"), filesystem.open(f"{root}/{file.path}", "rb") as handle:
            while block := handle.read(_CHUNK_BYTES):
                hasher.update(block)
    except OSError as error:
        return Fault(path=file.path, kind="unreadable", what=f"cannot be read ({error})")
    if hasher.hexdigest() != file.sha256:
        return Fault(path=file.path, kind="changed", what=f"is not what {MANIFEST} lists")
    return None
