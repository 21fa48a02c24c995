"""Prices: figures from the providers' lists, and what is made of them."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.prices import PRICE_LISTS, PRICES, SPEECH_PRICE_LISTS, Price, SpeechPrice, price_of, speech_price_of

counts = st.integers(0, 10**7)


def test_a_worked_example():
    """Google's list of gemini-2.5-flash: $0.30 text, $1.00 audio, $2.50 output per million tokens."""
    usd = PRICES["gemini-2.5-flash"].usd(text_tokens=1_000_000, audio_tokens=500_000, output_tokens=200_000)
    assert usd == pytest.approx(0.30 + 0.50 + 0.50)


def test_a_minute_for_gpt_4o_audio_preview():
    """Published example: a minute of speech is 600 tokens, at $40 per million 2.4 cents."""
    price = PRICES["gpt-4o-audio-preview"]
    assert price.usd(text_tokens=0, audio_tokens=600, output_tokens=0) == pytest.approx(0.024)


def test_a_batch_costs_half():
    """Both providers: "50 % cost discount"."""
    for price in PRICES.values():
        tokens = {"text_tokens": 900, "audio_tokens": 300, "output_tokens": 500}
        assert price.usd(**tokens, batch=True) == pytest.approx(price.usd(**tokens) / 2)


def test_every_list_has_a_day_and_a_source():
    for name, part in [*PRICE_LISTS.items(), *SPEECH_PRICE_LISTS.items()]:
        assert dt.date.fromisoformat(part.as_of) > dt.date(2025, 1, 1), name
        assert part.source.startswith("https://"), name


def test_no_model_is_in_two_lists():
    assert len(PRICES) == sum(len(part.prices) for part in PRICE_LISTS.values())


def test_audio_is_never_cheaper_than_text():
    """So that audio counted as text, or the reverse, shows as a wrong bill and not as a cheap one."""
    assert all(price.audio_input >= price.text_input > 0 and price.output > price.text_input for price in PRICES.values())


@given(a=st.tuples(counts, counts, counts), b=st.tuples(counts, counts, counts))
def test_two_bills_add_up(a, b):
    price = Price(text_input=2.5, audio_input=32.0, output=10.0)
    names = ("text_tokens", "audio_tokens", "output_tokens")
    both = price.usd(**dict(zip(names, map(sum, zip(a, b, strict=True)), strict=True)))
    parts = sum(price.usd(**dict(zip(names, each, strict=True))) for each in (a, b))
    assert both == pytest.approx(parts)


def test_a_recipe_overrides_the_list():
    assert price_of("gpt-4.1", [1, 2, 3]) == Price(text_input=1, audio_input=2, output=3)
    assert price_of("gpt-4.1", None) == PRICES["gpt-4.1"]
    assert price_of("nobody's-model", None) is None


@pytest.mark.parametrize("bad", [[1, 2], [1, 2, 3, 4], [1, -2, 3], [1, 2, float("nan")], [1, 2, float("inf")]])
def test_bad_prices_are_refused(bad):
    with pytest.raises(ValueError, match="three numbers"):
        price_of("gpt-4.1", bad)


def test_speech_is_billed_by_characters_or_by_tokens():
    """Bills of 2025-11-02: 4,095 characters by tts-1 $0.061425, by tts-1-hd $0.1228; 5,392 tokens by gpt-4o-mini-tts $0.0647."""
    prices = SPEECH_PRICE_LISTS["openai"].prices
    assert prices["tts-1"].usd(characters=4095, text_tokens=877, audio_tokens=5392) == pytest.approx(0.061425)
    assert prices["tts-1-hd"].usd(characters=4095, text_tokens=877, audio_tokens=5392) == pytest.approx(0.1228, abs=1e-4)
    assert prices["gpt-4o-mini-tts"].usd(characters=4095, text_tokens=0, audio_tokens=5392) == pytest.approx(0.0647, abs=1e-4)


def test_every_speech_model_bills_characters_or_tokens():
    for part in SPEECH_PRICE_LISTS.values():
        for price in part.prices.values():
            assert (price.characters > 0) != (price.text_input > 0)
            assert (price.text_input > 0) == (price.audio_output > price.text_input)


def test_a_recipe_overrides_the_price_of_speech():
    def price(model="tts-1", tokens=None, characters=None):
        return speech_price_of("openai", model, usd_per_million=tokens, usd_per_million_characters=characters)

    assert price() == SpeechPrice(characters=15.0)
    assert price(tokens=[1, 2]) == SpeechPrice(text_input=1, audio_output=2)
    assert price(characters=0) == SpeechPrice()
    assert price("nobody's-model") is None
    assert price("gemini-3.8-flash-tts") is None, "that is another provider's"
    for bad in ([1], [1, -2], [1, float("inf")]):
        with pytest.raises(ValueError, match="two numbers"):
            price(tokens=bad)
    with pytest.raises(ValueError, match="tokens or characters"):
        price(tokens=[1, 2], characters=3)
