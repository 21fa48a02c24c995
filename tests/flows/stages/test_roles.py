"""Every role of a language model, by recipe and through the stages, against local servers that speak the providers' formats."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from datasets import Audio, List, get_dataset_config_names, load_dataset

from annotate.models.ledger.ledger import Ledger
from annotate.models.tasks import task3, task4, teacher
from contracts.errors import BudgetExceeded, DataError, RecipeError, SetupError
from contracts.languages import with_setting
from contracts.schemas import PAIRS
from flows.entry.plugin_options import options_of
from flows.entry.reannotation import reannotate, requested_judge, require
from flows.kinds.preference_plan import plan_of
from flows.run import question
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import forget_failures, open_build
from flows.run.questions import ledger_place
from flows.run.wanted import wanted_rows
from flows.stages.release import release_of
from flows.views.explain import story_of
from flows.views.report import write_report
from flows.views.status import drift_rows, status_of
from tests.annotate import gemini_server, openai_server
from tests.annotate.replies import answer
from tests.flows.small import LINES, corpus, recipe, run

CANARY = "canary-key-90210"


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", CANARY)
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)


@pytest.fixture
def gemini():
    with gemini_server.serving(text=answer) as server:
        yield server


@pytest.fixture
def openai():
    with openai_server.serving(answer=answer) as server:
        yield server


def listener(server, **changes):
    return {"name": "gemini", "options": {"base_url": server.url, "backoff_s": 0.01}} | changes


def writer(server, **changes):
    prices = {"model": "gpt-4.1", "base_url": server.url, "backoff_s": 0.01}
    return {"name": "openai", "options": prices} | changes


def written(build, table):
    """Return task -> contents."""
    found: dict[str, list[dict]] = {}
    for row in build.tables.read(table).to_pylist():
        found.setdefault(row["task"], []).append(json.loads(row["content"]))
    return found


def rows_of(release):
    """Return the released rows as ``datasets`` reads them, clips undecoded."""
    (config,) = get_dataset_config_names(str(release))
    rows = []
    for split in load_dataset(str(release), config).values():
        features = split.features.copy()
        for column, feature in features.items():
            if isinstance(feature, Audio):
                features[column] = Audio(decode=False)
            elif isinstance(feature, List) and isinstance(feature.feature, Audio):
                features[column] = [Audio(decode=False)]
        rows += list(split.cast(features))
    return rows


def files(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def test_scenes_negatives_and_second_opinions(tmp_path, in_this_process, gemini, openai):
    """Task 3: texts cleaned, scenes and wrong texts written, those spoken, judged both ways round and by others, and reviewed."""
    corpus(tmp_path / "corpus", [], emotion="happy")
    systems = [
        {"name": "espeak", "engine": "espeak", "voices": ["en-us"]},
        {"name": "wrong", "engine": "flite", "voices": ["kal16"], "speaks": "negative_text"},
    ]
    path = recipe(
        tmp_path,
        systems=systems,
        budget_usd=5,
        roles=[
            writer(openai, task="clean_text"),
            writer(openai, task="scenario"),
            writer(openai, task="negative_text"),
            listener(gemini, task="critique"),
            writer(openai, task="consistency"),
            writer(openai, task="groundedness"),
        ],
        judge=listener(gemini, task="task3", orders="both", votes=2),
        judges=[listener(gemini, task="teacher"), listener(gemini, task="critique_pair")],
    )
    build = open_build(path, str(tmp_path / "ws"))
    asked = {line["stage"]: line["calls"] for line in plan_of(build) if line["calls"]}
    books = run(build, "release")
    assert all(page.missing == 0 for page in books.values())
    cleaned = written(build, "writings@texts")["clean_text"]
    assert {content["text"] for content in cleaned} == set(build.tables.read("prompts")["text"].to_pylist())
    about = written(build, "writings@writings")
    assert len(about["scenario"]) == len(about["negative_text"]) == 5
    spoken = {row["system"]: row["spoken_text"] for row in build.tables.read("samples").to_pylist()}
    assert spoken["espeak"] is None
    assert spoken["wrong"] in {content["text"] for content in about["negative_text"]}

    pairs = build.tables.num_rows("pairs")
    judgments = build.tables.read("judgments").to_pylist()
    per_task = {task: [row for row in judgments if row["task"] == task] for task in ("task3", "teacher", "critique_pair")}
    assert [len(rows) for rows in per_task.values()] == [4 * pairs, pairs, pairs]
    assert {(row["order"], row["vote"]) for row in per_task["task3"]} == {("ab", 0), ("ba", 0), ("ab", 1), ("ba", 1)}
    ruled = build.tables.read("rulings").to_pylist()
    assert len(ruled) == pairs
    assert all(row["votes_a"] + row["votes_b"] + row["votes_none"] == 4 for row in ruled)
    labels = build.tables.read("labels").to_pylist()
    assert all(len(label["judgment_ids"]) == 4 for label in labels), "a label names the judgments that it rests on"
    flips = {row["pair_id"] for row in ruled if row["order_flip"]}
    assert flips.isdisjoint({label["item_id"] for label in labels})
    scene = next(prompt for prompt in gemini.prompts if "scenario" in prompt.lower() and about["scenario"])
    assert any(content["scenario_description"] in scene for content in about["scenario"])

    reviews = written(build, "writings@reviews")
    assert len(reviews["critique"]) == build.tables.num_rows("samples")
    assert len(reviews["consistency"]) == len(reviews["groundedness"]) == 4 * pairs
    made = {row["stage"]: row["out"] for row in status_of(build) if str(row["stage"]).startswith("ledger")}
    assert sum(asked.values()) >= sum(made.values()) - len(openai.bodies), "a plan is an upper bound of first questions"
    assert {stage.split()[1] for stage in made} == {
        "clean_text", "scenario", "negative_text", "critique", "consistency", "groundedness", "task3", "teacher", "critique_pair",
    }  # fmt: skip
    again = open_build(path, str(tmp_path / "ws"))
    assert all(finished(stage, again) for stage in stages_of(again))
    ahead = plan_of(again)
    assert all(line["done"] == line["rows"] for line in ahead if line["stage"] not in {"money", "release"})
    assert sum(line["calls"] + line["usd_at_most"] for line in ahead) == 0, "nothing is left to pay for"
    calls = len(gemini.prompts), len(openai.bodies)
    run(open_build(path, str(tmp_path / "ws")), "release")
    assert (len(gemini.prompts), len(openai.bodies)) == calls
    write_report(build, tmp_path / "report.html")
    assert "first heard" in (tmp_path / "report.html").read_text()
    chapters = " ".join(story_of(build, labels[0]["item_id"]))
    for told in ("scenario", "negative_text", "critique", "consistency", "groundedness", "ruling", "label"):
        assert told in chapters, "the story of a pair holds all that was said of it"
    readme = (Path(release_of(build)) / "README.md").read_text()
    assert re.search(r"\| scenario \| gpt-4\.1 \| [0-9a-f]{16}, [0-9a-f]{16} \|", readme.replace("\\", ""))
    released = rows_of(release_of(build))
    assert released
    for row in released:
        prompt = task3.PLUGIN.render(row["language"], **{name: row[name] for name in task3.PLUGIN.shown})
        assert prompt in gemini.prompts, "a row holds all that its question shows"
        told = {side: row[f"spoken_text_{side}"] for side in "ab" if row[f"system_{side}"] == "wrong"}
        assert all(text and text != row["text"] for text in told.values())
    for file in files(tmp_path):
        assert CANARY.encode() not in file.read_bytes(), f"{file} holds the key"


def test_dialogues_in_batches(tmp_path, in_this_process, gemini, openai):
    """Task 4: turns before are heard as audio, a wrong turn is written and spoken, and everything goes through batches."""
    corpus(
        tmp_path / "corpus",
        [],
        each=lambda number: {"dialogue": f"d{number // 3}", "turn": number % 3 + 1, "speaker": f"s{number % 2}"},
    )
    systems = [
        {"name": "espeak", "engine": "espeak", "voices": ["en-us"]},
        {"name": "wrong", "engine": "flite", "voices": ["kal16"], "speaks": "negative_turn"},
    ]
    path = recipe(
        tmp_path,
        systems=systems,
        budget_usd=5,
        roles=[
            writer(openai, task="negative_turn", mode="batch", poll_s=0.05)
            | {"options": writer(openai)["options"] | {"batches": True}}
        ],
        judge=listener(gemini, task="task4", mode="batch", poll_s=0.05),
    )
    build = open_build(path, str(tmp_path / "ws"))
    books = run(build, "splits")
    assert books["prompts"].dropped.get("no_history"), "a first turn has nothing before it"
    pairs = build.tables.num_rows("pairs")
    assert wanted_rows(build, "judgments", 0).num_rows == pairs > 0
    assert len(gemini.jobs.jobs) >= 1
    assert not [path for path in gemini.paths if "generateContent" in path and "batch" not in path], "nothing was asked live"
    with Ledger(ledger_place(build), account="small") as ledger:
        assert {line.task for line in ledger.spend()} == {"task4", "negative_turn"}
    run(build, "release")
    recordings = wanted_rows(build, "recordings").to_pylist()
    turns = {row["utterance_id"]: row for row in build.tables.read("utterances").to_pylist()}
    audio = {
        (turns[row["utterance_id"]]["dialogue_id"], turns[row["utterance_id"]]["turn"]): build.blobs.encoded(row["audio_id"])
        for row in recordings
    }
    released = rows_of(release_of(build))
    assert released
    for row in released:
        before = [audio[row["dialogue_id"], turn] for turn in range(1, row["turn"])]
        assert [heard["bytes"] for heard in row["history_audio"]] == before
        assert task4.PLUGIN.render(row["language"], **{name: row[name] for name in task4.PLUGIN.shown})
    readme = (Path(release_of(build)) / "README.md").read_text()
    assert 'cast_column("history_audio", [Audio(decode=False)])' in readme


def test_other_styles_and_languages(tmp_path, in_this_process, gemini, openai):
    """S1: a reference's text is continued; what is drawn, translated and mixed becomes prompts of their own."""
    corpus(tmp_path / "corpus", [])
    path = recipe(
        tmp_path,
        prompts={"reference": "same_speaker", "variants": ["transcript", "random", "translation", "codeSwitching"]},
        systems=[
            {"name": "espeak", "engine": "espeak", "voices": ["en-us"]},
            {"name": "klatt", "engine": "espeak", "voices": ["en-us+klatt2"]},
        ],
        budget_usd=5,
        roles=[writer(openai, task="style_continuation")],
        judge=listener(gemini, task="task1"),
    )
    build = open_build(path, str(tmp_path / "ws"))
    ahead = {line["stage"]: line for line in plan_of(build)}
    books = run(build, "pairs")
    for system in ("espeak", "klatt"):
        assert books["samples"].failed == {"unsupported_language": books["samples"].failed["unsupported_language"]}
        assert ahead[f"samples {system}"]["note"] == "6 more in languages that espeak does not speak"
        made = pc.sum(pc.equal(build.tables.read("samples")["system"], system)).as_py()
        assert made <= ahead[f"samples {system}"]["rows"] == 6, "an upper bound: two texts may turn out the same"
    assert build.tables.num_rows("pairs") <= ahead["pairs"]["rows"]
    exact = {line["stage"]: line for line in plan_of(open_build(path, str(tmp_path / "ws")))}
    judged = next(line for stage, line in exact.items() if stage.startswith("judgments"))
    assert judged["calls"] == judged["rows"] == exact["pairs"]["rows"] == build.tables.num_rows("pairs")
    assert books["texts"].rows_in == 4 * build.tables.num_rows("prompts@chosen")
    settings = set(with_setting(build.tables.read("prompts"))["setting"].to_pylist())
    assert settings == {"en2en", "en2zh", "en2mixed"}
    samples = build.tables.read("samples").to_pylist()
    assert {row["system"] for row in samples} >= {"human", "espeak", "klatt"}


