"""The Hub's names of licences, languages and sizes, for the header of a data set card."""

import re
from collections.abc import Iterable
from typing import Final

# SPDX identifiers whose name on the Hub is not their own in lower case.
from contracts.languages import base_language

_HUB_LICENSES: Final = {
    "GPL-2.0-only": "gpl-2.0",
    "GPL-2.0-or-later": "gpl-2.0",
    "GPL-3.0-only": "gpl-3.0",
    "GPL-3.0-or-later": "gpl-3.0",
    "LGPL-3.0-only": "lgpl-3.0",
    "LGPL-3.0-or-later": "lgpl-3.0",
}
_HUB_KNOWN: Final = frozenset(
    {
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "cc-by-2.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nd-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "gpl-2.0",
        "gpl-3.0",
        "lgpl-3.0",
        "mpl-2.0",
        "isc",
        "zlib",
        "unlicense",
    }
)

_NO_LANGUAGE: Final = re.compile(r"und|mul|mis|zxx|q[a-t][a-z]")
"""ISO 639 codes of no one language: undetermined, several, uncoded, none, and those for private use."""

_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def hub_license(spdx: str) -> str:
    """Return the Hub's identifier of a licence; ``other`` if it has none."""
    name = _HUB_LICENSES.get(spdx, spdx.lower())
    return name if name in _HUB_KNOWN else "other"


def hub_languages(tags: Iterable[str]) -> list[str]:
    """Return the ISO 639 codes of BCP 47 tags, sorted: the Hub takes two or three small letters and no regions or scripts.

    ``mixed`` is Chinese and English. Tags that name no language are left out.
    """
    found = set[str]()
    for tag in tags:
        code = base_language(tag)
        found |= {"en", "zh"} if code == "mixed" else {code}
    return sorted(code for code in found if re.fullmatch(r"[a-z]{2,3}", code) and not _NO_LANGUAGE.fullmatch(code))


def size_category(rows: int) -> str:
    """Return the Hub's word for a number of rows."""
    return next((word for limit, word in _SIZES if rows < limit), "n>10M")
