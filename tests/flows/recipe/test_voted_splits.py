"""Recipes of voted pairs: strata, a split that a teacher divides, and what cannot be said together."""

import pytest
from pydantic import ValidationError

from flows.recipe.load import load
from flows.recipe.splits_section import Splits
from tests.flows.small import recipe

EN = {"language": "en", "quota": 2}
TAUGHT = {"fraction": 1, "by_teacher": {"right": "sft", "wrong": "rl"}}


def test_strata_are_the_size_of_a_split():
    splits = Splits.model_validate(
        {"sets": {"eval": {"strata": [EN | {"language": "English"}, {"style": "expressive", "quota": 3}]}}}
    )
    section = splits.named()["eval"]
    assert section.size().quota == 5
    assert [stratum.name for stratum in section.strata] == ["en", "expressive"]
    assert splits.released() == {"eval": "eval"}


def test_a_taught_split_is_released_as_its_parts():
    splits = Splits.model_validate({"sets": {"eval": {"quota": 3}, "train": TAUGHT}})
    assert splits.taught == "train"
    assert splits.released() == {"eval": "eval", "sft": "train", "rl": "train"}


@pytest.mark.parametrize(
    ("sets", "problem"),
    [
        ({"eval": {"strata": [EN], "quota": 2}}, "strata: say how many items the split gets: leave quota out"),
        ({"eval": {"strata": [EN, EN | {"quota": 9}]}}, "is there twice"),
        ({"eval": {"strata": [{"quota": 2}]}}, "say of which items: language, setting, style or corpus"),
        ({"eval": {"strata": [EN], "fraction": 1}}, "either a fraction or a quota"),
        ({"one": TAUGHT, "two": TAUGHT | {"fraction": None, "quota": 9}}, "by_teacher: divides one split, not one and two"),
        ({"sft": {"quota": 3}, "train": TAUGHT}, "sft and rl must be names of no other split"),
        ({"train": {"fraction": 1, "by_teacher": {"right": "rl", "wrong": "rl"}}}, "must be names of no other split"),
        ({"rest": {"quota": 3, "where": {"teacher": "right"}}, "train": TAUGHT}, "the teacher is asked after the splits"),
    ],
)
def test_what_makes_no_sense_is_refused(sets, problem):
    with pytest.raises(ValidationError, match=problem):
        Splits.model_validate({"sets": sets})


def test_recipes_without_the_keys_are_what_they_were(tmp_path):
    """No new key stands in the literals from which fingerprints are made."""
    literals = load(recipe(tmp_path)).model_dump()
    assert "subsets" not in literals
    sets = Splits.model_validate({"sets": {"train": {"fraction": 1}}}).model_dump()["sets"]
    assert sets == {"train": {"fraction": 1.0, "quota": None, "where": sets["train"]["where"]}}
