"""A workspace that commit 5f2a514 made: today's code goes on with it, and makes and pays for nothing again."""

import re
import sqlite3
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from contracts.errors import SetupError
from contracts.schemas import KEYS, SCHEMAS, key_of, schema_of
from flows.entry.preflight import check_machine
from flows.kinds.preference_plan import plan_of
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import Waiting, open_build
from flows.stages.listeners import unused_votes
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from flows.views.explain import story_of
from flows.views.status import books_of, status_of
from storage.release_verification import verify_release
from tests.flows.listeners import listen
from tests.flows.small import run

ARCHIVE = Path(__file__).parents[1] / "data" / "workspace_5f2a514.tar.xz"
MADE = ("recordings", "samples", "metrics", "judgments", "writings@texts", "writings@reviews")
"""Tables whose rows cost time or money."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The recipe, corpus, workspace and release of then; there is no key, and whoever starts a cluster fails."""
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "UNISRM_LEDGER", "UNISRM_LISTENING_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("flows.run.work.cluster", lambda *_, **__: pytest.fail("something is synthesised or measured again"))
    monkeypatch.setattr("flows.run.questions.judge_rows", lambda *_, **__: pytest.fail("somebody is asked again"))
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def build(folder):
    return open_build(folder / "recipe.yaml", str(folder / "workspace"))


