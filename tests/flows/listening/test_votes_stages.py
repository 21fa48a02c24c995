"""A build that asks people: it waits, goes on when the votes are there, repeats nothing, and releases what they confirmed."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from annotate.people.store.vote_store import Store
from contracts.schemas import VOTES
from flows.entry.prefect_runs import run_collection
from flows.entry.preflight import check_machine
from flows.kinds.preference import STAGES
from flows.listening.evidence import votes_by_value
from flows.listening.store import RATED, VOTED, open_store, waiting_for
from flows.run.kind import stages_of
from flows.run.marks import finished, mark_of
from flows.run.pipeline import Waiting, open_build
from flows.stages.listeners import items_of, publish
from flows.stages.release import release_of
from flows.stages.verification import STAGE as VERIFICATION
from flows.views.explain import story_of
from flows.views.listeners_report import listeners_content
from flows.views.report import write_report
from flows.views.status import status_of
from tests.flows.deaths import killed_at_every_write
from tests.flows.listeners import listen
from tests.flows.small import run
from tests.flows.verified import (
    BY_VOTES,
    COMPARED,
    VERIFIED,
    confirming,
    released,
    split_of,
    vote,
)
from tests.rows import rows as table_of

NAME = "Canary Listener 5591"


def marks_before(build, name):
    """Return stage -> its mark, for the stages before one."""
    names = [stage.name for stage in stages_of(build)]
    return {stage.name: mark_of(stage, build) for stage in STAGES if stage.name in names[: names.index(name)]}


def test_verification_waits_and_the_release_holds_what_people_confirmed(opened, monkeypatch):
    """Waiting, votes, collected, released: nothing upstream is touched; a contradicted and an invalid pair are dropped."""
    build = opened(listening=VERIFIED)
    books = run(build, "release")
    waiting = books["verification"]
    assert isinstance(waiting, Waiting)
    assert "release" not in books
    asked = {pair for pair, split in split_of(build).items() if split != "sft"}
    assert str(waiting) == f"waiting for votes: 0 of {3 * len(asked)}"
    assert release_of(build) is None
    row = next(row for row in status_of(build) if row["stage"] == "verification")
    assert (row["state"], row["out"], row["in"]) == (str(waiting), 0, 3 * len(asked))

    assert listeners_content(build)["verification"] == [], "nobody has confirmed anything yet"

    state = run_collection(build)
    assert (state.type.value, state.name) == ("COMPLETED", str(waiting))
    assert state.message == waiting.advice

    wrong, invalid = sorted(asked)[:2]
    truth = confirming(build)
    turned = {"A": "B", "B": "A"}

    def say(pair):
        return turned[truth(pair)] if pair == wrong else "invalid" if pair == invalid else truth(pair)

    listen(build, NAME, say)
    listen(build, "Two", say)
    assert str(waiting_for(build)) == f"waiting for votes: {2 * len(asked)} of {3 * len(asked)}"
    assert isinstance(run(build, "release")["verification"], Waiting)
    listen(build, "Three", truth)
    assert waiting_for(build) is None

    before = marks_before(build, "verification")
    work = check_machine(build, stages_of(build))
    assert work == {"verification", "audit", "release"}, "nothing else has anything to do"
    books = run(build, "release")
    assert books["verification"].dropped == {"contradicts_label": 1, "invalid": 1}
    assert marks_before(build, "verification") == before
    assert books["release"].rows_in == books["release"].rows_out == len(split_of(build)) - 2

    assert sum(row["confirmed"] for row in listeners_content(build)["verification"]) == len(asked) - 2
    found = released(build)
    splits = split_of(build)
    for split in ("rl", "bench"):
        assert {row["pair_id"] for row in found[split]} == {pair for pair in asked - {wrong, invalid} if splits[pair] == split}
    assert {row["pair_id"] for row in found["sft"]} == {pair for pair, split in splits.items() if split == "sft"}
    votes = {row["vote_id"]: row for row in build.tables.read(VOTED).to_pylist()}
    for split, rows in found.items():
        for row in rows:
            assert row["label_source"] == "judgment"
            assert ("human_verification" in row["filters_passed"]) == (split != "sft")
            if split == "sft":
                assert row["votes"] is row["vote_ids"] is row["agreement"] is None
                continue
            assert row["votes"] == [{"value": row["label"].upper(), "count": 3}]
            assert row["agreement"] == "FA"
            assert {votes[vote]["pair_id"] for vote in row["vote_ids"]} == {row["pair_id"]}
            assert len(row["vote_ids"]) == 3

    card = (Path(release_of(build)) / "README.md").read_text()
    assigned = len(splits)
    assert f"| verification | pairs | {assigned} | {assigned - 2} | 0 | contradicts" in card
    assert "3 listeners cast" in card
    assert "crowdsourced" in card
    drops = {row["row_id"]: row for row in build.tables.read("drops@verification").to_pylist()}
    assert drops[wrong]["filter"] == "human_verification"
    assert len(json.loads(drops[wrong]["evidence"])["votes"]) == 3

    again = opened(listening=VERIFIED)
    assert all(finished(stage, again) for stage in stages_of(again))
    assert run_collection(again) == release_of(build)


def test_names_and_secrets_stay_in_the_store(opened, tmp_path):
    """Tables, release, report and status know pseudonyms only; a listener who is gone is told of with the reason."""
    build = opened(listening=VERIFIED)
    run(build, "release")
    who = listen(build, NAME, confirming(build))
    with open_store(build) as store:
        store.exclude(who, "too_fast", {"median_s": 0.2})
    run(build, "release")
    for name in ("Two", "Three", "Four"):
        listen(build, name, confirming(build))
    run(build, "release")
    write_report(build, tmp_path / "report.html")
    pair = released(build)["rl"][0]["pair_id"]
    story = story_of(build, pair)
    assert {(vote["annotator_id"] == who, vote["discarded"]) for vote in story["votes"]} >= {(True, "too_fast")}
    told = json.dumps([story, status_of(build)]) + (tmp_path / "report.html").read_text()
    assert who in told
    assert "excluded: too_fast" in told
    assert NAME not in told
    for path in (tmp_path / "ws").rglob("*"):
        if path.is_file() and not path.name.startswith("listening.sqlite"):
            assert NAME.encode() not in path.read_bytes(), path


def test_who_breaks_a_rule_is_replaced(opened):
    """Votes of somebody excluded leave, are kept, marked, and are collected again from others; the label rests on theirs alone."""
    rules = [{"name": "too_fast", "options": {"min_items": 5}}]
    build = opened(listening=VERIFIED | {"splits": ["sft", "rl", "bench"], "rules": rules})
    run(build, "release")
    asked = len(split_of(build))
    hasty = listen(build, "Hasty", confirming(build), thinking_s=0.1)
    for name in ("Two", "Three"):
        listen(build, name, confirming(build))
    state = run(build, "release")["verification"]
    assert isinstance(state, Waiting), "everything was in, but one of them did not listen"
    assert (state.there, state.wanted) == (2 * asked, 3 * asked)
    listen(build, "Four", confirming(build))
    books = run(build, "release")
    assert books["verification"].rows_out == asked
    votes = build.tables.read(VOTED)
    gone = votes.filter(pc.equal(votes["annotator_id"], hasty))
    assert gone.num_rows == asked
    assert set(gone["discarded"].to_pylist()) == {"too_fast"}
    used = {vote for rows in released(build).values() for row in rows for vote in row["vote_ids"]}
    assert used.isdisjoint(gone["vote_id"].to_pylist())
    assert len(used) == 3 * asked


def test_five_point_votes_make_the_labels(opened):
    """SpeechJudge: two votes, a third on disagreement; majority labels, ties out; labels and rows name the votes."""
    build = opened(listening=COMPARED, filters=BY_VOTES)
    books = run(build, "release")
    assert str(books["votes"]).startswith("waiting for votes: 0 of ")
    assert "filters" not in books
    pairs = sorted(build.tables.read("pairs")["pair_id"].to_pylist())
    tied, split, *_ = pairs
    listen(build, "One", lambda pair: "T" if pair == tied else "A+1")
    listen(build, "Two", lambda pair: "T" if pair == tied else "B+2" if pair == split else "A+2")
    assert waiting_for(build).wanted == 2 * len(pairs) + 1
    assert isinstance(run(build, "release")["votes"], Waiting)
    before = marks_before(build, "votes")
    listen(build, "Three", lambda pair: "B+1")
    books = run(build, "release")
    assert marks_before(build, "votes") == before
    assert books["filters"].dropped == {"tie": 1}
    rows = {row["item_id"]: row for row in build.tables.read("labels").to_pylist()}
    assert {row["source"] for row in rows.values()} == {"votes"}
    assert rows[split]["label"] == "b"
    assert len(rows[split]["vote_ids"]) == 3
    assert all(row["label"] == "a" and len(row["vote_ids"]) == 2 for pair, row in rows.items() if pair != split)
    row = next(row for rows in released(build).values() for row in rows if row["pair_id"] == split)
    assert row["agreement"] == "WD"
    assert row["votes"] == [{"value": "A+1", "count": 1}, {"value": "B+1", "count": 1}, {"value": "B+2", "count": 1}]


def test_samples_are_rated_beside_the_labels(opened):
    """Task 2: every sample is rated by so many; the ratings are kept by pseudonym, and labels and release are the judge's."""
    rating = {"name": "rating", "options": {"votes": 2, "scales": ["overall"]}}
    build = opened(listening=VERIFIED | {"protocol": rating, "of": "samples"})
    samples = build.tables.num_rows("samples")
    assert str(run(build, "release")["votes"]) == f"waiting for ratings: 0 of {2 * samples}"
    for name in (NAME, "Two"):
        listen(build, name, lambda sample: "4")
    books = run(build, "release")
    assert (books["votes"].unit, books["votes"].rows_out) == ("samples to rate", samples)
    rows = build.tables.read(RATED).to_pylist()
    assert len(rows) == 2 * samples
    assert {tuple(row["scores"]) for row in rows} == {(("overall", 4.0),)}
    assert len(story_of(build, rows[0]["sample_id"])["ratings"]) == 2
    plain = released(build, ["label_source"])
    assert {row["label_source"] for rows in plain.values() for row in rows} == {"judgment"}


