"""Options of ``unisrm-data annotate``: the test's address, the proxies in front of it, and what languages a listener knows."""

import contextlib
import ipaddress
import re
from typing import TYPE_CHECKING, Final

from contracts.errors import DamagedState, RecipeError
from contracts.languages import language_hint, language_of
from flows.run.settings import Settings

if TYPE_CHECKING:
    from flows.run.pipeline import Build

ADDRESS: Final = "listening.url"
"""File of a workspace with the address at which its test was last served."""


def address_of(build: "Build", given: str | None, port: int | None = None) -> str:
    """Return the test's address for listeners: the option, the setting, this machine's port, or the last one served."""
    known = given or Settings().listening_url
    if known is not None and not _is_address(known):
        raise RecipeError(f"--base-url {known!r}: write where listeners reach the test, such as https://listen.example.org")
    if known is None and port is None:
        with contextlib.suppress(FileNotFoundError):
            known = build.workspace.read(ADDRESS).decode("utf-8", "replace").strip()
            if not _is_address(known):
                raise DamagedState(
                    f"{build.workspace.path(ADDRESS)} holds no address: give --base-url, or serve the test again"
                )
    return (known or f"http://127.0.0.1:{port or 8000}").rstrip("/")


def _is_address(url: str) -> bool:
    return re.fullmatch(r"https?://[^\s/?#]+[!-~]*", url) is not None


def proxies_of(given: list[str] | None) -> list[str]:
    """Return the addresses or networks of trusted proxies, by the option or the setting.

    Raises:
        RecipeError: one of them is no address.
    """
    named = given or (Settings().listening_proxy or "").split(",")
    proxies = []
    for proxy in filter(None, map(str.strip, named)):
        try:
            network = ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise RecipeError(f"--proxy {proxy!r}: write the address or network of a proxy, such as 127.0.0.1") from None
        proxies.append(str(network.network_address) if network.num_addresses == 1 else str(network))
    return proxies


def levels_of(given: list[str]) -> dict[str, str]:
    """Read ``language=level``."""
    from annotate.people.store.listening_settings import LEVELS

    levels: dict[str, str] = {}
    given_as: dict[str, str] = {}
    for item in given:
        language, sign, level = item.partition("=")
        if not sign or level not in LEVELS:
            raise RecipeError(f"--level {item!r}: write LANGUAGE=LEVEL, the level one of {', '.join(LEVELS)}")
        if (known := language_of(language)) is None:
            raise RecipeError(f"--level {item!r}: there is no language {language!r}: {language_hint(language)}")
        if (other := given_as.setdefault(known, item)) != item:
            raise RecipeError(f"--level {other!r} and {item!r} are of one language, {known}: keep one")
        levels[known] = level
    return levels
