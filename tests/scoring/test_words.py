"""Error rates of pairs of texts: a golden table, and what holds for all texts.

``golden_words.csv`` holds a reference, a transcript, the language, the right rate and the reason. Where the rate is above 0, the two
are also there as the units that a person writes down for them, and jiwer says what their rate is.
"""

import csv
import unicodedata
from fractions import Fraction
from pathlib import Path

import cn2an
import jiwer
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from num2words import num2words

from scoring.metrics.wer import error_counts
from scoring.text import units

with (Path(__file__).parent / "golden_words.csv").open(encoding="utf-8", newline="") as table:
    GOLDEN = list(csv.DictReader(table))

WORDS = [
    "the",
    "a",
    "cat",
    "dog",
    "house",
    "river",
    "went",
    "saw",
    "under",
    "quickly",
    "and",
    "but",
    "slowly",
    "morning",
    "people",
    "never",
    "read",
    "green",
    "stone",
    "water",
]
HAN = "我们去学校今天花了买东西的人很好看书山水"


def rate(reference, heard, language="en"):
    return error_counts(units(reference, language), units(heard, language))["wer"]


def test_golden():
    """The rate of every pair is the one that a person counts."""
    rates = [(rate(case["reference"], case["heard"], case["language"]), case) for case in GOLDEN]
    assert [(counted, case) for counted, case in rates if counted != pytest.approx(float(Fraction(case["rate"])))] == []


def test_golden_rates_are_those_of_jiwer():
    """The table itself is right: jiwer counts the same errors in the units that were written by hand."""
    rates = [(jiwer.wer(case["said"], case["transcript"]), case) for case in GOLDEN if case["said"]]
    assert len(rates) > 50
    assert [(counted, case) for counted, case in rates if counted != pytest.approx(float(Fraction(case["rate"])))] == []


def test_the_golden_table_is_long_enough():
    """It covers five languages and more with at least 150 pairs, each once."""
    assert len({(case["reference"], case["heard"], case["language"]) for case in GOLDEN}) == len(GOLDEN) >= 150


@pytest.mark.parametrize("language", ["en", "zh", "mixed", "fr"])
@pytest.mark.parametrize(("one", "other"), [("10² m", "102 m"), ("1½", "11/2"), ("x < 3", "x 3"), ("10₂", "102"), ("5%", "5"), ("-5", "5"), ("$5", "5"), ("2.5", "25")])  # fmt: skip
def test_signs_are_never_unheard(one, other, language):
    """Whatever the language: digits do not merge, and a sign does not vanish."""
    if language == "fr" and "<" in one:
        pytest.skip("signs between words are not spoken in languages without rules of their own")
    assert rate(one, other, language) > 0
    assert rate(other, one, language) > 0


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8), st.integers(0, 10**12 - 1), st.data())
def test_a_number_in_english_and_its_words(words, number, data):
    """Digits, with or without commas, and what num2words writes for them differ in nothing."""
    place = data.draw(st.integers(0, len(words)))
    for written in (str(number), f"{number:,}"):
        text = " ".join([*words[:place], written, *words[place:]])
        spoken = " ".join([*words[:place], num2words(number), *words[place:]])
        assert rate(text, spoken) == 0
        assert rate(spoken, text) == 0


@pytest.mark.parametrize(
    ("written", "to"), [(str, "cardinal"), (lambda n: num2words(n, to="ordinal_num"), "ordinal"), (str, "year")]
)
@given(number=st.integers(1100, 2999))
def test_ordinals_and_years_in_english(written, to, number):
    """Ordinals and years are read as num2words reads them."""
    assert rate(written(number), num2words(number, to=to)) == 0


@given(st.integers(0, 10**6), st.integers(0, 99))
def test_decimals_and_money_in_english(whole, cents):
    """Decimals digit by digit, and amounts of dollars and cents."""
    assert rate(f"{whole}.{cents:02d}", f"{num2words(whole)} point {' '.join(num2words(int(d)) for d in f'{cents:02d}')}") == 0
    amount = num2words(whole + cents / 100, to="currency", currency="USD") if whole and cents else "one dollar, one cent"
    assert rate(f"${whole}.{cents:02d}" if whole and cents else "$1.01", amount) == 0


