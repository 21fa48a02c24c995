"""The leakage proof finds whatever two splits share, and says who."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError, LeakageError
from contracts.schemas import SPLITS
from splits.groups import leakage_groups, near_identical
from splits.leakage import prove

COLUMNS = (
    "group_id",
    "text",
    "language",
    "reference_utterance_id",
    "target_utterance_id",
    "reference_audio_id",
    "target_audio_id",
)


def keys(*rows):
    filled = [(*row, *[None] * (len(COLUMNS) - len(row))) for row in rows]
    return pa.table({name: pa.array([row[n] for row in filled], pa.string()) for n, name in enumerate(COLUMNS)})


def assigned(**split_of_group):
    rows = [
        {"item_id": f"p-{group}", "group_id": group, "leakage_group": f"L-{group}", "split": split}
        for group, split in split_of_group.items()
    ]
    return pa.Table.from_pylist(rows, schema=SPLITS)


CLEAN = [
    ("g1", "The cat sat on the mat.", "en", "u1", "u2", "x1", "x2"),
    ("g2", "A dog barked at the moon.", "en", "u3", "u4", "x3", None),
    ("g3", "Rain.", "en"),
]


def test_clean_splits_are_proven():
    """The proof counts rows, splits and what it compared, and finds nothing shared."""
    proof = prove([assigned(g1="sft", g2="rl", g3="bench")], keys(*CLEAN))
    assert (proof.rows, proof.splits) == (3, {"sft": 1, "rl": 1, "bench": 1})
    assert proof.checked == {
        "leakage group": 3, "text group": 3, "text": 3, "normalised text": 3, "recording": 4, "audio": 3, "near-identical text": 3,
    }  # fmt: skip
    assert set(proof.shared.values()) == {0}


@pytest.mark.parametrize(
    ("other", "shared"),
    [(("g2", "The cat sat on the mat.", "en"), "the text 'The cat sat on the mat.'"), (("g2", "the CAT sat on the mat", "zh"), "normalised text"),
     (("g2", "The cats sat on the mat.", "en"), "near-identical text"), (("g2", "x", "en", "u1"), "recording 'u1'"),
     (("g2", "x", "en", None, "u1"), "recording 'u1'"), (("g2", "x", "en", "u2"), "recording 'u2'"),
     (("g2", "x", "en", None, None, None, "x1"), "audio 'x1'")],
)  # fmt: skip
def test_what_is_shared_is_named(other, shared):
    """Each kind of sharing fails with the thing, both splits, both pairs and both groups; in one split it is fine."""
    with pytest.raises(LeakageError) as caught:
        prove([assigned(g1="sft", g2="bench")], keys(CLEAN[0], other))
    message = str(caught.value)
    assert shared in message
    assert all(word in message for word in ("sft", "bench", "p-g1", "p-g2", "group g1", "group g2"))
    assert prove([assigned(g1="sft", g2="sft")], keys(CLEAN[0], other)).rows == 2


def talking(*dialogues, kind=None):
    table = keys(*[(f"g{n}", f"{n}" * 5, "en") for n in range(len(dialogues))])
    return table.append_column("dialogue", pa.array(dialogues, kind or pa.list_(pa.string())))


def test_a_torn_dialogue_is_found():
    """Turns of one dialogue on two sides are leakage; the column may hold a name, or the names of all that a prompt is tied to."""
    for named in (
        talking("c/d", "c/d", None, kind=pa.string()),
        talking(["c/d"], ["c/e", "c/d"], None),
        talking([None, "c/d"], ["c/d"], []),
    ):
        with pytest.raises(LeakageError, match=r"splits sft and rl share the dialogue 'c/d': item p-g0 .* item p-g1") as caught:
            prove([assigned(g0="sft", g1="rl", g2="bench")], named)
        assert "group g0" in str(caught.value)
        proof = prove([assigned(g0="sft", g1="sft", g2="bench")], named)
        assert proof.checked["dialogue"] == (2 if named["dialogue"].to_pylist()[1] == ["c/e", "c/d"] else 1)
        assert proof.shared["dialogue"] == 0


def test_a_content_in_two_splits_is_found():
    """Where a group is a pool of clips, its contents are what must not be shared."""
    named = talking("c/one", "c/two", "c/one", kind=pa.string()).rename_columns({"dialogue": "content"})
    with pytest.raises(LeakageError, match=r"splits sft and test share the content 'c/one'"):
        prove([assigned(g0="sft", g1="sft", g2="test")], named)
    assert prove([assigned(g0="sft", g1="test", g2="sft")], named).shared["content"] == 0


@settings(deadline=None)
@given(st.lists(st.none() | st.lists(st.sampled_from("abcdef"), max_size=2), min_size=1, max_size=10), st.data())
def test_proof_and_groups_agree_on_dialogues(named, data):
    """The proof passes where leakage groups (separately written) stay whole, and fails where two prompts of a dialogue part."""
    table = talking(*named)
    sides = data.draw(st.lists(st.sampled_from(["sft", "rl"]), min_size=len(named), max_size=len(named)))
    torn = any(
        sides[one] != sides[other] and set(named[one] or ()) & set(named[other] or ())
        for one in range(len(named))
        for other in range(one)
    )
    splits = assigned(**{f"g{n}": side for n, side in enumerate(sides)})
    if torn:
        with pytest.raises(LeakageError, match="share the dialogue"):
            prove([splits], table)
    else:
        prove([splits], table)
    home = {row["group_id"]: row["leakage_group"] for row in leakage_groups(table).to_pylist()}
    side_of = dict(zip(sorted(set(home.values())), ["sft", "rl"] * len(home), strict=False))
    whole = assigned(**{group: side_of[leakage] for group, leakage in home.items()})
    assert prove([whole], table).checked["dialogue"] == len({one for names in named for one in names or ()})


def test_torn_groups_are_found():
    """A text group or a leakage group with pairs on two sides is leakage, whatever the keys say."""
    torn = pa.concat_tables(
        [
            assigned(g1="sft"),
            assigned(g1="rl")
            .set_column(0, SPLITS.field("item_id"), pa.array(["p9"]))
            .set_column(2, SPLITS.field("leakage_group"), pa.array(["other"])),
        ]
    )
    with pytest.raises(LeakageError, match="text group 'g1'"):
        prove([torn], keys(CLEAN[0]))
    with pytest.raises(LeakageError, match="leakage group 'L-g1'"):
        prove([torn.set_column(2, SPLITS.field("leakage_group"), pa.array(["L-g1", "L-g1"]))], keys(CLEAN[0]))


def test_keys_of_other_groups_do_not_matter():
    """A dropped group may share what it likes."""
    assert prove([assigned(g1="sft")], keys(CLEAN[0], ("g9", "The cat sat on the mat.", "en", "u1"))).checked["text"] == 1


def test_missing_keys_are_no_proof():
    """A group without keys, or a missing column, is an error."""
    with pytest.raises(DataError, match="text group g2"):
        prove([assigned(g1="sft", g2="rl")], keys(CLEAN[0]))
    with pytest.raises(DataError, match="reference_utterance_id"):
        prove([assigned(g1="sft")], keys(CLEAN[0]).drop_columns(["reference_utterance_id"]))


def test_no_rows():
    """Nothing assigned shares nothing."""
    assert prove([assigned()], keys(*CLEAN)).rows == 0


@settings(deadline=None)
@given(st.lists(st.text("abcd", min_size=1, max_size=14), min_size=2, max_size=14, unique=True), st.data())
def test_proof_and_join_agree_on_near_texts(texts, data):
    """The proof fails exactly if the (separately written) join finds a near-identical pair across splits."""
    sides = data.draw(st.lists(st.sampled_from(["sft", "rl", "bench"]), min_size=len(texts), max_size=len(texts)))
    across = [pair for pair in near_identical(texts, similarity=0.6).tolist() if sides[pair[0]] != sides[pair[1]]]
    splits = assigned(**{f"g{n}": side for n, side in enumerate(sides)})
    table = keys(*[(f"g{n}", text, "en") for n, text in enumerate(texts)])
    if across:
        with pytest.raises(LeakageError, match="near-identical"):
            prove([splits], table, similarity=0.6)
    else:
        assert prove([splits], table, similarity=0.6).checked["near-identical text"] == len(texts)
