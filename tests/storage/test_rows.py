"""Release rows: what a row says of the judge comes from its ruling and from the judgment that the ruling is told by."""

import numpy as np
import pyarrow as pa
import pytest

from contracts.schemas import JUDGMENTS, LABELS, METRICS, PAIRS, PROMPTS, RECORDINGS, SAMPLES, SPLITS, UTTERANCES, empty
from scoring.reliability.aggregation import rulings
from storage.columns import TASK1, TASK4, release_schema, row_schema
from storage.rows import PairRows
from tests.rows import rows


def judgment(pair, order, vote, verdict, *totals):
    a, b = totals
    return {
        "judgment_id": f"{pair}.{order}{vote}", "pair_id": pair, "judge": "gemini", "model": "flash", "prompt_version": "v1",
        "judge_version": "3", "model_served": f"flash-{order}{vote}", "order": order, "vote": vote, "verdict": verdict,
        "scores_a": [("x", a)], "scores_b": [("x", b)], "total_a": a, "total_b": b, "completion": f"{order}{vote} prefers {verdict}",
    }  # fmt: skip


def joined(splits, batch_rows=1000, **tables):
    """Return the rows of all pairs in the order of a release, joined batch by batch, as a release's writer takes them."""
    found = PairRows(**tables)
    assigned = found.ordered(splits)
    batches = [found.batch(assigned.slice(start, batch_rows)) for start in range(0, assigned.num_rows, batch_rows)]
    return pa.concat_tables(batches)


def released(judgments, labels):
    """Return pair -> release row, for labels ``{pair: (label, source)}``."""
    pairs = list(labels)
    judged = rows(JUDGMENTS, *judgments)
    table = joined(
        splits=rows(SPLITS, *({"item_id": pair, "split": "sft"} for pair in pairs)),
        pairs=rows(PAIRS, *({"pair_id": pair, "prompt_id": "t", "sample_a": "s0", "sample_b": "s1"} for pair in pairs)),
        labels=rows(LABELS, *({"item_id": pair, "label": label, "source": source} for pair, (label, source) in labels.items())),
        rulings=rulings(judged),
        judgments=judged,
        prompts=rows(PROMPTS, {"prompt_id": "t", "license": "CC0-1.0"}),
        utterances=empty("utterances"),
        recordings=empty("recordings"),
        samples=rows(SAMPLES, {"sample_id": "s0", "license": "CC0-1.0"}, {"sample_id": "s1", "license": "CC0-1.0"}),
        metrics=empty("metrics"),
        source_types={"s0": "digitalCapture", "s1": "algorithmicMedia"},
        filters=["cycles"],
    )
    assert table.schema.types == [row_schema(TASK1).field(name).type for name in table.column_names]
    return {row["pair_id"]: row for row in table.to_pylist()}


@pytest.mark.parametrize(("system", "flaw"), [("tts", "intent"), ("human", None)])
def test_a_row_tells_what_its_question_shows(system, flaw):
    """Turns before as audio in order, and what a clip said instead; licences of all that is heard count for the row.

    A flaw is that of a written text: another recording that says something else has none.
    """
    judged = rows(JUDGMENTS, judgment("p", "ab", 0, "a", 8.0, 4.0))
    table = joined(
        splits=rows(SPLITS, {"item_id": "p", "split": "sft"}),
        pairs=rows(PAIRS, {"pair_id": "p", "prompt_id": "t", "sample_a": "s0", "sample_b": "s1"}),
        labels=rows(LABELS, {"item_id": "p", "label": "a", "source": "judgment"}),
        rulings=rulings(judged),
        judgments=judged,
        prompts=rows(
            PROMPTS,
            {
                "prompt_id": "t",
                "text": "the target",
                "target_utterance_id": "u3",
                "reference_utterance_id": "u4",
                "license": "CC0-1.0",
            },
        ),
        utterances=rows(
            UTTERANCES,
            {"utterance_id": "u4", "license": "CC-BY-NC-4.0"},
            {"utterance_id": "u1", "license": "CC-BY-4.0"},
            {"utterance_id": "u2", "license": "MIT OR Apache-2.0"},
            {"utterance_id": "u3", "license": "CC0-1.0", "emotion": "sad", "dialogue_id": "d", "turn": 3},
        ),
        recordings=rows(RECORDINGS, {"utterance_id": "u2", "audio_id": "f2"}, {"utterance_id": "u1", "audio_id": "f1"}),
        samples=rows(
            SAMPLES,
            {"sample_id": "s0", "license": "CC0-1.0"},
            {"sample_id": "s1", "license": "CC0-1.0", "spoken_text": "No.", "system": system},
        ),
        metrics=empty("metrics"),
        source_types={"s0": "digitalCapture", "s1": "algorithmicMedia"},
        filters=["cycles"],
        schema=TASK4,
        written=pa.table({"prompt_id": ["t"], "flaw": ["intent"], "text": ["not the target"]}),
        histories=pa.Table.from_pylist(
            [
                {"prompt_id": "t", "history_utterance_ids": ["u1", "u2"]},
                {"prompt_id": "elsewhere", "history_utterance_ids": ["lost"]},
            ]
        ),
    )
    assert set(table.column_names) == set(TASK4.names) - {"votes", "agreement", "vote_ids"}
    (row,) = table.to_pylist()
    assert row["history_audio"] == ["f1", "f2"]
    assert row["flaw"] == flaw
    assert (row["emotion"], row["dialogue_id"], row["turn"]) == ("sad", "d", 3)
    assert (row["spoken_text_a"], row["spoken_text_b"], row["text"]) == (None, "No.", "the target")
    assert row["license"] == "(MIT OR Apache-2.0) AND CC-BY-4.0 AND CC-BY-NC-4.0 AND CC0-1.0"


