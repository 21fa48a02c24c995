"""The key of a listening test's links, sessions and draws: a setting, or a file of the workspace."""

import contextlib
import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Final

from contracts.errors import DamagedState, SetupError
from flows.run.settings import Settings
from storage.private_files import require_private

if TYPE_CHECKING:
    from flows.run.pipeline import Build

_LEAST_SECRET: Final = 16
_SECRET: Final = "listening.secret"  # noqa: S105 - the name of a file


def secret_of(build: "Build") -> str:
    """Return the key of the test's links: the setting, or a file of the workspace readable by its owner only; made if missing.

    Raises:
        SetupError: there is neither, and no local folder for a file; or other users can read the file.
        OtherDatabase: the file used before is gone, or another one is in its place.
        DamagedState: the file holds no key.
    """
    configured = Settings().listening_secret
    if configured is not None:
        if len(configured.get_secret_value()) < _LEAST_SECRET:
            raise SetupError(f"UNISRM_LISTENING_SECRET is no long random text: it needs at least {_LEAST_SECRET} characters")
        return configured.get_secret_value()
    if not build.workspace.is_local:
        raise SetupError(
            f"workspace {build.workspace.url} is not on a local disk: set UNISRM_LISTENING_SECRET to a long random text"
        )
    from annotate.database_identity import require_same
    from flows.run.known import WHAT, remember, require_there
    from storage.local_files import storage_errors

    path = build.workspace.local_path(_SECRET)
    known = require_there(build, "secret", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{_SECRET}.{secrets.token_hex(4)}")
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(secrets.token_urlsafe(32))
            try:
                os.link(fresh, path)  # of two processes at once, the first one's file is kept
            finally:
                fresh.unlink()
    with storage_errors(f"reading {path}"):
        require_private(path, "the listening test's secret")
        found = path.read_bytes().strip()
    if len(found) < _LEAST_SECRET or not found.isascii() or not found.decode("ascii").isprintable():
        raise DamagedState(
            f"{path} holds no key: restore it from a backup, or remove it and run `unisrm-data accept RECIPE secret`, "
            "which makes all links sent so far void"
        )
    identity = hashlib.sha256(b"known/" + found).hexdigest()[:32]  # does not reveal the 256 random bits
    if known is not None:
        require_same(known, identity, what=WHAT["secret"], name="secret", where=str(path))
    remember(build, "secret", identity, str(path))
    return found.decode("ascii")
