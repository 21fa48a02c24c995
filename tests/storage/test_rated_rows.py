"""Rows of rated pairs: ratings come from the rulings, all that is known of a clip from its utterance."""

import statistics

import pyarrow as pa
import pytest

from contracts.schemas import LABELS, PAIRS, PROMPTS, RULINGS, SAMPLES, SPLITS, UTTERANCES
from storage.columns import RATED_PAIRS, row_schema
from storage.rated_rows import RatedPairRows
from tests.rows import rows


def tables(**changes):
    """Return one content with a clip by a person and two by machines, and its three pairs."""
    names = {"human": None, "tts": "tts", "vc": "vc"}
    pairs = [("p2", "human", "tts"), ("p1", "vc", "human"), ("p3", "tts", "vc")]
    means, raters = {"human": 4.5, "tts": 3.7, "vc": 3.5}, {"human": 2, "tts": 8, "vc": 0}
    single = [{"scale": "mos", "rater": rater, "score": score} for rater, score in (("r1", 5.0), ("r2", 4.0))]
    ratings = {
        "human": [*single, {"scale": "mos", "score": 1.0, "std": 9.0}, {"scale": "style", "rater": "r1", "score": 1.0}],
        "tts": [{"scale": "mos", "score": 3.7, "raters": 8, "std": 0.25}],
        "vc": [{"scale": "mos", "score": 3.5}],
    }
    return {
        "pairs": rows(PAIRS, *({"pair_id": p, "prompt_id": "t", "sample_a": a, "sample_b": b} for p, a, b in pairs)),
        "labels": rows(LABELS, *({"item_id": p, "label": "ab"[means[a] < means[b]], "source": "ratings"} for p, a, b in pairs)),
        "rulings": rows(
            RULINGS,
            *(
                {"pair_id": p, "total_a": means[a], "total_b": means[b], "votes_a": raters[a], "votes_b": raters[b]}
                for p, a, b in pairs
            ),
        ),
        "prompts": rows(PROMPTS, {"prompt_id": "t", "text": None, "language": "en", "corpus": "somos"}),
        "samples": rows(
            SAMPLES,
            *(
                {
                    "sample_id": name,
                    "utterance_id": f"u {name}",
                    "system": system or "human",
                    "is_synthetic": system is not None,
                    "audio_id": f"audio {name}",
                    "license": "MIT OR Apache-2.0" if name == "vc" else "CC-BY-4.0",
                    "native_sample_rate_hz": 24000,
                }
                for name, system in names.items()
            ),
        ),
        "utterances": rows(
            UTTERANCES,
            *(
                {
                    "utterance_id": f"u {name}",
                    "source_id": f"{name}.wav",
                    "source_ref": f"m.csv:{n}",
                    "content_id": "c1",
                    "condition": "noise 10 dB" if name == "tts" else None,
                    "speaker_id": "eve" if name == "human" else None,
                    "ratings": ratings[name],
                }
                for n, name in enumerate(names)
            ),
        ),
        "filters": ["rating_gap"],
        "scale": "mos",
    } | changes


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_a_row_tells_both_clips(batch_rows):
    """Means and raters of the ruling; deviation, condition, speaker and the corpus's own id of each clip's utterance."""
    splits = rows(
        SPLITS, *({"item_id": p, "group_id": "g", "leakage_group": "l", "split": "train"} for p in ("p3", "p1", "p2"))
    )
    joined = RatedPairRows(**tables())
    assigned = joined.ordered(splits)
    found = pa.concat_tables([joined.batch(assigned.slice(n, batch_rows)) for n in range(0, 3, batch_rows)])
    wanted = row_schema(RATED_PAIRS)
    assert set(found.column_names) == set(wanted.names) - {"votes", "agreement", "vote_ids"}
    assert found.schema.types == [wanted.field(name).type for name in found.column_names]
    rows_of = {row["pair_id"]: row for row in found.to_pylist()}
    assert list(rows_of) == ["p1", "p2", "p3"]
    row = rows_of["p2"]
    sides = {
        name: (row[f"{name}_a"], row[f"{name}_b"])
        for name in ("audio", "system", "condition", "speaker_id", "rating", "raters", "source_id", "source_ref", "license")
    }
    assert sides == {
        "audio": ("audio human", "audio tts"),
        "system": ("human", "tts"),
        "condition": (None, "noise 10 dB"),
        "speaker_id": ("eve", None),
        "rating": (4.5, 3.7),
        "raters": (2, 8),
        "source_id": ("human.wav", "tts.wav"),
        "source_ref": ("m.csv:0", "m.csv:1"),
        "license": ("CC-BY-4.0", "CC-BY-4.0"),
    }
    assert (row["rating_std_a"], row["rating_std_b"]) == (pytest.approx(statistics.stdev([5.0, 4.0])), 0.25)
    assert (row["is_synthetic_a"], row["digital_source_type_a"]) == (False, "digitalCapture")
    assert (row["is_synthetic_b"], row["digital_source_type_b"]) == (True, None), "the corpus does not say how it works"
    assert (row["label"], row["label_source"], row["scale"], row["category"]) == ("a", "ratings", "mos", "same_content")
    assert (row["content_id_a"], row["content_id_b"]) == ("c1", "c1")
    assert (row["group_id"], row["leakage_group"], row["filters_passed"]) == ("g", "l", ["rating_gap"])
    assert row["rating_gap"] == pytest.approx(0.8)
    assert (row["text_a"], row["text_b"]) == (None, None)
    assert (rows_of["p1"]["raters_a"], rows_of["p1"]["rating_std_a"]) == (None, None), "unknown, not zero"
    assert rows_of["p1"]["license"] == "(MIT OR Apache-2.0) AND CC-BY-4.0"


