"""A release with a configuration of every sort of rows, written by the release writer."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from annotate.models.tasks import better_clip, critique_clip, critique_pair, quality, task1
from flows.exports.named_release import NamedRelease
from storage.card_facts import Facts
from storage.clip_columns import ANSWERS, RATED_CLIPS
from storage.columns import TASK1, ReleaseSchema, row_schema
from storage.rated_columns import PAIR_CRITIQUES, PROMPTED_PAIRS, SCALAR_CLIPS
from storage.release_writer import ReleaseSplit, write
from storage.shards import ShardLayout
from storage.workspace import Workspace
from tests.scoring.rewards.test_pair_rewards import card
from tests.storage.release_rows import RATE, clip, rated_rows, rows

FACTS = Facts(
    pretty_name="Tiny",
    version="0.1.0",
    funnel=[],
    leakage=[],
    judge_statement="Nobody judged.",
    attribution={},
    recipe_digest="f00d",
    seed=1,
)
A, B = [9.0, 8.0, 7.0, 6.0], [5.0, 8.0, 8.0, 1.0]
_CLIP = {
    "group_id": "g",
    "language": "en",
    "system": "human",
    "filters_passed": [],
    "license": "CC0-1.0",
    "is_synthetic": False,
    "duration_s": 0.1,
    "loudness_lufs": -23.0,
    "native_sample_rate_hz": RATE,
    "corpus": "corpus",
}
SCORES = {aspect.key: float(number % 5 + 1) for number, aspect in enumerate(quality.ASPECTS)}
WORDS = dict.fromkeys(quality.FORM.fields, "There is a hum. It is steady.")


def pairs(count: int, start: int = 0, **columns: Any) -> pa.Table:
    """Return rows of Task 1 with completions in its layout and the judge's scores."""
    names = [dimension.name for dimension in task1.DIMENSIONS]
    scores = {
        f"scores_{side}": [{"dimension": name, "score": score} for name, score in zip(names, given, strict=True)]
        for side, given in (("a", A), ("b", B))
    }
    votes = [{"value": "A+2", "count": 1}, {"value": "T", "count": 1}]
    fixed = {"label": "a", "completion": card("task1", A, B), "votes": votes, "prompt_audio": "ref", "reference_language": "en"}
    return rows(count, start, **(fixed | scores | columns))


def prompted(count: int) -> pa.Table:
    """Return rated pairs with prompts."""
    extra = {
        "prompt": critique_pair.PLUGIN.render("en"),
        "identifier_prompt": better_clip.PLUGIN.render("en"),
        "chosen": "Audio 1",
        "rejected": "Audio 2",
    }
    found = [row | extra | {"leakage_group": f"rated {row['leakage_group']}"} for row in rated_rows(count).to_pylist()]
    return pa.Table.from_pylist(found, schema=row_schema(PROMPTED_PAIRS))


def critiques(count: int) -> pa.Table:
    """Return rated pairs with critiques in the task's layout."""
    completion = "1. Noise: none in either.\n2. Distortion: the second hums.\n3. Naturalness: both.\n4. Continuity: both."
    extra = {
        "prompt": critique_pair.PLUGIN.render("en"),
        "completion": f"{completion}\nFinal Scores: [[8, 5]]",
        "scores_a": [{"dimension": critique_pair.QUALITY.name, "score": 8.0}],
        "scores_b": [{"dimension": critique_pair.QUALITY.name, "score": 5.0}],
        "judge": "gemini",
        "judge_version": "1",
        "judge_model": "gemini",
        "prompt_version": critique_pair.PLUGIN.prompt_version("en"),
    }
    return pa.Table.from_pylist([row | extra for row in rated_rows(count).to_pylist()], schema=row_schema(PAIR_CRITIQUES))


def scalar_clips(count: int) -> pa.Table:
    """Return clips with a mean rating and a critique."""
    made = [
        _CLIP
        | {
            "clip_id": f"scalar-{number}",
            "audio": f"s{number}",
            "scale": "mos",
            "rating": 3.5,
            "critique_prompt": critique_clip.PLUGIN.render("en"),
            "critique": '{"noise": "None.", "distortion": "None.", "naturalness": "Good.", "continuity": "Good."}',
            "leakage_group": f"s{number}",
            "source_id": f"{number}",
        }
        for number in range(count)
    ]
    return pa.Table.from_pylist(made, schema=row_schema(SCALAR_CLIPS))


def clips(count: int) -> pa.Table:
    """Return rated clips in the form of Task 2."""
    made = [
        _CLIP
        | {
            "clip_id": f"clip-{number}",
            "audio": f"c{number}",
            "prompt": quality.PLUGIN.render("en"),
            "scores": [{"scale": name, "score": score, "mean": score} for name, score in SCORES.items()],
            "completion": quality.FORM.compose(SCORES, WORDS),
            "label_source": "ratings",
            "rating_ids": [],
            "leakage_group": f"c{number}",
            "source_id": f"{number}",
        }
        for number in range(count)
    ]
    return pa.Table.from_pylist(made, schema=row_schema(RATED_CLIPS))


def answers(count: int) -> pa.Table:
    """Return questions about recordings."""
    made = [
        _CLIP
        | {
            "question_id": f"question-{number}",
            "audio": f"q{number}",
            "prompt": "Who sleeps?",
            "references": ["The cat sleeps."],
            "reference_language": "en",
            "completion": "The cat sleeps.",
            "reward": "BLEU|...",
            "label_source": "references",
            "leakage_group": f"q{number}",
            "source_id": f"{number}",
        }
        for number in range(count)
    ]
    return pa.Table.from_pylist(made, schema=row_schema(ANSWERS))


def released(folder: Path, *more: tuple[str, str, pa.Table, ReleaseSchema], only: Iterable[str] = ()) -> NamedRelease:
    """Write the release."""
    parts = [
        ("task1", "rl", pairs(4), TASK1),
        ("pairs", "train", prompted(4), PROMPTED_PAIRS),
        ("quality", "rl", clips(2), RATED_CLIPS),
        ("answers", "rl", answers(2), ANSWERS),
        ("clips", "train", scalar_clips(2), SCALAR_CLIPS),
        *more,
    ]
    chosen = set(only) or {name for name, *_ in parts}
    splits = [
        ReleaseSplit(config=name, split=split, rows=[table], schema=schema)
        for name, split, table, schema in parts
        if name in chosen
    ]
    workspace, layout = Workspace(folder), ShardLayout(sample_rate_hz=RATE)
    place = write(workspace, "0.1.0", splits=splits, audio=clip, facts=FACTS, layout=layout)
    return NamedRelease(workspace=workspace, folder=place)
