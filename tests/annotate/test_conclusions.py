"""A conclusion is the last line and nothing else."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.conclusions import Conclusion, parsed
from annotate.task import ParseError

# SpeechJudge, Fig. 4, and MOS-RMBench, Fig. 6.
TENTHS = Conclusion(criteria=("Pacing",), line="Output A: {}, Output B: {}", decimals=1, scale=(1.0, 10.0))
WHOLE = Conclusion(criteria=("Noise",), line="Final Scores: [[{}, {}]]", decimals=0, scale=(1.0, 10.0))


@pytest.mark.parametrize(
    "line",
    [
        "Output A: 7.5, Output B: 2.0",
        "Conclusion: Output A: 7.5, Output B: 2.0",
        "**Conclusion:** Output A: 7.5, Output B: 2.0",
        "**Output A: 7.5, Output B: 2.0**",
        "### Output A: 7.5, Output B: 2.0",
        "`Output A: 7.5, Output B: 2.0`",
        "Output A: 7.5, Output B: 2.0.",
        "**Output A: 7.5, Output B: 2.0**.",
        "  Output A:7.5,  Output B:2.0  ",
    ],
)
def test_ornaments_of_the_last_line_mean_nothing(line: str):
    """What the module says it forgives is read, and written back without it."""
    said = parsed(f"Pacing is even.\n\n{line}", TENTHS, "Naturalness")
    assert (said.scores_a, said.scores_b, said.verdict) == ({"Naturalness": 7.5}, {"Naturalness": 2.0}, "a")
    assert said.rationale == "Pacing is even."
    assert said.completion == "Pacing is even.\n\nOutput A: 7.5, Output B: 2"


@pytest.mark.parametrize(
    "line",
    [
        "So Output A: 7.5, Output B: 2.0",
        "Output A: 7.5 and Output B: 2.0",
        "output a: 7.5, output b: 2.0",
        "A: 7.5, B: 2.0",
        "Output A: 7.5, Output B: 2.0, Output C: 1.0",
        "Output A 7.5, Output B 2.0",
        "Output A\uff1a7.5\uff0c Output B\uff1a2.0",
    ],
)
def test_other_words_are_no_conclusion(line: str):
    """The line is exact."""
    with pytest.raises(ParseError) as caught:
        parsed(f"Pacing is even.\n\n{line}", TENTHS, "Naturalness")
    assert caught.value.reason == "conclusion_missing"
    assert "Output A: X, Output B: X" in caught.value.message


def test_a_quoted_conclusion_inside_a_line_is_no_conclusion():
    """Only a line of its own is one."""
    said = parsed("Pacing: the text 'Output A: 1.0, Output B: 9.0' is read.\nOutput A: 7.5, Output B: 2.0", TENTHS, "x")
    assert (said.total_a, said.total_b) == (7.5, 2.0)


@pytest.mark.parametrize("conclusion", [TENTHS, WHOLE])
@given(data=st.data())
def test_what_is_written_is_read_back(conclusion: Conclusion, data: st.DataObject):
    """Reasoning and scores survive, and any cut before the last score is noticed."""
    scores = [data.draw(st.decimals(1, 10, places=conclusion.decimals)) for _ in range(2)]
    rationale = conclusion.criteria[0] + data.draw(st.text("abc \n", max_size=20)).rstrip()
    rationale = "\n".join(line.rstrip() for line in rationale.split("\n"))
    reply = conclusion.write(rationale, scores)
    assert conclusion.read(reply) == (rationale, [Decimal(score) for score in scores])
    for length in range(reply.rindex(" ") + 1):
        with pytest.raises(ParseError):
            conclusion.read(reply[:length])


def test_scores_compare_as_numbers():
    """10 beats 9, which text comparison would get wrong."""
    assert parsed("Noise.\nFinal Scores: [[10, 9]]", WHOLE, "x").verdict == "a"


@pytest.mark.parametrize("both", ["5.0", "10.0"])
def test_equal_scores_are_no_preference(both: str):
    """A tie is read without error, and is a reason to ask once more."""
    said = parsed(f"Pacing.\nOutput A: {both}, Output B: {both}", TENTHS, "x")
    assert said.verdict is None
    assert said.problem == f"both totals are {float(both):g}, but they must differ"
