"""Rewards as trainers call them, on what an export writes; ``make check-trainers`` calls them inside the trainers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import DataError, RecipeError
from contracts.ids import canonical_json
from scoring.trainers.trl_rewards import unisrm_reward
from scoring.trainers.verl_rewards import compute_score
from tests.scoring.rewards.test_pair_rewards import ROW, card

RIGHT, WRONG = card("task1", [9, 8, 7, 6], [5, 8, 8, 1]), card("task1", [1, 1, 1, 1], [9, 9, 9, 9])
UNISRM = canonical_json({"name": "unisrm", "options": {"task": "task1"}, "row": ROW})
BLEU = canonical_json({"name": "bleu", "options": {}, "row": {"references": ["The cat sleeps."], "reference_language": "en"}})


def test_trl_takes_texts_and_messages():
    """Values by hand: see ``test_unisrm_by_hand``; what TRL passes beyond the columns is taken, too."""
    logged = {}
    said = [RIGHT, WRONG, "Speech A is better", [{"role": "assistant", "content": RIGHT}]]
    found = unisrm_reward(
        prompts=["x"] * 4, completions=said, reward_spec=[UNISRM] * 4, solution=["a"] * 4, log_metric=logged.__setitem__
    )
    assert found == [2.0, 0.25, -1.0, 2.0]
    assert logged == {
        "unisrm/format": -0.25,
        "unisrm/accuracy": 0.5,
        "unisrm/reasoning": pytest.approx(0.5625),
        "unisrm/reward": pytest.approx(0.8125),
    }


@pytest.mark.parametrize(
    "said",
    [
        [],
        None,
        [{"role": "assistant", "content": None}],
        [{"role": "assistant"}],
        [{"content": [{"type": "text", "text": None}]}],
    ],
)
def test_a_completion_that_says_nothing_is_an_unreadable_reply(said):
    assert unisrm_reward(["x"], [said], reward_spec=[UNISRM]) == [-1.0]


def test_verl_gets_a_score_and_its_parts():
    assert compute_score("task1", RIGHT, "a", {"reward_spec": UNISRM}) == {
        "score": 2.0,
        "format": 0.0,
        "accuracy": 1.0,
        "reasoning": 1.0,
        "reward": 2.0,
    }
    assert compute_score("answers", "The cat sleeps.", "", {"reward_spec": BLEU})["score"] == 1.0


def test_rows_of_several_rewards_in_one_batch():
    assert unisrm_reward(["x"] * 2, [RIGHT, "A dog barks"], reward_spec=[UNISRM, BLEU]) == [2.0, 0.0]


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("no JSON", DataError, "is no JSON"),
        (None, DataError, "is no JSON"),
        ('{"name": "bleu"}', DataError, "must have the keys name, options, row"),
        (canonical_json({"name": "blue", "options": {}, "row": {}}), RecipeError, "Did you mean 'bleu'"),
        (canonical_json({"name": "bleu", "options": {}, "row": {}}), DataError, "has no reference_language"),
    ],
)
def test_a_broken_spec_is_an_error(spec, error, message):
    with pytest.raises(error, match=message):
        unisrm_reward(["x"], ["y"], reward_spec=[spec])
    with pytest.raises(DataError, match="one of each"):
        unisrm_reward(["x"], ["y", "z"], reward_spec=[UNISRM])
    with pytest.raises(DataError, match="has no reward_spec"):
        compute_score("task1", "y", "a", {})


def test_they_need_few_packages():
    """In a trainer's environment are none of the packages that builds need."""
    allowed = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "numpy", "regex"}
    own = {path.name for path in Path().iterdir() if path.is_dir()}
    program = f"""
        import json, sys
        from scoring.trainers.trl_rewards import unisrm_reward
        before = set(sys.modules)
        value = unisrm_reward(["x"], [{RIGHT!r}], reward_spec=[{UNISRM!r}])
        found = {{name.partition(".")[0] for name in sys.modules}}
        known = set(sys.stdlib_module_names) | set(sys.builtin_module_names)
        print(json.dumps([value, sorted(n for n in found - known if not n.startswith("_"))]))
    """
    code = "\n".join(line.strip() for line in program.splitlines())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    value, found = json.loads(done.stdout)
    assert value == [2.0]
    assert set(found) - own - allowed == set()
