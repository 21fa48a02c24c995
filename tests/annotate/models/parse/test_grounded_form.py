"""The grounded form says what the row has in columns, and reads back as that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.task import ParseError
from annotate.models.tasks.grounded_naturalness import FORM
from scoring.feature import read_table, table
from tests.scoring.test_feature import FEATURES

SHOWN = "median F0 (median pitch): 182 Hz\njitter: 1.23 %\npause count (number of pauses): 0 pauses"
REASONS = "The median F0 of 182 Hz is ordinary, there are no pauses, and the jitter of 1.2 % is low."
GOOD = f"""<think>
[Acoustic features]
{SHOWN}

[Reasoning]
{REASONS}
</think><answer>naturalness=3.67;</answer>"""


def test_the_form_is_written_to_the_letter():
    """Features, reasoning and answer, as the module's note has them; means get two decimals."""
    assert FORM.compose({"naturalness": 11 / 3}, {"features": SHOWN, "rationale": REASONS}) == GOOD
    for score, written in ((4.0, "4"), (3.5, "3.5"), (1.0, "1"), (4.999, "5")):
        assert f"naturalness={written};" in FORM.compose({"naturalness": score}, {"features": SHOWN, "rationale": REASONS})


def test_a_form_is_read():
    """Score and content; white space and line breaks in the reasoning mean nothing."""
    said = FORM.parse(GOOD)
    assert (said.scores, said.content) == ({"naturalness": 3.67}, {"features": SHOWN, "rationale": REASONS})
    assert said.completion == GOOD
    assert FORM.parse(GOOD.replace("ordinary, ", "ordinary,\n").replace("1.23 %\n", "1.23  %\n\n")) == said


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("182 Hz is", "183 Hz is", "number_not_measured"),
        ("[Reasoning]", "[Reason]", "sections"),
        ("[Acoustic features]\n", "[Acoustic features]\n\n[Reasoning]\n", "sections"),
        ("jitter: 1.23 %", "jitter: low", "features_malformed"),
        (SHOWN, "", "features_missing"),
        (REASONS, "", "rationale_missing"),
        (REASONS, "A pleasant voice.", "too_few_citations"),
        (REASONS, f"{REASONS} < think >", "tag_in_text"),
        ("naturalness=3.67;", "naturalness=6;", "score_range"),
        ("naturalness=3.67;", "naturalness=3.667;", "scores_malformed"),
        ("naturalness=3.67;", "overall=3;", "scores_malformed"),
        ("naturalness=3.67;", "naturalness=3; naturalness=4;", "scores_malformed"),
        ("</think>", "</think> So:", "text_outside"),
    ],
)
def test_anything_else_is_refused_with_its_reason(old, new, reason):
    """A reply that a model writes in training is held against its own features, too."""
    assert old in GOOD
    with pytest.raises(ParseError) as refused:
        FORM.parse(GOOD.replace(old, new, 1))
    assert refused.value.reason == reason


@given(
    values=st.dictionaries(st.sampled_from(sorted(FEATURES)), st.floats(-1000, 1000), min_size=2),
    score=st.integers(100, 500).map(lambda hundredths: hundredths / 100),
    words=st.text(alphabet="abcdefg ,.", max_size=40),
)
def test_reading_gives_back_every_row(values, score, words):
    """Whatever was measured, rated and written: the parser returns the row."""
    shown = table(FEATURES, values)
    cited = " ".join(f"The {one.names[0]} is {one.number} {one.unit}." for one in read_table(shown.splitlines()))
    content = {"features": shown, "rationale": " ".join(f"{cited} {words}".split())}
    said = FORM.parse(FORM.compose({"naturalness": score}, content))
    assert said.content == content
    assert said.scores == {"naturalness": score}
