"""Folders that appear whole or not at all."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from contracts.errors import DataError
from storage.local_files import storage_errors, sync


@contextlib.contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of ``final``; on success flush it to the disk and rename it, on error remove it.

    Raises:
        DataError: something is at ``final`` already.
        StorageError: the disk refuses.
    """
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise DataError(f"{final} is there already: name a folder that is not, or remove it")
    with storage_errors(str(final)):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".tmp", dir=final.parent))
        try:
            temporary.chmod(0o755)
            yield temporary
            for path in [*temporary.rglob("*"), temporary]:
                sync(path)
            temporary.replace(final)
            sync(final.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
