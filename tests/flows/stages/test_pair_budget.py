"""A budget of pairs: which are drawn, which clips are made for them, and what happens where a clip fails."""

from collections import Counter

import pytest

from contracts.errors import RecipeError
from flows.kinds.preference_plan import plan_of
from flows.run.marks import execute, finished
from flows.run.pipeline import open_build
from flows.run.wanted import wanted_rows
from flows.stages import pairs as pairs_stage
from flows.stages.prompts import STAGE as PROMPTS
from flows.stages.samples import STAGE as SAMPLES
from tests.flows.small import corpus, recipe, run
from tests.flows.stages.test_tries import moody  # noqa: F401  # a fixture

pytestmark = pytest.mark.usefixtures("in_this_process")

SYSTEMS = [
    {"name": "espeak", "engine": "espeak", "voices": ["en-us", "en-us+klatt2"], "voices_per_prompt": 2},
    {"name": "flite", "engine": "flite", "voices": ["kal16"]},
]


def budget(**kinds):
    return {"budget": {"regular": {"en2en": kinds}}}


@pytest.fixture
def small(tmp_path):
    """Return a function from a budget to a build: five texts, two voices of one system and one of another, nobody's recording."""
    corpus(tmp_path / "corpus", [])

    def build(**changes):
        path = recipe(tmp_path, **{"systems": SYSTEMS, "human": False, "metrics": [], "filters": []} | changes)
        return open_build(path, str(tmp_path / "ws"))

    return build


def test_only_clips_of_drawn_pairs_are_made(small):
    """Of 10 inter pairs 3 and of 5 intra pairs 1 are drawn; plan and build agree, and each clip is in a pair."""
    build = small(pairs=budget(inter=3, intra=1))
    planned = {line["stage"]: line for line in plan_of(build)}
    assert planned["pairs"]["rows"] == 4
    assert "nothing" not in planned
    books = run(build)
    assert (books["pairs"].rows_out, books["pairs"].notes) == (4, ())
    drawn = build.tables.read("pairs").to_pylist()
    assert Counter(pair["kind"] for pair in drawn) == {"inter": 3, "intra": 1}
    made = set(wanted_rows(build, "samples")["sample_id"].to_pylist())
    assert made == {pair[side] for pair in drawn for side in ("sample_a", "sample_b")}
    assert len(made) == sum(line["rows"] for stage, line in planned.items() if stage.startswith("samples ")) < 15
    after = {line["stage"]: line for line in plan_of(build)}
    assert (after["pairs"]["rows"], after["pairs"]["done"]) == (4, 4)


def test_a_larger_budget_keeps_the_pairs_of_a_smaller_one(small):
    """What was drawn and made stays; all pairs of the cell are those of the recipe without a budget."""
    before = set[str]()
    for count in (2, 5, 10):
        build = small(pairs=budget(inter=count))
        run(build)
        now = set(build.tables.read("pairs")["pair_id"].to_pylist())
        assert len(now) == count
        assert before < now
        before = now
    plain = small(pair_kinds=["inter"])
    run(plain)
    assert set(plain.tables.read("pairs")["pair_id"].to_pylist()) == before


def test_a_failed_clip_makes_room_for_the_next_pair(moody, tmp_path):  # noqa: F811
    """Two of the five clips of a system fail: three pairs are made all the same, as a recipe without these two would draw them."""
    takes = {"takes": [{"duration_factor": [1.0, 1.1]}], "tries": 1}
    build = moody(takes, {"pairs": budget(inter=4), "pair_kinds": None, "human": False}, moods=["empty"], one_in=3)
    books = run(build)
    lost = books["samples"].failed.get("empty", 0)
    assert lost > 0, "the seeds of this recipe must let some clips fail, or this tests nothing"
    assert (books["pairs"].rows_out, books["pairs"].notes) == (4, ())
    assert books["samples"].rows_in == books["samples"].rows_out + lost
    assert finished(SAMPLES, build) is not None
    again = execute(SAMPLES, build)
    assert again == books["samples"]
    planned = {line["stage"]: line for line in plan_of(build)}
    assert (planned["pairs"]["rows"], planned["pairs"]["done"], planned["pairs"]["note"]) == (4, 4, "")
    assert all(line["rows"] == line["done"] for stage, line in planned.items() if stage.startswith("samples "))


def test_a_budget_that_cannot_be_met_is_told_before_anything_is_paid(small):
    """The plan says which cell is short; the build ends before the first clip or call."""
    build = small(pairs={"budget": {"regular": {"en2en": {"inter": 11, "intra": 5}}, "expressive": {"en2zh": {"inter": 2}}}})
    last = plan_of(build)[-1]
    told = "there are only expressive en2zh inter: 0 of 2; regular en2en inter: 10 of 11: choose more texts (prompts), add systems or takes"
    assert last["stage"] == "nothing"
    assert told in last["note"]
    run(build, "utterances")
    with pytest.raises(RecipeError, match="regular en2en inter: 10 of 11"):
        execute(PROMPTS, build)
    assert build.tables.num_rows("samples") == 0


def test_the_pairs_stage_tells_what_is_missing_in_the_end(small):
    """Clips that fail for good leave a cell short: its books say so."""
    build = small(pairs=budget(inter=10))
    run(build, "samples")
    lost = wanted_rows(build, "samples")["sample_id"][0].as_py()
    samples = build.tables.read("samples")
    build.tables.replace("samples", samples.filter([key != lost for key in samples["sample_id"].to_pylist()]))
    books = execute(pairs_stage.STAGE, build)
    assert books.rows_out in (8, 9)
    assert f"regular en2en inter: {books.rows_out} of 10" in books.notes[0]


def test_a_recipe_without_a_budget_has_the_settings_that_it_had(small):
    """No key of the budget, of styles or of upsampling is in the literals of a recipe that does not name it."""
    build = small(pair_kinds=["inter"])
    assert pairs_stage.STAGE.settings(build) == ["inter"]
    assert pairs_stage.STAGE.all_reads(build) == ("wanted@samples", "samples")
    literals = build.recipe.model_dump()
    assert "pairs" not in literals
    assert "upsample_references" not in literals["audio"]
    assert literals["prompts"]["variants"] == ("transcript",)
