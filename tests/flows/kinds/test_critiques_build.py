"""Rated pairs with critiques by a language model, over a published corpus in its own layout, to a release of several configurations."""

import hashlib
import json
import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from datasets import get_dataset_config_names

from contracts import plugins
from contracts.errors import BudgetExceeded, RecipeError
from corpora import miniatures
from flows.entry.reannotation import judged_build, reannotate, requested_judge
from flows.listening.store import known_store
from flows.run.kind import kind_of, stages_of
from flows.run.marks import execute, finished
from flows.run.pipeline import open_build
from flows.stages import release_pieces
from flows.stages.release import release_of
from flows.views.explain import story_of
from flows.views.report import write_report
from flows.views.status import drift_rows, status_of
from storage.card import escape
from storage.release_verification import verify_release
from tests.annotate import openai_server
from tests.annotate.replies import reply_for
from tests.flows.listeners import listen
from tests.flows.released_rows import rows_of
from tests.flows.small import run, without_ray

SCORES = re.compile(r"Final Scores: \[\[(\d+), (\d+)\]\]")
CONFIGURATIONS = ["pairs", "critiques", "clips"]


def answer(prompt, clips):
    """Write a critique that depends on the sound alone; one in four of pairs gives both clips the same, however often it is asked."""
    audio = b"".join(clip for _, clip in clips)
    return reply_for(prompt, len(clips), audio, tied=len(clips) == 2 and hashlib.sha256(audio).digest()[0] % 4 == 0)


def recipe_of(folder: Path, server, **changes) -> Path:
    """Write a recipe over SOMOS whose critiques are asked of that server, for the pairs of its training set."""
    critic = {"name": "openai", "options": {"model": "gpt-audio", "base_url": server.url, "backoff_s": 0.01}}
    literals = {
        "kind": "rated_pairs",
        "name": "critiqued",
        "corpora": [{"name": "somos", "reader": "somos", "root": "somos"}],
        "scale": "mos",
        "budget_usd": 5,
        "critiques": {"pairs": critic, "clips": critic, "splits": ["train"]},
        "configurations": CONFIGURATIONS,
        "splits": {
            "sets": {
                "train": {"fraction": 1.0, "where": {"corpus_split": ["train", "valid"]}},
                "test": {"quota": 100, "where": {"corpus_split": ["test"]}},
            }
        },
    } | changes
    path = folder / "r.yaml"
    path.write_text(yaml.safe_dump(literals))
    return path


@dataclass
class Built:
    """A finished build, what its plan said before, what a small budget bought first, and the server."""

    folder: Path
    build: object
    planned: dict
    bought: int
    books: dict
    server: openai_server.Server

    @property
    def release(self) -> str:
        return release_of(self.build)

    def rows(self, configuration: str) -> list[dict]:
        """Return the rows of a configuration (see ``tests.flows.released_rows``)."""
        return rows_of(self.release, configuration)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("critiqued")
    miniatures.somos(folder / "somos", contents=6, systems=4, raters=5)
    with openai_server.serving(answer=answer) as server, without_ray(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "canary-key-5150")
        build = open_build(recipe_of(folder, server, budget_usd=0.06), str(folder / "ws"))
        with build.workspace.lock(), pytest.raises(BudgetExceeded):
            run(build, "release")
        bought = build.tables.num_rows("judgments")
        build = open_build(recipe_of(folder, server), str(folder / "ws"))
        with build.workspace.lock():
            books = run(build, "release")
        fresh = open_build(folder / "r.yaml", str(folder / "fresh"))
        planned = {line["stage"]: line for line in kind_of(fresh).plan(fresh)}
        yield Built(folder=folder, build=build, planned=planned, bought=bought, books=books, server=server)


