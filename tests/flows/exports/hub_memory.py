"""What the local Hub server remembers: repositories with their commits, files, requests, and what is to go wrong."""

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stored:
    """A file of a commit."""

    sha256: str
    size: int
    blob: str
    is_large: bool

    @property
    def oid(self) -> str:
        """What the Hub compares a file with before an upload."""
        return self.sha256 if self.is_large else self.blob

    def entry(self, path: str) -> dict[str, Any]:
        """Return it as a listing has it."""
        pointer = {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 130}} if self.is_large else {}
        return {"type": "file", "path": path, "size": self.size, "oid": self.blob, **pointer}


@dataclass
class Repository:
    """Commits, branches and tags; a fresh one has the Hub's own file alone."""

    visibility: str
    gated: str | bool = False
    commits: dict[str, dict[str, Stored]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, Stored], message: str) -> str:
        """Commit to the main branch."""
        told = [sorted((path, stored.sha256) for path, stored in files.items()), message, len(self.commits)]
        oid = hashlib.sha1(json.dumps(told).encode()).hexdigest()
        self.commits[oid] = files
        self.messages.append(message)
        self.refs["main"] = oid
        return oid

    def resolve(self, revision: str) -> str | None:
        """Return the commit of a branch, tag or commit."""
        return self.refs.get(revision) or self.tags.get(revision) or (revision if revision in self.commits else None)


@dataclass
class Fault:
    """What a request is answered, once: a status, or a function that is called before the true answer."""

    method: str
    path: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    before: Callable[[], None] | None = None
    after: bool = False
    """Do what was asked, and answer the status all the same, as a gateway does that loses the answer."""


@dataclass
class Hub:
    """The server's memory.

    Attributes:
        url: its address.
        repositories: by name.
        objects: sha256 -> bytes of all files.
        puts: sha256 -> how often it was uploaded.
        log: method and path of all requests.
        tokens: what clients sent as their tokens.
        faults: what still goes wrong.
        denied: whether tokens are refused.
        xet: folder of the store of large files; None = they come over LFS.
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    puts: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    denied: bool = False
    xet: Path | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def store(self, data: bytes, *, is_large: bool = False) -> Stored:
        """Keep a file's bytes."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.objects[sha256] = data
        return Stored(sha256, len(data), hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(), is_large)

    def repository(self, name: str, visibility: str = "private", **files: bytes) -> Repository:
        """Make a repository."""
        made = self.repositories[name] = Repository(visibility)
        made.commit({".gitattributes": self.store(b"*.parquet filter=lfs\n")}, "initial commit")
        if files:
            made.commit(made.commits[made.refs["main"]] | {path: self.store(data) for path, data in files.items()}, "by hand")
        return made

    def fault(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with a request, and forget it."""
        with self.lock:
            for one in self.faults:
                if one.method == method and re.search(one.path, path):
                    self.faults.remove(one)
                    return one
        return None


@dataclass
class Answer:
    """A reply."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