def test_kept_replies_are_read_again_for_nothing(tmp_path, paired_copy, monkeypatch):
    """What no parser could read counts against the judge in the report; a better parser reads it, and nobody is asked."""

    def mumble(prompt, clips):
        said = answer(prompt, clips)
        return said.replace("Output A:", "A is") if LINES[0] in prompt else said

    with gemini_server.serving(text=mumble) as server:
        path = recipe(tmp_path, judge=listener(server, task="teacher"))
        build = open_build(path, str(tmp_path / "ws"))
        books = run(build, "judgments")["judgments"]
        lost = books.failed["unparsable_reply"]
        assert 0 < lost < books.rows_in
        write_report(build, tmp_path / "report.html")
        assert f"{100 * lost / books.rows_in:.1f} %</span>" in (tmp_path / "report.html").read_text()
        asked = len(server.prompts)
        forget_failures(build, stages_of(build))
        assert run(build, "judgments")["judgments"].failed == books.failed
        assert len(server.prompts) == asked, "the same parser finds the same fault in the kept replies"
        forgiving = replace(teacher.PLUGIN, parse=lambda reply: teacher.PLUGIN.parse(reply.replace("A is", "Output A:")))
        assert forgiving.versions == teacher.PLUGIN.versions
        monkeypatch.setattr(question, "task_of", lambda role: forgiving)
        forget_failures(build, stages_of(build))
        again = run(build, "rulings")["judgments"]
        assert (again.rows_out, again.failed) == (books.rows_in, {})
        assert len(server.prompts) == asked


