"""What providers charge, as data with a date. Check it against the providers' price pages before a large run.

A recipe overrides a price with its judge's ``usd_per_million``. Discounts for input that a provider had cached are not
counted: a bill may be lower than what is booked here, never higher.

What was checked, and how:

- Gemini: Google's public list, paid tier, prompts of up to 200,000 tokens.
- OpenAI: the model pages and price tables at developers.openai.com as third parties copied them, the youngest copies from
  September 2026; the page itself was not read. Two things rest on less. ``gpt-audio``: a copy of its page from 2025 states $40
  for audio input, all copies from 2026 state $32, which is used here. Batches: OpenAI's help page says half the price for
  "each model", but lists no audio model, and no copy says that one is accepted in a batch. A dated snapshot of a model can
  cost something else than the model (``gpt-4o-audio-preview-2024-10-01`` once cost $100), so that only the names below
  have a price.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

P = TypeVar("P")


@dataclass(frozen=True, kw_only=True)
class Price:
    """US dollars per million tokens.

    Attributes:
        text_input: of text, and of all that is no audio.
        audio_input: of audio.
        output: of text that comes back, thoughts included.
        batch: share of these prices that a request in a batch costs.
    """

    text_input: float
    audio_input: float
    output: float
    batch: float = 0.5

    def usd(self, *, text_tokens: float, audio_tokens: float, output_tokens: float, batch: bool = False) -> float:
        """Return what that many tokens cost."""
        one_by_one = text_tokens * self.text_input + audio_tokens * self.audio_input + output_tokens * self.output
        return one_by_one * (self.batch if batch else 1.0) / 1e6


FREE: Final = Price(text_input=0.0, audio_input=0.0, output=0.0)
"""A model on a machine of one's own."""


@dataclass(frozen=True, kw_only=True)
class PriceList(Generic[P]):
    """The prices of one provider.

    Attributes:
        as_of: day to which they refer, ISO 8601.
        source: where they are from.
        prices: model -> price.
    """

    as_of: str
    source: str
    prices: Mapping[str, P]


PRICE_LISTS: Final[Mapping[str, PriceList[Price]]] = {
    "gemini": PriceList(
        as_of="2025-10-01",
        source="https://ai.google.dev/gemini-api/docs/pricing, paid tier, prompts of up to 200,000 tokens",
        prices={
            "gemini-2.0-flash": Price(text_input=0.10, audio_input=0.70, output=0.40),
            "gemini-2.5-flash-lite": Price(text_input=0.10, audio_input=0.30, output=0.40),
            "gemini-2.5-flash": Price(text_input=0.30, audio_input=1.00, output=2.50),
            "gemini-2.5-pro": Price(text_input=1.25, audio_input=1.25, output=10.00),
        },
    ),
    # A model without ears has no price for audio; the one for text stands in, because a field must not be empty.
    "openai": PriceList(
        as_of="2026-09-20",
        source="https://developers.openai.com/api/docs/pricing, by third-party copies (see above), standard tier",
        prices={
            "gpt-4.1": Price(text_input=2.00, audio_input=2.00, output=8.00),
            "gpt-4.1-mini": Price(text_input=0.40, audio_input=0.40, output=1.60),
            "gpt-4o": Price(text_input=2.50, audio_input=2.50, output=10.00),
            "gpt-4o-mini": Price(text_input=0.15, audio_input=0.15, output=0.60),
            "gpt-audio": Price(text_input=2.50, audio_input=32.00, output=10.00),
            "gpt-audio-1.5": Price(text_input=2.50, audio_input=32.00, output=10.00),
            "gpt-audio-mini": Price(text_input=0.60, audio_input=10.00, output=2.40),
            "gpt-4o-audio-preview": Price(text_input=2.50, audio_input=40.00, output=10.00),
            "gpt-4o-mini-audio-preview": Price(text_input=0.15, audio_input=10.00, output=0.60),
        },
    ),
}

PRICES: Final[Mapping[str, Price]] = {model: price for part in PRICE_LISTS.values() for model, price in part.prices.items()}
"""Every model that has a known price."""


