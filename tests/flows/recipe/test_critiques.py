"""What a recipe of rated pairs may say of critiques and configurations."""

import re

import pytest
import yaml

from contracts.errors import RecipeError
from contracts.ids import digest
from flows.recipe.load import load

CRITIC = {"name": "openai", "options": {"model": "gpt-audio"}}
RECIPE = {
    "kind": "rated_pairs",
    "name": "rated",
    "corpora": [{"name": "mos", "reader": "manifest", "root": "mos"}],
    "scale": "mos",
    "splits": {"fractions": {"train": 0.5, "test": 0.5}},
}


def loaded(tmp_path, **changes):
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(RECIPE | changes))
    return load(tmp_path / "r.yaml")


def test_a_recipe_from_before_is_the_recipe_that_it_was(tmp_path):
    """Neither key is in its literals, which a release names by their digest."""
    plain = loaded(tmp_path).model_dump()
    assert not {"critiques", "configurations"} & set(plain)
    said = loaded(tmp_path, critiques=None, configurations=["rated_pairs"]).model_dump()
    assert digest(said) == digest(plain)


def test_who_writes_critiques_is_asked_by_default_for_those_of_the_paper(tmp_path):
    recipe = loaded(tmp_path, critiques={"pairs": CRITIC, "clips": CRITIC}, configurations=["pairs", "critiques", "clips"])
    assert [(role.task, role.orders, role.votes) for role in recipe.judges_of_pairs] == [("critique_pair", "stored", 1)]
    assert [role.task for role in recipe.writers] == ["critique_clip"]
    assert recipe.labels_from == "ratings", "whatever a judge writes"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"configurations": []}, "at least 1 item"),
        ({"configurations": ["pairs", "pairs"]}, "configurations: pairs is named twice"),
        ({"configurations": ["pairs", "rated_pairs"]}, "take one of them"),
        ({"configurations": ["scores"]}, "configurations.*'rated_pairs', 'pairs', 'critiques' or 'clips'"),
        ({"configurations": ["critiques"]}, "need somebody who writes them: add critiques: {pairs: {name: ...}}"),
        ({"critiques": {}}, "give pairs or clips"),
        ({"critiques": {"pairs": CRITIC}}, "released in the configuration critiques: add it to configurations"),
        ({"critiques": {"clips": CRITIC}}, "released in the configuration clips: add it to configurations"),
        (
            {"critiques": {"pairs": CRITIC, "splits": ["dev"]}, "configurations": ["critiques"]},
            "'dev' is no split of this recipe",
        ),
        ({"critiques": {"pairs": CRITIC | {"votes": 3}}, "configurations": ["critiques"]}, "critiques.pairs.votes"),
        ({"critiques": {"pairs": CRITIC | {"orders": "both"}}, "configurations": ["critiques"]}, "critiques.pairs.orders"),
        (
            {"critiques": {"pairs": CRITIC | {"task": "critique"}}, "configurations": ["critiques"]},
            "critiques.pairs: task 'critique' is about samples, not pairs",
        ),
        (
            {"critiques": {"clips": CRITIC | {"task": "scenario"}}, "configurations": ["clips"]},
            "critiques.clips: task 'scenario' is about prompts, not samples",
        ),
        (
            {"critiques": {"pairs": CRITIC | {"task": "teacher"}}, "configurations": ["critiques"]},
            "task 'teacher' shows language: critiques of rated clips go by their sound alone",
        ),
        (
            {"critiques": {"pairs": {"name": "objective"}}, "configurations": ["critiques"]},
            "judge 'objective' can do .*, not 'critique_pair'",
        ),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(tmp_path, changes, message):
    with pytest.raises(RecipeError) as caught:
        loaded(tmp_path, **changes)
    assert re.search(message, str(caught.value)), str(caught.value)