def test_people_who_confirmed_a_label_are_named():
    """Votes, agreement and the ids of the votes, where a pair was voted on."""
    votes = pa.table(
        {"pair_id": ["p1"], "votes": [[{"value": "A", "count": 2}]], "agreement": ["FA"], "vote_ids": [["v1", "v2"]]}
    )
    joined = RatedPairRows(**tables(votes=votes))
    found = joined.batch(joined.ordered(rows(SPLITS, {"item_id": "p1"}, {"item_id": "p2"}))).to_pylist()
    assert [row["vote_ids"] for row in found] == [["v1", "v2"], None]
    assert found[0]["votes"] == [{"value": "A", "count": 2}]


def test_clips_of_two_contents_say_their_own_texts():
    """Where the prompt has no text, as it is a pool of clips; else both say what it says."""
    given = tables()
    spoken = pa.array(["Hello.", "Goodbye.", None], pa.string())
    samples = given["samples"].set_column(SAMPLES.names.index("spoken_text"), "spoken_text", spoken)
    category = pa.array(["neither", "same_speaker_or_system", None], pa.string())
    pairs = given["pairs"].set_column(PAIRS.names.index("category"), "category", category)
    joined = RatedPairRows(**given | {"samples": samples, "pairs": pairs})
    found = joined.batch(joined.ordered(rows(SPLITS, {"item_id": "p1"}, {"item_id": "p2"}))).to_pylist()
    assert [(row["text_a"], row["text_b"], row["category"]) for row in found] == [
        (None, "Hello.", "same_speaker_or_system"),
        ("Hello.", "Goodbye.", "neither"),
    ]
    (row,) = (
        RatedPairRows(**tables(prompts=rows(PROMPTS, {"prompt_id": "t", "text": "Hi."})))
        .batch(joined.ordered(rows(SPLITS, {"item_id": "p3"})))
        .to_pylist()
    )
    assert (row["text_a"], row["text_b"], row["category"]) == ("Hi.", "Hi.", "same_content")
