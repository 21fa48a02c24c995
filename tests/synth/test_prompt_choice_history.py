"""Choosing targets among the turns of dialogues."""

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ids import row_id
from splits.groups import leakage_groups
from synth.dialogues import dialogue_keys, histories
from synth.prompt_choice import choose
from tests.synth.test_prompt_choice import WISHES, books, table, utterance


def turn(dialogue: str, number: int, speaker: str | None, **columns) -> dict:
    place = f"{dialogue}/{number}"
    return utterance(0, source_id=place, utterance_id=row_id("utterance", "c", place), dialogue_id=dialogue, turn=number,
                     speaker_id=speaker, text=f"words of {dialogue} {number}") | columns  # fmt: skip


def talk(dialogue: str, turns: int) -> list[dict]:
    return [turn(dialogue, number, f"{dialogue} {'BA'[number % 2]}") for number in range(1, turns + 1)]


def reasons(drops: pa.Table) -> dict[str, str]:
    return dict(zip(drops["row_id"].to_pylist(), drops["reason"].to_pylist(), strict=True))


def test_turns_imitate_an_earlier_turn_of_their_dialogue():
    """Two speakers in turn: their first turns are the references of all that they say later."""
    rows = [*talk("d", 6), utterance(1), utterance(2)]
    prompts, drops = choose(table(rows), seed=0, history=True)
    of = {row["utterance_id"]: row["turn"] for row in rows[:6]}
    roles = {of[row["target_utterance_id"]]: of[row["reference_utterance_id"]] for row in prompts.to_pylist()}
    assert roles == {3: 1, 5: 1, 4: 2, 6: 2}
    assert reasons(drops) == {row["utterance_id"]: "no_history" for row in rows[6:]}


def test_no_reference_but_one_that_was_heard_before():
    """A speaker's recordings in other dialogues, outside dialogues or later in this one are no reference."""
    rows = [
        turn("d", 1, "A"),
        turn("d", 2, "B"),
        turn("d", 3, "C"),
        turn("e", 1, "B"),
        turn("e", 2, "C"),
        utterance(1, speaker_id="B"),
    ]
    prompts, drops = choose(table(rows), seed=0, history=True)
    assert prompts.num_rows == 0
    assert [reasons(drops)[row["utterance_id"]] for row in rows] == [
        "no_history", "no_reference", "no_reference", "no_history", "no_reference", "no_history",
    ]  # fmt: skip
    unknown = [row | {"speaker_id": None} for row in talk("d", 4)]
    assert Counter(choose(table(unknown), seed=0, history=True)[1]["reason"].to_pylist()) == {
        "no_history": 1,
        "no_reference": 3,
    }


def test_a_short_turn_is_no_reference_and_a_gap_ends_a_dialogue():
    """The first turn that is long enough is the reference; after a missing turn nothing is a target or a reference."""
    rows = [row | ({"duration_s": 1.5} if row["turn"] == 1 else {}) for row in talk("d", 9) if row["turn"] != 8]
    prompts, drops = choose(table(rows), seed=0, history=True, reference_min_duration_s=2.0)
    of = {row["utterance_id"]: row["turn"] for row in rows}
    roles = {of[row["target_utterance_id"]]: of[row["reference_utterance_id"]] for row in prompts.to_pylist()}
    assert roles == {5: 3, 7: 3, 4: 2, 6: 2}
    assert {of[row]: reason for row, reason in reasons(drops).items()} == {1: "no_history", 9: "no_history"}


def test_every_dialogue_gives_one_target_first():
    """Ten texts of ten dialogues come from all ten, with and without references."""
    rows = [row for number in range(10) for row in talk(f"d{number}", 8)]
    for reference in ("same_speaker", "none"):
        prompts, _ = choose(table(rows), seed=0, history=True, texts=10, reference=reference)
        home = {row["utterance_id"]: row["dialogue_id"] for row in rows}
        assert len({home[target] for target in prompts["target_utterance_id"].to_pylist()}) == prompts.num_rows == 10


def test_without_history_dialogues_are_no_matter():
    """A corpus of dialogues used for single texts gives what it would give without its turns."""
    rows = talk("d", 9)
    plain = [row | {"dialogue_id": None, "turn": None} for row in rows]
    assert choose(table(rows), seed=0)[0].equals(choose(table(plain), seed=0)[0])


TURNS = st.lists(
    st.fixed_dictionaries(
        {
            "speaker_id": st.sampled_from(["s", "t", None]),
            "duration_s": st.sampled_from([None, 0.5, 1.5, 4.0]),
            "text": st.sampled_from(["one", "two words", "Two words!", *(f"words {number}" for number in range(9))]),
            "problem": st.sampled_from([None, None, None, None, "missing_audio"]),
        }
    ),
    min_size=3,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(said=st.tuples(TURNS, TURNS), wishes=WISHES, more=st.integers(1, 5), shuffle=st.randoms(use_true_random=False))
def test_invariants_of_dialogues(said, wishes, more, shuffle):
    """Targets have a complete history, references are in it, roles never mix, books balance, growth keeps what was there."""
    rows = [turn(name, place, None) | one for name, turns in zip("de", said, strict=True) for place, one in enumerate(turns, 1)]
    rows.append(utterance(1, text="outside"))
    prompts, drops = choose(table(rows), seed=3, history=True, **wishes)
    assert books(table(rows), prompts, drops) == sorted(row["utterance_id"] for row in rows)
    by_id = {row["utterance_id"]: row for row in rows}
    heard = {
        row["prompt_id"]: row["history_utterance_ids"] for row in histories(prompts, table(rows), longest=None).to_pylist()
    }
    targets, references = set(prompts["target_utterance_id"].to_pylist()), set(prompts["reference_utterance_id"].to_pylist())
    assert not targets & references
    for row in prompts.to_pylist():
        target, reference = by_id[row["target_utterance_id"]], row["reference_utterance_id"]
        assert len(heard[row["prompt_id"]]) == target["turn"] - 1 >= 1
        assert (reference is None) == (wishes["reference"] == "none")
        if reference is not None:
            assert reference in heard[row["prompt_id"]]
            assert by_id[reference]["speaker_id"] == target["speaker_id"] is not None
    larger, _ = choose(table(rows), seed=3, history=True, **(wishes | {"texts": wishes["texts"] and wishes["texts"] + more}))
    assert larger.slice(0, prompts.num_rows).equals(prompts)
    shuffle.shuffle(rows)
    again = choose(table(rows), seed=3, history=True, **wishes)
    assert again[0].equals(prompts)
    assert again[1].equals(drops)


def test_dialogues_stay_apart():
    """Prompts of one dialogue are one leakage group, and their references tie it to no other."""
    rows = [row | {"text": row_id(row["source_id"])} for name in "abcdef" for row in talk(name, 8)]
    prompts, _ = choose(table([row | {"speaker_id": row["speaker_id"][-1]} for row in rows]), seed=0, history=True)
    keys = dialogue_keys(prompts, table(rows))
    assert [len(names) for names in keys.to_pylist()] == [1] * prompts.num_rows
    groups = leakage_groups(prompts.append_column("dialogue", keys))
    assert prompts.num_rows == 6 * 6
    assert len(set(groups["leakage_group"].to_pylist())) == 6
