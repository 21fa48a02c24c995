"""Transcripts of the other language for references that also speak their own."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import RecipeError
from contracts.languages import with_setting
from synth.prompt_choice import choose
from tests.synth.test_prompt_choice import books, table, utterance

TEXTS = {"en": "this is text number {}", "zh": "这是第{}个句子"}


def spoken(en=40, zh=40, style="regular"):
    """Recordings of a speaker in each language and corpus."""
    rows = []
    for language, count in (("en", en), ("zh", zh)):
        for number in range(count):
            rows.append(
                utterance(
                    len(rows),
                    text=TEXTS[language].format(number),
                    language=language,
                    speaker_id=language,
                    corpus=f"c_{language}",
                    style=style,
                    category="regular",
                )
            )
    return rows


def settings_of(prompts):
    return Counter(with_setting(prompts)["setting"].to_pylist())


def test_each_reference_speaks_a_text_of_its_own_language_and_one_of_the_other():
    """Forty recordings a language: half are references; of twenty texts ten are prompts and ten are lent to the other language."""
    rows = spoken()
    prompts, drops = choose(table(rows), seed=0, foreign=("regular",))
    assert settings_of(prompts) == {"en2en": 10, "zh2zh": 10, "en2zh": 10, "zh2en": 10}
    assert set(books(table(rows), prompts, drops)) == {row["utterance_id"] for row in rows}
    by_id = {row["utterance_id"]: row for row in rows}
    texts = prompts.to_pylist()
    assert len({row["text"] for row in texts}) == len(texts), "no text has two references, which would tie their splits"
    for row in texts:
        assert (row["text"], row["language"]) == (
            by_id[row["target_utterance_id"]]["text"],
            by_id[row["target_utterance_id"]]["language"],
        )
        assert row["speaker_id"] == row["reference_language"] == by_id[row["reference_utterance_id"]]["speaker_id"]
        assert (row["style"], row["reference_category"]) == ("regular", "regular")
        assert row["corpus"] == f"c_{row['language']}"
    uses = Counter(row["reference_utterance_id"] for row in texts)
    assert set(uses.values()) == {2}


@settings(max_examples=25, deadline=None)
@given(en=st.integers(0, 30), zh=st.integers(0, 30), fewer=st.integers(1, 6), more=st.integers(1, 6))
def test_raising_texts_keeps_earlier_prompts(en, zh, fewer, more):
    """The foreign text of a prompt does not depend on how many are wanted, in all or of a corpus."""
    utterances = table(spoken(en, zh))
    for small, large in ((fewer, fewer + more), ({"c_en": fewer, "c_zh": 2}, {"c_en": fewer + more, "c_zh": 3})):
        first, _ = choose(utterances, seed=1, texts=small, foreign=("regular",))
        second, _ = choose(utterances, seed=1, texts=large, foreign=("regular",))
        assert set(first["prompt_id"].to_pylist()) <= set(second["prompt_id"].to_pylist())


def test_texts_of_each_corpus():
    """So many prompts of one corpus and of another; a corpus that is not named has none."""
    rows = [*spoken(), *(utterance(200 + n, text=f"other words {n}", speaker_id="x", corpus="d") for n in range(8))]
    prompts, drops = choose(table(rows), seed=0, texts={"c_en": 3, "c_zh": 5})
    assert Counter(prompts["corpus"].to_pylist()) == {"c_en": 3, "c_zh": 5}
    assert Counter(drops["reason"].to_pylist()) == {"not_selected": drops.num_rows}
    with pytest.raises(RecipeError, match="texts >= 1"):
        choose(table(rows), seed=0, texts={"c_en": 0})


def test_a_style_without_foreign_texts_and_a_language_alone_keep_all_their_prompts():
    """Expressive references have texts of their own; English alone has nobody to lend to or borrow from."""
    prompts, _ = choose(table(spoken(style="expressive")), seed=0, foreign=("regular",))
    assert settings_of(prompts) == {"en2en": 20, "zh2zh": 20}
    prompts, _ = choose(table(spoken(zh=2)), seed=0, foreign=("regular",))
    assert settings_of(prompts) == {"en2en": 10, "zh2zh": 1, "zh2en": 1}
