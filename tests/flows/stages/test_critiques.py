"""The stage ``critiques`` over small tables: what is dropped, with what evidence, and when it ends the build."""

import json

import pytest
import yaml

from contracts.errors import DataError
from contracts.schemas import JUDGMENTS, LABELS, WANTED
from flows.listening.critique_evidence import kept_critiques
from flows.run.pipeline import open_build
from flows.stages.critiques import CRITIQUES
from tests.rows import rows


@pytest.fixture
def build(tmp_path):
    critic = {"name": "openai", "options": {"model": "gpt-audio"}}
    recipe = {
        "kind": "rated_pairs",
        "name": "rated",
        "corpora": [{"name": "mos", "reader": "manifest", "root": "mos"}],
        "scale": "mos",
        "critiques": {"pairs": critic},
        "configurations": ["pairs", "critiques"],
        "splits": {"fractions": {"train": 1.0}},
    }
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(recipe))
    return open_build(tmp_path / "r.yaml", str(tmp_path / "ws"))


def judged(build, scores, wanted=None):
    """Write judgments by id, of the pair of that name, all of whose labels are A; those of another recipe are there too."""
    table = [
        {"judgment_id": f"j-{pair}", "pair_id": pair, "total_a": float(a), "total_b": float(b), "input_tokens": 900}
        for pair, (a, b) in scores.items()
    ]
    build.tables.append("judgments", rows(JUDGMENTS, *table))
    build.tables.replace("wanted@judgments", rows(WANTED, *({"row_id": f"j-{pair}", "part": 0} for pair in wanted or scores)))
    build.tables.replace("labels", rows(LABELS, *({"item_id": pair, "label": "a"} for pair in scores)))


def test_each_drop_says_what_it_rests_on(build):
    judged(build, {"kept": (9, 2), "tied": (5, 5), "other": (2, 9), "unwanted": (1, 3)}, wanted=["kept", "tied", "other"])
    books = CRITIQUES.run(build)
    assert (books.rows_in, books.rows_out, books.dropped) == (3, 1, {"tied_scores": 1, "contradicts_label": 1})
    drops = {row["row_id"]: row for row in build.tables.read("drops@critiques").to_pylist()}
    assert {name: row["reason"] for name, row in drops.items()} == {"j-tied": "tied_scores", "j-other": "contradicts_label"}
    assert json.loads(drops["j-other"]["evidence"]) == {
        "pair_id": "other", "label": "a", "total_a": 2.0, "total_b": 9.0, "input_tokens": 900, "output_tokens": None,
        "cost_usd": None,
    }  # fmt: skip
    assert kept_critiques(build, ["pair_id"])["pair_id"].to_pylist() == ["kept"]


def test_a_judge_that_never_agrees_ends_the_build(build):
    judged(build, {"one": (2, 3), "two": (1, 10)})
    with pytest.raises(DataError, match="none of 2 critiques gives the clip with the higher rating the higher score"):
        CRITIQUES.run(build)


def test_no_critique_at_all_ends_the_build(build):
    judged(build, {})
    with pytest.raises(DataError, match="no critique of a pair was written"):
        CRITIQUES.run(build)
