"""What labels rest on, what rows say of it, and what splits keep together: from judgments to a release."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from contracts.failures import failure
from contracts.schemas import FAILURES
from flows.kinds.preference import STAGES
from flows.listening.store import VOTED
from flows.recipe.parts import Plugin
from flows.run.marks import execute
from flows.run.pipeline import open_build
from flows.stages.filters import filters_of
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from tests.annotate import gemini_server
from tests.annotate.replies import answer
from tests.flows.listeners import listen
from tests.flows.small import corpus, recipe, run, without_ray

COMPARED = {
    "protocol": "speechjudge", "of": "pairs", "languages": {"en": "proficient"}, "qualification": 0, "gold_every": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A workspace in which all is done up to the judgments; the judge is a server that speaks Gemini's format."""
    folder = tmp_path_factory.mktemp("judged")
    corpus(folder / "corpus", [])
    with gemini_server.serving(text=answer) as server, pytest.MonkeyPatch.context() as patch, without_ray():
        patch.setenv("GEMINI_API_KEY", "canary-key-7431")
        judge = {"options": {"base_url": server.url, "backoff_s": 0.01}}
        run(open_build(recipe(folder, judge=judge), str(folder / "ws")), "judgments")
        yield folder, judge


@pytest.fixture
def opened(judged, tmp_path):
    """Return a build over a copy of that workspace, by what its recipe says differently."""
    folder, judge = judged
    shutil.copytree(folder / "ws", tmp_path / "ws")

    def build(**changes):
        said = {"corpora": [{"name": "austen", "reader": "manifest", "root": str(folder / "corpus")}], "judge": judge}
        return open_build(recipe(tmp_path, **(said | changes)), str(tmp_path / "ws"))

    return build


SPLITTING = next(stage for stage in STAGES if stage.name == "splits")


def names(rules):
    return [rule.name for rule in rules]


def test_a_row_names_every_filter_that_it_passed(opened):
    """Filters that a judge's labels cannot do without are named too, where the recipe leaves them out."""
    build = opened()
    assert "tied_totals" not in names(build.recipe.filters)
    run(build, "release")
    for path in Path(release_of(build)).glob("*/*.parquet"):
        passed = pq.read_table(path, columns=["filters_passed"])["filters_passed"].to_pylist()
        assert passed == [["tied_totals", "audio_sanity", "cycles"]] * len(passed)


def test_filters_of_a_judge_and_of_people(opened):
    """Two orders need their own filter, named once wherever it stands; people's labels need none of the judge's."""
    both = {"orders": "both", "options": {"backoff_s": 0.01}}
    assert names(filters_of(opened(judge=both))) == ["order_agreement", "tied_totals", "audio_sanity", "cycles"]
    own = [{"name": "cycles"}, {"name": "order_agreement"}]
    assert names(filters_of(opened(judge=both, filters=own))) == ["tied_totals", "cycles", "order_agreement"]
    people = opened(judge=both, listening=COMPARED, filters=[{"name": "cmos_to_preference"}])
    assert filters_of(people) == [Plugin(name="cmos_to_preference")]