def test_imported_votes_count_like_any(opened):
    """A table from elsewhere finishes the build; the same one again changes nothing."""
    build = opened(listening=VERIFIED)
    run(build, "release")
    asked = [pair for pair, split in split_of(build).items() if split != "sft"]
    table = vote(build, asked, confirming(build))
    with open_store(build) as store:
        assert store.import_votes(table) == 0
    assert run(build, "release")["release"].rows_out == len(split_of(build))
    assert set(build.tables.read(VOTED)["source"].to_pylist()) == {"import:vendor.csv"}


def test_a_vendor_listener_who_breaks_a_rule_is_replaced(opened):
    """Imported votes are checked like any: those of the contrary one leave, and another import takes their places."""
    rules = [{"name": "too_fast"}, {"name": "peer_agreement", "options": {"min_items": 5}}]
    build = opened(listening=VERIFIED | {"splits": ["sft", "rl", "bench"], "rules": rules})
    run(build, "release")
    asked, truth, turned = sorted(split_of(build)), confirming(build), {"A": "B", "B": "A"}

    def bring(who, say):
        rows = [
            {
                "vote_id": f"{pair}-{who}",
                "pair_id": pair,
                "annotator_id": who,
                "protocol": "unisrm",
                "value": say(pair),
                "source": "import:x.csv",
            }
            for pair in asked
        ]
        with open_store(build) as store:
            assert store.import_votes(pa.Table.from_pylist(rows, schema=VOTES)) == len(asked)

    for who in ("v1", "v2"):
        bring(who, truth)
    bring("contrary", lambda pair: turned[truth(pair)])
    assert waiting_for(build) is None
    state = run(build, "release")["verification"]
    assert isinstance(state, Waiting), "everything was in, but one of them is not to be trusted"
    assert (state.there, state.wanted) == (2 * len(asked), 3 * len(asked))
    with open_store(build) as store:
        gone = store.annotator("contrary")
        assert {store.annotator(who).state for who in ("v1", "v2")} == {"elsewhere"}
    assert (gone.state, gone.reason) == ("excluded", "peer_agreement")
    assert gone.evidence["peer_agreement"]["items"] == len(asked)
    assert gone.evidence["too_fast"] | {"lacking": ""} == {
        "broken": None,
        "items": 0,
        "too_fast": 0,
        "min_deciding_s": 0.5,
        "lacking": "",
    }
    assert next(row for row in status_of(build) if row["stage"] == "listener contrary")["state"] == "excluded: peer_agreement"

    bring("v3", truth)
    assert run(build, "release")["verification"].rows_out == len(asked)
    votes = {row["vote_id"]: row for row in build.tables.read(VOTED).to_pylist()}
    assert {row["discarded"] for row in votes.values() if row["annotator_id"] == "contrary"} == {"peer_agreement"}
    used = {vote for rows in released(build).values() for row in rows for vote in row["vote_ids"]}
    assert {votes[vote]["annotator_id"] for vote in used} == {"v1", "v2", "v3"}
    assert len(used) == 3 * len(asked)
    states = {row["annotator_id"]: row["state"] for row in listeners_content(build)["annotators"]}
    assert states == {"contrary": "excluded: peer_agreement", "v1": "elsewhere", "v2": "elsewhere", "v3": "elsewhere"}


