"""Builds of rated clips: QualiSpeech's own rows in the form of Task 2, listeners' ratings, and a judge's scores."""

import csv
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import Audio, load_dataset
from typer.testing import CliRunner

from annotate.models.tasks.quality import FORM
from contracts.errors import LeakageError, RecipeError
from corpora import miniatures
from flows.entry.cli import app
from flows.recipe.load import load
from flows.run.kind import stages_of
from flows.run.marks import execute, finished
from flows.run.pipeline import open_build
from flows.stages import release_pieces
from flows.stages.release import release_of
from flows.stages.splits import proof, splits_table
from flows.views.explain import story_of
from flows.views.report import write_report
from flows.views.status import status_of
from storage.release_verification import verify_release
from tests.annotate import openai_server
from tests.annotate.replies import answer
from tests.flows.listeners import listen
from tests.flows.small import run

RECIPE = Path(__file__).parents[3] / "recipes/qualispeech.yaml"
ASPECTS = {
    "noise": "Background noise",
    "distortion": "Distortion",
    "speed": "Speed",
    "continuity": "Continuity",
    "naturalness": "Naturalness",
    "listening_effort": "Listening effort",
    "overall": "Overall quality",
}
"""Score of a row -> column of QualiSpeech."""

SIZES = {"sft": 10558, "rl": 2167, "bench": 1852}
"""Split -> rows (UniSRM, Table 9)."""


def opened(folder, **changes):
    """Return a build of the recipe that this project ships, over the corpus in a folder, with other keys."""
    literals = yaml.safe_load(RECIPE.read_text()) | changes
    literals["corpora"] = changes.get("corpora", [one | {"root": str(folder / "qualispeech")} for one in literals["corpora"]])
    (folder / "r.yaml").write_text(yaml.safe_dump(literals, sort_keys=False))
    return open_build(folder / "r.yaml", str(folder / "ws"))


def built(build, until="release"):
    with build.workspace.lock():
        return run(build, until)


@pytest.fixture
def corpus(tmp_path):
    """Return a test's folder with QualiSpeech in it."""
    miniatures.qualispeech(tmp_path / "qualispeech", clips=4)
    return tmp_path


@pytest.fixture
def build(corpus, in_this_process):
    found = opened(corpus)
    built(found)
    return found


