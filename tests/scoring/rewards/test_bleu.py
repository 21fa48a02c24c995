"""The BLEU reward beside the numbers that sacrebleu publishes, and beside the formula written out."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import plugins
from contracts.errors import DataError
from scoring.rewards.bleu import SentenceBleu

ROMANIAN = (
    "Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;",
    "producţia de zahăr brut se exprimă în zahăr alb;",
)
"""Completion and reference of sacrebleu's own tests of sentence BLEU (test_sentence_bleu.py, its issue 98)."""


@pytest.mark.parametrize(("tokenizer", "expected"), [("13a", 8.493), ("char", 40.8759)])
def test_published_scores(tokenizer, expected):
    """As sacrebleu's tests have them, for exponential smoothing, mixed case and the effective order; theirs go to 100."""
    completion, reference = ROMANIAN
    assert SentenceBleu(tokenizer).reward(completion, [reference]) == pytest.approx(expected / 100, abs=1e-5)


@pytest.mark.parametrize(
    ("completion", "reference", "expected"),
    [
        ("this is a cat", "okay thanks", 0.0),  # sacrebleu's issue 141
        ("test", "a test", math.exp(-1)),  # one word of two: the brevity penalty alone
        ("a test", "a test", 1.0),
        ("", "a test", 0.0),
    ],
)
def test_short_texts(completion, reference, expected):
    """Also of sacrebleu's tests (test_bleu.py, effective order)."""
    assert SentenceBleu().reward(completion, [reference]) == pytest.approx(expected, abs=1e-12)


def bleu(completion: list[str], references: list[list[str]]) -> float:
    """BLEU of Papineni et al. with the third smoothing of Chen and Cherry 2014: the k-th order without a match counts 1 / 2^k."""
    logs, misses = [], 0
    for order in range(1, 5):
        grams = Counter(zip(*(completion[n:] for n in range(order)), strict=False))
        if not grams:
            break
        most = Counter()
        for reference in references:
            most |= Counter(zip(*(reference[n:] for n in range(order)), strict=False))
        common = sum((grams & most).values())
        if order == 1 and not common:
            return 0.0
        misses += not common
        logs.append(math.log((common or 0.5**misses) / grams.total()))
    if not logs:
        return 0.0
    closest = min((abs(len(reference) - len(completion)), len(reference)) for reference in references)[1]
    return math.exp(min(0.0, 1 - closest / len(completion)) + sum(logs) / len(logs))


texts = st.lists(st.sampled_from(["the", "dog", "bit", "a", "man"]), max_size=12)


@given(completion=texts, references=st.lists(texts.filter(bool), min_size=1, max_size=3))
def test_it_is_the_formula(completion, references):
    """Of words that no tokenizer takes apart, against one or several references."""
    found = SentenceBleu().reward(" ".join(completion), [" ".join(reference) for reference in references])
    assert found == pytest.approx(bleu(completion, references), abs=1e-9)
    assert 0.0 <= found <= 1.0


@given(st.text(alphabet="abc 你好,.", min_size=1).filter(str.strip))
def test_a_reference_itself_earns_everything(text):
    for tokenizer in ("13a", "zh", "char"):
        assert SentenceBleu(tokenizer).reward(text, ["something else", text]) == pytest.approx(1.0)


def test_chinese_is_divided_into_characters():
    assert SentenceBleu.of("zh-TW") == SentenceBleu("zh")
    assert SentenceBleu.of("de") == SentenceBleu.of("en") == SentenceBleu("13a")
    assert (
        SentenceBleu.of("zh").reward("我喜欢红苹果", ["我喜欢青苹果"])
        > SentenceBleu("13a").reward("我喜欢红苹果", ["我喜欢青苹果"])
        == 0
    )


def test_the_signature_says_all_settings():
    """Number of references, case, effective order, tokenizer, smoothing and the version of sacrebleu."""
    signature = SentenceBleu().signature(2)
    parts = dict(part.split(":") for part in signature.split("|"))
    assert {name: parts[name] for name in ("nrefs", "case", "eff", "tok", "smooth")} == {
        "nrefs": "2",
        "case": "mixed",
        "eff": "yes",
        "tok": "13a",
        "smooth": "exp",
    }
    assert parts["version"]


def test_without_a_reference_there_is_no_reward():
    with pytest.raises(ValueError, match="at least one reference"):
        SentenceBleu().reward("a", [])


def test_as_a_plug_in_it_compares_in_the_language_of_the_references():
    rows = [{"references": ["a test"], "reference_language": "en"}, {"references": ["你好吗"], "reference_language": "zh"}]
    found = plugins.configure("reward", "bleu").rewards(["a test", "你好"], rows)
    assert found[0] == {"reward": 1.0}
    assert found[1] == {"reward": SentenceBleu("zh").reward("你好", ["你好吗"])}
    with pytest.raises(DataError, match="row q1 has no references"):
        plugins.configure("reward", "bleu").rewards(["x"], [{"question_id": "q1", "reference_language": "en"}])
