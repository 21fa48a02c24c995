"""Leakage groups: each kind of link, and the similarity join against comparing all with all."""

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.text_identity import leakage_form
from splits.groups import leakage_groups, near_identical

COLUMNS = ("group_id", "text", "language", "reference_utterance_id", "target_utterance_id")


def keys(*rows):
    return pa.table({name: pa.array([row[n] for row in rows], pa.string()) for n, name in enumerate(COLUMNS)})


def partition(table):
    parts = {}
    for row in table.to_pylist():
        parts.setdefault(row["leakage_group"], set()).add(row["group_id"])
    return sorted(map(sorted, parts.values()))


def test_links_of_every_kind():
    """Reference, recording in either role, equal and nearly equal text link groups; a speaker's other texts do not."""
    table = keys(
        ("g1", "The cat sat on the mat.", "en", "u1", "u2"),
        ("g2", "A dog barked at the moon all night.", "en", "u1", None),
        ("g3", "Rain fell upon the quiet town.", "en", "u9", "u1"),
        ("g4", "the cat sat - on the MAT", "en", None, None),
        ("g5", "Nothing in common here at all, my friend.", "en", "u5", "u6"),
        ("g6", "Nothing in common here at all, my friends.", "en", "u7", "u8"),
        ("g7", "Alone and far away.", "en", None, None),
    )
    found = leakage_groups(table)
    assert partition(found) == [["g1", "g2", "g3", "g4"], ["g5", "g6"], ["g7"]]
    assert found["leakage_group"].to_pylist()[:4] == [row_id("leakage", "g1")] * 4


def test_audio_columns_count_when_they_are_there():
    """Two recordings of different names and the same audio are one recording."""
    table = keys(("g1", "one", "en", "u1", None), ("g2", "two", "en", "u2", None))
    assert len(partition(leakage_groups(table))) == 2
    audio = table.append_column("reference_audio_id", pa.array(["x", None])).append_column(
        "target_audio_id", pa.array([None, "x"])
    )
    assert partition(leakage_groups(audio)) == [["g1", "g2"]]


def with_dialogues(table, *dialogues, kind=None):
    kind = kind or pa.list_(pa.string())
    return table.append_column("dialogue", pa.array(dialogues, kind))


def test_prompts_of_one_dialogue_stay_together():
    """A name or a list of names; a prompt of two dialogues ties both, an unknown dialogue ties nothing."""
    table = keys(*[(f"g{n}", word, "en", None, None) for n, word in enumerate(["one", "two", "three", "four", "five", "six"])])
    named = with_dialogues(table, "c/d", "c/e", "c/d", None, None, "c/f", kind=pa.string())
    assert partition(leakage_groups(named)) == [["g0", "g2"], ["g1"], ["g3"], ["g4"], ["g5"]]
    listed = with_dialogues(table, ["c/d"], ["c/e"], ["c/e", "c/d"], [], None, ["c/f", None])
    assert partition(leakage_groups(listed)) == [["g0", "g1", "g2"], ["g3"], ["g4"], ["g5"]]
    assert len(partition(leakage_groups(table))) == 6


def test_a_dialogue_is_no_recording():
    """A dialogue and a recording of the same name are two things."""
    table = with_dialogues(keys(("g1", "one", "en", "c/d", None), ("g2", "two", "en", None, None)), [], ["c/d"])
    assert partition(leakage_groups(table)) == [["g1"], ["g2"]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.lists(st.sampled_from("abcdefgh"), max_size=2), max_size=9))
def test_dialogues_link_as_a_union_find_does(named):
    """Groups are what merging sets that share a dialogue, until none do, leaves."""
    table = keys(*[(f"g{n}", None, "en", None, None) for n in range(len(named))])
    parts = [({f"g{n}"}, set(dialogues or ())) for n, dialogues in enumerate(named)]
    merged = []
    for members, dialogues in parts:
        touching = [part for part in merged if part[1] & dialogues]
        merged = [part for part in merged if part not in touching]
        merged.append((members.union(*(part[0] for part in touching)), dialogues.union(*(part[1] for part in touching))))
    assert partition(leakage_groups(with_dialogues(table, *named))) == sorted(sorted(members) for members, _ in merged)


