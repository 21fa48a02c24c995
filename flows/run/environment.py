"""The environment of processes that must not see keys."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from contracts.secret_variables import without_looking_secret
from flows.run.settings import SECRETS

CREDENTIALS: Final = frozenset(
    {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SHARED_CREDENTIALS_FILE",
        "FSSPEC_S3_KEY",
        "FSSPEC_S3_SECRET",
        "FSSPEC_S3_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_SAS_TOKEN",
    }
)
"""Environment variables with credentials of object stores, where workers read recordings and write clips."""

_KEPT: Final = re.compile("|".join(["(?i:RAY_.*|.*_PROXY)", *sorted(CREDENTIALS)]))
"""Kept: those credentials, Ray's own token, and proxies, whose login may be needed to reach a bucket."""

_MACHINE: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "DO_NOT_TRACK"}
)


def without_secrets(environment: Mapping[str, str], declared: Collection[str] = ()) -> dict[str, str]:
    """Return an environment without keys, tokens, passwords and URLs with a login.

    Kept are the credentials of object stores (``CREDENTIALS``), Ray's own token, and proxies.

    Args:
        environment: the environment of this process.
        declared: names of further secrets, such as those that judges declare.
    """
    return without_looking_secret(environment, never={*declared, *SECRETS}, kept=_KEPT)


def server_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a private Prefect server needs of an environment: Prefect's settings, paths and locale."""
    return {
        name: value
        for name, value in environment.items()
        if name in _MACHINE or (name.startswith(("LC_", "XDG_", "PYTHON", "PREFECT_")) and name != "PREFECT_API_KEY")
    }
