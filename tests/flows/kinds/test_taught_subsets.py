"""Pairs that people label: subsets after each filter, a teacher that is asked after the labels, and what no split may share."""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from contracts.errors import LeakageError, RecipeError
from contracts.schemas import VOTES
from flows.exports.export import Wanted, export_release
from flows.exports.named_release import named_release
from flows.kinds.preference_plan import plan_of
from flows.kinds.preference_release import FORM
from flows.listening.store import open_store
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages import release_pieces, subsets
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from flows.views.explain import story_of
from flows.views.report import write_report
from flows.views.subset_funnel import funnel_of
from storage.release_verification import verify_release
from tests.annotate import gemini_server
from tests.annotate.replies import answer
from tests.flows.released_rows import rows_of
from tests.flows.small import recipe, run
from tests.flows.verified import COMPARED

BALLOTS = ("A+1 A+2", "B+1 B+1", "A+1 T A+2", "A+1 B+2 A+1", "T T", "A+1 B+1 T")
"""Full agreement twice, weak agreement, weak disagreement, a tie, and full disagreement."""

LEVELS = ("FA", "FA", "WA", "WD", "FA", "FD")
SAID = {
    "filters": [{"name": "cmos_to_preference"}, {"name": "agreement", "options": {"keep": ["FA", "WA"]}}],
    "subsets": {"raw": {}, "pref": {"after": "cmos_to_preference"}, "hq": {"after": "agreement"}},
    "splits": {
        "fractions": None,
        "sets": {
            "eval": {"strata": [{"language": "en", "style": "regular", "quota": 2}], "where": {"agreement": ["FA"]}},
            "train": {"fraction": 1, "by_teacher": {"right": "sft", "wrong": "rl"}},
        },
    },
    "listening": COMPARED,
}
TRAIN = {"sft", "rl"}


def cast(build):
    """Bring in the ballots, pair by pair in order of their ids; return pair -> ballot."""
    pairs = sorted(build.tables.read("pairs")["pair_id"].to_pylist())
    ballot = {pair: BALLOTS[number % len(BALLOTS)] for number, pair in enumerate(pairs)}
    shared = {"protocol": "speechjudge", "source": "import:vendor.csv"}
    rows = [
        {"vote_id": f"{pair}-{voter}", "pair_id": pair, "annotator_id": f"v{voter}", "value": value, **shared}
        for pair, values in ballot.items()
        for voter, value in enumerate(values.split())
    ]
    with open_store(build) as store:
        store.import_votes(pa.Table.from_pylist(rows, schema=VOTES))
    return ballot


@pytest.fixture
def built(paired_copy, in_this_process, tmp_path, monkeypatch):
    """Yield a finished build, its books, the ballots, and the server that the teacher answered from."""
    monkeypatch.setenv("GEMINI_API_KEY", "canary-key-7431")
    with gemini_server.serving(text=answer) as server:
        path = recipe(tmp_path, judge={"options": {"base_url": server.url, "backoff_s": 0.01}}, **SAID)
        build = open_build(path, str(tmp_path / "ws"))
        run(build, "votes")
        ballot = cast(build)
        books = run(build, "release")
        yield build, books, ballot, server


