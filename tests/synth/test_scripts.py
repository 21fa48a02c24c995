"""From chosen prompts and what was written about them to the prompts that are spoken."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.conformance import conform
from contracts.errors import DataError, RecipeError
from contracts.ids import canonical_json, row_id
from contracts.languages import with_setting
from contracts.schemas import PROMPTS, WRITINGS
from contracts.text_identity import identity_form
from synth.prompt_choice import identified
from synth.scripts import scripts

ALL = ("transcript", "random", "translation", "codeSwitching")

# The example of SpeechJudge, Appendix A.1, with words switched in codeSwitching (the paper's own has none).
LEGEND = {
    "random": "Legend says that with every shoot consumed, a little more of the forest's ancient magic is absorbed into its being.",
    "translation": "传说中, 它每吃下一根竹笋, 就会吸收一点森林的古老魔力。",
    "codeSwitching": "Legend says that with every 竹笋 consumed, a little more of the forest's ancient 魔力 is absorbed into its being.",
}


def prompt(number=0, text="A panda eats shoots and leaves.", language="en", heard="en", **changes):
    return identified(
        {
            "text": text,
            "language": language,
            "reference_language": heard,
            "style": "regular",
            "corpus": "c",
            "speaker_id": "s",
            "target_utterance_id": f"t{number}",
            "reference_utterance_id": f"r{number}",
            "reference_text": "Who goes there?",
            "license": "CC0-1.0",
            "drawn_for": None,
            "own_split": None,
            "reference_category": None,
        }
        | changes
    )


def chosen(*rows):
    return pa.Table.from_pylist(list(rows), schema=PROMPTS)


def wrote(prompt_id, task="style_continuation", **content):
    row = {field.name: None if field.nullable else "-" for field in WRITINGS}
    name = row_id("writing", task, prompt_id, content)
    return row | {"writing_id": name, "task": task, "subject": "prompts", "subject_id": prompt_id, "scores": [],
                  "content": canonical_json(content)}  # fmt: skip


def writings(*rows):
    return pa.Table.from_pylist(list(rows), schema=WRITINGS)


def reasons(drops):
    return [
        (row["row_id"], json.loads(row["evidence"])["variant"], row["reason"]) for row in conform(drops, "drops").to_pylist()
    ]


def test_transcripts_alone_are_the_chosen_prompts():
    """Nothing written, nothing changed: the very same table."""
    prompts = chosen(prompt(0), prompt(1, "Another text.", reference_utterance_id=None))
    spoken, drops = scripts(prompts, writings(), cleaned=False, variants=["transcript"])
    assert spoken.equals(prompts)
    assert drops.num_rows == 0


def test_four_variants_of_a_prompt():
    """Each variant has its language and setting; what a model wrote is expressive, and nobody has recorded it."""
    one = prompt()
    spoken, drops = scripts(
        chosen(one), writings(wrote(one["prompt_id"], **{"continue": []}, **LEGEND)), cleaned=False, variants=ALL
    )
    rows, settings = conform(spoken, "prompts").to_pylist(), with_setting(spoken)["setting"].to_pylist()
    assert drops.num_rows == 0
    assert [
        (row["text"], row["language"], setting, row["style"], row["target_utterance_id"])
        for row, setting in zip(rows, settings, strict=True)
    ] == [
        (one["text"], "en", "en2en", "regular", "t0"),
        (LEGEND["random"], "en", "en2en", "expressive", None),
        (LEGEND["translation"], "zh", "en2zh", "expressive", None),
        (LEGEND["codeSwitching"], "mixed", "en2mixed", "expressive", None),
    ]
    assert [row["reference_utterance_id"] for row in rows] == ["r0"] * 4
    assert len({row["prompt_id"] for row in rows}) == len({row["group_id"] for row in rows}) == 4
    assert rows[2]["group_id"] == row_id("text", "zh", LEGEND["translation"])
    assert rows[2]["prompt_id"] == row_id("prompt", rows[2]["group_id"], "r0", None)


def test_the_reference_decides_the_languages():
    """Chinese speech that is to speak English: its continuation is Chinese, the translation English."""
    one = prompt(heard="zh-CN")
    content = {"random": LEGEND["translation"], "translation": LEGEND["random"], "codeSwitching": LEGEND["codeSwitching"]}
    spoken, _ = scripts(chosen(one), writings(wrote(one["prompt_id"], **content)), cleaned=False, variants=ALL[1:])
    assert list(zip(with_setting(spoken)["setting"].to_pylist(), spoken["language"].to_pylist(), strict=True)) == [
        ("zh-CN2zh-CN", "zh-CN"), ("zh-CN2en", "en"), ("zh-CN2mixed", "mixed"),
    ]  # fmt: skip


def test_cleaned_texts_are_other_prompts():
    """A corrected text gets new ids and keeps both recordings; one that needed no correction keeps its ids."""
    rows = [prompt(0, "a panda  eats"), prompt(1, "Fine as it is."), prompt(2, "lost")]
    answers = writings(
        wrote(rows[0]["prompt_id"], "clean_text", text=" A panda\neats. "),
        wrote(rows[1]["prompt_id"], "clean_text", text="Fine as it is."),
        wrote(rows[1]["prompt_id"], "negative_text", text="Something else."),
        wrote("of another prompt", "clean_text", text="Something else."),
    )
    spoken, drops = scripts(chosen(*rows), answers, cleaned=True, variants=["transcript"])
    first, second = spoken.to_pylist()
    assert first == identified(rows[0] | {"text": "A panda eats."})
    assert first["prompt_id"] != rows[0]["prompt_id"]
    assert (first["target_utterance_id"], first["style"]) == ("t0", "regular")
    assert second == rows[1]
    assert reasons(drops) == [(rows[2]["prompt_id"], "transcript", "no_clean_text")]


@pytest.mark.parametrize(
    ("changes", "content", "expected"),
    [
        ({}, None, ["no_continuation"] * 3),
        ({}, LEGEND | {"translation": " \n"}, [None, "no_continuation", None]),
        ({"reference_utterance_id": None}, LEGEND, ["no_reference"] * 3),
        ({"heard": "de"}, LEGEND, [None, "unsupported_language", "unsupported_language"]),
        # As printed in the paper: the code-switched text is plain English.
        ({}, LEGEND | {"codeSwitching": LEGEND["random"].replace("its being", "it")}, [None, None, "wrong_language"]),
        ({}, LEGEND | {"translation": LEGEND["random"]}, [None, "wrong_language", None]),
        ({}, LEGEND | {"random": LEGEND["codeSwitching"]}, ["wrong_language", None, None]),
        ({"text": LEGEND["random"].upper()}, LEGEND, ["duplicate_text", None, None]),
    ],
)
def test_what_cannot_be_spoken_is_counted(changes, content, expected):
    """Each way of having no text, or a wrong one, has its reason; the other variants are spoken."""
    one = prompt(**changes)
    rows = writings(wrote(one["prompt_id"], **content)) if content else writings()
    spoken, drops = scripts(chosen(one), rows, cleaned=False, variants=ALL)
    assert reasons(drops) == [(one["prompt_id"], name, why) for name, why in zip(ALL[1:], expected, strict=True) if why]
    assert spoken.num_rows == 4 - drops.num_rows
    assert set(drops["stage"].to_pylist()) == {"texts"}


def test_a_text_is_spoken_once():
    """Prompts that share a reference may get one continuation twice, and cleaning may make two texts one: the first stays."""
    first, second = prompt(0, "um yes"), prompt(1, "Yes.", reference_utterance_id="r0")
    answers = [wrote(one["prompt_id"], **LEGEND) for one in (first, second)]
    answers += [wrote(one["prompt_id"], "clean_text", text=text) for one, text in ((first, "Yes."), (second, "yes!"))]
    spoken, drops = scripts(chosen(first, second), writings(*answers), cleaned=True, variants=["transcript", "random"])
    assert spoken["text"].to_pylist() == ["Yes.", LEGEND["random"]]
    assert reasons(drops) == [(second["prompt_id"], name, "duplicate_text") for name in ("transcript", "random")]
    assert [json.loads(evidence)["of"] for evidence in drops["evidence"].to_pylist()] == spoken["prompt_id"].to_pylist()


def test_senseless_wishes_and_two_writings_are_refused():
    """A variant that does not exist or is wished twice, none at all, and two current answers to one question."""
    for variants in ([], ["random", "random"], ["continue"]):
        with pytest.raises(RecipeError, match="variants must be some of transcript, random"):
            scripts(chosen(prompt()), writings(), cleaned=False, variants=variants)
    one = prompt()
    twice = writings(*[wrote(one["prompt_id"], "clean_text", text=text) for text in ("One.", "Two.")])
    with pytest.raises(DataError, match=f"two writings of task clean_text about prompt {one['prompt_id']}"):
        scripts(chosen(one), twice, cleaned=True, variants=["transcript"])


TEXTS = st.sampled_from(["One.", "one", "Two words", "三个字", "三个 words", "", " "])
WRITTEN = st.fixed_dictionaries({}, optional=dict.fromkeys((*ALL[1:], "text"), TEXTS))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["en", "zh", "de"]), st.booleans(), WRITTEN), max_size=6),
    st.booleans(),
    st.lists(st.sampled_from(ALL), min_size=1, unique=True),
    st.integers(0, 6),
)
def test_books_balance(cases, cleaned, variants, fewer):
    """Every prompt in every variant is spoken or dropped; texts are unique; prompts appended later take nothing away."""
    rows = [
        prompt(number, f"text {number}", heard=heard, reference_utterance_id=f"r{number}" if refers else None)
        for number, (heard, refers, _) in enumerate(cases)
    ]
    answers = []
    for row, (_, _, content) in zip(rows, cases, strict=True):
        answers += [wrote(row["prompt_id"], **{name: text for name, text in content.items() if name != "text"})]
        answers += [wrote(row["prompt_id"], "clean_text", text=content["text"])] if "text" in content else []
    spoken, drops = scripts(chosen(*rows), writings(*answers), cleaned=cleaned, variants=variants)
    assert spoken.num_rows + drops.num_rows == len(rows) * len(variants)
    made = conform(spoken, "prompts").to_pylist()
    assert len({row["prompt_id"] for row in made}) == len(made)
    assert len({(row["language"], identity_form(row["text"])) for row in made}) == len(made)
    for row in made:
        assert identified(row) == row
        if row["reference_utterance_id"] is not None:
            assert row["reference_language"] == cases[int(row["reference_utterance_id"][1:])][0]
        assert row["target_utterance_id"] is not None or row["style"] == "expressive"
    small, _ = scripts(chosen(*rows[:fewer]), writings(*reversed(answers)), cleaned=cleaned, variants=variants)
    assert spoken.slice(0, small.num_rows).equals(small)


def test_variants_by_style_keep_the_style_of_the_reference():
    """Regular references speak transcripts, of their own and the other language; expressive ones what a model wrote."""
    regular, foreign = prompt(0), prompt(1, "今天天气很好。", language="zh", heard="en")
    expressive = prompt(2, "Come here!", style="expressive")
    regular_writing = prompt(3, "It goes on.")
    rows = [regular, foreign, expressive, regular_writing]
    answers = writings(
        *(wrote(row["prompt_id"], "clean_text", text=row["text"]) for row in rows[:2]),
        *(wrote(row["prompt_id"], **LEGEND) for row in rows[2:]),
    )
    variants = {"regular": ["transcript", "foreign"], "expressive": ALL[1:]}
    spoken, drops = scripts(
        chosen(*rows), answers, cleaned=True, variants=variants, refused={regular_writing["prompt_id"]: "blocked"}
    )
    found = list(zip(with_setting(spoken)["setting"].to_pylist(), spoken["style"].to_pylist(), strict=True))
    assert found == [
        ("en2en", "regular"), ("en2zh", "regular"),
        ("en2en", "expressive"), ("en2zh", "expressive"), ("en2mixed", "expressive"),
    ]  # fmt: skip
    assert spoken.to_pylist()[1] == foreign, "a foreign transcript keeps its recording: another voice than the reference's"
    assert reasons(drops) == [(regular_writing["prompt_id"], "transcript", "no_clean_text")]
    assert json.loads(drops["evidence"][0].as_py())["why"] == "blocked"
    only = {"regular": ["random"]}
    spoken, drops = scripts(chosen(*rows[2:]), answers, cleaned=True, variants=only)
    assert spoken["style"].to_pylist() == ["regular"], "a regular reference stays regular, whatever it says"
    assert drops.num_rows == 0
