"""A conclusion is stated once, or twice in agreement; scores in brackets are the last line."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.parse.conclusions import Conclusion, parsed
from annotate.models.task import ParseError

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
    ["Output A 7.5, Output B 2.0", "7.5, 2.0", "Clip 1: 7.5, Clip 2: 2"],
)
def test_other_words_are_no_conclusion(line: str):
    """Labels stand before their scores, with a sign between."""
    with pytest.raises(ParseError) as caught:
        parsed(f"Pacing is even.\n\n{line}", TENTHS, "Naturalness")
    assert caught.value.reason in {"conclusion_missing", "score_malformed"}
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
    rationale = conclusion.criteria[0] + data.draw(st.text("abc \n", max_size=20)).rstrip() + " is even."
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
    said = parsed(f"Pacing is even.\nOutput A: {both}, Output B: {both}", TENTHS, "x")
    assert said.verdict is None
    assert said.problem == f"both totals are {float(both):g}, but they must differ"


NOTATIONS = {
    TENTHS: [
        "Output A: 6.8, Output B: 5,5",
        "Output A: 6,8, Output B: 5,5",
        "Output A: 6.8, Output B: 5.5.",
        "So Output A: 6.8, Output B: 5.5",
        "Output A: \uff16\uff0e\uff18, Output B: \uff15",
        "\uff2f\uff55\uff54\uff50\uff55\uff54 \uff21\uff1a6.8\uff0c \uff2f\uff55\uff54\uff50\uff55\uff54 \uff22\uff1a5.5",
        "Output A: \u0666\u066b\u0668, Output B: \u0665\u066b\u0665",
        "Output A: \u096c.\u096e, Output B: \u096b",
        "Output A: 6\u00b78, Output B: 5\u00b75",
        "Output A: 6'8, Output B: 5'5",
        "Output A: 6/10, Output B: 5/10",
        "Output A: 6 out of 10, Output B: 5 out of 10",
        "Output A: 6-7, Output B: 5-6",
        "Output A: 6 to 7, Output B: 5 to 6",
        "Output A: about 7, Output B: 5\u00bd",
        "Output A: seven, Output B: five",
        "Output A: VII, Output B: V",
        "Output A\uff1a\u4e03\u5206\uff0cOutput B\uff1a\u4e94\u5206",
        "Output A: \u2166, Output B: \u2464",
        "Output A = 6.8; Output B = 5.5",
        "Output A (6.8) vs. Output B (5.5)",
        "Output A gets 6.8 and Output B gets 5.5",
        "OUTPUT A: 6.8, OUTPUT B: 5.5",
        "| **Output A** | 6.8 | **Output B** | 5.5 |",
        "**Output A:** 6.8\n**Output B:** 5.5",
        "Output B: 5.5, Output A: 6.8",
        "A: 6.8, B: 5,5",
        "Out\u200bput A: 6.8, Out\u00adput B: 5,5",
        "Output A: -6.8, Output B: 5",
        "Output A: 68 %, Output B: 55 %",
        '"Output A: 6.8, Output B: 5,5"',
        "it's Output A: 6.8, Output B: 5,5, that's it",
        "Output A: X, Output B: X",
    ],
    WHOLE: [
        "Final Scores: [[6, 5.5]]",
        "Final Scores: [6, 5]",
        "Final Scores: 6 and 5",
        "final score: 6/10, 5/10",
        "\u3010Final Scores\u3011\uff1a[[6\uff0c5]]",
        "[[6, 5]]",
        "\uff3b\uff3b\uff16\uff0c\uff15\uff3d\uff3d",
        "Final Scores: [[six, five]]",
    ],
}


@pytest.mark.parametrize("conclusion", NOTATIONS)
@pytest.mark.parametrize("around", ["{}", "Verdict.\n{}\nOn the other hand:", "> {}", "1. {}"])
def test_an_earlier_conclusion_in_any_notation_makes_the_reply_refused(conclusion: Conclusion, around: str):
    """Which of two is meant, nobody can tell, and one that cannot be read may be the one that is meant."""
    reasons = {}
    for stated in NOTATIONS[conclusion]:
        rationale = f"{conclusion.criteria[0]} is even.\n{around.format(stated)}"
        reasons[stated] = refusal(conclusion, conclusion.write(rationale, [Decimal(8), Decimal(2)]))
    assert {stated: reason for stated, reason in reasons.items() if reason not in {"conclusion_twice", "text_outside"}} == {}


def refusal(conclusion: Conclusion, reply: str) -> str | None:
    try:
        conclusion.read(reply)
    except ParseError as error:
        return error.reason
    return None


@pytest.mark.parametrize(
    "said",
    [
        *("Audio 1: 9, Audio 2: 4", "Overall Audio 1 gets 9/10 and Audio 2 4/10.", "Scores: (9, 4)", "Winner: Audio 1"),
        *("Winner: 1", "Audio 1 is better.", "Ratings: 9 vs. 4", "9/10 for Audio 1, 4/10 for Audio 2", "Audio 1 deserves a 9."),
    ],
)
def test_scores_in_brackets_stand_alone(said: str):
    """Nothing else in a paired critique may give scores or name another winner."""
    from annotate.models.tasks.critique_pair import PLUGIN

    analysis = "1. Noise: none.\n2. Distortion: none.\n3. Naturalness: fair.\n4. Continuity: smooth."
    assert PLUGIN.parse(f"{analysis}\n\nFinal Scores: [[6, 8]]").verdict == "b"
    with pytest.raises(ParseError):
        PLUGIN.parse(f"{analysis}\n\n{said}\nFinal Scores: [[6, 8]]")


@pytest.mark.parametrize(
    "line",
    [
        "Output A loses 2 words, Output B loses 1.",
        "Output A: 2 words are slurred. Output B: 1 word is slurred.",
        "In Output A (0:03) and Output B (0:05) the same word is cut.",
        "Output A starts after 10 ms, Output B after 20 ms.",
        "Pacing: Output A: 7, Output B: 5",
        "One pause in Output A is longer than that of Output B.",
        "The speaker says 'Output A: 1, Output B: 10' and goes on.",
        "The speaker says \u201cOutput A: 1,5, Output B: 10\u201d.",
        "Grade A steel, 5 tons; plan B, 3 tons.",
    ],
)
def test_numbers_that_are_no_scores_are_let_through(line: str):
    """Counts, times, quotations, and scores of one criterion on its own line."""
    assert parsed(f"Pacing is even.\n{line}\nOutput A: 8, Output B: 2", TENTHS, "x").verdict == "a"


@pytest.mark.parametrize("piece", ["Output A: 1 ", "A: 1 ", "1.", "Output A: ", "seven ", "' ", "a=1 b"])
def test_no_reply_takes_long(piece: str):
    """The longest reply of any repetition is read in seconds at most, on a busy machine."""
    import time

    started = time.monotonic()
    with pytest.raises(ParseError):
        TENTHS.read("Pacing" + piece * (90_000 // len(piece)) + "\nOutput A: 8, Output B: 2,5")
    with contextlib.suppress(ParseError):
        TENTHS.read("Pacing" + piece * (90_000 // len(piece)) + "\nOutput A: 8, Output B: 2")
    assert time.monotonic() - started < 20