def files(folder):
    """Return all files but for the databases, whose tables become today's when they are opened."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".sqlite" not in path.name}


def replies(build):
    """Return all that the ledger holds, by key."""
    with sqlite3.connect(build.workspace.local_path("ledger.sqlite")) as ledger:
        return ledger.execute("SELECT * FROM ledger_requests ORDER BY key").fetchall()


def test_commands_that_look_understand_it(build, folder):
    """Nothing is missing but votes, a plan has nothing to make or to buy, a story is whole, and nothing is written."""
    before = files(folder)
    looking = build.as_read_only()
    counted = {page.stage: page for page, _ in books_of(looking)}
    assert {name for name, page in counted.items() if page.missing} == {"verification"}
    rows = status_of(looking)
    assert sum(row["out"] for row in rows if row["stage"].startswith("ledger")) == len(replies(build)) == 21
    assert {row["stage"]: row["state"] for row in rows}["verification"] == "waiting for votes: 12 of 18"

    plan = {line["stage"]: line for line in plan_of(looking)}
    made = {name: line for name, line in plan.items() if name not in {"verification", "money", "release"}}
    assert len(made) == 9
    assert all(line["rows"] == line["done"] > 0 for line in made.values())
    assert all(line["calls"] == line["usd_at_most"] == line["cpu_hours"] == 0 for line in made.values())
    assert plan["money"]["note"] == "budget 1 USD, spent so far 0.01 USD"

    (pair,) = build.tables.read("pairs").slice(0, 1).to_pylist()
    story = story_of(looking, pair["pair_id"])
    assert story["label"]["label"] in {"a", "b"}
    assert story["speech A"]["sample_id"] == pair["sample_a"]
    assert any(chapter.startswith("ledger of") for chapter in story)
    assert looking.problems == {}
    assert files(folder) == before


def calls(folder, change):
    """Return stage -> calls that a plan counts once the recipe is changed."""
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    change(recipe)
    (folder / "changed.yaml").write_text(yaml.safe_dump(recipe))
    lines = plan_of(open_build(folder / "changed.yaml", str(folder / "workspace")).as_read_only())
    return {line["stage"].split()[0]: line["calls"] for line in lines if line["calls"] and line["stage"] != "money"}


def test_a_plan_counts_what_a_change_of_the_recipe_asks_for(folder):
    """Never less than a build would ask; what comes after a change is guessed, as if all of it were new."""
    assert calls(folder, lambda recipe: recipe["judge"]["options"].update(model="gemini-2.5-pro")) == {
        "judgments": 9,
        "reviews": 9,
    }
    assert calls(folder, lambda recipe: recipe["roles"].pop()) == {}
    assert calls(folder, lambda recipe: recipe["roles"].pop(0)) == {"judgments": 9, "reviews": 9}
    more = {"name": "klatt", "engine": "espeak", "voices": ["en-us+klatt2"]}
    assert calls(folder, lambda recipe: recipe["systems"].append(more)) == {"judgments": 18, "reviews": 12}
    assert calls(folder, lambda recipe: recipe.update(human=False)) == {"judgments": 3, "reviews": 6}
    assert calls(folder, lambda recipe: recipe["systems"].pop()) == {"judgments": 3, "reviews": 6}


def test_a_build_goes_on_and_makes_nothing_again(folder):
    """Stages are looked at anew where their code changed, and find every row; more listeners end in a release.

    Splits are assigned anew by another rule, so the recipe has all pairs verified: six of them have two votes each.
    """
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe.read_text()) | {"splits": {"quotas": {"bench": 9}}}))
    build = open_build(recipe, str(folder / "workspace"))
    tables = {name: build.tables.read(name) for name in MADE}
    assert all(table.num_rows for table in tables.values())
    decided = {name: build.tables.read(name) for name in ("prompts", "pairs", "rulings", "labels")}
    paid = replies(build)

    assert str(run(build, "release")["verification"]) == "waiting for votes: 12 of 27"
    labels = {row["item_id"]: row["label"] for row in decided["labels"].to_pylist()}
    for name in ("Emmy", "Fay", "Gus"):
        listen(build, name, lambda pair: labels[pair].upper())
    books = run(build, "release")
    assert not any(isinstance(page, Waiting) or page.failed or page.missing for page in books.values())
    for name, table in (tables | decided).items():
        assert build.tables.read(name).equals(table), f"rows of {name} are not those of before"
    assert replies(build) == paid

    release = release_of(build)
    assert verify_release(release).problems == []
    shards = sorted(Path(release).glob("*/*.parquet"))
    released = {row["pair_id"]: row for shard in shards for row in pq.read_table(shard).to_pylist()}
    assert {pair: row["label"] for pair, row in released.items()} == labels
    assert sorted(sum(vote["count"] for vote in row["votes"] or []) for row in released.values()) == [3] * 9
    again = open_build(recipe, build.workspace.url)
    assert all(finished(stage, again) for stage in stages_of(again))


def test_who_asks_nothing_needs_no_key(folder):
    """A plan with 0 calls is a build without a key; a changed model is asked, and the critique of its judgments, no other."""
    build = open_build(folder / "recipe.yaml", str(folder / "workspace"))
    assert "judgments" in check_machine(build, stages_of(build)), "the stages are to be looked at"
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    recipe["judge"]["options"]["model"] = "gemini-2.5-pro"
    (folder / "changed.yaml").write_text(yaml.safe_dump(recipe))
    changed = open_build(folder / "changed.yaml", str(folder / "workspace"))
    with pytest.raises(SetupError) as caught:
        check_machine(changed, stages_of(changed))
    assert re.findall(r"judge gemini \((\w+)\): no API key", str(caught.value)) == ["task1", "critique"]


def test_votes_on_pairs_that_left_their_split_are_told(folder, build):
    """By today's rule no pair is in the split that people verify, and none of their votes counts."""
    with sqlite3.connect(build.workspace.local_path("listening.sqlite")) as store:
        votes = store.execute(
            "SELECT subject_id FROM listening_assignments WHERE state = 'answered' AND kind = 'ordinary' AND discarded IS NULL"
        ).fetchall()
    assert unused_votes(build) is None, "nothing has changed yet"
    books = run(build, "verification")
    assert books["splits"].notes == ("split bench is empty",)
    assigned = {row["item_id"]: row["split"] for row in build.tables.read(splits_table(build)).to_pylist()}
    left = [pair for (pair,) in votes if assigned.get(pair) != "bench"]
    assert len(left) == len(votes) == 12
    line = unused_votes(build)
    assert line.startswith(f"{len(left)} votes on {len(set(left))} pairs are not used: these are no longer in bench, as after")
    (row,) = [row for row in status_of(build.as_read_only()) if row["stage"] == "listening votes not used"]
    assert row["state"] == line


def test_a_release_of_before_is_whole(folder):
    """``verify`` reads it by its files alone."""
    (release,) = (folder / "releases").iterdir()
    verified = verify_release(str(release))
    assert (verified.files, verified.rows, verified.clips, verified.problems) == (3, 9, 27, [])


def test_every_table_of_before_is_read(build):
    """All parts and partitions, in today's schema; rows have their keys."""
    names = [part for name in SCHEMAS for part in (name, *build.tables.partitions(name))]
    assert sum(build.tables.num_rows(name) > 0 for name in names) == 14
    for name in names:
        table = build.tables.read(name)
        assert table.schema == schema_of(name)
        assert table.num_rows == build.tables.num_rows(name)
        assert name.partition("@")[0] not in KEYS or table[key_of(name)].null_count == 0