def expected_pairs(folder: Path) -> dict[frozenset, tuple[str, str]]:
    """Return every two clips of a sentence with other means -> the better one and its split, from the corpus's files alone."""
    found = {}
    for set_name, split in {"TRAIN": "train", "VALID": "train", "TEST": "test"}.items():
        means = pd.read_csv(folder / f"somos/training_files/split1/clean/{set_name}SET").groupby("utteranceId")["choice"].mean()
        means.index = means.index.str.removesuffix(".wav")
        for pair in combinations(means.index, 2):
            if len({name.rpartition("_")[0] for name in pair}) == 1 and means[pair[0]] != means[pair[1]]:
                found[frozenset(pair)] = (max(pair, key=means.get), split)
    return found


def test_pairs_are_all_labelled_pairs_with_prompts_and_answers(built):
    """Rows for reinforcement learning: none is lost because its critique was not kept."""
    rows, expected = built.rows("pairs"), expected_pairs(built.folder)
    assert {
        frozenset({row["source_id_a"], row["source_id_b"]}): (row[f"source_id_{row['label']}"], row["in"]) for row in rows
    } == expected
    critique, identifier = (plugins.configure("task", name) for name in ("critique_pair", "better_clip"))
    for row in rows:
        assert row["prompt"] == critique.render("en")
        assert row["identifier_prompt"] == identifier.render("en")
        assert identifier.parse(row["chosen"]).verdict == row["label"]
        assert {row["chosen"], row["rejected"]} == {"Audio 1", "Audio 2"}


def test_a_critique_is_kept_if_the_chosen_clip_scores_strictly_higher(built):
    """Of all replies, read with a regular expression, beside the labels of pandas; ties and contradictions are drops."""
    expected = expected_pairs(built.folder)
    ids = {row["pair_id"]: row for row in built.rows("pairs")}
    kept, reasons = {}, {"tied_scores": 0, "contradicts_label": 0}
    for judgment in built.build.tables.read("judgments").to_pylist():
        row = ids[judgment["pair_id"]]
        sides = {row["source_id_a"]: 0, row["source_id_b"]: 1}
        better, _ = expected[frozenset(sides)]
        scores = [int(number) for number in SCORES.search(judgment["completion"]).groups()]
        chosen, rejected = scores[sides[better]], scores[1 - sides[better]]
        if chosen > rejected:
            kept[judgment["pair_id"]] = scores
        else:
            reasons["tied_scores" if chosen == rejected else "contradicts_label"] += 1
    rows = built.rows("critiques")
    assert {row["pair_id"]: [row[f"scores_{side}"][0]["score"] for side in "ab"] for row in rows} == kept
    assert built.books["critiques"].dropped == reasons
    assert all(reasons.values()), "both reasons occur here"
    assert kept


def test_a_row_of_a_critique_is_what_was_asked_and_said(built):
    """The prompt was sent with these two clips in this order, and the parser reads the completion as the row has it."""
    task = plugins.configure("task", "critique_pair")
    asked = [openai_server.question(body) for body in built.server.bodies]
    for row in built.rows("critiques"):
        said = task.parse(row["completion"])
        assert said.completion == row["completion"]
        assert [said.total_a, said.total_b] == [row[f"scores_{side}"][0]["score"] for side in "ab"]
        assert said.verdict == row["label"]
        assert (row["judge"], row["judge_model"], row["prompt_version"]) == (
            "openai", "gpt-audio", task.prompt_version("en"),
        )  # fmt: skip
        assert any(prompt == row["prompt"] and answer(prompt, clips) == row["completion"] for prompt, clips in asked)


def test_critiques_are_bought_for_the_splits_that_are_asked_for_alone(built):
    pairs, judged = built.rows("pairs"), built.build.tables.read("judgments")["pair_id"].to_pylist()
    assert sorted(judged) == sorted(row["pair_id"] for row in pairs if row["in"] == "train")
    assert {row["in"] for row in built.rows("critiques")} == {"train"}
    assert {row["in"] for row in built.rows("clips") if row["critique"]} == {"train"}