def test_a_judge_that_nobody_can_read_ends_the_build_at_the_judgments(tmp_path, paired_copy):
    """Not at the release, after everything else. What was paid for is kept; a second build asks nothing again."""
    with gemini_server.serving(text=lambda _prompt, _clips: "Both are fine.") as server:
        build = open_build(recipe(tmp_path, judge=listener(server, task="teacher")), str(tmp_path / "ws"))
        with pytest.raises(DataError, match=r"none of \d+ judgments can be used \(unparsable_reply \d+\).*--retry-failed"):
            run(build, "release")
        asked = len(server.prompts)
        with pytest.raises(DataError, match="none of"):
            run(build, "release")
        assert len(server.prompts) == asked > 0


def test_a_judge_drifts(tmp_path, paired_copy, gemini):
    """Another judge and one more repetition lie beside the recipe's judgments; labels stay, the build has nothing to do."""
    path = recipe(tmp_path, budget_usd=5, judge=listener(gemini, task="teacher"))
    build = open_build(path, str(tmp_path / "ws"))
    run(build, "release")
    before = build.tables.read("labels")
    pairs = build.tables.num_rows("pairs")
    assert drift_rows(build) == []
    options = {"base_url": gemini.url, "model": "gemini-2.5-pro", "backoff_s": 0.01}
    for _ in range(2):
        assert reannotate(build, requested_judge(build, None, None, None, None)).rows_out == pairs
    assert reannotate(build, requested_judge(build, "gemini", None, options, None), pairs=3).rows_out == 3
    again = build.tables.read("judgments@reannotation").to_pylist()
    assert sorted(row["vote"] for row in again if row["model"] != "gemini-2.5-pro") == [1] * pairs + [2] * pairs
    assert [row["vote"] for row in again if row["model"] == "gemini-2.5-pro"] == [0] * 3
    assert len({json.dumps(body) for body in gemini.bodies}) == pairs, "repeats differ by their number alone"
    assert len(gemini.prompts) == 3 * pairs + 3
    drifts = drift_rows(build)
    assert [(row["pairs"], row["new"].partition(",")[0]) for row in drifts] == [
        (pairs, "gemini/gemini-2.5-flash"),
        (pairs, "gemini/gemini-2.5-flash"),
        (3, "gemini/gemini-2.5-pro"),
    ]
    write_report(build, tmp_path / "report.html")
    assert "kappa" in (tmp_path / "report.html").read_text()
    assert build.tables.read("labels").equals(before)
    again = open_build(path, str(tmp_path / "ws"))
    assert all(finished(stage, again) for stage in stages_of(again))