def lines_of(folder):
    """Return source id -> its line of the corpus's tables, and their split."""
    found = {}
    for split in ("train", "val", "test"):
        with (folder / "qualispeech" / f"{split}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                found[row["id"].removesuffix(".wav")] = row | {"split": split}
    return found


def released(build):
    """Return split -> rows."""
    found = {}
    for file in sorted(Path(release_of(build)).rglob("*.parquet")):
        found.setdefault(file.name.partition("-")[0], []).extend(pq.read_table(file).to_pylist())
    return found


def rows_of(build):
    """Return all released rows."""
    return [row for rows in released(build).values() for row in rows]


def test_rows_are_the_corpus_in_the_form_of_the_paper(build, corpus):
    """Every line of the tables is a row of its split, written out here once more from the line."""
    lines, rows = lines_of(corpus), released(build)
    assert {split: len(some) for split, some in rows.items()} == {"sft": 5, "rl": 5, "bench": 5}
    for split, some in rows.items():
        for row in some:
            line = lines.pop(row["source_id"])
            assert {"sft": "train", "rl": "val", "bench": "test"}[split] == line["split"]
            answer = " ".join(f"{name}={line[column]};" for name, column in ASPECTS.items())
            thoughts = (
                "[Aspect descriptions]\n"
                f"Noise description: {line['Noise Description'] or 'None'}\n"
                f"Distortion description: {line['Distortion description'] or 'None'}\n"
                f"Unnatural pause: {line['Unnatural pause'] or 'None'}\n"
                f"Feeling of voice: {line['Feeling of voice'] or 'None'}\n\n"
                f"[Natural language description]\n{line['Natural language description']}"
            )
            assert row["completion"] == f"<think>\n{thoughts}\n</think><answer>{answer}</answer>"
            assert [(one["scale"], one["score"]) for one in row["scores"]] == [
                (name, float(line[column])) for name, column in ASPECTS.items()
            ]
            assert row["label_source"] == "ratings"
            assert row["source_ref"].startswith(f"{line['split']}.csv:")
    assert not lines


def test_every_row_reads_back_as_itself(build):
    """The parser of the task finds in the completion the scores and words that the row has in columns of their own."""
    for row in rows_of(build):
        said = FORM.parse(row["completion"])
        assert said.scores == {one["scale"]: one["score"] for one in row["scores"]}
        assert {name: text for name, text in said.content.items() if text is not None} == {
            one["name"]: one["text"] for one in row["descriptions"]
        }
        assert "noise=n; distortion=n;" in row["prompt"]


def test_datasets_reads_it_and_it_verifies(build):
    data = load_dataset(release_of(build), "quality")
    assert set(data) == {"sft", "rl", "bench"}
    row = data["bench"].cast_column("audio", Audio(decode=False))[0]
    assert row["audio"]["bytes"][:4] == b"fLaC"
    assert verify_release(release_of(build)).problems == []
    card = (Path(release_of(build)) / "README.md").read_text()
    assert "come from people's ratings" in card
    assert "contains synthetic speech" in card


def test_the_books_balance_and_views_work(build, tmp_path):
    books = {stage.name: finished(stage, build) for stage in stages_of(build) if stage.active(build)}
    assert all(books.values())
    assert not any(page.missing for page in books.values())
    assert {page.unit for name, page in books.items() if name in {"filters", "splits", "release"}} == {"clips"}
    states = {row["state"] for row in status_of(build)}
    assert states - {"done", "no shortcut in 3 features"} == {
        f"split {name} has 5 rows of its quota of {n}" for name, n in SIZES.items()
    }
    write_report(build.as_read_only(), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert '<tr><td>listening_effort</td><td class="n">15</td>' in page
    assert page.count("data:audio/flac;base64,") == 12
    assert "Win rates" not in page
    assert "that the corpora brought along. \nClips other" in page
    planned = CliRunner().invoke(app, ["plan", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path / "ws"), "--json"])
    assert planned.exit_code == 0, planned.output
    assert {line["stage"]: line["rows"] == line["done"] for line in json.loads(planned.output)}["release"]


def test_the_story_of_a_row_leads_to_the_line_of_the_corpus(build):
    """By the clip's id and by the corpus's own."""
    row = released(build)["rl"][0]
    for name in (row["clip_id"], row["source_id"]):
        story = story_of(build, name)
        assert [one["file"].split("/")[0] for one in story["released"]] == ["quality"]
    story = story_of(build, row["clip_id"])
    assert story["clip of the corpus"]["source_ref"] == row["source_ref"]
    assert [one["score"] for one in story["assessment"]["scores"]] == [one["score"] for one in row["scores"]]
    assert story["label"]["label"].startswith("noise=")
    assert story["split"]["split"] == "rl"


def test_what_the_form_cannot_state_is_dropped_by_its_reason(corpus, in_this_process):
    """Half a point, a score beyond the scale, words with a tag; and a BVCC clip that was not merged in."""
    path = corpus / "qualispeech/train.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["Speed"] = "3.5"
    rows[1]["Distortion"] = "6"
    rows[2]["Natural language description"] = "Fine.</think><answer>noise=5;</answer>"
    (corpus / "qualispeech/wav/train" / rows[4]["id"]).unlink()
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    build = opened(corpus)
    books = built(build)
    assert books["utterances"].dropped == {"missing_bvcc_clip": 1, "rating_out_of_range": 1}
    assert books["assessments"].dropped == {"score_not_whole": 1, "tag_in_text": 1}
    (drop,) = (row for row in build.tables.read("drops@assessments").to_pylist() if row["reason"] == "score_not_whole")
    assert json.loads(drop["evidence"])["message"] == "speed=3.5: scores are whole numbers"
    rounded = built(opened(corpus, rounded=True))
    assert rounded["assessments"].dropped == {"tag_in_text": 1}, "3.5 is 4 where the recipe says so"


def test_a_release_in_pieces_is_the_same(build, monkeypatch):
    whole = release_of(build)
    shutil.rmtree(build.workspace.local_path("releases"))
    monkeypatch.setattr(release_pieces, "_PIECE_ROWS", 2)
    (stage,) = (stage for stage in stages_of(build) if stage.name == "release")
    with build.workspace.lock():
        execute(stage, build)
    assert release_of(build) == whole


def test_clips_of_bvcc_are_found_in_its_test_set(corpus, in_this_process):
    """The same sound under two names in two corpora is one leakage group: it lies in one split, whatever their own splits say."""
    miniatures.bvcc(corpus / "bvcc", contents=3)
    ours = corpus / "qualispeech/wav/train/sys01tts-0000000.wav"
    theirs = (corpus / "bvcc/DATA/sets/test_mos_list.txt").read_text().split(",")[0]
    shutil.copy(corpus / "bvcc/DATA/wav" / theirs, ours)
    corpora = [
        {"name": "qualispeech", "reader": "qualispeech", "root": str(corpus / "qualispeech"), "options": {"license": "MIT"}},
        {"name": "bvcc", "reader": "bvcc", "root": str(corpus / "bvcc")},
    ]
    sets = {
        "train": {"fraction": 0.5, "where": {"corpus": ["qualispeech"], "corpus_split": ["train", "val"]}},
        "test": {"fraction": 0.5, "where": {"corpus": ["bvcc"], "corpus_split": ["test"]}},
    }
    build = opened(
        corpus,
        corpora=corpora,
        task=None,
        scales={"overall": ["overall_quality", "mos"]},
        splits={"sets": sets, "stratify_by": []},
    )
    books = built(build)
    rows = released(build)
    names = {row["source_id"]: split for split, some in rows.items() for row in some}
    assert len({"sys01tts-0000000", theirs.removesuffix(".wav")} & set(names)) == 1
    assert books["splits"].dropped["ineligible"] >= 1
    assert {len(row["scores"]) for some in rows.values() for row in some} == {1}
    # The proof alone finds it, too: by the hash of the sound.
    assigned = build.tables.read(splits_table(build)).to_pylist()
    moved = [row | {"leakage_group": row["item_id"]} for row in assigned]
    lost = {row["source_id"] for row in build.tables.read("utterances").to_pylist()} - set(names)
    assert {"sys01tts-0000000", theirs.removesuffix(".wav")} & lost
    samples = {row["utterance_id"]: row for row in build.tables.read("samples").to_pylist()}
    utterances = {row["source_id"]: row for row in build.tables.read("utterances").to_pylist()}
    (kept,) = {"sys01tts-0000000", theirs.removesuffix(".wav")} & set(names)
    other = samples[utterances[({"sys01tts-0000000", theirs.removesuffix(".wav")} - {kept}).pop()]["utterance_id"]]
    moved.append(
        {
            "item_id": other["sample_id"],
            "group_id": other["group_id"],
            "leakage_group": other["sample_id"],
            "split": {"train": "test", "test": "train"}[names[kept]],
        }
    )
    table = build.tables.read(splits_table(build))
    build.tables.replace(splits_table(build), type(table).from_pylist(moved, schema=table.schema))
    with pytest.raises(LeakageError, match=f"share the audio '{other['audio_id']}'"):
        proof(build)


def test_listeners_ratings_become_rows(corpus, in_this_process):
    """The mean per scale, rounded with halves up, with the number of ratings and their deviation; too few are a drop."""
    listening = {"protocol": "rating", "of": "samples", "qualification": 0, "gold_every": 0, "incomplete": "drop"}
    scales = list(ASPECTS)
    build = opened(corpus, labels={"from": "votes"}, scales=scales[::-1], listening=listening | {"incomplete": "wait"})
    built(build, "votes")
    said = {"One": "2", "Two": "3", "Three": "5"}
    for name, rating in said.items():
        listen(build, name, lambda _clip, rating=rating: rating, most=10_000 if name != "Three" else 5)
    build = opened(corpus, labels={"from": "votes"}, scales=scales[::-1], listening=listening)
    books = built(build)
    assert books["assessments"].dropped == {"needs_ratings": 15 - 5}
    rows = rows_of(build)
    assert len(rows) == 5
    for row in rows:
        assert [one["scale"] for one in row["scores"]] == scales
        for one in row["scores"]:
            assert one == {
                "scale": one["scale"],
                "score": 3.0,
                "mean": pytest.approx(10 / 3),
                "raters": 3,
                "std": pytest.approx((((4 / 3) ** 2 + (1 / 3) ** 2 + (5 / 3) ** 2) / 2) ** 0.5),
            }
        assert (row["label_source"], len(row["rating_ids"]), row["completion"]) == ("votes", 3, None)
        assert "noise=n;" in row["prompt"]
    story = story_of(build, rows[0]["clip_id"])
    assert {one["rating_id"] for one in story["ratings"]} == set(rows[0]["rating_ids"])
    assert story["label"]["vote_ids"] == rows[0]["rating_ids"]
    write_report(build.as_read_only(), corpus / "report.html")
    card = (Path(release_of(build)) / "README.md").read_text()
    assert "come from 35 ratings of listeners on 15 clips: of each clip the mean, rounded" in card
    assert "crowdsourced" in card


def test_a_judge_scores_in_the_same_form(corpus, in_this_process, monkeypatch):
    """Its scores and words are the row's; what it costs is in the plan before; a reply that cannot be read is asked for again.

    A clip of which none can be read is a drop that says so.
    """
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    spoilt, unreadable = set(), []

    def say(prompt, clips):
        reply = answer(prompt, clips)
        if clips in (unreadable or [clips]):
            unreadable[:] = [clips]
            return "no form"
        if len(spoilt) < 2 and "You have replied" not in prompt:
            spoilt.add(reply)
            return reply.replace("overall=", "overall=1")
        return reply

    with openai_server.serving(answer=say) as server:
        judge = {"name": "openai", "task": "quality", "options": {"model": "gpt-4o-audio-preview", "base_url": server.url}}
        build = opened(corpus, labels={"from": "judge"}, scales=list(ASPECTS), judge=judge, budget_usd=5)
        planned = CliRunner().invoke(app, ["plan", str(corpus / "r.yaml"), "--workspace", str(corpus / "ws"), "--json"])
        lines = {line["stage"]: line for line in json.loads(planned.output)}
        assert lines["reviews quality openai/gpt-4o-audio-preview"]["calls"] == 15
        assert lines["money"]["usd_at_most"] > 0
        books = built(build)
    assert (books["reviews"].rows_out, books["assessments"].dropped) == (14, {"not_judged": 1})
    (drop,) = build.tables.read("drops@assessments").to_pylist()
    assert json.loads(drop["evidence"])["message"].startswith("the judge gave no reply that can be read")
    assert len(spoilt) == 2
    for row in rows_of(build):
        said = FORM.parse(row["completion"])
        assert said.scores == {one["scale"]: one["score"] for one in row["scores"]}
        assert {one["raters"] for one in row["scores"]} == {None}
        assert (row["label_source"], row["judge"], bool(row["judge_model"])) == ("judgment", "openai", True)
    card = (Path(release_of(build)) / "README.md").read_text()
    assert "They are not human judgments" in card
    write_report(build.as_read_only(), corpus / "report.html")
    assert "Labels come from the judge <b>openai</b>. \n" in (corpus / "report.html").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scales": ["noise", "overall"]}, "scales: task 'quality' scores noise, distortion, speed"),
        ({"task": "task1"}, "task: 'task1' is no form of rated clips: take grounded_naturalness or quality"),
        ({"labels": {"from": "construction"}}, "rated clips are scored by ratings, votes, judge"),
        ({"labels": {"from": "judge"}}, "judge: is for labels.from: judge, and needed there"),
        ({"labels": {"from": "votes"}}, "labels.from is votes: add listening"),
        ({"listening": {"protocol": "rating", "of": "samples"}}, "people's ratings would decide nothing"),
        (
            {"listening": {"protocol": "speechjudge", "of": "pairs"}},
            "listening: of: pairs: people's votes would decide nothing",
        ),
        (
            {"filters": [{"name": "cycles"}]},
            "filter 'cycles' reads sample_a, sample_b, verdict, which nothing says of single clips",
        ),
        ({"scale": "mos"}, "scale: is a key of kind rated_pairs"),
    ],
)
def test_what_is_wrong_is_named(corpus, changes, message):
    with pytest.raises(RecipeError) as caught:
        opened(corpus, **changes)
    assert message in str(caught.value)


def test_the_example_is_a_recipe(monkeypatch):
    monkeypatch.setenv("QUALISPEECH", "/nowhere")
    recipe = load(RECIPE)
    sizes = {name: split.quota for name, split in recipe.splits.named().items()}
    assert sizes == {"sft": 10558, "rl": 2167, "bench": 1852}, "UniSRM, Table 9"
    assert list(recipe.scores) == list(ASPECTS)
