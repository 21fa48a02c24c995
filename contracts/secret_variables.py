"""Which environment variables hold a secret, by their names and values."""

import re
from collections.abc import Collection, Mapping
from typing import Final

_SECRET_NAME: Final = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)S?(_|$)|_(AUTH|PAT|DSN)(_|$)", re.IGNORECASE
)
_LOGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://([^\s/@]*:[^\s/@]+@|\S*[?&]password=)", re.IGNORECASE)


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a variable is named like a key, token or password, or its value is a URL with a login."""
    return bool(_SECRET_NAME.search(name) or _LOGIN.search(value))


def without_looking_secret(variables: Mapping[str, str], *, never: Collection[str], kept: re.Pattern[str]) -> dict[str, str]:
    """Return the variables that do not look like a secret.

    Args:
        variables: name -> value.
        never: names of variables that are left out, whatever they look like.
        kept: what the whole name of a variable that is kept matches, whatever it looks like.
    """
    return {
        name: value
        for name, value in variables.items()
        if name not in never and (kept.fullmatch(name) or not looks_secret(name, value))
    }
