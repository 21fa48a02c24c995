"""Plans: what a build would do, from the recipe, the corpus and what is there."""

import pytest

from flows.kinds.preference_plan import plan_of
from flows.run.pipeline import open_build
from tests.flows.small import corpus, recipe


@pytest.fixture
def planned(tmp_path):
    """Return a function from changes of the small recipe to stage -> line of its plan."""
    corpus(tmp_path / "corpus", [])

    def plan(**changes):
        return {line["stage"]: line for line in plan_of(open_build(recipe(tmp_path, **changes), str(tmp_path / "ws")))}

    return plan


def judged(lines):
    (line,) = (line for stage, line in lines.items() if stage.startswith("judgments"))
    return line


def test_only_wanted_kinds_of_pairs_are_judged(planned):
    """Five texts, two voices of one system, one of another and the recording: 6 pairs a text, of which one is intra."""
    systems = [
        {"name": "espeak", "engine": "espeak", "voices": ["en-us", "en-us+klatt2"], "voices_per_prompt": 2},
        {"name": "flite", "engine": "flite", "voices": ["kal16"]},
    ]
    both = planned(systems=systems, pair_kinds=["human", "inter"])
    assert both["pairs"]["rows"] == judged(both)["calls"] == 25
    assert planned(systems=systems, pair_kinds=["intra"])["pairs"]["rows"] == 5
    assert planned(systems=systems, pair_kinds=["human", "inter", "intra"])["pairs"]["rows"] == 30


def test_orders_and_votes_are_calls(planned):
    """Both orders and three votes ask six times about a pair, and cost six times as much."""
    once, often = planned(), planned(judge={"orders": "both", "votes": 3})
    assert judged(often)["calls"] == 6 * judged(once)["calls"] == 6 * once["pairs"]["rows"]
    assert judged(often)["usd_at_most"] == pytest.approx(6 * judged(once)["usd_at_most"], abs=0.04)


@pytest.mark.parametrize(
    ("budget", "said"), [(None, "no paid call is allowed"), (1e-4, "may not be enough"), (1000, "budget 1000 USD, spent")]
)
def test_money_against_the_budget(planned, budget, said):
    """The last word on money says whether the budget can end the build."""
    note = planned(budget_usd=budget)["money"]["note"]
    assert said in note
    assert ("may not be enough" in note) == (budget == 1e-4)


def test_a_plan_leaves_nothing_behind(planned, tmp_path):
    """Looking makes no workspace."""
    planned()
    assert not (tmp_path / "ws").exists()


def test_texts_that_no_system_speaks_are_said_last(tmp_path):
    """Portuguese for two English engines: 0 pairs, and why; with some English beside it something comes of it."""
    corpus(tmp_path / "corpus", [], language="pt-BR")
    build = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    last = plan_of(build)[-1]
    assert (last["stage"], last["rows"]) == ("nothing", 0)
    assert last["note"].startswith("no pair can come of texts in pt: espeak speaks en; flite speaks en; add systems")
    (tmp_path / "both").mkdir()
    corpus(tmp_path / "both" / "corpus", [], each=lambda number: {"language": "en" if number == 1 else "pt"})
    assert plan_of(open_build(recipe(tmp_path / "both"), str(tmp_path / "ws")))[-1]["stage"] == "release"


def test_quotas_that_no_loss_allows_are_told_before_the_work(planned):
    """Five texts and 15 pairs: 12 leave room for a loss of 20 %, 16 are more than there can be."""
    assert "splits" not in planned()
    met = planned(splits={"fractions": None, "quotas": {"sft": 9, "rl": 2, "bench": 1}})["splits"]
    assert (met["rows"], met["note"]) == (12, "the quotas take 12 of at most 15 pairs: failures and filters may take 20%")
    missed = planned(splits={"fractions": None, "quotas": {"sft": 13, "rl": 2, "bench": 1}})["splits"]
    assert "cannot be met: they take 16 pairs, and there are at most 15: raise prompts.texts" in missed["note"]
    heard = {"protocol": "unisrm", "of": "splits", "languages": {"en": "proficient"}, "qualification": 5, "gold_every": 10}
    site = {"pay_per_item": 1.05}
    checked = planned(
        splits={"fractions": None, "quotas": {"sft": 8, "rl": 3, "bench": 1}},
        listening=heard | {"gold": "made", "site": site, "budget_pay": 10},
    )
    assert "take 15 of at most 15" in checked["splits"]["note"], "3 and 1 verified pairs are asked about 1.5 times: 5 and 2"
    # Three votes on 7 pairs, and one gold item in ten.
    assert checked["verification"]["note"].endswith(
        "21 in all, more on disagreement; 25.20 CNY with 3 gold items, and 5.25 CNY for the test of each listener; "
        "budget_pay 10.00 CNY pays for 9 answers only"
    )
