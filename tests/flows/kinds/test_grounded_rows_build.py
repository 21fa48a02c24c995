"""Builds of rows with measured features and a rationale that cites them: real speech, and a language model's server."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset

from annotate.models.tasks.grounded_naturalness import FORM
from contracts.errors import RecipeError
from flows.recipe.load import load
from flows.run.kind import kind_of, stages_of
from flows.run.marks import finished
from flows.run.pipeline import Waiting, open_build
from flows.stages.release import release_of
from flows.views.explain import story_of
from flows.views.status import status_of
from scoring.feature import read_table
from storage.release_verification import verify_release
from tests.annotate import openai_server
from tests.annotate.replies import answer
from tests.flows.listeners import listen
from tests.flows.small import CLIPS, corpus, run

RECIPE = Path(__file__).parents[3] / "recipes/gsrm.yaml"
MADE_UP = "The median F0 of 999 Hz and the jitter of 77 % are not ordinary."


def opened(folder, url, **changes):
    """Return a build of the recipe that this project ships, over five recordings of a reader, with other keys."""
    literals = yaml.safe_load(RECIPE.read_text()) | changes
    literals["corpora"] = [one | {"root": str(folder / "corpus")} for one in literals["corpora"]]
    if literals.get("rationale"):
        literals["rationale"] = literals["rationale"] | {"options": {"model": "m", "base_url": url, "key_variable": ""}}
    literals["splits"] = {"fractions": {"sft": 1.0}}
    (folder / "r.yaml").write_text(yaml.safe_dump(literals, sort_keys=False))
    return open_build(folder / "r.yaml", str(folder / "ws"))


@pytest.fixture
def rated(tmp_path):
    """Return a test's folder with five clips, each rated by three people."""
    scores = [(4, 5, 4), (3, 4, 4), (2, 2, 3), (5, 5, 5), (1, 2, 1)]

    def ratings(number):
        people = [{"scale": "naturalness", "rater": f"r{n}", "score": score} for n, score in enumerate(scores[number])]
        return {"ratings": people, "speaker": f"s{number}"}

    corpus(tmp_path / "corpus", [], each=ratings)
    return tmp_path


def rows_of(build):
    return [row for file in sorted(Path(release_of(build)).rglob("*.parquet")) for row in pq.read_table(file).to_pylist()]


def test_features_first_reasoning_second(rated, in_this_process):
    """Every row has its measurements, a rationale that cites them, and the raters' mean; what stays made up is a drop."""
    asked = []

    def script(prompt, clips):
        asked.append(prompt)
        assert not clips
        if "naturalness: 1.33" in prompt:
            return json.dumps({"rationale": MADE_UP})
        if "naturalness: 5.00" in prompt and "the text says" not in prompt:
            return json.dumps({"rationale": MADE_UP})
        return answer(prompt, clips)

    with openai_server.serving(answer=script) as server:
        build = opened(rated, server.url)
        with build.workspace.lock():
            run(build, "release")
        assert len(asked) == len(CLIPS) + 2  # two replies were made up, and one of them stayed so
        with build.workspace.lock():
            run(build, "release")
        assert len(asked) == len(CLIPS) + 2

    rows = rows_of(build)
    assert sorted(row["scores"][0]["score"] for row in rows) == pytest.approx([7 / 3, 11 / 3, 13 / 3, 5.0])
    for row in rows:
        words = {one["name"]: one["text"] for one in row["descriptions"]}
        measured = {one["metric"]: one["value"] for one in row["metrics"]}
        shown = {one.names[0]: float(one.number) for one in read_table(words["features"].splitlines())}
        assert shown["median F0"] == pytest.approx(measured["f0_median_hz"], abs=0.51)
        assert shown["jitter"] == pytest.approx(measured["jitter_percent"], abs=0.0051)
        assert {"shimmer", "spectral tilt", "bandwidth", "signal-to-noise ratio", "syllable rate", "pause count"} <= set(shown)
        said = FORM.parse(row["completion"])
        assert said.content == words
        assert said.scores == {"naturalness": round(row["scores"][0]["score"], 2)}
        assert said.completion == row["completion"]
        assert "median F0 (median pitch), in Hz" in row["prompt"]
        assert (row["label_source"], row["judge"], row["judge_model"]) == ("ratings", "openai", "m")
        assert row["scores"][0]["raters"] == 3
    (drop,) = build.tables.read("drops@assessments").to_pylist()
    assert drop["reason"] == "no_rationale"
    (failed,) = build.tables.read("failures@rationales").to_pylist()
    assert "number_not_measured" in failed["message"]
    assert failed["subject_id"] == drop["row_id"]
    check_views(build, rows[0]["clip_id"])


def check_views(build, clip):
    states = {row["state"] for row in status_of(build) if row["stage"] != "note"}
    assert states - {""} == {"done"}  # what was paid has no state
    books = {stage.name: finished(stage, build) for stage in stages_of(build) if stage.active(build)}
    assert not any(page.missing for page in books.values())
    assert set(load_dataset(release_of(build), "grounded_naturalness")) == {"sft"}
    assert verify_release(release_of(build)).problems == []
    card = (Path(release_of(build)) / "README.md").read_text()
    assert "cites no number that was not measured" in card
    assert "written: grounded" in json.dumps(story_of(build, clip), default=str)
    rationale = next(line for line in kind_of(build).plan(build) if line["stage"].startswith("rationales"))
    assert (rationale["rows"], rationale["calls"]) == (5, 0)


def test_listeners_ratings_are_explained_too(rated, in_this_process):
    """Nothing is asked before the votes are in, but the plan counts it; then each mean is explained."""
    listening = {"protocol": "rating", "of": "samples", "qualification": 0, "gold_every": 0}
    changes = {"labels": {"from": "votes"}, "listening": listening, "rounded": False}

    def planned(build):
        (line,) = [line for line in kind_of(build).plan(build) if line["stage"].startswith("rationales")]
        return line["rows"], line["done"], line["calls"]

    with openai_server.serving(answer=answer) as server:
        build = opened(rated, server.url, **changes)
        with build.workspace.lock():
            books = run(build, "release")
        assert isinstance(books["votes"], Waiting)
        assert planned(build) == (5, 0, 5)
        for name, rating in (("One", "4"), ("Two", "3"), ("Three", "4")):
            listen(build, name, lambda _clip, rating=rating: rating)
        with build.workspace.lock():
            run(build, "release")
        assert planned(build) == (5, 5, 0)
    rows = rows_of(build)
    assert len(rows) == 5
    for row in rows:
        assert (row["label_source"], len(row["rating_ids"])) == ("votes", 3)
        assert row["completion"].endswith("<answer>naturalness=3.67;</answer>")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rationale": None}, "has measured features: add rationale, with task: grounded"),
        ({"rationale": {"name": "openai", "task": "critique"}}, "is about samples: take grounded"),
        ({"metrics": []}, "nothing is measured that it could cite: add metrics acoustics and prosody"),
        ({"task": None}, "has no place for it: take task: grounded_naturalness"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(rated, changes, message):
    """Form, writer and metrics belong together."""
    with pytest.raises(RecipeError, match=message):
        opened(rated, "http://127.0.0.1:1", **changes)


def test_the_recipe_is_read(monkeypatch, tmp_path):
    """As it is shipped."""
    monkeypatch.setenv("RATED_CLIPS", str(tmp_path))
    recipe = load(RECIPE)
    assert [role.task for role in recipe.writers] == ["grounded"]
