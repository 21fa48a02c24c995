"""Pairs of rated clips, from small tables: who is left out, who wins, and what stays together."""

import pyarrow as pa
import pytest

from contracts.conformance import conform
from contracts.ids import row_id
from contracts.schemas import PAIRS, RECORDINGS, UTTERANCES
from synth.pairing import pairs
from synth.rated_clips import contents, far_apart, group_of, of_contents, of_one_sound, of_pools, rated, rulings
from synth.rated_clips import samples as samples_of
from tests.rows import rows

MEAN = {"rater": None, "raters": 8, "std": 0.5}
SINGLE = {"raters": None, "std": None}


def rating(score, scale="mos", **more):
    return {"scale": scale, "score": score, **(SINGLE if "rater" in more else MEAN), **more}


def utterances(*rows):
    """Return rows of UTTERANCES: (id, content, system, ratings)."""
    return conform(
        pa.Table.from_pylist(
            [
                {
                    "utterance_id": name,
                    "corpus": "c",
                    "source_id": name,
                    "language": "en",
                    "style": "regular",
                    "license": "CC0-1.0",
                    "text": "hello" if content == "one" else None,
                    "content_id": content,
                    "system": system,
                    "ratings": ratings,
                }
                for name, content, system, ratings in rows
            ],
            schema=UTTERANCES,
        ),
        "utterances",
    )


def recordings(*names):
    return pa.Table.from_pylist(
        [
            {
                "recording_id": f"r-{name}",
                "utterance_id": name,
                "audio_id": f"a-{name}",
                "duration_s": 1.0,
                "sample_rate_hz": 16000,
                "native_sample_rate_hz": 22050,
                "loudness_lufs": -30.0,
                "source_sha256": "0",
            }
            for name in names
        ],
        schema=RECORDINGS,
    )


TABLE = utterances(
    ("u1", "one", "sys1", [rating(3.0)]),
    ("u2", "one", "sys2", [rating(4.5)]),
    ("u3", "one", None, [rating(5.0, rater="x"), rating(4.0, rater="y"), rating(1.0)]),
    ("u4", "two", "sys1", [rating(2.0)]),
    ("u5", "two", "sys2", [rating(2.0)]),
    ("u6", None, "sys2", [rating(2.0)]),
    ("u7", "two", "sys3", [rating(2.0, scale="noise")]),
    ("u8", "two", "sys4", None),
)


def test_what_cannot_stand_in_a_pair_is_dropped_with_its_reason():
    usable, drops = rated(TABLE, "mos")
    assert usable["utterance_id"].to_pylist() == ["u1", "u2", "u3", "u4", "u5"]
    assert {row["row_id"]: row["reason"] for row in drops.to_pylist()} == {
        "u6": "no_content",
        "u7": "no_rating",
        "u8": "no_rating",
    }


def test_a_clip_that_says_something_else_is_no_clip_of_the_content():
    """By its text, however it is written, or its language; a clip without a text may say anything."""
    given = {"u1": ("en", "Hello there."), "u2": ("en", "hello there"), "u3": ("en", None), "u4": ("en", "Goodbye."),
             "u5": ("de", "Hello there.")}  # fmt: skip
    table = utterances(*((name, "c", "s", [rating(3.0)]) for name in given))
    for column, place in (("language", 0), ("text", 1)):
        values = pa.array([pair[place] for pair in given.values()], pa.string())
        table = table.set_column(table.column_names.index(column), table.schema.field(column), values)
    usable, drops = rated(table.take(pa.array([4, 3, 2, 1, 0])), "mos")
    assert sorted(usable["utterance_id"].to_pylist()) == ["u1", "u2", "u3"]
    assert {row["row_id"]: row["reason"] for row in drops.to_pylist()} == {"u4": "other_text", "u5": "other_language"}
    assert contents(of_contents(usable))["text"].to_pylist() == ["Hello there."]


def test_single_raters_count_where_they_are_known():
    """The mean of u3 is that of its two raters: the corpus's stated mean beside them is left out."""
    usable, _ = rated(TABLE, "mos")
    assert usable["rating"].to_pylist() == [3.0, 4.5, 4.5, 2.0, 2.0]


def test_a_content_is_one_prompt_with_the_text_that_any_of_its_clips_has():
    usable, _ = rated(TABLE, "mos")
    rows = {row["group_id"]: row for row in contents(of_contents(usable)).to_pylist()}
    assert {group: row["text"] for group, row in rows.items()} == {group_of("c", "one"): "hello", group_of("c", "two"): None}


def test_the_higher_mean_wins_and_equal_ones_are_no_preference():
    usable, _ = rated(TABLE, "mos")
    samples = samples_of(of_contents(usable), recordings("u1", "u2", "u3", "u4", "u5"))
    assert dict(zip(samples["utterance_id"].to_pylist(), samples["system"].to_pylist(), strict=True))["u3"] == "human"
    found = pairs(samples, seed=1)
    assert found.num_rows == 3 + 1, "pairs inside a content only"
    ruled = rulings(found, samples, usable, "mos")
    name = dict(zip(samples["sample_id"].to_pylist(), samples["utterance_id"].to_pylist(), strict=True))
    sides = {row["pair_id"]: {"a": name[row["sample_a"]], "b": name[row["sample_b"]]} for row in found.to_pylist()}
    better = {frozenset(sides[row["pair_id"]].values()): sides[row["pair_id"]].get(row["verdict"]) for row in ruled.to_pylist()}
    assert better == {
        frozenset({"u1", "u2"}): "u2",
        frozenset({"u1", "u3"}): "u3",
        frozenset({"u2", "u3"}): None,
        frozenset({"u4", "u5"}): None,
    }
    counted = {sides[row["pair_id"]][side]: row[f"votes_{side}"] for row in ruled.to_pylist() for side in "ab"}
    assert counted == {"u1": 8, "u2": 8, "u3": 2, "u4": 8, "u5": 8}


