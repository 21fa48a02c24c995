"""One word for an emotion, whoever names it."""

import pytest

from contracts.emotions import EMOTIONS, emotion, misspelt
from corpora.esd import EMOTIONS as OF_ESD

OF_DAILYTALK = ("none", "happiness", "sadness", "anger", "fear", "surprise", "disgust")


def test_the_emotions_of_two_corpora_meet():
    assert {emotion(label) for label in OF_DAILYTALK} == set(EMOTIONS)
    assert [emotion(label) for label in OF_ESD] == ["neutral", "angry", "happy", "sad", "surprise"]


@pytest.mark.parametrize(
    ("label", "word"), [(" Angry ", "angry"), ("伤心", "sad"), ("Bored", "bored"), (None, None), (" ", None)]
)
def test_labels(label, word):
    assert emotion(label) == word


@pytest.mark.parametrize(
    ("label", "known"),
    [
        ("neutrall", "neutral"),
        ("Angyr", "angry"),
        ("suprise", "surprise"),
        ("Neutral", None),
        ("happiness", None),
        ("bored", None),
    ],
)
def test_what_is_nearly_a_known_word_is_misspelt(label, known):
    assert misspelt(label) == known
