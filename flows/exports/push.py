"""Publishing a release: a private repository on the Hub, its files, a tag, a comparison, and only then other readers.

Every step is skipped where it is done already, so that a push that failed or was killed is carried on by another one.
"""

import hashlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.errors import DamagedPart, DataError, RecipeError, StorageError
from contracts.licences import UNSTATED, obstacles_to_publishing
from flows.exports.hub import MAIN, Gate, HubFile, HubRepository, HubUnavailable, Visibility
from flows.exports.named_release import NamedRelease
from storage import release_manifest
from storage.local_files import storage_errors
from storage.release_manifest import MANIFEST, File, Manifest
from storage.release_verification import verify_release
from storage.store_errors import store_errors

_PAUSES_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
"""Between the attempts, unless the Hub says how long to wait."""

_LICENCE: Final = "license"
_NAMED: Final = 3
"""How many files or problems a message names."""


@dataclass(frozen=True, kw_only=True)
class Push:
    """Where a release goes, and who may see it.

    Attributes:
        repository: where to.
        public: everybody may see it in the end.
        gate: how those who ask for the files of a public repository get them; None = as it is.
        permitted: licences that permit the publication, as the user vouches, although that cannot be told from their names.
        pauses_s: seconds between attempts; as many attempts and one more are made.
        sleep: waits for some seconds.
        say: is given a line on each step.
    """

    repository: HubRepository
    public: bool = False
    gate: Gate | None = None
    permitted: Collection[str] = ()
    pauses_s: Sequence[float] = _PAUSES_S
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = field(default=lambda line: print(line, file=sys.stderr))


def push_release(release: NamedRelease, push: Push) -> str:
    """Publish a release and return its address.

    Args:
        release: the release, as a whole.
        push: where to and how.

    Raises:
        RecipeError: the options contradict each other or the repository, or a part of a collection is meant.
        DataError: licences of rows do not permit the publication, the version's tag has other content, or the repository holds
            what is of no release.
        SetupError: there is no token, or it may not write.
        DamagedPart: the release has a problem.
        StorageError: the Hub cannot be reached, or holds something else than what was sent.
    """
    if release.part is not None:
        raise RecipeError(f"a release is pushed as a whole: leave #{release.part} out")
    if push.gate is not None and not push.public:
        raise RecipeError("--gated is about who may load a public data set: add --public")
    with _local_copy(release) as folder:
        push.say(f"verifying {folder}")
        found = verify_release(str(folder))
        if found.problems:
            raise DamagedPart(f"{found}: {_some(found.problems)}; build the release again")
        attempt = _Attempt(push, folder)
        if push.public:
            require_publishable(licences_of(folder, attempt.files), push.permitted)
        for pause in push.pauses_s:
            try:
                return attempt.run()
            except HubUnavailable as error:
                wait_s = pause if error.wait_s is None else error.wait_s
                push.say(f"{error} (tried again in {wait_s:g} s)")
                push.sleep(wait_s)
        return attempt.run()


def licences_of(folder: Path, files: Sequence[File]) -> Counter[str | None]:
    """Return the licences of all rows of a local release -> rows; None where a row has none."""
    found: Counter[str | None] = Counter()
    for file in files:
        if file.rows is None:
            continue
        shard = pq.ParquetFile(folder / file.path)
        if _LICENCE not in shard.schema_arrow.names:
            found[None] += file.rows
            continue
        for batch in shard.iter_batches(columns=[_LICENCE]):
            found.update({one["values"]: one["counts"] for one in pc.value_counts(batch[_LICENCE]).to_pylist()})
    return found


def require_publishable(licences: Mapping[str | None, int], permitted: Collection[str] = ()) -> None:
    """Refuse to publish rows of which nothing shows that everybody may have them.

    Args:
        licences: licences of rows -> rows.
        permitted: licences that permit it, as the user vouches; an unstated licence permits nothing.

    Raises:
        DataError: names the licences, the reasons and how many rows have them.
    """
    rows, reasons = Counter[str](), dict[str, str]()
    for licence, count in licences.items():
        for part, why in obstacles_to_publishing(licence).items():
            if part == UNSTATED or part not in permitted:
                rows[part] += count
                reasons[part] = why
    if rows:
        told = "; ".join(f"{licence} {reasons[licence]} ({count} rows)" for licence, count in sorted(rows.items()))
        raise DataError(
            f"--public: {told}: leave --public out, build a release without these rows, or, where a stated licence permits "
            "what you do, say so by --permitted LICENCE"
        )


