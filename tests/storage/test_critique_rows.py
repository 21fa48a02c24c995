"""Rows of rated pairs with prompts and critiques, and of their clips, beside the plain rows."""

import pyarrow as pa
import pytest

from contracts.schemas import JUDGMENTS, METRICS, SPLITS, WRITINGS
from storage.clip_rows import ClipRows
from storage.columns import row_schema
from storage.critique_rows import PairCritiqueRows, PromptedPairRows
from storage.rated_columns import PAIR_CRITIQUES, PROMPTED_PAIRS, SCALAR_CLIPS
from storage.rated_rows import RatedPairRows
from storage.scalar_clip_rows import ScalarClipRows
from tests.rows import rows
from tests.storage.test_rated_rows import tables

ITEMS = rows(SPLITS, *({"item_id": f"p{n}", "leakage_group": f"l{n}"} for n in (3, 1, 2)))


def batches(joined, items: pa.Table, size: int, schema) -> list[dict]:
    """Return the rows of some items, joined ``size`` at a time, after a look at their types."""
    ordered = joined.ordered(items)
    found = pa.concat_tables([joined.batch(ordered.slice(n, size)) for n in range(0, ordered.num_rows, size)])
    wanted = row_schema(schema)
    assert found.schema.types == [wanted.field(name).type for name in found.column_names]
    return found.to_pylist()


@pytest.mark.parametrize("size", [1, 100])
def test_prompts_are_in_the_language_of_the_row_and_answers_go_by_the_label(size):
    joined = PromptedPairRows(
        RatedPairRows(**tables()),
        prompt=lambda tag: f"score in {tag}",
        identifier_prompt=lambda tag: f"name in {tag}",
        identifiers={"a": "first", "b": "second"},
    )
    found = batches(joined, ITEMS, size, PROMPTED_PAIRS)
    assert [(row["pair_id"], row["label"], row["chosen"], row["rejected"]) for row in found] == [
        ("p1", "b", "second", "first"),
        ("p2", "a", "first", "second"),
        ("p3", "a", "first", "second"),
    ]
    assert {(row["prompt"], row["identifier_prompt"]) for row in found} == {("score in en", "name in en")}
    plain = batches(RatedPairRows(**tables()), ITEMS, size, PROMPTED_PAIRS)
    assert [{name: row[name] for name in plain[0]} for row in found] == plain


@pytest.mark.parametrize("size", [1, 100])
def test_only_pairs_with_a_kept_critique_have_rows(size):
    judgments = rows(
        JUDGMENTS,
        *(
            {
                "judgment_id": f"j{pair}",
                "pair_id": pair,
                "completion": f"of {pair}",
                "scores_a": [("Q", 7.0)],
                "model_served": served,
            }
            | {"scores_b": [("Q", 5.0)], "judge": "openai", "model": "gpt", "prompt_version": "v1"}
            for pair, served in (("p3", "gpt-1"), ("p2", None), ("elsewhere", None))
        ),
    )
    joined = PairCritiqueRows(RatedPairRows(**tables()), judgments=judgments, prompt=lambda _tag: "score them")
    found = batches(joined, ITEMS, size, PAIR_CRITIQUES)
    assert [(row["pair_id"], row["completion"], row["judge_model"], row["prompt"]) for row in found] == [
        ("p2", "of p2", "gpt", "score them"),
        ("p3", "of p3", "gpt-1", "score them"),
    ]
    assert found[0]["scores_a"] == [{"dimension": "Q", "score": 7.0}]


def clip_rows(**changes):
    """Return the rows of those clips, all of which are in English and of one prompt."""
    given = tables()
    samples, utterances = given["samples"], given["utterances"]
    place = utterances.column_names.index("language")
    utterances = utterances.set_column(place, utterances.schema.field(place), [["en"] * utterances.num_rows])
    clips = ClipRows(
        samples=samples, utterances=utterances, labels=given["labels"], metrics=rows(METRICS), filters=["rating_gap"]
    )
    names = ("pairs", "scale")
    return ScalarClipRows(clips, samples=samples, utterances=utterances, **({name: given[name] for name in names} | changes))


@pytest.mark.parametrize("size", [1, 100])
def test_each_clip_of_the_items_is_there_once(size):
    """With the rating that the pairs have, and the group of one of its pairs; the clips of other items are not."""
    found = {row["clip_id"]: row for row in batches(clip_rows(), ITEMS, size, SCALAR_CLIPS)}
    assert {clip: (row["rating"], row["raters"], row["audio"]) for clip, row in found.items()} == {
        "human": (4.5, 2, "audio human"),
        "tts": (3.7, 8, "audio tts"),
        "vc": (3.5, None, "audio vc"),
    }
    assert {row["leakage_group"] for row in found.values()} <= {"l1", "l2", "l3"}
    assert (found["human"]["digital_source_type"], found["tts"]["digital_source_type"]) == ("digitalCapture", None)
    assert (found["tts"]["condition"], found["human"]["speaker_id"], found["vc"]["source_id"]) == (
        "noise 10 dB",
        "eve",
        "vc.wav",
    )
    of_one = batches(clip_rows(), ITEMS.slice(2, 1), size, SCALAR_CLIPS)
    assert [row["clip_id"] for row in of_one] == ["human", "tts"], "p2 is these two"
    assert not set(of_one[0]) - set(SCALAR_CLIPS.names)
    assert clip_rows().ordered(ITEMS.slice(0, 0)).num_rows == 0


def test_what_was_written_of_a_clip_stands_beside_it():
    critiques = rows(
        WRITINGS,
        {"subject_id": "vc", "completion": "{}", "judge": "openai", "model": "gpt", "prompt_version": "v1", "scores": []},
    )
    joined = clip_rows(critiques=critiques, critique_prompt=lambda tag: f"describe in {tag}")
    found = {row["clip_id"]: row for row in batches(joined, ITEMS, 2, SCALAR_CLIPS)}
    assert (found["vc"]["critique"], found["vc"]["critique_prompt"]) == ("{}", "describe in en")
    assert (found["vc"]["critique_judge"], found["vc"]["critique_model"]) == ("openai", "gpt")
    assert (found["tts"]["critique"], found["tts"]["critique_prompt"]) == (None, None)
