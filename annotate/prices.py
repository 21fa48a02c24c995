"""What providers charge, as data with a date. Check it against the providers' price pages before a large run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

AS_OF: Final = "2025-10-01"
"""Day to which the table refers: Google's public list prices of the paid tier, prompts of up to 200,000 tokens."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars per million tokens."""

    text_input: float
    audio_input: float
    output: float

    def usd(self, *, text_tokens: float, audio_tokens: float, output_tokens: float) -> float:
        """Return what that many tokens cost."""
        return (text_tokens * self.text_input + audio_tokens * self.audio_input + output_tokens * self.output) / 1e6


PRICES: Final[Mapping[str, Price]] = {
    "gemini-2.0-flash": Price(text_input=0.10, audio_input=0.70, output=0.40),
    "gemini-2.5-flash-lite": Price(text_input=0.10, audio_input=0.30, output=0.40),
    "gemini-2.5-flash": Price(text_input=0.30, audio_input=1.00, output=2.50),
    "gemini-2.5-pro": Price(text_input=1.25, audio_input=1.25, output=10.00),
}
