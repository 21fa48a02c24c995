"""Continuations are checked against the text that they go on from, where a recipe sets the limits."""

import json

import pyarrow as pa
import pytest

from annotate.models.inquiry import Inquiry, row_ids
from annotate.models.task import ParseError
from annotate.models.tasks.style_continuation import PLUGIN, STYLES
from contracts import plugins
from contracts.errors import RecipeError
from tests.annotate.models.parse.test_reading_time import LEGEND, LEGEND_ZH

GIVEN = "A panda eats shoots and leaves."
MIXED = LEGEND.replace("magic", "魔力").replace("leaves it leaves", "叶子 it leaves")
SHOWN = {"language": "en", "reference_text": GIVEN}


def reply(**texts):
    """Write a reply in the form of the task."""
    said = {"random": LEGEND, "translation": LEGEND_ZH, "codeSwitching": MIXED} | texts
    items = [{"type": f"style {number}", "content": f"Item {number} goes on."} for number in range(STYLES - 1)]
    return json.dumps({"continue": [*items, {"type": "legend", "content": said["random"]}], **said}, ensure_ascii=False)


def reason(task, text):
    """Return why a reply is sent back; None = it is not."""
    try:
        task.check(task.parse(text), SHOWN)
    except ParseError as error:
        return error.reason, error.message.partition(" ")[0]
    return None


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({}, None),
        ({"random": "It sleeps."}, ("reading_time", "random")),
        ({"translation": LEGEND_ZH * 3}, ("reading_time", "translation")),
        ({"codeSwitching": "它 sleeps."}, ("reading_time", "codeSwitching")),
        ({"random": f"{GIVEN} {LEGEND}"}, ("text_repeated", "random")),
        ({"random": f"The panda eats shoots and leaves! {LEGEND}"}, ("text_repeated", "random")),
        ({"codeSwitching": f"{MIXED} a panda eats shoots and leaves"}, ("text_repeated", "codeSwitching")),
    ],
)
def test_what_is_sent_back(texts, why):
    """Each spoken text takes 8 to 24 seconds and does not repeat the given one, word for word or nearly."""
    assert reason(PLUGIN.with_options({"max_s": 24}), reply(**texts)) == why


def test_the_limits_are_options():
    """Without options nothing is checked; they are refused where they make no sense."""
    assert PLUGIN.check is None
    assert PLUGIN.with_options({}) is PLUGIN
    assert reason(PLUGIN.with_options({"min_s": 0.1, "max_s": 60}), reply(random="It sleeps.")) is None
    assert reason(PLUGIN.with_options({"min_s": 20}), reply()) == ("reading_time", "random")
    for options, message in (
        ({"min_s": 30}, "min_s 30 is above max_s 24"),
        ({"longest": 3}, "longest"),
        ({"min_s": "soon"}, "min_s"),
        ({"max_s": -1}, "max_s"),
    ):
        with pytest.raises(RecipeError, match=f"task 'style_continuation'.*{message}"):
            PLUGIN.with_options(options)


def test_another_limit_is_another_answer_to_the_same_request():
    """A reply that was paid for is read again under new limits, and is not bought again."""
    judge = plugins.configure("judge", "openai", {"model": "gpt-4.1"})
    rows = pa.table({"subject_id": ["p"], "language": ["en"], "reference_text": [GIVEN]})
    plain, strict, other = (PLUGIN.with_options(options) for options in ({}, {"max_s": 20}, {"max_s": 24}))
    assert len({row_ids(rows, task=task, judge=judge)[0].as_py() for task in (plain, strict, other)}) == 3
    requests = {next(Inquiry.of(task, judge).cases(rows)).request.key for task in (plain, strict, other)}
    assert len(requests) == 1
