"""Choosing target texts and references."""

import math
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.conformance import conform
from contracts.errors import RecipeError
from contracts.ids import row_id
from contracts.schemas import UTTERANCES
from contracts.text_identity import identity_form
from synth.prompt_choice import choose, count_words, identified


def utterance(number: int, **columns) -> dict:
    return {
        "utterance_id": row_id("utterance", "c", str(number)),
        "corpus": "c",
        "source_id": str(number),
        "audio_path": f"{number}.wav",
        "text": f"this is text number {number}",
        "language": "en",
        "speaker_id": "s",
        "style": "regular",
        "duration_s": 4.0,
        "license": "CC0-1.0",
        "problem": None,
    } | columns


def table(rows) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=UTTERANCES)


def books(utterances: pa.Table, prompts: pa.Table, drops: pa.Table) -> list[str]:
    used = {*prompts["target_utterance_id"].to_pylist(), *prompts["reference_utterance_id"].to_pylist()} - {None}
    return sorted([*used, *drops["row_id"].to_pylist()])


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "speaker_id": st.sampled_from(["s", "t", None]),
            "duration_s": st.sampled_from([None, 0.5, 1.5, 4.0, 50.0]),
            "text": st.sampled_from(
                ["one", "One!", "two words", "three more words", "four", "你好吗", "...", "five six", "seven eight"]
            ),
            "style": st.sampled_from(["regular", "expressive"]),
            "problem": st.sampled_from([None, None, None, "missing_audio"]),
        }
    ),
    max_size=30,
)
WISHES = st.fixed_dictionaries(
    {
        "texts": st.none() | st.integers(1, 10),
        "min_duration_s": st.sampled_from([0.0, 1.0, 2.0]),
        "min_words": st.integers(0, 2),
        "styles": st.sampled_from([None, ("regular",)]),
        "reference": st.sampled_from(["same_speaker", "none"]),
        "reference_min_duration_s": st.sampled_from([0.0, 1.0, 2.0]),
        "reference_max_duration_s": st.sampled_from([math.inf, 3.0]),
    }
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, wishes=WISHES, shuffle=st.randoms(use_true_random=False))
def test_invariants(rows, wishes, shuffle):
    """The books balance, roles never mix, references come from the speaker, and the order of rows does not matter."""
    rows = [utterance(number, **row) for number, row in enumerate(rows)]
    prompts, drops = choose(table(rows), seed=3, **wishes)
    conform(prompts, "prompts")
    conform(drops, "drops")
    assert books(table(rows), prompts, drops) == sorted(row["utterance_id"] for row in rows)
    by_id = {row["utterance_id"]: row for row in rows}
    targets, references = prompts["target_utterance_id"].to_pylist(), prompts["reference_utterance_id"].to_pylist()
    assert not set(targets) & set(references)
    assert len(set(targets)) == len(targets) <= (wishes["texts"] or len(rows))
    assert len({identity_form(text) for text in prompts["text"].to_pylist()}) == len(targets)
    for target, reference in zip(targets, references, strict=True):
        assert by_id[target]["problem"] is None
        assert (reference is None) == (wishes["reference"] == "none")
        if reference is not None:
            assert by_id[reference]["speaker_id"] == by_id[target]["speaker_id"] is not None
    shuffle.shuffle(rows)
    again = choose(table(rows), seed=3, **wishes)
    assert again[0].equals(prompts)
    assert again[1].equals(drops)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, wishes=WISHES, fewer=st.integers(1, 9), more=st.integers(1, 9))
def test_raising_texts_keeps_earlier_prompts(rows, wishes, fewer, more):
    """The prompts of a small wish are the first ones of a larger wish, references included."""
    utterances = table([utterance(number, **row) for number, row in enumerate(rows)])
    small, _ = choose(utterances, seed=1, **(wishes | {"texts": fewer}))
    large, _ = choose(utterances, seed=1, **(wishes | {"texts": fewer + more}))
    assert large.slice(0, small.num_rows).equals(small)


def test_every_reference_serves_once_where_there_are_enough():
    """Half of a speaker's recordings are references, each of one target; none is shared."""
    prompts, drops = choose(table(utterance(number) for number in range(100)), seed=0)
    assert prompts.num_rows == 50
    assert len(set(prompts["reference_utterance_id"].to_pylist())) == 50
    assert drops.num_rows == 0


def test_scarce_references_serve_evenly():
    """Ten long recordings serve ninety short texts: none more than once oftener than another."""
    rows = [utterance(number, duration_s=8.0 if number < 10 else 3.0) for number in range(100)]
    prompts, _ = choose(table(rows), seed=0, reference_min_duration_s=6.0)
    uses = Counter(prompts["reference_utterance_id"].to_pylist())
    assert prompts.num_rows == 90
    assert set(uses.values()) == {9}


