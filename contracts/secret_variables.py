"""Which environment variables hold a secret, by their names and values."""

import re
from typing import Final

_SECRET_NAME: Final = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)S?(_|$)|_(AUTH|PAT|DSN)(_|$)", re.IGNORECASE
)
_LOGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://([^\s/@]*:[^\s/@]+@|\S*[?&]password=)", re.IGNORECASE)


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a variable is named like a key, token or password, or its value is a URL with a login."""
    return bool(_SECRET_NAME.search(name) or _LOGIN.search(value))
