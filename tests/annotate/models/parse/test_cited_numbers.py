"""Only measured numbers pass, under the feature that they belong to."""

import contextlib
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.parse.cited_numbers import require_citations
from annotate.models.task import ParseError
from scoring.feature import read_table

TABLE = read_table(
    [
        "median F0 (median pitch): 182.4 Hz",
        "F0 range (pitch range): 9.3 semitones",
        "mean F0 slope (pitch slope): 24.0 semitones/s",
        "F0 trend (pitch trend): -2.1 semitones/s",
        "speech level: -23.4 dBFS",
        "syllable rate: 4.1 syllables/s",
        "pause share: 12 %",
        "pause count (number of pauses): 2 pauses",
        "longest pause: 0.65 s",
        "jitter: 1.23 %",
        "shimmer: 5.3 %",
        "harmonics-to-noise ratio (HNR): 14.2 dB",
        "spectral tilt: -9.8 dB/octave",
        "bandwidth: 7900 Hz",
        "signal-to-noise ratio (SNR): 31 dB",
    ]
)
REST = " Jitter is 1.23 % and shimmer 5.3 %."


@pytest.mark.parametrize(
    "text",
    [
        "The median F0 is 182.4 Hz.",
        "The median F0 is 182 Hz, which is ordinary.",
        "With a median pitch of about 180 Hz the voice is high.",
        "A pitch range of 9 semitones, roughly, is lively.",
        "The bandwidth reaches 7.9 kHz.",
        "The bandwidth reaches 7,900 Hz.",
        "The longest pause lasts 650 ms.",
        "The longest pause lasts 0.7 seconds.",
        "Pauses take 12 percent of the time.",
        "The pause share is 0.12.",
        "There are two pauses.",
        "There are two clear pauses, of which the longest pause takes 0.65 s.",
        "The trend is slightly falling, by 2.1 semitones per second.",
        "The F0 trend is \u22122.1 semitones a second.",
        "The spectrum falls by 9.8 dB per octave.",
        "F0 moves by 24 semitones/s on average.",
        "At 31 dB, the SNR is that of a studio.",
        "The level of -23.4 dBFS is normal.",
        "The HNR of 14.2 dB and the SNR of 31 dB are good.",
        "There is no clipping at a speech level of -23.4 dB.",
        "Jitter and shimmer are moderate, at 1.2 % and 5.3 %.",
        "The two values of F0 and P808 agree in one way.",
        "The ratios (HNR 14.2 dB, SNR 31 dB) are good.",
        "\uff14.\uff11 syllables per second is quick.",
    ],
)
def test_measured_numbers_pass(text):
    """Rounding to the digits given, other units of one measure, magnitudes of falls, percent and share."""
    require_citations(text + REST, TABLE)


@pytest.mark.parametrize(
    "text",
    [
        "The median F0 is 183 Hz.",
        "The median F0 is 182.43 Hz.",
        "The median F0 is about 200 Hz.",
        "The median F0 is 180 Hz.",
        "The median F0 is 182 dB.",
        "Adults speak at 85 to 255 Hz.",
        "Jitter is below 1 %.",
        "Jitter is less than 1.23 %.",
        "It has 31.",
        "Jitter is 5.3 % and shimmer 1.23 %.",
        "With 5.3 % jitter the voice is rough.",
        "The HNR of 31 dB is good.",
        "HNR and SNR differ by 16.8 dB.",
        "There are three pauses.",
        "There are three short pauses.",
        "There are no pauses.",
        "The F0 trend is +2.1 semitones per second.",
        "The tilt is -9.3 dB/octave.",
        "The bandwidth reaches 8.0 kHz.",
        "The longest pause lasts 65 ms.",
        "Jitter is 1,23 %.",
        "Jitter is \u0661.\u0662\u0663 %.",
        "It deserves a rating of 4.",
        "It deserves 4/5.",
        "The F0 range is 9.3.1 semitones.",
        "F0=183 Hz.",
        "Pauses take ½ of the time.",
        "The bandwidth is 79000 Hz.",
    ],
)
def test_other_numbers_are_refused_with_what_is_wrong(text):
    """Made-up, misattributed, derived and oddly written numbers."""
    with pytest.raises(ParseError) as refused:
        require_citations(text + REST, TABLE)
    assert refused.value.reason == "number_not_measured"
    assert "the text says" in refused.value.message


def test_the_message_names_what_was_measured():
    """A repair request tells the model what the feature really has."""
    with pytest.raises(ParseError, match=r"says '183 hz.*', but median F0 is 182.4 Hz"):
        require_citations("The median F0 is 183 Hz." + REST, TABLE)


def test_a_text_must_rest_on_measurements():
    """General praise is no grounded rationale; with one measurement there is only one to cite."""
    with pytest.raises(ParseError) as refused:
        require_citations("A pleasant voice with a jitter of 1.2 %.", TABLE)
    assert refused.value.reason == "too_few_citations"
    require_citations("The SNR is 31 dB.", TABLE[-1:])


