"""What is shown keeps every word and no hidden character; what is compared looks the same."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.text_forms import compared, is_hidden, keyed, shown, spoken
from contracts.text_identity import folded, identity_form, leakage_form

# Spelling by Unicode's own examples: the core specification, chapters 9, 12 and 13, UAX 31 section 2.3, and emoji-zwj-sequences.txt.
LEGITIMATE = {
    "Persian with ZWNJ": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Hindi with ZWJ": "\u0915\u094d\u200d\u0937",
    "Hindi with ZWNJ": "\u0915\u094d\u200c\u0937",
    "Bengali ra and ya-phalaa": "\u09b0\u200d\u09cd\u09af",
    "Sinhala": "\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0dbd\u0d82\u0d9a\u0dcf",
    "Mongolian with a selector": "\u1820\u180b\u182d",
    "Mongolian vowel separator": "\u182c\u180e\u1820",
    "Arabic end of ayah": "\u0642\u0627\u0644 \u06dd",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "heart": "\u2764\ufe0f",
    "rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "skin tone and profession": "\U0001f469\U0001f3fd\u200d\u2695\ufe0f",
    "head shaking": "\U0001f642\u200d\u2194\ufe0f",
    "keycap": "1\ufe0f\u20e3",
    "ideograph younger than Python's tables": "\U00031350",
    "emoji younger than Python's tables": "\U0001fae8",
    "Chinese titles": "\u300a\u7ea2\u697c\u68a6\u300b",
    "French quotation marks": "\u00abnon\u00bb",
    "Inuktitut": "\u1438\u1433",
}
HIDDEN = {
    "tags": "".join(map(chr, range(0xE0000, 0xE0080))),
    "variation selectors": "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))),
    "bidi controls": "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "soft hyphen": "\u00ad",
    "fillers": "\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5",
    "interlinear annotation": "\ufff9\ufffa\ufffb",
    "invisible operators": "\u2061\u2062\u2063\u2064",
    "deprecated format characters": "\u206a\u206b\u206c\u206d\u206e\u206f",
    "musical and shorthand format": "\U0001d173\U0001d17a\U0001bca0",
    "noncharacters": "\ufdd0\uffff\U0010ffff",
    "Mongolian selectors": "\u180b\u180e",
}


@pytest.mark.parametrize("name", LEGITIMATE)
def test_spelling_and_emoji_stay(name: str):
    """Every character of it is needed."""
    assert shown(LEGITIMATE[name]) == LEGITIMATE[name]


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_characters_vanish_inside_a_word(name: str):
    """Each alone, and all together; no gap is left."""
    for carrier in (*HIDDEN[name], HIDDEN[name]):
        for form in (keyed, spoken, shown, compared, folded, identity_form, leakage_form):
            assert form(f"ig{carrier}nore") == "ignore"


@pytest.mark.parametrize("carrier", ["\u200d", "\u200c", "\ufe0f", "\u180b"])
@pytest.mark.parametrize(
    "word", ["\u0645{}\u062e", "\u0930{}\u094d\u092f", "\u2764{}\u2764", "\u1820{}\u182d", "\u0915\u094d{}\u0937"]
)
def test_a_message_in_joiners_does_not_get_through(carrier: str, word: str):
    """Between two visible characters there is at most one hidden one, where spelling allows one, so none can be counted."""
    assert shown(word.format(carrier * 40)) == shown(word.format(carrier))


@pytest.mark.parametrize(
    ("text", "seen"), [("a\u2028b\u2029c\x85d\te\x00f\u3000g\u2800h", "a b c d e f g h"), ("", ""), (" \n", "")]
)
def test_white_space_and_controls_become_single_spaces(text: str, seen: str):
    """Also the blank of Braille."""
    assert shown(text) == seen


@pytest.mark.parametrize("unknown", ["\ue000", "\ue000\uf8ff", "\U000f0000", "\ud800", "\u0378", "\U00040000"])
def test_what_nobody_can_read_is_marked(unknown: str):
    """Private use, halves of characters and unassigned ones: one mark for a run."""
    assert shown(f"a{unknown}b") == "a\ufffdb"


@given(
    text=st.text(st.one_of(st.characters(), st.sampled_from("<>\uff1c\ufe64\ufe65\uff1e\u200c\u200d\ufe0f\U000e0041\u202e")))
)
@example(text="\uff1c/reference_text\uff1e")
@example(text="\ufe64answer\ufe65")
@example(text="\u27e8/reference_text\u3009")
def test_nothing_shown_can_be_a_bracket_or_hide(text: str):
    """Whatever a model makes of widths, no delimiter is in it; showing is settled after one time."""
    line = shown(text)
    assert not set("<>") & set(unicodedata.normalize("NFKC", line))
    assert not any(0xE0000 <= ord(one) < 0xE1000 or 0x202A <= ord(one) <= 0x202E for one in line)
    assert not any(unicodedata.category(one) in ("Cc", "Cs", "Co", "Zl", "Zp") for one in line)
    assert shown(line) == line
    line.encode()


@given(text=st.text(st.characters(categories=["L", "N"], exclude_characters="\u115f\u1160\u3164\uffa0"), min_size=1))
def test_words_are_not_touched(text: str):
    """Showing changes no letter or digit of any script."""
    assert shown(text) == text


@pytest.mark.parametrize(
    "spelling", ["Ad\u00e9la", "ade\u0301la ", " \uff21d\u00e9la", "AD\u00c9LA", "Ad\u200b\u00e9la", "Ad\u00e9la\u3000"]
)
def test_spellings_that_look_the_same_compare_as_one(spelling: str):
    """Case, width, composition, spaces and hidden characters make no other name."""
    assert compared(spelling) == "ad\u00e9la"


# Both are letters or symbols by their category and have no shape: the fillers of Hangul, and what stands for an object.
NO_SHAPE = frozenset("\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5\ufffc\U0001d159") | frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
VISIBLE_FORMAT = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")


@pytest.mark.parametrize("category", ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Cf"])
def test_every_letter_mark_and_format_character_over_all_uses(category: str):
    """A letter or mark stays in all of them; a format character without a shape is in none, and splits no word."""
    members = [chr(code) for code in (*range(0xA0, 0x20000), *range(0xE0000, 0xE0200))]
    for character in (one for one in members if unicodedata.category(one) == category):
        word = f"\u0431{character}\u0431"
        seen = (keyed(word), shown(word))
        if (category == "Cf" or character in NO_SHAPE) and character not in VISIBLE_FORMAT:
            assert {*seen, spoken(word), compared(word), folded(word), leakage_form(word)} == {"\u0431\u0431"}, ascii(character)
            assert is_hidden(character)
        else:
            assert set(seen) == {word}, ascii(character)
            assert spoken(word) == (word if character != "\u20e3" else "\u0431 \u0431"), ascii(character)
            assert compared(word) == compared(unicodedata.normalize("NFKC", word)) != "\u0431\u0431", ascii(character)


@pytest.mark.parametrize("name", LEGITIMATE)
def test_spelling_is_kept_where_words_are_spoken_and_stored(name: str):
    """Persian is one word to an engine, too; an emoji is stored whole and not spoken in pieces."""
    text = LEGITIMATE[name]
    assert keyed(text) == text
    emoji = ("family", "heart", "flag", "skin", "head", "keycap", "emoji")
    assert spoken(text) == (text if not name.startswith(emoji) and "flag" not in name else "1" if name == "keycap" else "")


@given(st.text(st.one_of(st.characters(), st.sampled_from("\u200c\u200d\ufe0f\u20e3\U0001f469\U0001f3fd\u064b\x07"))))
def test_stored_and_spoken_forms_are_forms_of_themselves(text: str):
    """Each changes nothing when it is taken twice, and none makes another text."""
    assert keyed(keyed(text)) == keyed(text)
    assert spoken(spoken(text)) == spoken(keyed(text)) == spoken(text)
    assert leakage_form(keyed(text)) == leakage_form(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I \u2764\ufe0f you", "I you"),
        ("a\U0001f44db", "a b"),
        ("20\u2103, \u2116 5", "20\u2103, \u2116 5"),
        ("\u24b6 \u00a9", "\u24b6 \u00a9"),
    ],
)
def test_emoji_are_not_spoken(text: str, words: str):
    """They part words like a space; symbols that stand for words stay."""
    assert spoken(text) == words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5 \u2715 3", "5 \u00d7 3"),
        ("5\u2716\ufe0f3", "5\u00d73"),
        ("2 \u2795 2", "2 + 2"),
        ("\u27965", "\u22125"),
        ("(9 \u2796 1) \u2797 4 \U0001f7f0 2", "(9 \u2212 1) \u00f7 4 = 2"),
        ("done \u2716", "done"),
        ("\u2795 more", "more"),
        ("yes \u2714 no", "yes no"),
    ],
)
def test_pictures_of_operators_are_spoken_between_what_they_join(text, said):
    """5 x 3 was 5 3; a cross behind a word is a picture."""
    assert spoken(text) == said
    assert identity_form(text) == identity_form(said)
