"""Column mappings: what a wrong one says."""

import pytest

from annotate.people.exchange.column_mapping import column_map, export_map, read_mapping
from annotate.people.protocols.speechjudge import SpeechJudge
from annotate.people.protocols.unisrm import UniSRM
from contracts.errors import RecipeError

GOOD = {"subject": "pair", "answers": {"value": "verdict"}}


def test_a_file_of_yaml_is_read_as_a_dict_is(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text('subject: pair\nanswers: {value: verdict}\nwords:\n  value: {1: A, "no": B, better: [A]}\n')
    assert read_mapping(path) == column_map(GOOD | {"words": {"value": {"1": "A", "no": "B", "better": ["A"]}}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subjekt": "x"}, "'subjekt' is no key. Did you mean 'subject'"),
        ({"task": "t"}, "exactly one of subject and task"),
        ({"answers": "verdict"}, "answers: "),
        ({"wide": True}, "{n} in it if and only if the file is wide"),
        ({"answers": {"value": "v{n}"}}, "{n} in it if and only if the file is wide"),
        ({"wide": True, "answers": {"value": "v{n}"}}, "annotator: in a wide file it must have {n}"),
        ({"wide": True, "lists": True}, "not both"),
        ({"sides": "played"}, "needs the column that says the order"),
        ({"sides": "heard"}, "sides: "),
        ({"annotators": "show"}, "annotators: "),
        ({"separator": ""}, "separator must not be empty"),
        ({"delimiter": ", "}, "delimiter must be one character"),
        ({"words": {"value": {"x": {"y": "z"}}}}, "words.value: 'x': several values stand where one belongs"),
        ({"words": ["x"]}, "words: "),
    ],
)
def test_a_wrong_mapping_says_which_key(change, message):
    with pytest.raises(RecipeError) as caught:
        column_map(GOOD | change)
    assert message in str(caught.value)
    assert str(caught.value).startswith("mapping: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": {"valeu": "v"}}, "'valeu' is no question of the protocol. Did you mean 'value'"),
        ({"answers": {"errors_a": "v"}}, "the protocol asks for 'value'"),
        ({"answers": {"value": {"A": "v"}}}, "answers.value: one column is needed"),
        ({"answers": {"value": "v", "errors_a": {"omision": "o"}}}, "'omision' is no option. Did you mean 'omission'"),
        ({"words": {"valu": {"x": "A"}}}, "words: 'valu' is no question or role. Did you mean 'value'"),
    ],
)
def test_a_mapping_that_does_not_fit_the_protocol_says_so(change, message):
    with pytest.raises(RecipeError) as caught:
        column_map(GOOD | change).check(SpeechJudge().questions)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("[1]", "this is list"), ("a: [", "no valid YAML"), ("subject: 1", "map.yaml: mapping: ")]
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        read_mapping(path)
    assert message in str(caught.value)
    with pytest.raises(RecipeError, match=r"other\.yaml: cannot be read: No such file"):
        read_mapping(tmp_path / "other.yaml")


@pytest.mark.parametrize("protocol", [UniSRM(), SpeechJudge()])
def test_the_mapping_of_exports_fits_its_protocol(protocol):
    export_map(protocol).check(protocol.questions)