def test_gold_is_asked_of_all_and_released_of_none(opened, tmp_path):
    """A gold pair of a verified split is a test: it gets no votes, and is dropped with its values; one of sft stays there."""
    build = opened(listening=VERIFIED)
    run(build, "splits")
    splits = split_of(build)
    inside = next(pair for pair, split in sorted(splits.items()) if split == "bench")
    outside = next(pair for pair, split in sorted(splits.items()) if split == "sft")
    truth = confirming(build)
    (tmp_path / "gold.csv").write_text(f"pair_id,values\n{inside},A|B\n{outside},{truth(outside)}\n")
    build = opened(listening=VERIFIED | {"gold": "gold.csv", "qualification": 2})
    waiting = run(build, "release")["verification"]
    asked = {pair for pair, split in splits.items() if split != "sft"} - {inside}
    assert waiting.wanted == 3 * len(asked)
    for name in ("One", "Two", "Three"):
        listen(build, name, lambda pair: truth(pair) if pair in asked or pair == outside else "A")
    books = run(build, "release")
    assert books["verification"].dropped == {"gold": 1}
    found = {row["pair_id"] for rows in released(build).values() for row in rows}
    assert found == set(splits) - {inside}
    assert set(build.tables.read(VOTED)["pair_id"].to_pylist()) == asked
    with open_store(build) as store:
        assert {answer["subject_id"] for answer in store.answers().to_pylist() if answer["qualification"]} == {inside, outside}