READING = read_table(
    """
median F0 (median pitch): 93 Hz
F0 standard deviation (pitch deviation): 2.0 semitones
F0 range (pitch range): 6.8 semitones
mean F0 slope (pitch slope): 28.1 semitones/s
harmonics-to-noise ratio (HNR): 10.7 dB
voiced share: 69 %
level variation (energy variation): 7.3 dB
pause share: 12 %
longest pause: 0.41 s
F0 trend (pitch trend): -0.8 semitones/s
speech level: -23.1 dBFS
syllable rate: 3.4 syllables/s
pause count (number of pauses): 2 pauses
mean pause (mean pause length): 0.35 s
jitter: 2.43 %
shimmer: 10.1 %
spectral tilt: -6.4 dB/octave
bandwidth: 7100 Hz
clipping (clipped share): 0.00 %
signal-to-noise ratio (SNR): 21 dB
""".strip().split("\n")
)
PROSE = """
The median F0 of 93 Hz with a standard deviation of 2.0 semitones and an F0 range of 6.8 semitones indicates a moderately expressive male voice.
Melody is somewhat restrained: the pitch range covers only 6.8 semitones, though the mean F0 slope of 28.1 semitones/s shows lively local movement.
The syllable rate of 3.4 syllables/s is slightly slow, with only two pauses (mean 0.35 s, longest 0.41 s) making up 12 % of the time.
Voice quality is a weakness: jitter (2.43 %) and shimmer (10.1 %) are elevated and the HNR is just 10.7 dB.
An SNR of 21 dB and a bandwidth of 7100 Hz suggest a clean but slightly band-limited recording, and there is no clipping (0.00 %).
The F0 trend of -0.8 semitones/s reflects natural declination.
With a spectral tilt of -6.4 dB/octave, the voice is bright.
The speech level is -23.1 dBFS with a level variation of 7.3 dB, i.e. the energy varies by 7.3 dB.
The voice is voiced 69% of the time.
Pauses account for 12% of the utterance, with 2 pauses averaging 0.35 s.
The two pauses are short, the longest lasting 0.41 seconds.
One listener may find the voice rough, since jitter reaches 2.43% and HNR only 10.7 dB.
The pitch falls by 0.8 semitones per second.
The F0 varies with a deviation of 2 semitones around 93 Hz.
A clipped share of 0 % speaks against distortion.
Shimmer at 10.1% and jitter at 2.43% both point to a creaky voice.
The low pitch (93 Hz median F0) and narrow range (6.8 semitones) make it sound flat.
The SNR is 21 dB, which is adequate; the bandwidth extends to 7.1 kHz.
Pitch variability is limited (F0 standard deviation 2.0 semitones, F0 range 6.8 semitones).
Harmonics-to-noise ratio (HNR) is 10.7 dB.
Rhythm is steady: 3.4 syllables per second, 2 pauses with a mean pause length of 0.35 s.
On the one hand, the HNR of 10.7 dB is low; on the other, clipping is 0.00 %.
The signal-to-noise ratio, 21 dB, is moderate.
The recording's 21 dB signal-to-noise ratio and 7100 Hz bandwidth are adequate.
""".strip().split("\n")


@pytest.mark.parametrize("sentence", PROSE)
def test_ordinary_prose_passes_and_no_number_in_it_can_be_changed(sentence):
    """Sentences as text models write them; each number in turn is made up."""
    require_citations(f"{sentence} Jitter is 2.43 % and shimmer 10.1 %.", READING)
    for number in re.finditer(r"(?<![F0-9.])[0-9]+(?:\.[0-9]+)?", sentence):
        made_up = f"{sentence[: number.start()]}57.3{sentence[number.end() :]}"
        with pytest.raises(ParseError) as refused:
            require_citations(f"{made_up} Jitter is 2.43 % and shimmer 10.1 %.", READING)
        assert refused.value.reason == "number_not_measured"


numbers = st.decimals(min_value=Decimal("0.01"), max_value=9999, places=2)
UNITS = ["Hz", "s", "%", "dB", "semitones", "semitones/s", "dB/octave", "syllables/s"]


@given(values=st.lists(numbers, min_size=2, max_size=6), unit=st.sampled_from(UNITS), places=st.integers(0, 2))
def test_every_rounding_of_a_measurement_passes(values, unit, places):
    """Whatever is measured may be cited with as many digits as one likes, up to those of the table."""
    table = read_table(f"quality {'abcdef'[n]}: {value} {unit}" for n, value in enumerate(values))
    cited = " ".join(f"The quality {'abcdef'[n]} is {value:.{places}f} {unit}." for n, value in enumerate(values))
    require_citations(cited, table)


@given(values=st.lists(numbers, min_size=2, max_size=6), made_up=numbers, unit=st.sampled_from(UNITS))
def test_no_other_number_passes(values, made_up, unit):
    """A number that is none of the measured ones does not pass, named or not, wherever it stands."""
    table = read_table(f"quality {'abcdef'[n]}: {value} {unit}" for n, value in enumerate(values))
    true = f"The quality a is {values[0]} {unit}. The quality b is {values[1]} {unit}."
    for text in (f"It has {made_up} {unit}.", f"It has {made_up}.", f"The quality a is {made_up} {unit}."):
        allowed = values[:1] if "quality" in text else values
        if not text.endswith(f"{unit}.") or all(abs(made_up - value) > Decimal("0.005") for value in allowed):
            with pytest.raises(ParseError):
                require_citations(f"{text} {true}", table)


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    """No text makes the reader fail in another way."""
    with contextlib.suppress(ParseError):
        require_citations(text, TABLE)