def test_unknown_is_not_shared():
    """Null recordings, null texts and texts of punctuation link nothing; the same raw punctuation does."""
    table = keys(
        ("g1", None, "en", None, None),
        ("g2", None, "en", None, None),
        ("g3", "...", "en", None, None),
        ("g4", "!?", "en", None, None),
        ("g5", "!?", "en", None, None),
    )
    assert partition(leakage_groups(table)) == [["g1"], ["g2"], ["g3"], ["g4", "g5"]]


def test_a_group_with_several_prompts_links_them_all():
    """Two rows of one group are two references of it, and both count."""
    table = keys(
        ("g1", "one", "en", "u1", None),
        ("g1", "one", "en", "u2", None),
        ("g2", "two", "en", "u2", None),
        ("g3", "three", "en", "u1", None),
    )
    assert partition(leakage_groups(table)) == [["g1", "g2", "g3"]]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Hello, World!", "hello world"),
        ("\uff28\uff45llo", "Hello"),
        ("stra\u00dfe", "STRASSE"),
        ("今天\uff0c天气很好\u3002", "今天 天气很好"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_normalised_texts_are_equal(text, other):
    """Case, width, composition, punctuation and white space are no difference."""
    assert leakage_form(text) == leakage_form(other)


def test_marks_and_symbols_are_a_difference():
    """Tones, accents and symbols are spoken, so they stay."""
    assert len({leakage_form(text) for text in ("resume", "r\u00e9sum\u00e9", "5$", "5", "a+b", "ab")}) == 6


def brute_force(texts, similarity):
    sets = [{text[n : n + 3] for n in range(max(1, len(text) - 2))} for text in texts]
    return [
        [i, j] for i in range(len(texts)) for j in range(i + 1, len(texts))
        if len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= similarity
    ]  # fmt: skip


WORDS = st.lists(st.sampled_from(["ab", "abc", "bca", "cab", "xyz", "zyx", "a", "今天", "天气"]), min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WORDS.map("".join), min_size=0, max_size=25, unique=True), st.sampled_from([0.3, 0.5, 0.55, 0.6, 0.8, 0.9, 1.0])
)
def test_join_finds_what_brute_force_finds(texts, similarity):
    """The prefix filter loses no pair and adds none, at any threshold and with texts shorter than a gram."""
    assert near_identical(texts, similarity=similarity).tolist() == brute_force(texts, similarity)


@settings(deadline=None)
@given(
    st.text("abcdefghij", min_size=30, max_size=60),
    st.lists(st.tuples(st.integers(0, 59), st.sampled_from("abcdefghij")), max_size=12),
)
def test_join_on_edited_texts(text, edits):
    """Pairs around the threshold, made by editing one text step by step, are judged as by brute force."""
    versions = [text]
    for place, letter in edits:
        cut = place % len(text)
        versions.append(versions[-1][:cut] + letter + versions[-1][cut + 1 :])
    texts = list(dict.fromkeys(versions))
    assert near_identical(texts).tolist() == brute_force(texts, 0.8)


def test_one_word_in_fifteen():
    """The default threshold links sentences that differ in one short word of fifteen, and not in four."""
    sentence = re.findall(r"\w+", "when the wind came down from the northern hills we closed all of the doors")
    one, four = list(sentence), list(sentence)
    one[7] = "western"
    four[1:12:3] = ["a", "rolled", "western", "locked"]
    texts = [leakage_form(" ".join(words)) for words in (sentence, one, four)]
    assert near_identical(texts).tolist() == [[0, 1]]


def test_bad_input():
    """A threshold that means nothing, a missing column and a null group are refused."""
    with pytest.raises(ValueError, match="similarity"):
        near_identical(["a", "b"], similarity=0)
    with pytest.raises(DataError, match="target_utterance_id"):
        leakage_groups(keys(("g", "t", "en", None, None)).drop_columns(["target_utterance_id"]))
    with pytest.raises(DataError, match="null"):
        leakage_groups(keys((None, "t", "en", None, None)))


def test_no_rows():
    """Nothing in, nothing out."""
    assert leakage_groups(keys()).num_rows == 0