def test_a_row_tells_its_ruling():
    """Votes and mean scores of all judgments; completion, model and prompt of the first one that says the same."""
    row = released(
        [judgment("p", "ab", 0, "b", 4.0, 6.0), judgment("p", "ab", 1, "a", 8.0, 4.0), judgment("p", "ab", 2, "a", 9.0, 2.0)],
        {"p": ("a", "judgment")},
    )["p"]
    assert (row["judge_votes_a"], row["judge_votes_b"], row["judge_votes_none"]) == (2, 1, 0)
    assert row["scores_a"] == [{"dimension": "x", "score": 7.0}]
    assert row["scores_b"] == [{"dimension": "x", "score": 4.0}]
    assert (row["completion"], row["judge_model"]) == ("ab1 prefers a", "flash-ab1")
    assert (row["judge"], row["judge_version"], row["prompt_version"]) == ("gemini", "3", "v1")


@pytest.mark.parametrize(
    ("judgments", "label", "completion"),
    [
        ([("ab", 0, "a")], "a", "ab0 prefers a"),
        ([("ab", 0, "a")], "b", None),  # people decided otherwise
        ([("ba", 0, "a")], "a", None),  # it calls A what is B here
        ([("ba", 0, "a"), ("ab", 0, None)], "a", None),
        ([("ba", 0, "a"), ("ab", 0, "a")], "a", "ab0 prefers a"),
    ],
)
def test_only_a_reasoning_for_this_label_in_this_order_is_training_text(judgments, label, completion):
    """The completion is there where its judgment heard the pair as stored and ends in the label; the judge is named anyway."""
    scores = {"a": (6.0, 5.0), "b": (5.0, 6.0), None: (5.0, 5.0)}
    said = [judgment("p", order, vote, verdict, *scores[verdict]) for order, vote, verdict in judgments]
    row = released(said, {"p": (label, "votes")})["p"]
    assert row["completion"] == completion
    assert row["judge"] == "gemini"


def test_a_pair_that_people_alone_labelled_names_no_judge():
    """No ruling: everything of the judge is null, and the pair is released all the same."""
    found = released([judgment("p", "ab", 0, "a", 6.0, 5.0)], {"p": ("a", "judgment"), "q": ("b", "votes")})
    names = ("completion", "judge", "judge_model", "scores_a", "judge_votes_a", "judge_votes_b", "judge_votes_none")
    assert [found["q"][name] for name in names] == [None] * len(names)
    assert found["q"]["label"] == "b"


def many(seed):
    """Return tables of ten prompts with three clips each, whose rows lie in any order, and what was measured of each clip."""
    draw = np.random.default_rng(seed)

    def shuffled(schema, made):
        return rows(schema, *(made[place] for place in draw.permutation(len(made))))

    samples = [f"s{prompt}{clip}" for prompt in range(10) for clip in range(3)]
    measured = {sample: [(f"m{n}", float(draw.random())) for n in draw.permutation(draw.integers(0, 4))] for sample in samples}
    wer = {sample: float(draw.random()) if draw.random() < 0.7 else None for sample in samples}
    pairs = [
        {
            "pair_id": f"p{draw.integers(10**9)}",
            "prompt_id": f"t{prompt}",
            "sample_a": f"s{prompt}{a}",
            "sample_b": f"s{prompt}{b}",
        }
        for prompt in range(10)
        for a, b in ((0, 1), (2, 0), (1, 2))
    ]
    labels = [{"item_id": pair["pair_id"], "label": "ab"[draw.integers(2)], "source": "judgment"} for pair in pairs]
    judged = [judgment(pair["pair_id"], "ab", 0, "ab"[draw.integers(2)], 2.0, 1.0) for pair in pairs]
    tables = {
        "splits": shuffled(SPLITS, [{"item_id": pair["pair_id"], "split": "sft"} for pair in pairs[:-2]]),
        "pairs": shuffled(PAIRS, pairs),
        "labels": shuffled(LABELS, labels),
        "rulings": rulings(rows(JUDGMENTS, *judged)),
        "judgments": shuffled(JUDGMENTS, judged),
        "prompts": shuffled(PROMPTS, [{"prompt_id": f"t{n}", "text": f"text {n}", "license": "CC0-1.0"} for n in range(10)]),
        "utterances": empty("utterances"),
        "recordings": empty("recordings"),
        "samples": shuffled(SAMPLES, [{"sample_id": sample, "audio_id": f"audio {sample}"} for sample in samples]),
        "metrics": shuffled(
            METRICS,
            [{"sample_id": sample, "metric": "many", "values": values} for sample, values in measured.items()]
            + [{"sample_id": sample, "metric": "wer", "values": [("wer", value)]} for sample, value in wer.items()]
            + [{"sample_id": "of another recipe", "metric": "wer", "values": [("wer", 1.0)]}],
        ),
        "source_types": dict.fromkeys(samples, "algorithmicMedia"),
        "filters": ["cycles"],
    }
    return tables, {sample: sorted([*values, ("wer", wer[sample])]) for sample, values in measured.items()}, wer