@pytest.mark.parametrize("seed", range(5))
def test_labels_agree_with_pandas(seed):
    """An independent computation: the mean per clip, then every two clips of a content."""
    import numpy as np

    rng = np.random.default_rng(seed)
    rows = [
        (f"u{n}", f"c{n % 4}", f"s{n % 3}", [rating(float(rng.integers(1, 6)), rater=f"r{k}") for k in range(3)])
        for n in range(20)
    ]
    table = utterances(*rows)
    import pandas as pd

    frame = pd.DataFrame([(name, one["score"]) for name, _, _, ratings in rows for one in ratings], columns=["clip", "score"])
    means = frame.groupby("clip")["score"].mean()
    usable, _ = rated(table, "mos")
    samples = samples_of(of_contents(usable), recordings(*(name for name, *_ in rows)))
    name = dict(zip(samples["sample_id"].to_pylist(), samples["utterance_id"].to_pylist(), strict=True))
    found = pairs(samples, seed=seed)
    assert found.num_rows == 4 * (5 * 4 // 2)
    verdicts = dict(
        zip(*(rulings(found, samples, usable, "mos")[column].to_pylist() for column in ("pair_id", "verdict")), strict=True)
    )
    for row in found.to_pylist():
        a, b = means[name[row["sample_a"]]], means[name[row["sample_b"]]]
        assert verdicts[row["pair_id"]] == ("a" if a > b else "b" if b > a else None)


def test_keys_of_clips_as_they_were_heard_differ_from_all_others():
    from synth.dsp import AudioFormat, OriginalFormat, format_literals

    heard, normalised = (
        format_literals(one) for one in (OriginalFormat(sample_rate_hz=16000), AudioFormat(sample_rate_hz=16000))
    )
    assert row_id("recording", "u", heard) != row_id("recording", "u", normalised)


def test_too_few_raters_and_unknown_voices_are_dropped_where_it_matters():
    """A mean over an unknown number of raters is of too few; who speaks matters where pairs are not of one content."""
    table = utterances(
        ("u1", "one", "s", [rating(3.0)]),
        ("u2", "one", "s", [rating(3.0, raters=None)]),
        ("u3", "one", None, [rating(3.0)]),
    )
    usable, drops = rated(table, "mos", min_raters=8, with_voice=True)
    assert usable["utterance_id"].to_pylist() == ["u1"]
    assert {row["row_id"]: row["reason"] for row in drops.to_pylist()} == {
        "u2": "too_few_raters",
        "u3": "no_speaker_or_system",
    }
    assert rated(table, "mos", min_raters=9)[0].num_rows == 0
    assert rated(table, "mos")[0].num_rows == 3


def test_a_pool_of_clips_is_one_prompt_and_each_clip_has_its_own_text():
    """By corpus, language, split and own split; a clip without a text has that of its content."""
    usable, _ = rated(
        utterances(*((f"u{n}", content, "s", [rating(3.0)]) for n, content in enumerate(("one", "one", "two")))), "mos"
    )
    usable = usable.set_column(usable.column_names.index("text"), "text", pa.array([None, "Hello.", None], pa.string()))
    divided = usable.append_column("drawn_for", pa.array(["train", "train", "test"]))
    clips = of_pools(divided.append_column("own_split", pa.array(["tr", "tr", None])))
    assert clips["spoken_text"].to_pylist() == ["Hello.", "Hello.", None]
    found = [{name: row[name] for name in ("text", "drawn_for", "own_split", "corpus")} for row in contents(clips).to_pylist()]
    assert sorted(found, key=str) == [
        {"text": None, "drawn_for": "test", "own_split": None, "corpus": "c"},
        {"text": None, "drawn_for": "train", "own_split": "tr", "corpus": "c"},
    ]
    samples = samples_of(clips, recordings("u0", "u1", "u2"))
    assert len(set(samples["prompt_id"].to_pylist())) == 2


def test_a_sound_in_two_splits_stays_in_that_of_its_smallest_id():
    samples = pa.table({"utterance_id": ["u3", "u1", "u2", "u4"], "audio_id": ["x", "x", "x", "y"]})
    clips = pa.table({"utterance_id": ["u1", "u2", "u3", "u4"], "drawn_for": ["test", "test", "train", "train"]})
    assert of_one_sound(samples, clips).to_pylist() == [True, False, False, False]


def test_pairs_of_ratings_that_are_close_are_dropped():
    """3.7 - 3.5 is 0.2, though not in binary fractions."""
    clips = pa.table({"sample_id": ["s1", "s2", "s3"], "rating": [3.7, 3.5, 3.4]})
    given = [{"pair_id": f"p{a}{b}", "sample_a": f"s{a}", "sample_b": f"s{b}"} for a, b in ((1, 2), (2, 3), (3, 1))]
    kept, drops = far_apart(rows(PAIRS, *given), clips, 0.2)
    assert kept["pair_id"].to_pylist() == ["p12", "p31"]
    assert [(row["row_id"], row["reason"], row["evidence"]) for row in drops.to_pylist()] == [
        ("p23", "small_gap", '{"rating_a":3.5,"rating_b":3.4}')
    ]
