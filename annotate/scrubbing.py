"""Taking a key out of what a server says: some echo it, and what they say is kept."""

import re
from functools import lru_cache


@lru_cache(maxsize=16)
def _pattern(secret: str) -> re.Pattern[str]:
    # JSON may write any character as an escape.
    return re.compile("".join(rf"(?:{re.escape(one)}|\\u(?i:{ord(one):04x}))" for one in secret))


def scrub(text: str, secret: str) -> str:
    """Return the text with stars for every secret in it, written plainly or with JSON's escapes."""
    return _pattern(secret).sub("***", text)