@given(st.integers(0, 10**12 - 1), st.text(HAN, max_size=4), st.text(HAN, max_size=4))
def test_a_number_in_chinese_and_its_characters(number, before, after):
    """Digits and what cn2an writes for them differ in nothing, in plain characters, in those of cheques and one by one."""
    for mode in ("low", "up") if number > 9 else ("low",):  # alone, the cheque's 5 and 6 are a name and the word "land"
        assert rate(f"{before}{number}{after}", before + cn2an.an2cn(number, mode) + after, "zh") == 0
    assert rate(f"{before}{number}{after}", before + cn2an.an2cn(number, "direct") + after, "zh") == 0


@given(
    st.lists(st.sampled_from([*WORDS, "twenty", "four", "dollars", "don't", "AI", "Mr."]), min_size=2, max_size=10), st.data()
)
def test_no_word_is_dropped_unnoticed(words, data):
    """Leave one word out, whichever: an error. Add one: an error."""
    place = data.draw(st.integers(0, len(words) - 1))
    short = [*words[:place], *words[place + 1 :]]
    assert rate(" ".join(words), " ".join(short)) > 0
    assert rate(" ".join(short), " ".join(words)) > 0


@given(st.integers(1, 10**9), st.data())
def test_no_word_of_a_number_is_dropped_unnoticed(number, data):
    """The same inside a spelled number, word by word and character by character."""
    for spoken, language, gap in ((num2words(number).replace("-", " "), "en", " "), (cn2an.an2cn(number), "zh", "")):
        parts = spoken.split(" ") if gap else list(spoken)
        assume(len(parts) > 1)
        place = data.draw(st.integers(0, len(parts) - 1))
        assert rate(spoken, gap.join([*parts[:place], *parts[place + 1 :]]), language) > 0


texts = st.text("abcIVX .,-+$%'0129:/<>=^²½一二百万点负幺元(){}[]ums#&@é́का\u2013~!″°‰₩√○廿个年C", max_size=20)


@given(texts, texts, st.sampled_from(["en", "zh", "mixed", "fr"]))
def test_reference_and_transcript_are_treated_alike(one, other, language):
    """Errors are the same whichever is the reference, none between a text and itself, and never more than in the usual readings."""
    said, heard = units(one, language), units(other, language)
    assume(said and heard)
    there, back = error_counts(said, heard), error_counts(heard, said)
    total = [sum(counts[name] for name in ("substitutions", "deletions", "insertions")) for counts in (there, back)]
    assert total[0] == total[1] <= max(len(said), len(heard))
    assert error_counts(said, units(one, language))["wer"] == 0


@given(texts, st.sampled_from(["en", "zh", "fr"]))
def test_case_and_composition_do_not_matter(text, language):
    """The order in which a text was normalised before does not matter: composed, decomposed, folded twice."""
    from contracts.text_identity import folded

    assert folded(folded(text)) == folded(text)
    for form in (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text), folded(text)):
        assert list(units(form, language)) == list(units(text, language))


def _samples(categories, count=12):
    """Return some characters of every category, spread over all of Unicode."""
    from contracts.text_identity import folded

    found = {category: [] for category in categories}
    for code in range(0x20, 0x20000):
        character = chr(code)
        if (category := unicodedata.category(character)) in found and folded(character).strip("'"):
            found[category].append(character)
    return [(category, members[:: max(1, len(members) // count)]) for category, members in found.items()]


@pytest.mark.parametrize(
    ("category", "characters"), _samples(["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No"])
)
@pytest.mark.parametrize("language", ["en", "zh", "hi"])
def test_letters_marks_and_numbers_survive(category, characters, language):
    """No letter, mark or number vanishes, alone or after a letter."""
    assert characters
    for character in characters:
        assert units(character, language), (category, character)
        assert units(f"क{character}", language) != units("क", language), (category, character)