def test_what_people_say_needs_no_judge(opened):
    """A pair that the judge could not rule is labelled by its votes; a circle is one of votes, whatever the judge says."""
    build = opened(listening=COMPARED, filters=[{"name": "cmos_to_preference"}, {"name": "cycles"}])
    judgments = build.tables.read("judgments")
    lost = judgments.to_pylist()[0]
    build.tables.replace("judgments", judgments.filter(pc.not_equal(judgments["judgment_id"], lost["judgment_id"])))
    refused = failure("judgments", lost["judgment_id"], lost["pair_id"], "blocked", "the model refused")
    build.tables.append("failures@judgments", pa.Table.from_pylist([refused], schema=FAILURES))
    assert run(build, "rulings")["judgments"].failed == {"blocked": 1}

    pairs = {row["pair_id"]: row for row in build.tables.read("pairs").to_pylist()}
    group = next(row["group_id"] for row in pairs.values() if row["group_id"] != pairs[lost["pair_id"]]["group_id"])
    beats = {"human": "espeak", "espeak": "flite", "flite": "human"}

    def say(pair):
        row = pairs[pair]
        round_about = (
            beats[row["system_a"]] == row["system_b"] if row["group_id"] == group else row["system_a"] < row["system_b"]
        )
        return "A+1" if round_about else "B+1"

    run(build, "votes")
    for name in ("One", "Two"):
        listen(build, name, say)
    books = run(build, "release")
    assert books["filters"].rows_in == len(pairs)
    assert books["filters"].dropped == {"cycle": 3}
    drops = build.tables.read("drops@filters")["row_id"].to_pylist()
    assert {pairs[pair]["group_id"] for pair in drops} == {group}
    said = {row["item_id"]: row for row in build.tables.read("labels").to_pylist()}
    assert all(row["label"] == say(pair)[0].lower() for pair, row in said.items())
    assert len(said[lost["pair_id"]]["vote_ids"]) == 2
    assert set(said[lost["pair_id"]]["vote_ids"]) <= set(build.tables.read(VOTED)["vote_id"].to_pylist())
    rows = [row for path in Path(release_of(build)).glob("*/*.parquet") for row in pq.read_table(path).to_pylist()]
    alone = next(row for row in rows if row["pair_id"] == lost["pair_id"])
    assert (alone["label_source"], alone["judge"], alone["completion"]) == ("votes", None, None)


def test_what_is_said_instead_of_two_texts_keeps_them_together(opened):
    """A written text that clips of several prompts speak ties these prompts to one side, like a text of their own."""
    build = opened()
    run(build, "splits")
    assert len(set(build.tables.read(splits_table(build))["split"].to_pylist())) == 3
    samples = build.tables.read("samples")
    said = pa.array(["Nothing of that kind!" if name == "flite" else None for name in samples["system"].to_pylist()])
    build.tables.replace("samples", samples.set_column(samples.column_names.index("spoken_text"), "spoken_text", said))
    for name in build.tables.partitions("splits"):
        build.tables.replace(name, build.tables.read(name)[:0])
    run(build, "splits")
    together = build.tables.read(splits_table(build))
    assert together.num_rows
    assert len(set(together["leakage_group"].to_pylist())) == 1
    assert len(set(together["split"].to_pylist())) == 1
    pairs, labels = build.tables.read("pairs"), build.tables.read("labels")
    others = pairs.filter(pc.and_(pc.not_equal(pairs["system_a"], "flite"), pc.not_equal(pairs["system_b"], "flite")))
    build.tables.replace("labels", labels.filter(pc.is_in(labels["item_id"], value_set=others["pair_id"].combine_chunks())))
    execute(SPLITTING, build)
    left = build.tables.read(splits_table(build))
    assert 0 < left.num_rows < together.num_rows
    assert set(left["leakage_group"].to_pylist()) == set(together["leakage_group"].to_pylist()), "a lost pair unties nothing"


def test_a_filter_that_comes_and_goes_moves_no_pair(opened):
    """Pairs that a filter takes away for a while leave all others where they are, and come back to where they were."""
    build = opened()
    run(build, "splits")
    first, labels = build.tables.read(splits_table(build)), build.tables.read("labels")
    rows = first.to_pylist()
    for group in sorted({row["group_id"] for row in rows if row["split"] == "sft"}):
        lost = pa.array([row["item_id"] for row in rows if row["split"] == "rl" or row["group_id"] == group])
        kept = labels.filter(pc.invert(pc.is_in(labels["item_id"], value_set=lost)))
        build.tables.replace("labels", kept)
        assert execute(SPLITTING, build).rows_out == kept.num_rows
        rest = first.filter(pc.is_in(first["item_id"], value_set=kept["item_id"].combine_chunks()))
        assert build.tables.read(splits_table(build)).equals(rest)
        build.tables.replace("labels", labels)
        execute(SPLITTING, build)
        assert build.tables.read(splits_table(build)).equals(first)
