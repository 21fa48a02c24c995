"""A small object of an object store that several processes change, by conditional writes.

Stores report a failed condition differently: S3FS raises a ``FileExistsError`` or a plain ``OSError``, depending on the server.
So whether a write succeeded is decided by the object's content afterwards, not by the error.
"""

import contextlib
import errno
import secrets
from dataclasses import dataclass
from typing import Any, Final

from contracts.errors import StorageError

_REFUSED: Final = (errno.EEXIST, errno.EINVAL)  # 412 Precondition Failed, in S3FS' words
_WRONG_TAG: Final = f'"{"0" * 32}"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """An object's content at one time.

    Attributes:
        data: its bytes.
        tag: the store's tag of this version, for conditional replacement; None if it has none.
    """

    data: bytes
    tag: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Conditions:
    """Conditions of writes that a store honours, beside exclusive creation.

    Attributes:
        by_tag: replacement of a given version only (``If-Match``).
    """

    by_tag: bool


class SharedObject:
    """One object of a store."""

    def __init__(self, filesystem: Any, path: str, conditions: Conditions) -> None:
        self._fs, self._path, self._conditions = filesystem, path, conditions

    def read(self) -> Version | None:
        """Return its current version; None = it does not exist."""
        try:
            # The tag is read first: if the object changes in between, a write conditional on the tag fails, as it should.
            tag = self._fs.call_s3("head_object", **self._place())["ETag"] if self._conditions.by_tag else None
            return Version(data=bytes(self._fs.cat_file(self._path)), tag=tag)
        except FileNotFoundError:
            return None

    def create(self, data: bytes) -> Version | None:
        """Write it if it does not exist; return None if it does.

        Raises:
            OSError: the store fails.
        """
        failure: OSError | None = None
        try:
            self._fs.pipe_file(self._path, data, mode="create")
        except OSError as error:
            failure = error
        found = self.read()  # also after an error: if the answer to a first attempt is lost, the second one fails
        if found is None and failure is not None:
            raise failure
        return found if found is not None and found.data == data else None

    def change(self, data: bytes, seen: Version) -> Version | None:
        """Replace it if it is still the version seen; return None if it is not.

        Without tags, two processes that do this at the same moment may both succeed.

        Raises:
            OSError: the store fails.
        """
        if seen.tag is None:
            found = self.read()
            if found is None or found.data != seen.data:
                return None
            self._fs.pipe_file(self._path, data)
            return Version(data=data, tag=None)
        try:
            written = self._fs.call_s3("put_object", **self._place(), Body=data, IfMatch=seen.tag)
        except OSError:
            found = self.read()
            if found == seen:
                raise
            return found if found is not None and found.data == data else None
        return Version(data=data, tag=written["ETag"])

    def remove(self) -> None:
        """Remove it if it exists."""
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path)

    def _place(self) -> dict[str, str]:
        bucket, key, _ = self._fs.split_path(self._path)
        return {"Bucket": bucket, "Key": key}


_known: Final[dict[tuple[Any, str], Conditions]] = {}


def conditions_of(filesystem: Any, root: str) -> Conditions:
    """Return the conditions that the store below ``root`` honours, found by a probe once per process and bucket.

    Raises:
        StorageError: it ignores exclusive creation, so that two builds could lock one workspace.
        OSError: the store fails.
    """
    where = filesystem, root.lstrip("/").partition("/")[0]
    if where not in _known:
        probe = f"{root}/.probe-{secrets.token_hex(8)}"
        try:
            _known[where] = _probed(filesystem, probe)
        finally:
            with contextlib.suppress(Exception):
                filesystem.rm_file(probe)
    return _known[where]


def _probed(filesystem: Any, probe: str) -> Conditions:
    try:
        filesystem.pipe_file(probe, b"first", mode="create")
        exclusive = _refuses(filesystem, probe, mode="create")
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        exclusive = False
    if not exclusive:
        raise StorageError(
            f"the object store of {probe.rpartition('/')[0]} ignores conditional writes (If-None-Match), so that two builds "
            "could write there at once: use a store that honours them, such as Amazon S3, MinIO or SeaweedFS, or a local folder"
        )
    speaks_s3 = "s3" in filesystem.protocol and hasattr(filesystem, "call_s3")
    return Conditions(by_tag=speaks_s3 and _refuses(filesystem, probe, IfMatch=_WRONG_TAG))


def _refuses(filesystem: Any, probe: str, **condition: str) -> bool:
    """Tell whether a write whose condition is not met leaves the object unchanged."""
    try:
        filesystem.pipe_file(probe, b"second", **condition)
    except OSError as error:
        if error.errno not in _REFUSED and not isinstance(error, FileExistsError):
            raise
    return bool(filesystem.cat_file(probe) == b"first")