def test_recordings_that_are_too_long_for_a_reference_are_still_spoken():
    """What F5-TTS would cut at 12 s is a target; no prompt has it as its reference."""
    rows = [utterance(number, duration_s=15.0 if number % 4 else 6.0) for number in range(100)]
    prompts, drops = choose(table(rows), seed=0, reference_max_duration_s=12.0)
    long = {row["utterance_id"] for row in rows if row["duration_s"] > 12}
    assert not long & set(prompts["reference_utterance_id"].to_pylist())
    assert long == set(prompts["target_utterance_id"].to_pylist())
    assert drops.num_rows == 0


def test_unshared_references_come_first_across_speakers():
    """While a speaker has an unused reference, no other speaker's is used twice."""
    rows = [utterance(number, speaker_id="rich") for number in range(20)]
    rows += [utterance(number, speaker_id="poor", duration_s=8.0 if number == 20 else 3.0) for number in range(20, 40)]
    prompts, _ = choose(table(rows), seed=0, reference_min_duration_s=3.5, texts=11)
    assert max(Counter(prompts["reference_utterance_id"].to_pylist()).values()) == 1
    assert Counter(prompts["speaker_id"].to_pylist()) == {"rich": 10, "poor": 1}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"duration_s": 0.2}, "too_short"),
        ({"duration_s": 99.0}, "too_long"),
        ({"text": "one two"}, "few_words"),
        ({"style": "expressive"}, "other_style"),
        ({"text": "This is TEXT, number 0!"}, "duplicate_text"),
        ({"speaker_id": "lonely"}, "no_reference"),
        ({"problem": "missing_audio", "text": None}, "missing_audio"),
        ({"text": None}, "no_text"),
    ],
)
def test_reasons(columns, reason):
    """Each way of being unusable has its own counted reason."""
    rows = [utterance(0), utterance(1), utterance(2, **columns)]
    _, drops = choose(table(rows), seed=0, min_words=3, styles=["regular"], reference_min_duration_s=5.0)
    if reason in {"no_reference", "duplicate_text"}:
        assert reason in drops["reason"].to_pylist()
    else:
        assert (
            dict(zip(drops["row_id"].to_pylist(), drops["reason"].to_pylist(), strict=True))[rows[2]["utterance_id"]] == reason
        )


def test_not_selected_is_counted():
    """What the limit leaves out is in the books as not_selected."""
    prompts, drops = choose(table(utterance(number) for number in range(10)), seed=0, texts=2)
    assert prompts.num_rows == 2
    assert Counter(drops["reason"].to_pylist()) == {"not_selected": 6}


def test_ids_and_setting():
    """A prompt's ids follow from its text and its two recordings; white space is collapsed."""
    rows = [utterance(0, text="  A long   text here "), utterance(1, duration_s=1.5)]
    prompts, _ = choose(table(rows), seed=0, min_duration_s=2.0, reference_min_duration_s=1.0)
    (row,) = prompts.to_pylist()
    target, reference = rows[0]["utterance_id"], rows[1]["utterance_id"]
    assert row["text"] == "A long text here"
    assert row["group_id"] == row_id("text", "en", "A long text here")
    assert row["prompt_id"] == row_id("prompt", row["group_id"], reference, target)
    assert (row["reference_language"], row["reference_text"]) == ("en", "this is text number 1")


@pytest.mark.parametrize(
    ("text", "words"),
    [("It's 5 o'clock -- now!", 4), ("你好,世界。", 4), ("我们 use Python 吗", 5), ("...", 0), ("", 0), ("カタカナ", 4)],
)
def test_count_words(text, words):
    """Words are separated by white space; ideographs and kana count one each."""
    assert count_words(text) == words


@pytest.mark.parametrize("wrong", [{"texts": 0}, {"min_duration_s": 5, "max_duration_s": 1}, {"reference": "any"}])
def test_senseless_wishes_are_refused(wrong):
    """Arguments that make no sense are an error of the recipe."""
    with pytest.raises(RecipeError):
        choose(table([utterance(0)]), seed=0, **wrong)


def test_a_row_is_identified_by_text_and_recordings():
    """Another text gives another group and another prompt; another licence or style does not."""
    prompts, _ = choose(table([utterance(0), utterance(1)]), seed=0)
    (row,) = prompts.to_pylist()
    assert identified(row) == row
    assert identified(row | {"license": "MIT"})["prompt_id"] == row["prompt_id"]
    other = identified(row | {"text": "another"})
    assert other["group_id"] == row_id("text", "en", "another")
    assert other["prompt_id"] == row_id("prompt", other["group_id"], row["reference_utterance_id"], row["target_utterance_id"])


