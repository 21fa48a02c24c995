"""The key of a listening test's links, sessions and draws: a setting, or a file of the workspace."""

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Final

from contracts.errors import SetupError
from flows.settings import Settings
from storage.private_files import require_private

if TYPE_CHECKING:
    from flows.pipeline import Build

_SECRET: Final = "listening.secret"  # noqa: S105 - the name of a file


def secret_of(build: "Build") -> str:
    """Return the key of the test's links: the setting, or a file of the workspace that only its owner reads; made if missing.

    Raises:
        SetupError: there is neither, and no local folder for a file; or others than its owner can read the file.
    """
    configured = Settings().listening_secret
    if configured is not None:
        return configured.get_secret_value()
    if not build.workspace.is_local:
        raise SetupError(
            f"workspace {build.workspace.url} is not on a local disk: set UNISRM_LISTENING_SECRET to a long random text"
        )
    path = build.workspace.local_path(_SECRET)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{_SECRET}.{secrets.token_hex(4)}")
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(secrets.token_urlsafe(32))
            try:
                os.link(fresh, path)  # two at once: the first one's stays
            finally:
                fresh.unlink()
    require_private(path, "the listening test's secret")
    return path.read_text(encoding="ascii").strip()
