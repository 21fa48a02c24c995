"""Strict JSON is one object with the fields asked for, and what is read is JSON again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.parse.strict_json import Items, OneOf, Text, read, written
from annotate.models.task import ParseError

FIELDS = {
    "text": Text(longest=50),
    "kind": OneOf(values=("odd", "even")),
    "count": OneOf(values=(0, 1, 2)),
    "items": Items(count=2, fields={"name": Text(longest=5)}),
}
GOOD = '{"text": "a b", "kind": "odd", "count": 2, "items": [{"name": "x"}, {"name": "y"}]}'


def refused(reply: str) -> ParseError:
    with pytest.raises(ParseError) as caught:
        read(reply, FIELDS)
    return caught.value


def test_reads_every_kind_of_field():
    """Values come out as they are, in the order asked for, whatever the order of the keys."""
    turned = json.dumps(dict(reversed(json.loads(GOOD).items())))
    assert turned != GOOD
    for reply in (GOOD, turned, f" \n{GOOD}\n", f"```json\n{GOOD}\n```"):
        content = read(reply, FIELDS)
        assert json.dumps(content) == GOOD


def test_line_breaks_and_runs_of_space_become_one_space():
    """A text is one line."""
    assert read(GOOD.replace("a b", " a\\n\\n b\\t"), FIELDS)["text"] == "a b"


def test_scores_are_numbers_under_their_names():
    """What a task scores comes out as floats; the rest only as content."""
    said = written('{"count": 1}', {"count": FIELDS["count"]}, {"groundedness": "count"})
    assert (said.content, said.scores, said.completion) == ({"count": 1}, {"groundedness": 1.0}, '{"count": 1}')
    assert written('{"count": 1}', {"count": FIELDS["count"]}).scores == {}


@pytest.mark.parametrize(
    ("old", "new", "reason", "said"),
    [
        ('"kind": "odd"', '"kind": 1', "value_type", 'kind must be "odd" | "even"'),
        ('"kind": "odd"', '"kind": ""', "value_range", 'kind must be "odd" | "even"'),
        ('"count": 2', '"count": false', "value_type", "count must be 0 | 1 | 2, not false"),
        ('"count": 2', '"count": -0.0', "value_type", "count"),
        ('"count": 2', '"count": 1234567890', "value_range", "too large"),
        ('{"name": "y"}', '{"name": "y", "name": "z"}', "duplicate_key", '"name"'),
        ('{"name": "y"}', '{"nom": "y"}', "key_missing", 'items[1] lacks "name"'),
        ('{"name": "y"}', '{"name": "y", "x": 1}', "key_unknown", 'items[1] has "x"; its only keys are name'),
        ('{"name": "y"}', '{"name": "sixsix"}', "value_long", "items[1].name has 6 characters, at most 5"),
        ('{"name": "y"}', '{"name": "y\\u0007"}', "not_text", "items[1].name has the character U+0007"),
        ('{"name": "y"}', "[]", "value_type", "items[1] must be an object"),
        (', {"name": "y"}', "", "item_count", "items has 1 items, it must have 2"),
        ('"a b"', '"\\u00a0\\u2003"', "value_empty", "text is empty"),
    ],
)
def test_messages_name_place_and_remedy(old: str, new: str, reason: str, said: str):
    """A model that reads the message knows what to change."""
    assert old in GOOD
    error = refused(GOOD.replace(old, new))
    assert error.reason == reason
    assert said in error.message


def test_the_form_is_spelt_out():
    """Text that is no object is answered with the object wanted."""
    form = '{"text": "...", "kind": "odd" | "even", "count": 0 | 1 | 2, "items": [{"name": "..."}, ... (2 in all)]}'
    assert form in refused("Sorry").message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FIELDS, "x"]), inner, max_size=4),
    max_leaves=8,
)


@given(value=json_values)
def test_any_json_is_read_whole_or_refused(value: object):
    """What gets through has every field, and means the same as the JSON."""
    reply = json.dumps(value)
    try:
        content = read(reply, {"text": FIELDS["text"]})
    except ParseError:
        return
    assert isinstance(value, dict)
    assert list(value) == ["text"]
    assert content == {"text": " ".join(value["text"].split())}


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=50).filter(str.strip))
def test_what_is_written_is_read_back(text: str):
    """Content survives a round through its own completion."""
    if "\ufeff" in text:
        return
    said = written(json.dumps({"text": text}), {"text": FIELDS["text"]})
    assert written(said.completion, {"text": FIELDS["text"]}) == said
    assert said.content["text"] == " ".join(text.split())