def roles(prompts: pa.Table) -> dict[str, str]:
    """Target -> reference."""
    return dict(zip(prompts["target_utterance_id"].to_pylist(), prompts["reference_utterance_id"].to_pylist(), strict=True))


def test_of_twins_those_are_chosen_that_can_be_used():
    """Two speakers say the same two texts: whatever the hashes, one of them says both, and that is one prompt."""
    for seed in range(20):
        rows = [utterance(number, speaker_id="st"[number % 2], text=f"text {number // 2}") for number in range(4)]
        prompts, drops = choose(table(rows), seed=seed)
        assert prompts.num_rows == 1
        assert Counter(drops["reason"].to_pylist()) == {"duplicate_text": 2}
        assert choose(table(rows[::-1]), seed=seed)[0].equals(prompts)


def test_a_twin_whose_audio_failed_makes_room_for_the_other():
    """Four good recordings and four of the same texts that do not decode: two prompts, and no broken clip in them."""
    rows = [utterance(number, text=f"text {number % 4}") for number in range(8)]
    failed = {row["utterance_id"] for row in rows[4:]}
    for seed in range(10):
        found = roles(choose(table(rows), seed=seed, failed=failed)[0])
        assert len(found) == 2
        assert not failed & {*found, *found.values()}


def test_a_target_whose_reference_failed_gets_the_next_one():
    """All other prompts stay as they were; the failed recording is dropped with its reason."""
    utterances = table(utterance(number) for number in range(20))
    before = roles(choose(utterances, seed=0)[0])
    lost = next(iter(before.values()))
    prompts, drops = choose(utterances, seed=0, failed={lost})
    after = roles(prompts)
    assert before.keys() == after.keys()
    assert {target for target in before if before[target] != after[target]} == {
        t for t, source in before.items() if source == lost
    }
    assert lost not in after.values()
    assert drops.to_pylist()[0] | {"evidence": ""} == {
        "stage": "prompts", "row_id": lost, "filter": "prompts", "reason": "recording_failed", "evidence": "",
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(bad=st.sets(st.integers(0, 29)), later=st.sets(st.integers(0, 29)), texts=st.integers(1, 15))
def test_what_fails_later_moves_no_prompt_that_can_be_used(bad, later, texts):
    """More texts find more broken audio; the prompts of before stay, but for those whose own recordings are broken."""
    rows = [utterance(number, text=f"text {number % 20}", speaker_id="st"[number % 2]) for number in range(30)]
    first, then = ({rows[number]["utterance_id"] for number in numbers} for numbers in (bad, bad | later))
    before = roles(choose(table(rows), seed=2, texts=texts, failed=first)[0])
    after = roles(choose(table(rows), seed=2, failed=then)[0])
    assert {target: source for target, source in before.items() if not {target, source} & then}.items() <= after.items()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, wishes=WISHES, bad=st.sets(st.integers(0, 29)), history=st.booleans())
def test_books_balance_whatever_failed(rows, wishes, bad, history):
    """Every utterance ends once, and knowing of no failure is the same as none."""
    rows = [utterance(number, **row) for number, row in enumerate(rows)]
    failed = {row["utterance_id"] for number, row in enumerate(rows) if number in bad}
    prompts, drops = choose(table(rows), seed=3, **wishes, failed=failed, history=history)
    assert books(table(rows), prompts, drops) == sorted(row["utterance_id"] for row in rows)
    assert choose(table(rows), seed=3, **wishes, failed=set(), history=history)[0].equals(
        choose(table(rows), seed=3, **wishes, history=history)[0]
    )


def test_a_text_that_nobody_recorded_is_a_target_only():
    """Its speaker's recordings are the references, also where they could be targets, and it never is one itself."""
    written = [
        utterance(number, audio_path=None, duration_s=None, language="zh", text=f"text {number}") for number in range(20)
    ]
    recorded = [utterance(100 + number, text=f"word{number}") for number in range(5)]
    prompts, drops = choose(table([*written, *recorded]), seed=0, min_words=2)
    assert prompts.num_rows == 20
    assert set(prompts["reference_language"].to_pylist()) == {"en"}
    assert set(prompts["language"].to_pylist()) == {"zh"}
    assert drops.num_rows == 0
    alone, none = choose(table(written), seed=0)
    assert alone.num_rows == 0
    assert set(none["reason"].to_pylist()) == {"no_reference"}
