"""Errors of object stores, whose libraries have exceptions of their own beside the operating system's."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from fsspec.implementations.local import LocalFileSystem

from contracts.errors import StorageError, UnisrmError

STORE_ADVICE: Final = (
    "check that the store can be reached, that the bucket is there and that this machine has the right credentials, "
    "then run the same command again"
)


@contextlib.contextmanager
def store_errors(filesystem: Any, what: str) -> Iterator[None]:
    """Turn an error of a store's library, such as of a lost connection, into a ``StorageError`` that says what to do.

    An ``OSError`` passes, as do this project's errors and all errors of a local disk: what they mean depends on the place.

    Args:
        filesystem: of fsspec.
        what: what is done, for the message: ``reading s3://...``.
    """
    try:
        yield
    except (OSError, UnisrmError):
        raise
    except Exception as error:
        if isinstance(filesystem, LocalFileSystem):
            raise
        # Each library has its own exceptions, which cannot be named without importing it.
        raise StorageError(f"{what}: {in_one_line(error)}; {STORE_ADVICE}") from error


def in_one_line(error: BaseException) -> str:
    """Return an error's message, with its type where the message needs one."""
    message = " ".join(str(error).split())
    return message if isinstance(error, OSError) and message else f"{type(error).__name__} {message}".rstrip()
