"""Names of the recordings of TMHINT, the Taiwan Mandarin hearing in noise test.

``TMHINT_g4_32_03`` is sentence 3 of list 32, read by the speaker g4.
"""

import re
from typing import Final

_NAME: Final = re.compile(r"(?:TMHINT_)?(?P<speaker>[bg][0-9])_(?P<list>[0-9]{2})_(?P<sentence>[0-9]{2})")


def speaker_and_content(name: str) -> tuple[str, str] | None:
    """Return who speaks which sentence; None for another name. All speakers read the same sentences."""
    named = _NAME.fullmatch(name)
    return named and (named["speaker"], f"TMHINT_{named['list']}_{named['sentence']}")