def test_gold_of_an_admin_and_of_a_later_file_is_a_test_too(opened, tmp_path):
    """Votes that were cast on a pair before it became gold do not verify it, and the reason of its drop is told."""
    build = opened(listening=VERIFIED)
    run(build, "release")
    asked = sorted(pair for pair, split in split_of(build).items() if split != "sft")
    made, written, *rest = asked
    truth = confirming(build)
    listen(build, "One", truth)
    with open_store(build) as store:
        store.make_gold(next(item.item_id for item in store.items() if item.subject_id == made), [truth(made)])
    (tmp_path / "gold.csv").write_text(f"pair_id,values\n{written},{truth(written)}\n")
    build = opened(listening=VERIFIED | {"gold": "gold.csv"})
    waiting = run(build, "release")["verification"]
    assert (waiting.there, waiting.wanted) == (len(rest), 3 * len(rest))
    for name in ("Two", "Three"):
        listen(build, name, truth)
    assert run(build, "release")["verification"].dropped == {"gold": 2}
    assert {made, written}.isdisjoint(row["pair_id"] for rows in released(build).values() for row in rows)
    drops = build.tables.read("drops@verification").to_pylist()
    assert {row["row_id"]: json.loads(row["evidence"])["values"] for row in drops} == {
        made: [truth(made)],
        written: [truth(written)],
    }
    (tmp_path / "gold.csv").write_text("pair_id,values\n")
    assert isinstance(run(build, "release")["verification"], Waiting), "what is no gold any more wants votes of others"


def test_nothing_is_released_of_a_test_that_lost_votes_while_they_were_read(opened, monkeypatch):
    """Somebody is excluded just as the last votes are fetched: the build waits for others, and drops nothing."""
    build = opened(listening=VERIFIED)
    run(build, "release")
    who, _, _ = (listen(build, name, confirming(build)) for name in ("One", "Two", "Three"))
    read = Store.votes

    def late(store):
        store.exclude(who, "admin", {"reason": "a hint"})
        return read(store)

    monkeypatch.setattr(Store, "votes", late)
    books = run(build, "release")
    assert isinstance(books["verification"], Waiting)
    assert release_of(build) is None


def test_items_tell_no_system_and_are_equally_loud(opened):
    """What is played lies at one level, and no item is louder than what could be played without clipping."""
    build = opened(listening=VERIFIED)
    run(build, "release")
    loudness = {row["audio_id"]: row["loudness_lufs"] for row in build.tables.read("samples").to_pylist()}
    items = items_of(build)
    assert items
    for item in items:
        levels = [loudness[clip.audio_id] + clip.gain_db for clip in item.clips]
        assert max(levels) - min(levels) < 0.02
        assert all(clip.gain_db <= 0.02 for clip in item.clips)
        assert item.text
        assert item.language == "en"
    with open_store(build) as store:
        version = store.version()
    publish(build)
    with open_store(build) as store:
        assert store.version() == version, "publishing the same again is no change"