def test_from_votes_to_subsets_and_a_divided_train_set(built, tmp_path):
    build, books, ballot, server = built
    level = {pair: LEVELS[BALLOTS.index(votes)] for pair, votes in ballot.items()}
    release = release_of(build)
    assert verify_release(release).problems == []
    found = {name: {row["pair_id"]: row for row in rows_of(release, name)} for name in ("raw", "pref", "hq")}

    # Who is in which subset, and as what.
    assert set(found["raw"]) == set(ballot)
    assert Counter(row["label"] for row in found["raw"].values()) == Counter(
        {"A+1 A+2": "a", "B+1 B+1": "b", "A+1 T A+2": "a", "A+1 B+2 A+1": "a", "T T": "tie"}.get(votes)
        for votes in ballot.values()
    )
    assert set(found["pref"]) == {pair for pair, votes in ballot.items() if votes not in {"T T", "A+1 B+1 T"}}
    assert {level[pair] for pair in found["hq"]} <= {"FA", "WA"}
    assert {tuple(row["filters_passed"]) for row in found["pref"].values()} == {("cmos_to_preference",)}
    assert {tuple(row["filters_passed"]) for row in found["raw"].values()} == {()}

    # The evaluation set: its size, and full agreement.
    own = {pair: row["in"] for pair, row in found["hq"].items()}
    assert Counter(own.values())["eval"] == 2
    assert {level[pair] for pair, split in own.items() if split == "eval"} == {"FA"}

    # The teacher: asked about train alone, after the labels; right with its reply, wrong without.
    train = {pair for pair, split in own.items() if split in TRAIN}
    assert set(build.tables.read("wanted@judgments")["subject_id"].to_pylist()) == train
    assert sum(server.sent.values()) == len(train)
    verdicts = {row["pair_id"]: row["verdict"] for row in build.tables.read("rulings").to_pylist()}
    for pair in train:
        row, is_right = found["hq"][pair], verdicts[pair] == found["hq"][pair]["label"]
        assert (row["in"], row["teacher"]) == (("sft", "right") if is_right else ("rl", "wrong"))
        assert (row["completion"] is not None) is is_right
        assert row["text"] in row["prompt"]
    assert {row["in"] for row in found["hq"].values()} == {"eval", *TRAIN}, "else the ballots show too little"
    assert all(row["teacher"] is row["judge"] is None for row in found["hq"].values() if row["in"] == "eval")

    # Wider subsets: the same split where a pair has one, and nothing of a text in two compartments.
    place = {"eval_other": "eval", "train_other": "train"} | dict.fromkeys(TRAIN, "train")
    of_group = {}
    for name in ("raw", "pref", "hq"):
        for pair, row in found[name].items():
            assert row["in"] == own.get(pair, row["in"])
            assert pair in own or row["in"] in {"eval_other", "train_other", "other"}
            whole = place.get(row["in"], row["in"])
            assert of_group.setdefault(row["leakage_group"], whole) == whole
    assert "eval_other" in {row["in"] for row in found["raw"].values()}

    # Trainers get what the teacher said where it is right, and a prompt with the truth where it is not.
    exported = export_release(named_release(release), tmp_path / "trl", Wanted(format="trl", configuration="hq"))
    rows = {(file.split, file.form): file.rows for file in exported.files}
    counted = Counter(own.values())
    assert (rows["sft", "sft"], rows["rl", "rl"]) == (counted["sft"], counted["rl"])
    assert ("rl", "sft") not in rows

    # Nothing is done twice, and a pair tells its story.
    assert [stage.name for stage in stages_of(build) if not finished(stage, build)] == []
    taught = min(train)
    story = story_of(build, taught)
    assert story["subsets"] == dict.fromkeys(("raw", "pref", "hq"), own[taught])
    assert story["split"]["split"] == own[taught]
    assert "the teacher is right about" in books["rulings"].notes[0]
    card = (Path(release) / "README.md").read_text()
    assert "falls on the completion" in card
    assert "## Subsets by agreement of the annotators" in card
    (line,) = [line for line in plan_of(build) if line["stage"].startswith("judgments teacher")]
    assert (line["rows"], line["done"]) == (len(train), len(train))
    write_report(build.as_read_only(), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert all(
        words in page for words in ("From raw votes to splits", "left: tie", "split eval", "Krippendorff", "Majority and model")
    )


def test_a_large_release_is_written_piece_by_piece(built, monkeypatch):
    """A piece has prompts of one compartment, of which each split takes its own; the wider subsets are of the whole."""
    build, _, _, _ = built
    whole = release_of(build)
    shutil.rmtree(build.workspace.local_path("releases"))
    monkeypatch.setattr(release_pieces, "_PIECE_ROWS", 1)
    run(build, "release")
    assert release_of(build) == whole


def test_before_the_teacher_answers_its_split_is_whole(paired_copy, in_this_process, tmp_path):
    """Report and plan work, nobody was asked before the labels, and the split that is to be divided is counted as a whole."""
    build = open_build(recipe(tmp_path, **SAID), str(tmp_path / "ws"))
    run(build, "votes")
    ballot = cast(build)
    books = run(build, "splits")
    assert "judgments" not in books
    (train,) = [row.total for row in funnel_of(build) if row.name == "train"]
    rows = funnel_of(build)
    assert sum(row.total for row in rows if row.kind != "subset") == len(ballot)
    (line,) = [line for line in plan_of(build) if line["stage"].startswith("judgments teacher")]
    assert (line["rows"], line["done"], line["calls"]) == (train, 0, train)
    write_report(build.as_read_only(), tmp_path / "report.html")
    assert "split train" in (tmp_path / "report.html").read_text()


def test_the_proof_runs_over_the_widest_subset(built):
    """A tie of a train text that is put beside the evaluation set is in no split of its own, and is found all the same."""
    build, _, _, _ = built
    table = build.tables.read(splits_table(build))
    held = {row["leakage_group"] for row in table.to_pylist() if row["split"] == "eval"}
    one = min(held)
    names = dict(zip(*(subsets.in_compartments(build)[name].to_pylist() for name in ("item_id", "split")), strict=True))
    prompts = build.tables.read("prompts")
    spoken = {row["group_id"]: row for row in prompts.to_pylist()}
    groups = {row["leakage_group"]: row["group_id"] for row in table.to_pylist()}
    other = next(group for name, group in groups.items() if name not in held)
    changed = [row | ({"text": spoken[groups[one]]["text"]} if row["group_id"] == other else {}) for row in prompts.to_pylist()]
    assert {"eval", "train"} <= set(names.values())
    assert FORM.proof(build).shared["text"] == 0
    with build.workspace.lock():
        build.tables.replace("prompts", pa.Table.from_pylist(changed, schema=prompts.schema))
    with pytest.raises(LeakageError, match=r"splits (eval and train|train and eval) share"):
        FORM.proof(build)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"subsets": {"raw": {}, "hq": {"after": "wer_gap"}}}, r"subsets\.hq\.after: 'wer_gap' is no filter of this recipe"),
        ({"subsets": {"raw": {}}}, r"subsets: one must come after the last filter, 'agreement'"),
        ({"subsets": {"a": {}, "b": {}, "hq": {"after": "agreement"}}}, r"subsets: a and b are the same pairs: keep one"),
        ({"judge": None, "subsets": {}}, r"by_teacher: needs a judge"),
        (
            {"filters": [{"name": "cmos_to_preference"}, {"name": "order_agreement"}], "subsets": {}},
            r"filter 'order_agreement' needs .* of the judge, who is asked after the filters",
        ),
    ],
)
def test_what_cannot_be_is_refused(paired_copy, tmp_path, changes, problem):
    path = recipe(tmp_path, **(SAID | changes))
    with pytest.raises(RecipeError, match=problem):
        open_build(path, str(tmp_path / "ws"))


def test_a_collection_has_no_such_part(paired_copy, tmp_path):
    recipe(tmp_path, **SAID)
    parts = {"kind": "collection", "name": "both", "parts": {"one": "small.yaml"}}
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(parts))
    with pytest.raises(RecipeError, match=r"parts\.one: subsets and by_teacher make splits that share texts"):
        open_build(tmp_path / "both.yaml", str(tmp_path / "ws"), collections=True)


def test_subsets_are_of_votes(paired_copy, tmp_path):
    path = recipe(tmp_path, subsets={"raw": {}, "kept": {"after": "cycles"}})
    with pytest.raises(RecipeError, match="subsets: are of pairs that people voted on, but labels come from judge"):
        open_build(path, str(tmp_path / "ws"))