class _Attempt:
    """One attempt to push a local release.

    Attributes:
        files: all of its files, the manifest too.
    """

    def __init__(self, push: Push, folder: Path) -> None:
        self._push, self._hub, self._folder = push, push.repository, folder
        manifest = release_manifest.read_whole(*_opened(folder))
        self._tag = f"v{manifest.version}"
        self.files = [*manifest.files, _entry(folder / MANIFEST)]

    def run(self) -> str:
        """Push, from where the last attempt stopped."""
        say, hub = self._push.say, self._hub
        self._make_room()
        if (commit := hub.commit_of(self._tag)) is not None:
            if found := self._differences(commit):
                raise DataError(
                    f"{hub.name} on the Hub has a tag {self._tag} with other content ({_some(found)}): a version never "
                    "changes; raise the recipe's version, build, and push that release"
                )
            say(f"{self._tag} is there already, and equal to the release")
        else:
            commit = self._uploaded()
            say(f"comparing commit {commit[:8]} with {MANIFEST}")
            if found := self._differences(commit):
                raise StorageError(
                    f"{hub.name} on the Hub differs from the release after the upload ({_some(found)}): no tag was made, and "
                    "its visibility is as before; run the same command again"
                )
            hub.tag(self._tag, commit)
            if (tagged := hub.commit_of(self._tag)) != commit:
                raise StorageError(
                    f"{hub.name} on the Hub: {self._tag} names {tagged}, not {commit}: somebody else made that tag"
                )
        self._show()
        return hub.url(self._tag)

    def _make_room(self) -> None:
        """Create the repository, private; of one that is public already put up the gate before it gets new files."""
        there, push = self._hub.visibility(), self._push
        if there is None:
            push.say(f"creating {self._hub.name}, private")
            self._hub.create()
        elif there.public and not push.public:
            raise RecipeError(f"{self._hub.name} on the Hub is public: add --public, or make it private there first")
        elif there.public and push.gate not in (None, there.gate):
            self._hub.set_visibility(Visibility(public=True, gate=push.gate))

    def _show(self) -> None:
        """Let everybody see it, if that is wanted, with the gate."""
        wanted, there = self._push, self._hub.visibility()
        if wanted.public and there is not None and not (there.public and wanted.gate in (None, there.gate)):
            wanted.say(f"making {self._hub.name} public" + ("" if wanted.gate is None else f", gated: {wanted.gate}"))
            self._hub.set_visibility(Visibility(public=True, gate=wanted.gate))

    def _uploaded(self) -> str:
        """Return the commit of the main branch that holds the release; upload it if that is not there."""
        hub, head = self._hub, self._hub.commit_of(MAIN)
        if head is None:
            raise StorageError(f"{hub.name} on the Hub has no branch {MAIN}")
        if not self._differences(head):
            return head
        stale = self._stale(head)
        self._push.say(f"uploading {len(self.files)} files, {sum(file.size_bytes for file in self.files):,} bytes")
        return hub.upload(self._folder, f"Release {self._tag}", parent=head, delete=stale)

    def _stale(self, commit: str) -> list[str]:
        """Return the files of an earlier release that this one does not have.

        Raises:
            DataError: the repository holds something that is of no release: it may be another data set.
        """
        wanted = {file.path for file in self.files}
        others = sorted(set(self._hub.files(commit)) - wanted)
        earlier = {file.path for file in self._earlier(commit).files} if others else set[str]()
        if foreign := [path for path in others if path not in earlier]:
            raise DataError(
                f"{self._hub.name} on the Hub has files of no release ({_some(foreign)}): remove them there, or name another "
                "repository"
            )
        return others

    def _earlier(self, commit: str) -> Manifest:
        """Return the manifest of a commit; one without files if there is none that can be read."""
        if MANIFEST in self._hub.files(commit):
            with tempfile.TemporaryDirectory(prefix="push-") as temporary:
                self._hub.download(MANIFEST, commit, Path(temporary))
                try:
                    return release_manifest.read_whole(*_opened(Path(temporary)))
                except DamagedPart:
                    pass
        return Manifest(version="", files=[], compartments={})

    def _differences(self, commit: str) -> list[str]:
        """Return the paths of the files that a commit has otherwise than the release, or that only one of them has."""
        there = self._hub.files(commit)
        found = {file.path for file in self.files if not self._is_equal(there.get(file.path), file, commit)}
        return sorted(found | (set(there) - {file.path for file in self.files}))

    def _is_equal(self, there: HubFile | None, file: File, commit: str) -> bool:
        """Compare a file; the Hub itself has computed the sha256 of large ones, the others are read back."""
        if there is None or there.size_bytes != file.size_bytes:
            return False
        if there.sha256 is not None:
            return there.sha256 == file.sha256
        with tempfile.TemporaryDirectory(prefix="push-") as temporary:
            return _sha256(self._hub.download(file.path, commit, Path(temporary))) == file.sha256


@contextmanager
def _local_copy(release: NamedRelease) -> Iterator[Path]:
    """Yield the folder of a release on a local disk; one in a bucket is copied, and the copy removed afterwards."""
    workspace = release.workspace
    if workspace.is_local:
        yield workspace.local_path(release.folder)
        return
    filesystem, root = workspace.filesystem, workspace.path(release.folder)
    with tempfile.TemporaryDirectory(prefix="push-") as temporary:
        folder = Path(temporary) / release.name
        for path in [MANIFEST, *(file.path for file in release_manifest.read(filesystem, root))]:
            target = folder / path
            if not target.resolve().is_relative_to(folder.resolve()):
                raise DamagedPart(f"{root}/{MANIFEST} names {path}, outside of the release: build it again")
            with storage_errors(str(target), "folder with TMPDIR"):
                target.parent.mkdir(parents=True, exist_ok=True)
                with store_errors(filesystem, f"reading {root}/{path}"):
                    filesystem.get_file(f"{root}/{path}", str(target))
        yield folder


def _opened(folder: Path) -> tuple[object, str]:
    from fsspec.implementations.local import LocalFileSystem

    return LocalFileSystem(), str(folder)


def _entry(path: Path) -> File:
    return File(path=path.name, sha256=_sha256(path), size_bytes=path.stat().st_size, rows=None)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _some(things: Sequence[object]) -> str:
    more = len(things) - _NAMED
    return ", ".join(map(str, things[:_NAMED])) + (f" and {more} more" if more > 0 else "")
