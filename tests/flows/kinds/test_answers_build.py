"""Builds of answers: LibriSQA and CoVoST 2 as rows for RL with a BLEU reward and for SFT, beside their own files."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import Audio, load_dataset
from typer.testing import CliRunner

from contracts.errors import RecipeError
from corpora import question_miniatures
from flows.entry.cli import app
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.views.explain import story_of
from flows.views.report import write_report
from flows.views.status import status_of
from scoring.rewards.bleu import SentenceBleu
from storage.release_verification import verify_release
from tests.flows.small import run

RECIPES = Path(__file__).parents[3] / "recipes"


def opened(folder, name, **changes):
    """Return a build of a recipe that this project ships, over the miniature of its corpus in a folder."""
    literals = yaml.safe_load((RECIPES / f"{name}.yaml").read_text()) | changes
    literals["corpora"] = [one | {"root": str(folder / "corpus")} for one in literals["corpora"]]
    (folder / "r.yaml").write_text(yaml.safe_dump(literals, sort_keys=False))
    return open_build(folder / "r.yaml", str(folder / "ws"))


def built(build):
    with build.workspace.lock():
        return run(build, "release")


def released(build):
    """Return split -> rows."""
    found = {}
    for file in sorted(Path(release_of(build)).rglob("*.parquet")):
        found.setdefault(file.name.partition("-")[0], []).extend(pq.read_table(file).to_pylist())
    return found


@pytest.fixture
def librisqa(tmp_path, in_this_process):
    """Return a finished build of LibriSQA: of each recording two questions."""
    question_miniatures.librisqa(tmp_path / "corpus", recordings=6)
    build = opened(tmp_path, "librisqa")
    built(build)
    return build


def test_questions_and_answers_are_those_of_the_corpus(librisqa, tmp_path):
    """Every object of the tables is a row: its question the prompt, its answer the reference and the completion."""
    expected = {}
    for split in ("train", "test"):
        for item in json.loads((tmp_path / f"corpus/LibriSQA-PartI/LibriSQA-PartI-{split}.json").read_text()):
            expected[Path(item["speech_path"]).stem, item["question"]] = item["answer"], split
    rows = released(librisqa)
    for split, some in rows.items():
        for row in some:
            answer, corpus_split = expected.pop((row["content_id"], row["prompt"]))
            assert (row["references"], row["completion"]) == ([answer], answer)
            assert corpus_split == ("test" if split == "test" else "train")
            assert row["reward"] == SentenceBleu().signature(1)
            assert (row["language"], row["reference_language"], row["label_source"]) == ("en", "en", "references")
    assert not expected
    assert len({row["question_id"] for some in rows.values() for row in some}) == 24


def test_no_recording_is_in_two_splits(librisqa):
    """All questions about one recording lie together, by its name and by its sound."""
    rows = released(librisqa)
    splits = {}
    for split, some in rows.items():
        for row in some:
            splits.setdefault(row["content_id"], set()).add(split)
            splits.setdefault(row["audio"]["path"], set()).add(split)
    assert all(len(found) == 1 for found in splits.values())
    assert set(rows) == {"train", "test"} or set(rows) == {"train", "validation", "test"}


def test_datasets_reads_it_and_views_work(librisqa, tmp_path):
    data = load_dataset(release_of(librisqa), "answers")
    row = data["test"].cast_column("audio", Audio(decode=False))[0]
    assert row["audio"]["bytes"][:4] == b"fLaC"
    assert verify_release(release_of(librisqa)).problems == []
    books = {stage.name: finished(stage, librisqa) for stage in stages_of(librisqa) if stage.active(librisqa)}
    assert all(books.values())
    assert {books[name].unit for name in ("filters", "splits", "release")} == {"questions"}
    assert {line["state"] for line in status_of(librisqa)} == {"done"} or any(
        line["stage"] == "note" for line in status_of(librisqa)
    )
    write_report(librisqa.as_read_only(), tmp_path / "report.html")
    assert "<p><b>What did he begin?</b></p>" in (tmp_path / "report.html").read_text()
    planned = CliRunner().invoke(app, ["plan", str(tmp_path / "r.yaml"), "--workspace", str(tmp_path / "ws")])
    assert planned.exit_code == 0, planned.output
    card = (Path(release_of(librisqa)) / "README.md").read_text()
    assert SentenceBleu().signature(1).split("|")[0] in card


def test_the_story_of_a_row_leads_to_the_line_of_the_corpus(librisqa):
    row = released(librisqa)["test"][0]
    story = story_of(librisqa, row["question_id"])
    assert story["clip of the corpus"]["source_ref"] == row["source_ref"]
    assert story["clip of the corpus"]["question"] == row["prompt"]
    assert story["label"]["label"] == row["completion"]
    assert story["split"]["split"] == "test"
    assert [one["question_id"] for one in story["released"]] == [row["question_id"]]


def test_translations_are_those_of_the_tables(tmp_path, in_this_process):
    """One instruction for all; German references; a split without completions is for RL alone."""
    question_miniatures.covost2(tmp_path / "corpus", rows=1)
    build = opened(tmp_path, "covost2_en_de", prompt_only=["train"])
    books = built(build)
    rows = {row["source_id"]: (split, row) for split, some in released(build).items() for row in some}
    dropped = books["splits"].dropped.get("ineligible", 0)
    found = 0
    for split in ("train", "dev", "test"):
        with (tmp_path / f"corpus/covost_v2.en_de.{split}.tsv").open(newline="") as file:
            for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\"):
                if (name := line["path"].removesuffix(".mp3")) not in rows:
                    continue
                where, row = rows[name]
                assert where == split
                assert row["prompt"] == "Translate the speech into German."
                assert row["references"] == [line["translation"]]
                assert row["completion"] == (None if split == "train" else line["translation"])
                assert (row["text"], row["reference_language"]) == (line["sentence"], "de")
                found += 1
    assert found == len(rows) == 3 - dropped > 0


def test_a_recording_without_question_or_reference_is_dropped(tmp_path, in_this_process):
    """Without an instruction nothing is asked about CoVoST 2; the error says so."""
    question_miniatures.covost2(tmp_path / "corpus", rows=1)
    build = opened(tmp_path, "covost2_en_de", instruction=None)
    with pytest.raises(Exception, match="none of 3 utterances can be one of the questions: no_question 3"):
        built(build)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {"from": "judge"}}, "the labels of questions are the corpora's references"),
        ({"prompt_only": ["rl"]}, "prompt_only: rl: splits makes train, dev, test only"),
        ({"instruction": " "}, "instruction: is blank"),
        ({"listening": {"protocol": "rating", "of": "samples"}}, "nobody is asked about questions"),
        ({"filters": [{"name": "cycles"}]}, "filter 'cycles' reads"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    question_miniatures.covost2(tmp_path / "corpus", rows=1)
    with pytest.raises(RecipeError) as caught:
        opened(tmp_path, "covost2_en_de", **changes)
    assert message in str(caught.value)
