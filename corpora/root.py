"""The folder of a corpus, and its files by their names in the metadata."""

import contextlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from contracts.errors import DataError
from corpora.headers import HEAD_BYTES, Header, probe
from corpora.links import ADVICE, FollowLinks, bounds, leads_outside

_MOST_NAMED: Final = 5
_PROPAGATED: Final = (FileNotFoundError, NotADirectoryError, PermissionError)


class LinkOutside(DataError):
    """A link leads out of the corpus and is not followed."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A file found by its name: its path as the disk spells it and its size, or a problem and its detail."""

    path: str
    size: int = 0
    problem: str | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    kind: str
    size: int
    outside: bool = False


class Names:
    """The names in a folder, with a search that allows for other Unicode forms and case."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the names on the disk."""
        self._names = frozenset(names)

    def like(self, name: str) -> Sequence[str]:
        """Return the matching names.

        This is the name itself if it exists, else all names that differ from it only in Unicode form (``é`` as one character or
        two), else all names that differ only in form and case.
        """
        if name in self._names:
            return [name]
        return self._by_form.get(_form(name)) or self._by_fold.get(_folded(name)) or ()

    @cached_property
    def _by_form(self) -> Mapping[str, Sequence[str]]:
        return self._grouped(_form)

    @cached_property
    def _by_fold(self) -> Mapping[str, Sequence[str]]:
        return self._grouped(_folded)

    def _grouped(self, key: Callable[[str], str]) -> Mapping[str, Sequence[str]]:
        found = dict[str, list[str]]()
        for name in sorted(self._names):
            found.setdefault(key(name), []).append(name)
        return found


@contextlib.contextmanager
def _reaching(corpus: str, url: str, *propagated: type[Exception]) -> Iterator[None]:
    """Raise the errors of file systems as ``DataError``, except the given ones."""
    try:
        yield
    except propagated:
        raise
    except Exception as error:  # each protocol has errors of its own, from its own library
        why = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"corpus {corpus!r}: {url} cannot be read ({why}); correct its root in the recipe") from error


class _Folder:
    def __init__(self, entries: Mapping[str, _Entry]) -> None:
        self.entries = entries
        self.names = Names(entries)

    def of_kind(self, kind: str) -> list[str]:
        return sorted(name for name, entry in self.entries.items() if entry.kind == kind)


