"""Kinds of recipes: what each can say, without a judge, system or metric that it does not want."""

import pytest
import yaml

from contracts.errors import RecipeError
from corpora.clip_ratings import of_columns
from flows.kinds.rated_pairs import RatedPairsRecipe
from flows.recipe.load import load
from flows.recipe.preference_recipe import PreferenceRecipe
from tests.flows.recipe.test_load import changed

RATED = {
    "kind": "rated_pairs",
    "name": "rated",
    "corpora": [{"name": "c", "reader": "manifest", "root": "corpus"}],
    "scale": "mos",
    "splits": {"fractions": {"train": 0.5, "test": 0.5}},
}


def rated(tmp_path, **changes):
    path = tmp_path / "rated.yaml"
    path.write_text(yaml.safe_dump(RATED | changes))
    return path


def test_a_recipe_without_a_kind_is_one_of_preferences(tmp_path):
    recipe = load(changed(tmp_path, lambda literals: None))
    assert isinstance(recipe, PreferenceRecipe)
    assert recipe.kind == "preference"
    assert recipe.labels_from == "judge"
    assert not {"kind", "labels"} & set(recipe.model_dump()), "so its digest stays what it was"


def test_rated_pairs_need_no_judge_system_or_metric(tmp_path):
    recipe = load(rated(tmp_path))
    assert isinstance(recipe, RatedPairsRecipe)
    assert recipe.labels_from == "ratings"


def test_a_recipe_that_says_nothing_of_pairs_keeps_its_literals(tmp_path):
    """So that its digest, and what it made, stays what it was."""
    assert "pairs" not in load(rated(tmp_path)).model_dump()
    assert load(rated(tmp_path, pairs={"min_gap": 0.2})).model_dump()["pairs"]["min_gap"] == 0.2


def test_quotas_are_by_corpus_or_divided_evenly(tmp_path):
    """A corpus that a mapping does not name has none; what cannot be divided goes to the first by name."""
    sets = {"train": {"quota": {"c": 7}}, "test": {"quota": 5}}
    named = load(rated(tmp_path, pairs={"categories": {"neither": 1}}, splits={"sets": sets})).splits.named()
    assert named["train"].size().quota == 7
    assert named["train"].quota_of(["c", "d"]) == {"c": 7}
    assert named["test"].quota_of(["d", "c"]) == {"c": 3, "d": 2}
    assert named["test"].quota_of([]) == {}


def test_a_scale_is_named_as_readers_name_it(tmp_path):
    """Whatever Unicode form and blanks it is written with: the names in corpora are treated alike."""
    recipe = load(rated(tmp_path, scale=" qualite\u0301 "))
    assert recipe.scale == "qualit\u00e9"
    (rating,) = of_columns({"rating.qualite\u0301": "3"})
    assert rating.scale == recipe.scale


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"systems": []}, "systems: is a key of kind preference; this recipe is of another kind"),
        ({"kind": "rated_pear"}, "unknown kind 'rated_pear'. Did you mean 'rated_pairs'"),
        ({"kind": 3}, "kind: 3 is no name; known: answers, collection, preference, rated_clips, rated_pairs"),
        ({"labels": {"from": "judge"}}, "labels.from: pairs of rated clips are labelled by ratings"),
        ({"labels": {"form": "judge"}}, "labels.form: unknown key, did you mean 'from'"),
        ({"scale": " "}, "scale: is blank: name the scale of ratings that decides"),
        ({"scael": "mos"}, "scael: unknown key, did you mean 'scale'"),
        ({"scales": ["mos"]}, "scales: is a key of kind rated_clips; this recipe is of another kind"),
        (
            {"pairs": {"categories": {"neither": 1}}},
            "splits: pairs are drawn up to quotas: give test a quota in place of a fraction",
        ),
        ({"pairs": {"categories": {"neither": 0}}}, "pairs.categories: give one category more than 0 parts"),
        ({"pairs": {"categories": {"nether": 1}}}, "pairs.categories.nether: unknown key, did you mean 'neither'"),
        (
            {"splits": {"sets": {"train": {"quota": {"c": 3}}}}},
            "splits.sets.train.quota: by corpus it is for pairs that are drawn (pairs.categories)",
        ),
        (
            {"pairs": {"categories": {"neither": 1}}, "splits": {"sets": {"train": {"quota": {"d": 3}}}}},
            "splits.sets.train.quota: 'd' is no corpus of this recipe",
        ),
        (
            {
                "pairs": {"categories": {"neither": 1}},
                "splits": {"sets": {"train": {"quota": 3, "where": {"agreement": ["FA"]}}}},
            },
            "splits.sets.train.where: pairs are drawn before anybody votes: no agreement or teacher",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    with pytest.raises(RecipeError) as caught:
        load(rated(tmp_path, **changes))
    assert message in str(caught.value)


def by_construction(literals):
    literals.pop("judge")
    literals["labels"] = {"from": "construction"}
    literals["filters"] = []
    literals["budget_usd"] = 1
    literals["roles"] = [{"name": "gemini", "task": task} for task in ("scenario", "negative_text")]
    literals["systems"][0]["speaks"] = "negative_text"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("judge"), "judge: is needed"),
        (
            lambda r: r.update(labels={"from": "construction"}),
            "labels.from is construction, but every system speaks the target",
        ),
        (lambda r: r.update(labels={"from": "votes"}), "labels.from is votes: add a filter that makes labels of them"),
        (lambda r: r.update(labels={"from": "ratings"}), "ratings make labels in recipes of kind rated_pairs"),
        (lambda r: r["systems"][0].update(clips="asterisk"), "give one of engine and clips"),
        (lambda r: r["systems"].append({"name": "far", "clips": "nowhere"}), "systems.far.clips: 'nowhere' is no corpus"),
        (lambda r: r["systems"].append({"name": "far", "clips": "asterisk", "voices": ["x"]}), "voices: is an engine's"),
        (lambda r: (r.pop("judge"), r.update(judges=[{"name": "objective"}])), "judges: are second opinions"),
    ],
)
def test_labels_need_a_source(tmp_path, change, message):
    with pytest.raises(RecipeError) as caught:
        load(changed(tmp_path, change))
    assert message in str(caught.value)


def test_labels_by_construction_need_no_judge(tmp_path):
    assert load(changed(tmp_path, by_construction)).judges_of_pairs == ()


def test_clips_may_come_from_a_corpus_alone(tmp_path):
    recipe = load(changed(tmp_path, lambda r: r.update(systems=[{"name": "far", "clips": "asterisk"}])))
    assert recipe.engines == {}
    assert [corpus for _, corpus in recipe.brought_along] == ["asterisk"]
