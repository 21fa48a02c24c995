"""What a text to be spoken may be."""

from typing import Final

LONGEST_TEXT: Final = 2000
"""Characters of one text: about two minutes of speech. More is a whole chapter or a damaged row; no engine here is made for
more, and no judge listens to more."""
