"""Rows of SpeechJudge-Data as published: the layout of its data set viewer, read and written."""

import json
import string

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.schemas import VOTES
from storage.published_pairs import PUBLISHED, PUBLISHED_PAIRS, TEACHER, hub_metadata, refusal, rows_of, tables_of

ROW = {
    "index": 7,
    "subset": "expressive",
    "language_setting": "zh2mixed",
    "chosen": True,
    "prompt": {"bytes": b"p", "path": "p.wav"},
    "prompt_text": "你好",
    "target_text": "说 hello",
    "audioA": {"bytes": b"a", "path": "a.wav"},
    "audioB": {"bytes": b"b", "path": "b.wav"},
    "rater": ["r1", "r2", "r3"],
    "audioA_text_accuracy": [1, 1, 0],
    "audioB_text_accuracy": [0, 1, 1],
    "naturalness_annotation": ["A+2", "Tie (missing reason)", "A+1"],
    "naturalness_label": "A",
    TEACHER: "",
}

words = st.text(string.ascii_letters + "你好<>|\n ", min_size=1, max_size=8)
clips = st.none() | st.builds(lambda data, name: {"bytes": data, "path": name}, st.binary(max_size=4), words)
votes = st.lists(
    st.tuples(
        st.sampled_from(["A+2", "A+1", "T", "Tie (both not good)", "Tie (both very good)", "B+1", "B+2"]),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def tables(draw):
    """Return canonical tables of some pairs of one split."""
    split = draw(st.sampled_from(["train", "dev", "test", "other"]))
    pairs, cast = [], []
    for index in draw(st.lists(st.integers(0, 10**6), unique=True, max_size=4)):
        pair_id = row_id("speechjudge", split, index)
        pairs.append(
            {
                "pair_id": pair_id,
                "split": split,
                "index": index,
                "style": draw(st.sampled_from(["regular", "expressive"])),
                "setting": draw(st.sampled_from(["en2en", "en2zh", "zh2zh", "zh2en", "en2mixed", "zh2mixed"])),
                "text": draw(words),
                "prompt_text": draw(words),
                "label": draw(st.sampled_from(["a", "b", "tie"])),
                "chosen": draw(st.booleans()),
                "teacher_reply": draw(st.none() | words),
                "prompt_audio": draw(clips),
                "audio_a": draw(clips),
                "audio_b": draw(clips),
            }
        )
        for number, (value, accurate_a, accurate_b) in enumerate(draw(votes)):
            rater = f"rater {number}"
            cast.append(
                {
                    "vote_id": row_id("vote", pair_id, rater, "speechjudge"),
                    "pair_id": pair_id,
                    "annotator_id": rater,
                    "protocol": "speechjudge",
                    "value": value,
                    "text_accurate_a": accurate_a,
                    "text_accurate_b": accurate_b,
                    "source": "file",
                }
            )
    return split, pa.Table.from_pylist(pairs, schema=PUBLISHED_PAIRS), pa.Table.from_pylist(cast, schema=VOTES)


@given(tables())
def test_what_is_written_is_read_as_the_same(made):
    split, pairs, cast = made
    by_pair = {pair: [vote for vote in cast.to_pylist() if vote["pair_id"] == pair] for pair in pairs["pair_id"].to_pylist()}
    rows = rows_of(pairs.to_pylist(), by_pair)
    read_pairs, read_votes = tables_of(rows.to_pylist(), split, "file")
    assert read_pairs.equals(pairs)
    assert read_votes.equals(cast)
    assert rows_of(read_pairs.to_pylist(), by_pair).equals(rows)


def test_a_published_row_by_hand():
    (pair,), cast = (table.to_pylist() for table in tables_of([ROW], "train", "train-00000-of-00001.parquet"))
    assert (pair["style"], pair["setting"], pair["label"], pair["chosen"]) == ("expressive", "zh2mixed", "a", True)
    assert pair["audio_b"] == {"bytes": b"b", "path": "b.wav"}
    assert pair["teacher_reply"] is None
    assert [(vote["annotator_id"], vote["value"], vote["text_accurate_a"]) for vote in cast] == [
        ("r1", "A+2", True),
        ("r2", "T", True),
        ("r3", "A+1", False),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"naturalness_annotation": ["A+2", "Tie", "A+1"]}, "row 0, naturalness_annotation: 'Tie' is none of"),
        ({"naturalness_annotation": ["A+2"]}, "naturalness_annotation has 1 values"),
        ({"rater": ["r1", "r1", "r3"]}, "rater: each must be named, and once"),
        ({"audioB_text_accuracy": [0, 2, 1]}, "audioB_text_accuracy: 2 is neither 0 nor 1"),
        ({"naturalness_label": "a"}, "naturalness_label: 'a' is none of A, B, Tie"),
        ({"language_setting": "en2fr"}, "language_setting: 'en2fr'"),
        ({"target_text": None}, "target_text: it is missing"),
    ],
)
def test_what_breaks_the_layout_is_named(changes, message):
    with pytest.raises(DataError, match=f"file.parquet, row 0.*{message}|{message}"):
        tables_of([ROW | changes], "train", "file.parquet")


@pytest.mark.parametrize(
    ("changes", "vote", "reason"),
    [
        ({}, {"value": "A"}, "no_cmos_vote"),
        ({}, {"text_accurate_b": None}, "no_text_accuracy"),
        ({"setting": "fr2fr"}, {}, "other_language_setting"),
        ({"style": "sung"}, {}, "other_style"),
        ({"prompt_text": None}, {}, "no_prompt_text"),
        ({"label": None}, {}, "no_label"),
        ({}, None, "no_votes"),
        ({}, {}, None),
    ],
)
def test_what_the_layout_cannot_say(changes, vote, reason):
    (pair,), cast = (table.to_pylist() for table in tables_of([ROW], "train", "file"))
    given_votes = [] if vote is None else [cast[0] | vote, *cast[1:]]
    assert refusal(pair | changes, given_votes) == reason
    if reason:
        with pytest.raises(DataError, match=reason):
            rows_of([pair | changes], {pair["pair_id"]: given_votes})


def test_datasets_loads_the_features():
    """The library's own reading of the metadata: clips are Audio, votes are lists."""
    from datasets import Audio, Features

    described = json.loads(hub_metadata()["huggingface"])["info"]["features"]
    features = Features.from_dict(described)
    assert list(features) == PUBLISHED.names
    assert isinstance(features["audioA"], Audio)
    assert features["rater"].feature.dtype == "string"