def test_clips_are_those_of_the_pairs_with_their_raw_means(built):
    """Each once, in the split of its pairs, with the mean of its clean ratings, their number and deviation."""
    ratings = pd.concat(
        pd.read_csv(built.folder / f"somos/training_files/split1/clean/{name}SET") for name in ("TRAIN", "VALID", "TEST")
    )
    by_clip = ratings.groupby(ratings["utteranceId"].str.removesuffix(".wav"))["choice"]
    expected = {clip: split for pair, (_, split) in expected_pairs(built.folder).items() for clip in pair}
    rows = built.rows("clips")
    assert {row["source_id"]: row["in"] for row in rows} == expected
    assert len(rows) == len(expected)
    task = plugins.configure("task", "critique_clip")
    for row in rows:
        given = by_clip.get_group(row["source_id"])
        assert (row["rating"], row["raters"], row["scale"]) == (pytest.approx(given.mean()), len(given), "mos")
        assert row["rating_std"] == pytest.approx(given.std())
        assert row["filters_passed"] == []  # filters look at pairs
        if row["in"] == "train":
            assert row["critique_prompt"] == task.render("en")
            assert task.parse(row["critique"]).completion == row["critique"]
        else:
            assert (row["critique"], row["critique_prompt"]) == (None, None)


def test_every_configuration_is_counted_proved_and_verified(built):
    counts = {name: len(built.rows(name)) for name in CONFIGURATIONS}
    assert get_dataset_config_names(built.release) == CONFIGURATIONS
    verified = verify_release(built.release)
    assert (verified.problems, verified.rows) == ([], sum(counts.values()))
    assert built.books["release"].rows_out == counts["pairs"]
    short = f"split test has {sum(row['in'] == 'test' for row in built.rows('pairs'))} rows of its quota of 100"
    assert built.books["release"].notes == (short, *(f"configuration {n}: {counts[n]} rows" for n in CONFIGURATIONS[1:]))
    card = Path(f"{built.release}/README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["annotations_creators"] == ["found", "machine-generated"]
    assert "| clip, over all configurations | any split | any other | 0 |" in card
    assert "Without rows: critiques test." in card
    books = built.books["critiques"]
    assert f"| critiques | critiques of pairs | {books.rows_in} | {books.rows_out} | 0 | contradicts\\_label" in card


def test_what_was_paid_for_and_not_kept_is_told(built):
    """Each drop says scores, tokens and dollars; with the others they are the server's bill. ``explain`` shows them."""
    drops = [json.loads(row["evidence"]) for row in built.build.tables.read("drops@critiques").to_pylist()]
    assert all(drop["cost_usd"] > 0 and drop["input_tokens"] > 0 and drop["output_tokens"] > 0 for drop in drops)
    spent = sum(row["spent_usd"] for row in status_of(built.build) if str(row["stage"]).startswith("ledger"))
    assert spent == pytest.approx(built.server.bill_usd, abs=1e-3)
    assert 0 < sum(drop["cost_usd"] for drop in drops) < spent
    story = story_of(built.build, drops[0]["pair_id"])
    (dropped,) = story["dropped in stage critiques"]
    assert json.loads(dropped["evidence"]) == drops[0]
    assert {place["file"].split("/")[0] for place in story["released"]} == {"pairs"}, "the pair itself stays"


def test_the_story_of_a_clip_names_its_rows_in_every_configuration(built):
    kept = built.rows("critiques")[0]
    story = story_of(built.build, kept["source_id_a"])
    places = {place["file"].split("/")[0]: place for place in story["released"]}
    assert set(places) == set(CONFIGURATIONS)
    (clip,) = (row for row in built.rows("clips") if row["source_id"] == kept["source_id_a"])
    assert places["clips"]["clip_id"] == clip["clip_id"]


def test_the_plan_said_the_calls_and_the_money_before(built):
    """At most: of the pairs and clips that there can be, before it is known which of them are in the training set."""
    lines = {name: line for name, line in built.planned.items() if name.startswith(("judgments", "reviews"))}
    first_questions = {name: line["calls"] for name, line in lines.items()}
    assert set(lines) == {f"{what} openai/gpt-audio" for what in ("judgments critique_pair", "reviews critique_clip")}
    judgments = built.build.tables.num_rows("judgments")
    assert judgments <= first_questions["judgments critique_pair openai/gpt-audio"] == 6 * 6
    assert built.planned["money"]["usd_at_most"] >= built.server.bill_usd
    assert "budget 5 USD" in built.planned["money"]["note"]


def test_a_budget_ends_the_build_and_a_higher_one_goes_on(built):
    """What was bought before the first one was spent is not bought again."""
    assert 0 < built.bought < built.books["judgments"].rows_in
    assert built.server.counters()["answered_twice"] == 0


def test_nothing_is_asked_twice(built, monkeypatch):
    """Everything is finished, the plan has no call left, and a release made anew in pieces is the same one."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key-5150")
    again = open_build(built.folder / "r.yaml", str(built.folder / "ws"))
    assert all(finished(stage, again) for stage in stages_of(again))
    assert sum(line["calls"] for line in kind_of(again).plan(again)) == 0
    asked, before = len(built.server.bodies), built.release
    monkeypatch.setattr(release_pieces, "_PIECE_ROWS", 5)
    (again.workspace.local_path("releases") / "current.json").unlink()
    (stage,) = (stage for stage in stages_of(again) if stage.name == "release")
    with again.workspace.lock():
        execute(stage, again)
    assert (len(built.server.bodies), release_of(again)) == (asked, before)


def test_a_recipe_without_these_keys_gives_the_plain_pairs(built, tmp_path, monkeypatch):
    """One configuration, ``rated_pairs``, as before: nobody is asked, and no stage of critiques is in the books."""
    literals = yaml.safe_load((built.folder / "r.yaml").read_text())
    for key in ("critiques", "configurations", "budget_usd"):
        del literals[key]
    literals["corpora"][0]["root"] = str(built.folder / "somos")
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(literals))
    with without_ray():
        build = open_build(tmp_path / "plain.yaml", str(tmp_path / "ws"))
        with build.workspace.lock():
            books = run(build, "release")
    assert not {"judgments", "reviews", "critiques"} & set(books)
    assert get_dataset_config_names(release_of(build)) == ["rated_pairs"]
    plain = SimpleNamespace(release=release_of(build))
    rows = Built.rows(plain, "rated_pairs")
    beside = [{name: row[name] for name in rows[0]} for row in built.rows("pairs")]
    assert sorted(rows, key=lambda row: row["pair_id"]) == sorted(beside, key=lambda row: row["pair_id"])


ASKED = {
    "protocol": "acceptance",
    "of": "critiques",
    "check_pairs": 5,
    "languages": {"en": "none"},
    "gold_every": 0,
    "qualification": 0,
}


def test_people_accept_some_critiques_and_nothing_else_changes(built, tmp_path, monkeypatch):
    """Four listeners on five critiques: three are accepted by three of four, one by none, on one they differ two and two."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key-5150")
    (tmp_path / "somos").symlink_to(built.folder / "somos")
    with without_ray():
        build = open_build(recipe_of(tmp_path, built.server, listening=ASKED), str(tmp_path / "ws"))
        with build.workspace.lock():
            assert str(run(build, "release")["critique_check"]) == "waiting for votes: 0 of 20"
            with known_store(build) as store:
                items = {item.subject_id: item for item in store.items()}
            accepting = dict(zip(sorted(items), (3, 3, 3, 0, 2), strict=True))
            for number in range(4):
                listen(build, f"Listener {number}", lambda one, number=number: "yes" if number < accepting[one] else "no")
            books = run(build, "release")
    kept = {row["judgment_id"]: row for row in build.tables.read("judgments").to_pylist()}
    dropped = set(build.tables.read("drops@critiques")["row_id"].to_pylist())
    assert items.keys() <= kept.keys() - dropped
    samples = {row["sample_id"]: row["audio_id"] for row in build.tables.read("samples").to_pylist()}
    pairs = {row["pair_id"]: row for row in build.tables.read("pairs").to_pylist()}
    for name, item in items.items():
        pair = pairs[kept[name]["pair_id"]]
        assert item.critique == kept[name]["completion"]
        assert [clip.audio_id for clip in item.clips] == [samples[pair["sample_a"]], samples[pair["sample_b"]]]
    votes = build.tables.read("votes@listening").to_pylist()
    assert {(vote["pair_id"], vote["judgment_id"]) for vote in votes} == {(kept[name]["pair_id"], name) for name in items}
    line = (
        "3 of 4 critiques accepted by a majority of people, 75.0 % (95 % interval 30.1 to 95.4); "
        "55.0 % (95 % interval"  # 11 of 20 votes
    )
    (note,) = books["critique_check"].notes
    assert note.startswith(line)
    assert note.endswith("of 20 votes on 5 critiques accept them")
    card = Path(f"{release_of(build)}/README.md").read_text()
    told = f"4 listeners cast 20 votes by the protocol acceptance on critiques that were chosen at random: {note}"
    assert escape(told) in card
    write_report(build, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<h3>Acceptance of critiques</h3>" in page
    assert '<td>critiques</td><td class="n">3</td><td class="n">4</td><td class="n">75.0 %</td>' in page
    assert '<td>votes</td><td class="n">11</td><td class="n">20</td><td class="n">55.0 %</td>' in page
    planned = {planned["stage"]: planned for planned in kind_of(build).plan(build)}
    assert (planned["critique_check"]["rows"], planned["critique_check"]["done"]) == (5, 5)
    other = Built(folder=tmp_path, build=build, planned={}, bought=0, books=books, server=built.server)
    for configuration in CONFIGURATIONS:
        assert other.rows(configuration) == built.rows(configuration), "votes on critiques are no part of any row"


def test_critiques_are_written_once_more_and_the_kept_ones_stay(built, tmp_path, monkeypatch):
    """Of the pairs that have some, by the same judge; one that shows more than the clips is refused."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key-5150")
    (tmp_path / "somos").symlink_to(built.folder / "somos")
    critic = {"name": "openai", "options": {"model": "gpt-audio", "base_url": built.server.url, "backoff_s": 0.01}}
    changes = {"critiques": {"pairs": critic, "splits": ["train"]}, "configurations": ["critiques"]}
    with without_ray():
        build = judged_build(open_build(recipe_of(tmp_path, built.server, **changes), str(tmp_path / "ws")))
        with build.workspace.lock():
            run(build, "judgments")
            judged = build.tables.read("judgments")
            books = reannotate(build, requested_judge(build, None, None, None, None))
    assert books.rows_out == judged.num_rows > 0
    again = build.tables.read("judgments@reannotation")
    assert sorted(again["pair_id"].to_pylist()) == sorted(judged["pair_id"].to_pylist())
    assert set(again["vote"].to_pylist()) == {1}
    assert build.tables.read("judgments").equals(judged)
    assert [row["pairs"] for row in drift_rows(build)] == [judged.num_rows]
    with pytest.raises(RecipeError, match="task 'teacher' shows language: critiques of rated clips go by their sound alone"):
        requested_judge(build, None, "teacher", None, None)
    plain = yaml.safe_load((tmp_path / "r.yaml").read_text())
    del plain["critiques"], plain["configurations"]
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(RecipeError, match="recipe critiqued has no judge of pairs: nothing can be judged again"):
        judged_build(open_build(tmp_path / "plain.yaml", str(tmp_path / "ws")))
