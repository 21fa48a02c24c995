"""What was said before a turn."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError, RecipeError
from contracts.schemas import PROMPTS, UTTERANCES
from synth.dialogues import HISTORIES, dialogue_keys, histories

REQUIRED = {field.name: "-" for field in UTTERANCES if not field.nullable}


def said(turn, text="words", *, dialogue="d", speaker="s", corpus="c", problem=None):
    return REQUIRED | {
        "utterance_id": f"{corpus}.{dialogue}.{turn}", "corpus": corpus, "dialogue_id": dialogue, "turn": turn, "text": text,
        "speaker_id": speaker, "problem": problem,
    }  # fmt: skip


def talk(*rows):
    return pa.Table.from_pylist(list(rows), schema=UTTERANCES)


def aimed(*targets, reference=None):
    rows = [
        {field.name: None if field.nullable else "-" for field in PROMPTS}
        | {"prompt_id": f"p{n}", "target_utterance_id": target, "reference_utterance_id": reference}
        for n, target in enumerate(targets)
    ]
    return pa.Table.from_pylist(rows, schema=PROMPTS)


BOOKING = [
    said(1, "Good morning.", speaker="anna"),
    said(2, "Morning!\n Do you  have a room?", speaker="ben"),
    said(3, "For how many nights?", speaker="anna"),
    said(4, "For two.", speaker="ben"),
]


def test_words_and_recordings_up_to_the_target():
    """One line a turn, speakers by number, the target itself and what follows left out; order of rows does not matter."""
    table = histories(aimed("c.d.3", "c.d.4"), talk(*reversed(BOOKING)), longest=None)
    assert table.schema == HISTORIES
    assert table.to_pylist() == [
        {
            "prompt_id": "p0",
            "history_utterance_ids": ["c.d.1", "c.d.2"],
            "history_text": "Speaker 1: Good morning.\nSpeaker 2: Morning! Do you have a room?",
        },
        {
            "prompt_id": "p1",
            "history_utterance_ids": ["c.d.1", "c.d.2", "c.d.3"],
            "history_text": "Speaker 1: Good morning.\nSpeaker 2: Morning! Do you have a room?\nSpeaker 1: For how many nights?",
        },
    ]


def test_the_last_turns_only():
    """A short memory keeps the end of the history, and counts speakers in what it keeps."""
    (row,) = histories(aimed("c.d.4"), talk(*BOOKING), longest=2).to_pylist()
    assert row["history_utterance_ids"] == ["c.d.2", "c.d.3"]
    assert row["history_text"] == "Speaker 1: Morning! Do you have a room?\nSpeaker 2: For how many nights?"
    assert histories(aimed("c.d.4"), talk(*BOOKING), longest=9).equals(histories(aimed("c.d.4"), talk(*BOOKING), longest=None))
    with pytest.raises(RecipeError, match="longest"):
        histories(aimed("c.d.4"), talk(*BOOKING), longest=0)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([BOOKING[0]], "first turn"),
        ([BOOKING[1], BOOKING[2]], "the first turn is missing"),
        ([BOOKING[0], BOOKING[2]], "a turn between is missing"),
        ([BOOKING[0], said(2, None, problem="missing_transcript"), BOOKING[2]], "a turn between is unusable"),
        ([BOOKING[0], said(2, None), BOOKING[2]], "nobody knows what a turn between says"),
        ([BOOKING[0], said(2, dialogue="other"), BOOKING[2]], "another dialogue does not fill the gap"),
        ([BOOKING[0], said(2, corpus="other"), BOOKING[2]], "another corpus's dialogue of that name does not"),
        ([BOOKING[0] | {"dialogue_id": None}, BOOKING[1]], "the first is no turn"),
        ([BOOKING[0], BOOKING[1] | {"turn": None}], "the target has no turn"),
        ([said(0), said(1)], "turns count from one"),
        ([said(1), said(2), said(-7)], "a negative turn is before nothing"),
    ],
)
def test_no_history_at_all_instead_of_half_of_one(rows, why):
    """Null, not an empty list, where a judge would miss what was said; a short memory does not excuse a gap."""
    for longest in (None, 1):
        (row,) = histories(aimed(rows[-1]["utterance_id"]), talk(*rows), longest=longest).to_pylist()
        assert (row["history_utterance_ids"], row["history_text"]) == (None, None), why


def test_prompts_without_a_recording_have_no_history():
    """A text that nobody has spoken, or an utterance that is not there, is no turn."""
    table = histories(aimed(None, "gone"), talk(*BOOKING), longest=None)
    assert table["history_text"].null_count == table["history_utterance_ids"].null_count == 2


def test_a_transcript_cannot_play_another_turn():
    """Line separators of any kind in a transcript are white space; speakers that the corpus does not know share no number."""
    rows = [said(1, "Hi.\nSpeaker 2: I lie\u2028Speaker 3: too"), said(2, "Oh.", speaker=None), said(3), said(4)]
    rows[2]["speaker_id"] = "t"
    (row,) = histories(aimed("c.d.4"), talk(*rows), longest=None).to_pylist()
    assert row["history_text"].splitlines() == [
        "Speaker 1: Hi. Speaker 2: I lie Speaker 3: too", "Unknown speaker: Oh.", "Speaker 2: words",
    ]  # fmt: skip


def test_two_recordings_of_a_turn_are_refused():
    """Which of them was heard cannot be known; an unusable one does not count."""
    twin = said(2) | {"utterance_id": "twin"}
    with pytest.raises(DataError, match=r"dialogue 'd': .*twin.* turn 2"):
        histories(aimed("c.d.3"), talk(*BOOKING, twin), longest=None)
    assert histories(aimed("c.d.3"), talk(*BOOKING, twin | {"problem": "duplicate_turn"}), longest=None).equals(
        histories(aimed("c.d.3"), talk(*BOOKING), longest=None)
    )


def test_dialogues_that_a_prompt_takes_from():
    """The target's dialogue and the reference's, each once; none for recordings outside dialogues."""
    rows = talk(*BOOKING, said(1, dialogue="e"), said(None, dialogue=None))
    prompts = aimed("c.d.3", "c.e.1", "c.None.None", None, reference="c.d.1")
    assert dialogue_keys(prompts, rows).to_pylist() == [["c/d"], ["c/d", "c/e"], ["c/d"], ["c/d"]]
    assert dialogue_keys(aimed(None, "c.None.None"), rows).to_pylist() == [[], []]


DIALOGUES = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("de"), st.integers(1, 6)), st.sampled_from([None, None, "missing_audio"])
)


@settings(max_examples=100, deadline=None)
@given(DIALOGUES, st.none() | st.integers(1, 3), st.randoms(use_true_random=False))
def test_histories_are_what_the_definition_says(turns, longest, shuffle):
    """Turn t has a history if 1 to t-1 are all usable (and it is itself), and it is these, or the last of them."""
    rows = [said(turn, corpus=corpus, dialogue=dialogue, problem=why) for (corpus, dialogue, turn), why in turns.items()]
    shuffle.shuffle(rows)
    table = histories(aimed(*[row["utterance_id"] for row in rows]), talk(*rows), longest=longest)
    for row, found in zip(rows, table.to_pylist(), strict=True):
        here = row["corpus"], row["dialogue_id"]
        before = [(*here, turn) for turn in range(1, row["turn"])]
        complete = bool(before) and all(turn in turns and turns[turn] is None for turn in [*before, (*here, row["turn"])])
        wanted = [f"{corpus}.{dialogue}.{turn}" for corpus, dialogue, turn in before] if complete else None
        assert found["history_utterance_ids"] == (wanted[-longest:] if wanted and longest else wanted)
        assert (found["history_text"] is None) == (wanted is None)
        if wanted:
            assert len(found["history_text"].splitlines()) == len(found["history_utterance_ids"])