class Root:
    """The folder of a corpus, local or remote; all paths are relative to it. macOS ``._*`` files are hidden."""

    def __init__(self, corpus: str, url: str, follow_links: FollowLinks = "inside") -> None:
        """Open the folder.

        Raises:
            DataError: there is no such folder, or it cannot be reached.
        """
        if "\0" in url:
            raise DataError(f"corpus {corpus!r}: {url!r} is no folder; set its root in the recipe")
        with _reaching(corpus, url):
            self._fs, path = fsspec.core.url_to_fs(url)
            there = self._fs.isdir(path.rstrip("/") or "/")
        self._path = path.rstrip("/")
        self._corpus = corpus
        self.url = url.rstrip("/")
        self._folders = dict[str, _Folder]()
        if not there:
            raise DataError(f"corpus {corpus!r}: there is no folder {url}; set its root in the recipe")
        self._local = isinstance(self._fs, LocalFileSystem)
        self._bounds = bounds(self._path or "/", follow_links) if self._local else None

    def _reaching(self) -> contextlib.AbstractContextManager[None]:
        """Raise ``DataError`` if a server cannot be reached; problems of a file are reported when it is read."""
        return _reaching(self._corpus, self.url, *((Exception,) if self._local else _PROPAGATED))

    def _full(self, path: str) -> str:
        return f"{self._path}/{path}" if path else self._path

    def _check(self, path: str) -> None:
        if self._local and ".." not in path.split("/") and leads_outside(self._full(path), self._bounds):
            raise LinkOutside(f"corpus {self._corpus!r}: {path} is a link out of the corpus: {ADVICE}")

    def _folder(self, folder: str) -> _Folder:
        if folder not in self._folders:
            self._check(folder)
            try:
                with self._reaching():
                    listed = self._fs.ls(self._full(folder), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                listed = []
            except PermissionError:
                where = self._full(folder)
                raise DataError(f"corpus {self._corpus!r}: {where} may not be read; correct its permissions") from None
            found = dict[str, _Entry]()
            for entry in listed:
                name = entry["name"].rstrip("/").rsplit("/", 1)[-1]
                if not name.startswith("._"):
                    found[name] = self._linked(entry) if entry.get("islink") else _entry(entry["type"], entry["size"])
            self._folders[folder] = _Folder(found)
        return self._folders[folder]

    def _linked(self, entry: Mapping[str, str]) -> _Entry:
        path = entry["name"]
        kind = "directory" if os.path.isdir(path) else "file" if os.path.isfile(path) else "dangling"  # noqa: PTH112, PTH113 - a path of fsspec
        size = os.path.getsize(path) if kind == "file" else 0  # noqa: PTH202 - as above
        return _Entry(kind=kind, size=size, outside=leads_outside(path, self._bounds))

    def folders(self, path: str = "") -> list[str]:
        """Return the names of the folders directly below ``path``, sorted.

        Raises:
            LinkOutside: ``path`` is a link out of the corpus.
        """
        return self._folder(path).of_kind("directory")

    def files(self, path: str = "") -> list[str]:
        """Return the names of the files directly below ``path``, sorted; empty where there is no such folder.

        Raises:
            LinkOutside: ``path`` is a link out of the corpus.
        """
        return self._folder(path).of_kind("file")

    def find(self, path: str) -> Found:
        """Return the file of a name in the metadata, in any Unicode form and case on the disk.

        The problem is ``missing_audio``, ``link_outside_corpus``, or ``ambiguous_audio`` where several names differ from the
        wanted one only in form or case.
        """
        folder, parts = "", path.split("/")
        for place, part in enumerate(parts, start=1):
            there = self._folder(folder)
            names = there.names.like(part)
            here = f"{folder}/" if folder else ""
            if not names:
                return Found(path=path, problem="missing_audio")
            if len(names) > 1:
                several = ", ".join(here + name for name in names[:_MOST_NAMED])
                return Found(path=path, problem="ambiguous_audio", detail=f"{path} may be any of {several}: name one as it is")
            entry, folder = there.entries[names[0]], here + names[0]
            if entry.outside:
                return Found(path=path, problem="link_outside_corpus", detail=f"{folder} is a link out of the corpus: {ADVICE}")
            if entry.kind != ("file" if place == len(parts) else "directory"):
                return Found(path=path, problem="missing_audio")
        return Found(path=folder, size=entry.size)

    def read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises:
            FileNotFoundError: it is not there.
            LinkOutside: it is a link out of the corpus, or lies behind one.
        """
        self._check(path)
        with self._reaching():
            return bytes(self._fs.cat_file(self._full(path)))

    def headers(self, files: Iterable[Found]) -> dict[str, Header]:
        """Return the header of each file by its path: one small ranged read per file. Files with a problem have none."""
        sizes = {file.path: file.size for file in files if file.problem is None}
        paths = [self._full(path) for path in sizes]
        ends = [min(size, HEAD_BYTES) for size in sizes.values()]
        with self._reaching():
            heads = self._fs.cat_ranges(paths, 0, ends, on_error="raise") if paths else []
        return {path: probe(bytes(head), size) for (path, size), head in zip(sizes.items(), heads, strict=True)}


def _entry(kind: str, size: int | None) -> _Entry:
    return _Entry(kind=kind, size=int(size or 0))


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _form(_form(name).casefold())


def is_outside(path: str) -> bool:
    """Return whether a path may lead out of its folder: it is absolute, a URL, a Windows path, or has ``..`` in it."""
    return (
        path.startswith(("/", "~"))
        or "\\" in path
        or ".." in path.split("/")
        or not path.isprintable()
        or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path) is not None
    )
