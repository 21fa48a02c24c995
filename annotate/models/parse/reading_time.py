"""Reading time: about how long it takes to read a text of English, Chinese or both aloud, from its words and characters."""

import re
from typing import Final

from contracts.text_identity import HAN, folded

WORDS_PER_S: Final = 2.6
"""English: the 155 words a minute at which audiobooks are read."""

CHARACTERS_PER_S: Final = 4.5
"""Chinese: 5.2 syllables a second without pauses (Pellegrino et al., Language 87, 2011), one a character, and pauses."""

_HAN: Final = re.compile(f"[{HAN}]")
_WORD: Final = re.compile(rf"[^\W_{HAN}]+(?:['\u2019.,][^\W_{HAN}]+)*")


def reading_time_s(text: str) -> float:
    """Return the estimated seconds: Chinese characters and other words, each at the rate of their language."""
    plain = folded(text)
    return len(_HAN.findall(plain)) / CHARACTERS_PER_S + len(_WORD.findall(plain)) / WORDS_PER_S