def test_a_repetition_that_was_cut_off_is_carried_on(tmp_path, paired_copy, gemini):
    """The budget ends a repetition; with more money the same one goes on, and asks nothing again."""
    path = recipe(tmp_path, budget_usd=5, judge=listener(gemini, task="teacher"))
    build = open_build(path, str(tmp_path / "ws"))
    run(build, "judgments")
    pairs = build.tables.num_rows("pairs")
    with Ledger(ledger_place(build), account="small") as ledger:
        owed = ledger.owed_usd()
    estimate = requested_judge(build, None, None, None, None)
    poor = open_build(
        recipe(tmp_path, budget_usd=owed * 1.5 + 0.02, judge=listener(gemini, task="teacher")), str(tmp_path / "ws")
    )
    with pytest.raises(BudgetExceeded, match="budget_usd"):
        often(poor, estimate)
    votes = build.tables.read("judgments@reannotation")["vote"]
    last = pc.max(votes).as_py() or 0
    asked = len(gemini.prompts)
    reannotate(build, estimate)
    done = build.tables.read("judgments@reannotation")["vote"].to_pylist()
    assert all(done.count(vote) == pairs for vote in set(done))
    assert max(done) in {last, last + 1}
    assert len(gemini.prompts) <= asked + pairs


def often(build, wish):
    for _ in range(50):
        reannotate(build, wish)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"judge": {"name": "gemini", "task": "task3"}}, "shows .*: add the role scenario before it"),
        ({"roles": [{"name": "openai", "task": "negative_text"}]}, "add the role scenario before it"),
        ({"roles": [{"name": "openai", "task": "task1"}]}, "about pairs: name it under judge or judges"),
        ({"judge": {"name": "gemini", "task": "critique"}}, "about samples: name it under roles"),
        ({"judge": {"name": "objective", "task": "task1", "mode": "batch", "options": {}}}, "has no batch interface"),
        ({"judge": {"name": "objective", "options": {}}}, "can do task1, not 'teacher'"),
        ({"judges": [{"name": "gemini", "task": "teacher", "options": {"backoff_s": 0.01}}]}, "named twice"),
        ({"judges": [{"name": "gemini", "task": "teacher", "options": {"backoff_s": 5}}]}, "named twice"),
        ({"judge": {"name": "gemini", "task": "task1"}}, "hears the prompt speech, but prompts.reference is none"),
        ({"prompts": {"variants": ["random"]}}, "need the role style_continuation"),
        ({"systems": [{"name": "e", "engine": "espeak", "speaks": "negative_text"}]}, "where the recipe has that role"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(tmp_path, changes, message):
    """Before anything runs, the message says which role is missing or misplaced."""
    with pytest.raises(RecipeError, match=message):
        open_build(recipe(tmp_path, **changes), str(tmp_path / "ws"))


def test_options_on_the_command_line():
    """Values are YAML."""
    assert options_of(["model=gpt-4.1", "temperature=0.5", "batches=true"]) == {
        "model": "gpt-4.1",
        "temperature": 0.5,
        "batches": True,
    }
    with pytest.raises(RecipeError, match="NAME=VALUE"):
        options_of(["model"])


def test_what_reannotation_lacks_is_said_before_anything_starts(tmp_path, monkeypatch):
    """No pairs, and no key: one line each, from the command itself."""
    corpus(tmp_path / "corpus", [])
    build = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    wish = requested_judge(build, None, None, None, None)
    with pytest.raises(RecipeError, match="run `unisrm-data build` first"):
        require(build, wish)
    with pytest.raises(RecipeError, match="'btch' is unknown: take live or batch"):
        requested_judge(build, None, None, None, "btch")
    row = dict.fromkeys(PAIRS.names, "-")
    build.tables.append("pairs", pa.Table.from_pylist([row], schema=PAIRS))
    require(build, wish)
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SetupError, match="set the environment variable GEMINI_API_KEY"):
        require(build, wish)
