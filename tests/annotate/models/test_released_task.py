"""Which task released rows are about, and what was asked and heard, from the rows alone."""

import pytest

from annotate.models.released_task import Missing, clips_of, prompt_of, task_of_rows
from annotate.models.tasks import critique_pair, quality, task1, task4, teacher
from contracts import plugins
from tests.scoring.rewards.test_pair_rewards import card

TASKS = list(plugins.intact("task", plugins.configure).values())
SAID = "\n".join(f"{name}: A is steady, B is not." for name in teacher.CONCLUSION.criteria)
EXPLAINED = f"Output A\n{SAID}\n\nOutput B\n{SAID}\n\nOutput A: 7, Output B: 5"
PAIR = {"audio_a": "a", "audio_b": "b", "language": "en"}


@pytest.mark.parametrize(
    ("row", "task"),
    [
        ({"prompt_version": teacher.PLUGIN.prompt_version("en")}, "teacher"),
        ({"prompt_version": teacher.PLUGIN.prompt_version("en"), "completion": card("task1", [9] * 4, [1] * 4)}, "teacher"),
        ({"prompt": critique_pair.PLUGIN.render("en")}, "critique_pair"),
        ({"prompt_version": "older", "completion": card("task1", [9] * 4, [1] * 4)}, "task1"),
        ({"prompt_version": "older", "completion": card("task4", [9] * 5, [1] * 5)}, "task4"),
        ({"prompt_version": None, "completion": None}, None),
        ({"completion": "Speech A is better"}, None),
    ],
)
def test_a_row_tells_its_task(row, task):
    found = task_of_rows([PAIR, PAIR | row], TASKS)
    assert (None if found is None else found.name) == task


def test_a_layout_that_several_tasks_have_tells_none():
    """The teacher and the plain question end alike: only the prompt tells them apart."""
    sharing = [teacher.PLUGIN, plugins.configure("task", "naturalness")]
    assert {task.parse(EXPLAINED).verdict for task in sharing} == {"a"}
    assert task_of_rows([PAIR | {"completion": EXPLAINED}], TASKS) is None
    for task in sharing:
        found = task_of_rows([PAIR | {"completion": EXPLAINED, "prompt_version": task.prompt_version("en")}], TASKS)
        assert found is task


def test_a_clip_is_about_no_task_of_pairs():
    row = {"audio": "x", "language": "en", "prompt": quality.PLUGIN.render("en")}
    assert task_of_rows([row], TASKS) is quality.PLUGIN
    assert task_of_rows([row | {"prompt": critique_pair.PLUGIN.render("en")}], TASKS) is None


def test_what_was_asked_and_heard():
    row = {"text": "Hi <there>", "language": "en", "prompt_audio": "p", "audio_a": "a", "audio_b": "b"}
    assert "Hi \u2039there\u203a" in prompt_of(task1.PLUGIN, row)
    assert [(one.label, one.clip) for one in clips_of(task1.PLUGIN, row)] == [
        ("Prompt Speech", "p"),
        ("Speech A", "a"),
        ("Speech B", "b"),
    ]
    turns = clips_of(task4.PLUGIN, row | {"history_audio": ["t1", "t2"]}, without=("audio_b",))
    assert [one.label for one in turns] == ["Dialogue history, turn 1", "Dialogue history, turn 2", "Speech A"]


def test_what_is_missing_is_named():
    row = {"text": None, "language": "en", "prompt_audio": None, "audio_a": "a", "audio_b": "b"}
    assert prompt_of(task1.PLUGIN, row) == Missing(column="text")
    assert clips_of(task1.PLUGIN, row) == Missing(column="prompt_audio")
    assert clips_of(task4.PLUGIN, row | {"history_audio": ["t1", None]}) == Missing(column="history_audio")