def price_of(model: str, usd_per_million: Sequence[float] | None) -> Price | None:
    """Return the price of a model; None where it is unknown.

    Args:
        model: its name.
        usd_per_million: a recipe's own prices (text input, audio input, output), which win over the lists.

    Raises:
        ValueError: these are not three numbers of 0 or more.
    """
    if usd_per_million is None:
        return PRICES.get(model)
    if len(usd_per_million) != 3 or not all(0 <= price < float("inf") for price in usd_per_million):
        raise ValueError("usd_per_million takes three numbers of 0 or more: text input, audio input, output")
    text, audio, output = usd_per_million
    return Price(text_input=text, audio_input=audio, output=output)


@dataclass(frozen=True, kw_only=True)
class SpeechPrice:
    """US dollars per million of what a speech service bills.

    Attributes:
        characters: characters of the text; for models that bill nothing else.
        text_input: tokens of text.
        audio_output: tokens of audio.
    """

    characters: float = 0.0
    text_input: float = 0.0
    audio_output: float = 0.0

    def usd(self, *, characters: int, text_tokens: float, audio_tokens: float) -> float:
        """Return what a reply costs."""
        return (characters * self.characters + text_tokens * self.text_input + audio_tokens * self.audio_output) / 1e6


FREE_SPEECH: Final = SpeechPrice()
"""A speech service on a machine of one's own."""


# Neither provider's page was read itself. The newer Gemini models cost half of this until the end of 2026.
SPEECH_PRICE_LISTS: Final[Mapping[str, PriceList[SpeechPrice]]] = {
    "gemini": PriceList(
        as_of="2027-01-01",
        source="https://ai.google.dev/gemini-api/docs/pricing, by third-party copies (of the 2.5 models from 2026-07-03) and "
        "github.com/BerriAI/litellm/discussions/42776 (November 2026)",
        prices={
            "gemini-3.8-flash-tts": SpeechPrice(text_input=1.00, audio_output=18.00),
            "gemini-3.8-flash-lite-tts": SpeechPrice(text_input=1.00, audio_output=12.00),
            "gemini-2.5-flash-preview-tts": SpeechPrice(text_input=0.50, audio_output=10.00),
            "gemini-2.5-pro-preview-tts": SpeechPrice(text_input=1.00, audio_output=20.00),
        },
    ),
    "openai": PriceList(
        as_of="2026-06-21",
        source="https://platform.openai.com/docs/pricing, by a third-party copy; the same as bills of 2025-11-02 "
        "(github.com/sanand0/blog, openai-tts-cost.md)",
        prices={
            "tts-1": SpeechPrice(characters=15.00),
            "tts-1-hd": SpeechPrice(characters=30.00),
            "gpt-4o-mini-tts": SpeechPrice(text_input=0.60, audio_output=12.00),
        },
    ),
}


def speech_price_of(
    provider: str, model: str, *, usd_per_million: Sequence[float] | None, usd_per_million_characters: float | None
) -> SpeechPrice | None:
    """Return the price of a model's speech; None where it is unknown.

    Args:
        provider: whose list is looked at.
        model: its name.
        usd_per_million: a recipe's own prices of tokens (text input, audio output), which win over the lists.
        usd_per_million_characters: a recipe's own price of characters, likewise.

    Raises:
        ValueError: both are given, or a price is no number of 0 or more.
    """
    if usd_per_million is None and usd_per_million_characters is None:
        return SPEECH_PRICE_LISTS[provider].prices.get(model)
    if usd_per_million is not None and usd_per_million_characters is not None:
        raise ValueError("a model bills tokens or characters: give usd_per_million or usd_per_million_characters")
    prices = usd_per_million if usd_per_million is not None else [usd_per_million_characters or 0.0, 0.0]
    if len(prices) != 2 or not all(0 <= price < float("inf") for price in prices):
        raise ValueError("usd_per_million takes two numbers of 0 or more: text input, audio output")
    if usd_per_million is None:
        return SpeechPrice(characters=prices[0])
    return SpeechPrice(text_input=prices[0], audio_output=prices[1])