def found_in(build):
    """Return what verification leaves behind."""
    tables = {name: build.tables.read(name).to_pylist() for name in (VOTED, "drops@verification")}
    return tables | {"mark": mark_of(VERIFICATION, build)}


def test_death_at_every_write_changes_nothing(opened, tmp_path):
    """Kill -9 before and after each write of the verification, run again: the same votes, drops and mark."""
    build = opened(listening=VERIFIED)
    run(build, "release")
    truth, contrary = confirming(build), {"A": "B", "B": "A"}
    for name in ("One", "Two", "Three"):
        listen(build, name, lambda pair: truth(pair) if pair > "8" else contrary[truth(pair)])
    shutil.copytree(tmp_path / "ws", tmp_path / "calm")
    calm = open_build(tmp_path / "small.yaml", str(tmp_path / "calm"))
    run(calm, "verification")
    expected = found_in(calm)
    assert expected["mark"].books.dropped

    def resumed(storm):
        stormy = open_build(tmp_path / "small.yaml", str(storm))
        run(stormy, "verification")
        return stormy

    def check(storm):
        assert found_in(resumed(storm)) == expected, storm.name

    assert killed_at_every_write(tmp_path / "ws", tmp_path, resumed, check) >= 4, "there are that many writes to die at"


def test_a_recipe_without_listeners_is_as_it_was(opened):
    """No stage, no store, no column, no word of people."""
    build = opened()
    books = run(build, "release")
    assert not {"votes", "verification"} & set(books)
    assert not {"votes", "verification"} & {row["stage"] for row in status_of(build)}
    assert not list(Path(build.workspace.url).glob("listening*"))
    released = pq.read_table(next(Path(release_of(build)).glob("*/*.parquet")), columns=["votes", "agreement", "vote_ids"])
    assert [released[name].null_count for name in released.column_names] == [released.num_rows] * 3
    assert "listeners" not in (Path(release_of(build)) / "README.md").read_text()


def test_collecting_does_not_begin_what_was_not_built(opened):
    """The schedule does not start a synthesis: it says which stage is lacking."""
    build = opened(listening=VERIFIED)
    state = run_collection(build)
    assert (state.type.value, state.name) == ("COMPLETED", "not there yet: rulings")
    assert finished(next(stage for stage in STAGES if stage.name == "rulings"), build) is None
    assert not list(Path(build.workspace.url).glob("listening*"))


def test_a_build_ends_with_what_there_is(opened):
    """Pairs that lack votes are dropped, as the accounts say; closed by hand or by the recipe; reopened it waits again."""
    build = opened(listening=VERIFIED)
    assert isinstance(run(build, "verification")["verification"], Waiting)
    listen(build, "One", confirming(build))
    asked = [pair for pair, split in split_of(build).items() if split != "sft"]
    impatient = opened(listening=VERIFIED | {"incomplete": "drop"})
    books = run(impatient, "verification")["verification"]
    assert books.dropped == {"needs_votes": len(asked)}
    with open_store(build) as store:
        store.set_closed(True)
    assert run(build, "verification")["verification"].dropped == books.dropped
    assert finished(VERIFICATION, build) is not None, "nothing is left to do"
    with open_store(build) as store:
        store.set_closed(False)
    assert isinstance(run(build, "verification")["verification"], Waiting)


def test_a_release_row_tells_a_label_of_elsewhere_from_votes():
    """It has no level, and is counted among no votes."""
    said = [("v1", "p1", "A+1", True), ("v2", "p2", "A+1", None), ("v3", "p2", "A+2", None), ("v4", "p2", "B+1", True)]
    table = table_of(VOTES, *(dict(zip(("vote_id", "pair_id", "value", "aggregated"), one, strict=True)) for one in said))
    found = {row["pair_id"]: row for row in votes_by_value(table).to_pylist()}
    assert (found["p1"]["agreement"], found["p1"]["votes"], found["p1"]["vote_ids"]) == ("aggregated", [], ["v1"])
    assert (found["p2"]["agreement"], found["p2"]["vote_ids"]) == ("FA", ["v2", "v3", "v4"])
    assert found["p2"]["votes"] == [{"value": "A+1", "count": 1}, {"value": "A+2", "count": 1}]