@pytest.mark.parametrize("batch_rows", [1, 7, 100])
def test_batches_are_joined_as_a_loop_would(batch_rows):
    """Each row has its own prompt, clips, measurements and judgment, whatever the order of the tables and the batch."""
    tables, measured, wer = many(batch_rows)
    found = joined(**tables, batch_rows=batch_rows).to_pylist()
    pairs = {row["pair_id"]: row for row in tables["pairs"].to_pylist()}
    labels = {row["item_id"]: row["label"] for row in tables["labels"].to_pylist()}
    said = {row["pair_id"]: row for row in tables["judgments"].to_pylist()}
    released = sorted(tables["splits"]["item_id"].to_pylist(), key=lambda pair: (pairs[pair]["prompt_id"], pair))
    assert [row["pair_id"] for row in found] == released, "rows of a prompt are neighbours, since they share clips"
    for row in found:
        pair, judged = pairs[row["pair_id"]], said[row["pair_id"]]
        assert row["text"] == f"text {pair['prompt_id'][1:]}"
        assert row["label"] == labels[row["pair_id"]]
        assert row["completion"] == (judged["completion"] if judged["verdict"] == row["label"] else None)
        for side in "ab":
            sample = pair[f"sample_{side}"]
            assert row[f"audio_{side}"] == f"audio {sample}"
            assert [(item["metric"], item["value"]) for item in row[f"metrics_{side}"]] == measured[sample]
            assert row[f"wer_{side}"] == wer[sample]


def test_a_clip_without_measurements_has_none():
    """Null, which is not the empty list of a metric that had nothing to say."""
    tables, _, _ = many(0)
    metrics = tables["metrics"].filter(pa.array([sample != "s00" for sample in tables["metrics"]["sample_id"].to_pylist()]))
    metrics = pa.concat_tables([metrics, rows(METRICS, {"sample_id": "s00", "metric": "many", "values": []})])
    found = joined(**tables | {"metrics": metrics}).to_pylist()
    assert {str(row["metrics_a"]) for row in found if row["audio_a"] == "audio s00"} == {"[]"}
    found = joined(**tables | {"metrics": empty("metrics")}).to_pylist()
    assert {(row["metrics_a"], row["wer_b"]) for row in found} == {(None, None)}


@pytest.mark.parametrize("has_categories", [True, False])
def test_rows_say_of_which_sort_their_reference_is(has_categories):
    """Only in a release whose schema has the column: those of other recipes stay as they are."""
    table = joined(
        splits=rows(SPLITS, *({"item_id": pair, "split": "sft"} for pair in "pq")),
        pairs=rows(PAIRS, *({"pair_id": pair, "prompt_id": pair, "sample_a": "s0", "sample_b": "s1"} for pair in "pq")),
        labels=rows(LABELS, *({"item_id": pair, "label": "a", "source": "votes"} for pair in "pq")),
        rulings=rulings(empty("judgments")),
        judgments=empty("judgments"),
        prompts=rows(
            PROMPTS,
            {"prompt_id": "p", "license": "CC0-1.0", "reference_category": "whisper"},
            {"prompt_id": "q", "license": "CC0-1.0"},
        ),
        utterances=empty("utterances"),
        recordings=empty("recordings"),
        samples=rows(SAMPLES, {"sample_id": "s0", "license": "CC0-1.0"}, {"sample_id": "s1", "license": "CC0-1.0"}),
        metrics=empty("metrics"),
        source_types={"s0": "trainedAlgorithmicMedia", "s1": "trainedAlgorithmicMedia"},
        filters=[],
        schema=release_schema("task1", has_categories=has_categories),
    )
    assert (table.column_names[-1] == "reference_category") == has_categories
    if has_categories:
        assert table["reference_category"].to_pylist() == ["whisper", None]
