"""Licences as all tables name them: SPDX licence expressions (SPDX 3.0, annex B)."""

import re
from difflib import get_close_matches
from typing import Annotated, Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.licenses._spdx import LICENSES
from pydantic import AfterValidator

UNSTATED: Final = "NOASSERTION"
"""SPDX's word for a licence that nobody stated."""

_WANTS_CREDIT: Final = re.compile(r"\b(?:CC-BY|ODC-By|ODbL|OGL-UK|OGL-Canada|NLOD|DL-DE-BY|etalab)-")
_NON_COMMERCIAL: Final = re.compile(
    r"\bCC-BY-NC|\bPolyForm-Noncommercial|\bLicenseRef-[A-Za-z0-9.-]*NonCommercial", re.IGNORECASE
)


def licence_of(stated: str) -> str | None:
    """Return a licence as a canonical SPDX expression; None if it is none. ``LicenseRef-NAME`` is one, too."""
    try:
        return str(canonicalize_license_expression(stated))
    except InvalidLicenseExpression:
        return None


def licence_hint(stated: str) -> str:
    """Return what to write in place of a licence that ``licence_of`` does not know."""
    close = get_close_matches("-".join(stated.lower().split()), LICENSES, n=1, cutoff=0.75)
    known = f"did you mean {LICENSES[close[0]]['id']!r}? If not, " if close else ""
    return f"{known}write an SPDX expression, or LicenseRef-NAME for a licence that SPDX does not list"


def wants_credit(licence: str) -> bool:
    """Tell whether a licence asks whoever passes its work on to name who made it, as CC-BY and open data do."""
    return bool(_WANTS_CREDIT.search(licence))


def is_non_commercial(licence: str) -> bool:
    """Tell whether a part of a licence forbids commercial use: by SPDX identifier, or as ``LicenseRef-...NonCommercial``."""
    return bool(_NON_COMMERCIAL.search(licence))


def obstacles_to_publishing(licence: str | None) -> dict[str, str]:
    """Return the licences of an expression that do not show that everybody may be given the work, each with the reason.

    Both sides of an OR count, although one would be enough: a person may decide that (``unisrm-data release --permitted``).

    Args:
        licence: SPDX expression; None or an empty one counts as ``UNSTATED``.
    """
    parts = re.split(r" WITH [A-Za-z0-9.-]+| AND | OR |[()]", licence or UNSTATED)
    found = {part.strip(): _obstacle(part.strip()) for part in parts if part.strip()}
    return {part: why for part, why in found.items() if why is not None}


def _obstacle(licence: str) -> str | None:
    if licence == UNSTATED:
        return "nobody stated a licence"
    if is_non_commercial(licence):
        return "forbids commercial use"
    return "has terms that only people can read" if licence.startswith("LicenseRef-") else None


def _known(stated: str) -> str:
    if (licence := licence_of(stated)) is None:
        raise ValueError(f"there is no licence {stated!r}: {licence_hint(stated)}")
    return licence


Licence = Annotated[str, AfterValidator(_known)]
"""A licence in an option: any spelling that SPDX accepts, read as the canonical one."""
