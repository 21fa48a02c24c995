"""Golden table of a teacher's replies: what each states, or why it is refused.

The format is SpeechJudge's (seed 002, Fig. 4 and the example of the meta-judge's prompt): criteria for Output A, for Output B,
then ``Conclusion: Output A: X, Output B: X``. Its public parser takes the scores that are stated last. All but the
first two are our own: layouts in which models give the same scores, and what looks like them.
"""

import pytest

from annotate.models.task import ParseError
from annotate.models.tasks.teacher import CONCLUSION, PLUGIN

FIGURE_4 = """Here's an analysis of the naturalness of Output A and Output B:

Output A:

- Prosody and Intonation: The intonation generally follows the sentence structure well, ...
- Pacing and Rhythm: The pacing is consistent and relatively fast, but ...
- Articulation and Clarity: Articulation is excellent...
- Overall Naturalness: Output A is clear and intelligible, demonstrating ...

Output B:

- Prosody and Intonation: The prosody and intonation are highly unnatural...
- Pacing and Rhythm: The pacing is extremely inconsistent and erratic ...
- Articulation and Clarity: While some individual sounds are correctly pronounced, the severe fragmentation of words...
- Overall Naturalness: Output B sounds highly artificial..."""

META_JUDGE = """Output A:

- **Prosody and Intonation:** The intonation is somewhat flat and lacks natural variability, making it sound a bit robotic.
- **Pacing and Rhythm:** There's a slight unnatural pause before "They will frequently...".
- **Articulation and Clarity:** There is a mispronunciation of "will" as "woof" ("they woof frequently make a show").
- **Overall Naturalness:** The "woof" mispronunciation is a critical flaw.

Output B:

- **Prosody and Intonation:** The prosody is much more natural and varied.
- **Pacing and Rhythm:** The pacing is excellent.
- **Articulation and Clarity:** All words are articulated clearly and precisely.
- **Overall Naturalness:** This output sounds highly natural and human-like."""

READ = {
    # As published.
    "figure 4": (f"{FIGURE_4}\n\nConclusion: Output A: 7.5, Output B: 2", 7.5, 2),
    "example of the meta-judge": (f"{META_JUDGE}\n\nConclusion: Output A: 4, Output B: 8.5", 4, 8.5),
    # After the analysis.
    "template": ("{}\n\nOutput A: 8, Output B: 6", 8, 6),
    "two lines": ("{}\n\nOutput A: 8\nOutput B: 6", 8, 6),
    "two lines with a blank between": ("{}\n\n**Conclusion:**\n\nOutput A: 8\n\nOutput B: 6", 8, 6),
    "two lines in bold": ("{}\n\n**Output A: 8**\n**Output B: 6**", 8, 6),
    "bold labels": ("{}\n\n**Output A**: 8\n**Output B**: 6", 8, 6),
    "bold labels with the colon": ("{}\n\n**Output A:** 8, **Output B:** 6", 8, 6),
    "bold scores": ("{}\n\nOutput A: **8**, Output B: **6**", 8, 6),
    "bold line": ("{}\n\n**Output A: 8, Output B: 6**", 8, 6),
    "heading": ("{}\n\n### Conclusion\nOutput A: 8, Output B: 6", 8, 6),
    "heading line": ("{}\n\n## Output A: 8, Output B: 6", 8, 6),
    "out of ten over a list": ("{}\n\nScores (out of 10):\n- Output A: 8\n- Output B: 6", 8, 6),
    "list": ("{}\n\nScores:\n- Output A: 8\n- Output B: 6", 8, 6),
    "stars": ("{}\n\n**Final Scores**\n* Output A: 8\n* Output B: 6", 8, 6),
    "numbered": ("{}\n\nFinal scores:\n1. Output A: 8\n2. Output B: 6", 8, 6),
    "quoted block": ("{}\n\n> Output A: 8, Output B: 6", 8, 6),
    "code": ("{}\n\nConclusion: `Output A: 8, Output B: 6`", 8, 6),
    "fenced lines": ("{}\n\n```\nOutput A: 8, Output B: 6\n```", 8, 6),
    "of ten": ("{}\n\nOutput A: 8/10, Output B: 6/10", 8, 6),
    "of ten with spaces": ("{}\n\nOutput A: 8 / 10\nOutput B: 6 / 10", 8, 6),
    "of ten in bold": ("{}\n\n**Output A: 8.5/10**\n\n**Output B: 6/10**", 8.5, 6),
    "out of ten": ("{}\n\nOutput A: 8 out of 10, Output B: 6 out of 10.", 8, 6),
    "ten": ("{}\n\nOutput A: 10, Output B: 9", 10, 9),
    "decimals": ("{}\n\nOutput A: 8.25, Output B: 6.0", 8.25, 6),
    "semicolon": ("{}\n\nOutput A: 8; Output B: 6", 8, 6),
    "and": ("{}\n\nI give Output A: 8 and Output B: 6.", 8, 6),
    "bar": ("{}\n\nOutput A: 8 | Output B: 6", 8, 6),
    "equals": ("{}\n\nOutput A = 8, Output B = 6", 8, 6),
    "dash": ("{}\n\nOutput A - 8\nOutput B - 6", 8, 6),
    "letters": ("{}\n\nA: 8.5\nB: 6", 8.5, 6),
    "letters of one line": ("{}\n\nA: 8, B: 6", 8, 6),
    "small": ("{}\n\noutput a: 8, output b: 6", 8, 6),
    "score as a word": ("{}\n\nOutput A Score: 8\nOutput B Score: 6", 8, 6),
    "points": ("{}\n\nOutput A: 8 points, Output B: 6 points", 8, 6),
    "full width": ("{}\n\nOutput A\uff1a\uff18\uff0cOutput B\uff1a\uff16", 8, 6),
    "Chinese unit": ("{}\n\n结论:Output A:8分,Output B:6分", 8, 6),
    "table by rows": ("{}\n\n| Output | Score |\n|---|---|\n| Output A | 8 |\n| Output B | 6 |", 8, 6),
    "table by columns": ("{}\n\n| Output A | Output B |\n|---|---|\n| 8 | 6 |", 8, 6),
    "table with criteria": (
        "{}\n\n| Criterion | Output A | Output B |\n|---|---|---|\n| Pacing and Rhythm | 9 | 9 |\n| **Score** | **8** | **6/10** |",
        8,
        6,
    ),
    "B first": ("{}\n\nOutput B: 6, Output A: 8", 8, 6),
    "B first on two lines": ("{}\n\n**Output B**: 6/10\n**Output A**: 8/10", 8, 6),
    # More than once, and beside other numbers.
    "said twice alike": ("Output A: 8, Output B: 6\n\n{}\n\nConclusion: Output A: 8/10, Output B: 6/10", 8, 6),
    "said twice, swapped": ("Output A: 8, Output B: 6\n\n{}\n\nOutput B: 6\nOutput A: 8", 8, 6),
    "criteria scored, too": ("{}\n\nPacing and Rhythm: Output A: 3, Output B: 9\n\nOutput A: 8, Output B: 6", 8, 6),
    "lists of criteria scored, too": (
        "{}\n\n**Pacing and Rhythm:**\n- Output A: 3\n- Output B: 9\n\n**Conclusion:**\n- Output A: 8\n- Output B: 6",
        8,
        6,
    ),
    "counts of errors": ("{}\nOutput A: 3 errors, Output B: 1 error.\n\nOutput A: 8, Output B: 6", 8, 6),
    "a quotation": ("{}\nThe speaker says 'Output A: 1, Output B: 10'.\n\nOutput A: 8, Output B: 6", 8, 6),
    "times": ("{}\nOutput A: 0:03, a click.\n\nOutput A: 8, Output B: 6", 8, 6),
}

REFUSED = {
    "no scores": ("{}", "conclusion_missing", "sounds highly natural and human-like"),
    "only A": (
        "{}\n\nOutput A: 8",
        "conclusion_missing",
        "'Output A: 8' gives Output A a score, and nothing gives Output B one",
    ),
    "only B": ("{}\n\n**Output B**: 6/10", "conclusion_missing", "nothing gives Output A one"),
    "cut off before B's score": ("{}\n\nOutput A: 8, Output B:", "conclusion_missing", "nothing gives Output B one"),
    "cut off in B's label": ("{}\n\nOutput A: 8\nOutp", "conclusion_missing", "nothing gives Output B one"),
    "below the scale": ("{}\n\nOutput A: 0, Output B: 6", "score_range", "0 is outside 1 to 10"),
    "above the scale": ("{}\n\nOutput A: 8, Output B: 85", "score_range", "85 is outside"),
    "negative": ("{}\n\nOutput A: 8, Output B: -6", "score_range", "-6 is outside"),
    "of a hundred": ("{}\n\nOutput A: 80/100, Output B: 60/100", "score_malformed", "80/100"),
    "of five": ("{}\n\nOutput A: 4/5, Output B: 3/5", "score_malformed", "4/5"),
    "range": ("{}\n\nOutput A: 7-8, Output B: 6", "score_malformed", "7-8"),
    "range in words": ("{}\n\nOutput A: 7 to 8, Output B: 6", "score_malformed", "7 to 8"),
    "decimal comma": ("{}\n\nOutput A: 7,5, Output B: 6", "score_malformed", "7,5"),
    "too many decimals": ("{}\n\nOutput A: 7.125, Output B: 6", "score_malformed", "7.125"),
    "words": ("{}\n\nOutput A: eight, Output B: six", "score_malformed", "no plain pair of scores"),
    "the template itself": ("{}\n\nOutput A: X, Output B: X", "score_malformed", "no plain pair of scores"),
    "percent": ("{}\n\nOutput A: 80 %, Output B: 60 %", "score_malformed", "no plain pair of scores"),
    "only counts": ("{}\nOutput A: 3 errors, Output B: 1 error.", "conclusion_missing", "nowhere stands"),
    "only a criterion": ("{}\n\nOverall Naturalness: Output A: 8, Output B: 6", "conclusion_missing", "nowhere stands"),
    "other scores before": (
        "Output A: 5, Output B: 7\n\n{}\n\nOutput A: 8, Output B: 6",
        "conclusion_twice",
        "'Output A: 5, Output B: 7' and 'Output A: 8, Output B: 6' differ",
    ),
    "unreadable scores before": ("Output A: 5-6, Output B: 7\n\n{}\n\nOutput A: 8, Output B: 6", "conclusion_twice", "5-6"),
    "cut off behind": ("{}\n\nOutput A: 8, Output B: 6\n\nI hope", "text_outside", "'I hope'"),
    "cut off before the last criteria": (
        "Prosody and Intonation: fine.\n\nOutput A: 8, Output B: 6",
        "criteria_missing",
        "Pacing",
    ),
    "no analysis": ("Output A: 8, Output B: 6", "rationale_missing", "analysis"),
    "empty": ("", "empty_reply", "empty"),
}

# Every one of these would be read as another winner than the reply means, or cannot be told from one that would.
WORDS = "I give Output A a 6 and Output B an 8."
PAIR = "Output A: 8, Output B: 6"
DOUBTFUL = [
    # Tables whose numbers are not clearly the scores.
    "| Output | Rank | Score |\n|---|---|---|\n| Output A | 2 | 6 |\n| Output B | 1 | 8 |",
    "| Output | Errors | Overall |\n|---|---|---|\n| Output A | 3 | 6 |\n| Output B | 1 | 8 |",
    "| Output | Errors |\n|---|---|\n| Output A | 3 |\n| Output B | 1 |",
    "| Output | Prosody and Intonation | Overall Naturalness |\n|---|---|---|\n| Output A | 9 | 6 |\n| Output B | 3 | 8 |",
    "| | Output A | Output B |\n|---|---|---|\n| Rank | 2 | 1 |",
    "| | Output A | Output B |\n|---|---|---|\n| Duration (s) | 3.5 | 4.1 |",
    "| | Output A | Output B |\n|---|---|---|\n| Score | 8 | 6 |\n| Corrected score | 6 | 8 |",
    # More numbers behind a value.
    "Output A: 9, 4, 5, 6\nOutput B: 3, 9, 9, 8",
    "Output A: 9, 4, 5 -> 6\nOutput B: 3, 9, 9 -> 8",
    "Output A: 6, 9, 9 (avg 8); Output B: 7, 2, 1 (avg 3)",
    "Output A: 6 | 9, Output B: 8 | 2",
    "Output A: 1\n0, Output B: 8",
    "Output A: 8\n.5, Output B: 9",
    # Corrections and remarks.
    "Output A: 6 (corrected: 9), Output B: 8",
    "Output A: 6 (nine after all), Output B: 8",
    "Output A: 6, but I would raise it to 9 given clarity. Output B: 8",
    "Output A: 6, Output B: 8, minus 3 for glitches",
    "Output A: 8, Output B: 6. (I mean Output A got 6 and Output B got 8.)",
    "~~Output A: 8, Output B: 6~~",
    "Output A: 8, Output B: 6?",
    "Output A: 8, Output B: 6, Output C: 9",
    # Other numbers than scores.
    f"{WORDS}\n\nNumber of glitches \u2014 Output A: 3, Output B: 1",
    f"{WORDS}\n\nRank: Output A: 2, Output B: 1",
    f"{WORDS}\n\nMispronunciations:\n- Output A: 3\n- Output B: 1\n\nOutput B is better.",
    f"{WORDS}\n\nOutput A: 3, Output B: 1",
    "6 for Output A and 8 for Output B.\n\nOutput A: 3, Output B: 1",
    "I rate Output A 6/10.\n\nOutput A: 3, Output B: 1",
    "Mispronunciations:\n- Output A: 3\n- Output B: 1",
    "### Glitches\n\nOutput A: 3\nOutput B: 1",
    "**Rank**\nOutput A: 2\nOutput B: 1",
    "Glitches in each\n- Output A: 3\n- Output B: 1",
    "Here are the counts of glitches.\n\nOutput A: 3, Output B: 1",
    "### Overall Naturalness\nOutput A: 3, Output B: 1",
    "Number of glitches that I noticed in each of the two\n\nOutput A: 3, Output B: 1",
    "Out of 10, how robotic they are\n\nOutput A: 3, Output B: 1",
]
VERDICTS = [
    *("Output B is the better one.", "I prefer Output B.", "**Winner: B**", "Therefore, B wins.", "Final answer: B."),
    *("Verdict: B > A.", "### Verdict\nOutput B is better.", "Overall, B is better than A.", "So Output A is worse."),
    *("\u56e0\u6b64\uff0cB\u66f4\u81ea\u7136\u3002", "Correction: the scores are swapped.", "Lower is better."),
    *("Output A is not the more natural one.", "I would pick the second one.", "Output B outperforms Output A."),
    *("I find Output B to be clearly more natural.", "Output B edges out Output A.", "Output B comes out on top."),
    *("The edge goes to Output B.", "Output B has the upper hand.", "Output B takes the lead.", "Output B scores higher."),
    *("Output A is no match for Output B.", "Output A pales in comparison to Output B.", "Output A is rated lower."),
    *("Output A sounds more robotic than Output B.", "Output A is more artificial.", "Output B is less mechanical."),
    *("Of the two, B is the one I'd choose.", "The most human-like is Output B.", "Output B is closer to human speech."),
    *("Output B deserves the higher score.", "I rate Output B higher than Output A.", "总体而言,B的表现优于A。"),
]


def filled(reply):
    return reply.replace("{}", META_JUDGE)


@pytest.mark.parametrize("name", READ)
def test_what_a_reply_states_is_read(name):
    """The scores, the verdict, and a completion in the task's own form that reads the same and keeps the analysis."""
    reply, a, b = READ[name]
    said = PLUGIN.parse(filled(reply))
    assert (said.total_a, said.total_b, said.verdict) == (a, b, "a" if a > b else "b")
    assert said.completion.endswith(f"\n\nOutput A: {a:g}, Output B: {b:g}")
    assert all(name in said.rationale for name in CONCLUSION.criteria)
    again = PLUGIN.parse(said.completion)
    assert (again.total_a, again.total_b, again.completion) == (a, b, said.completion)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_plain_is_refused_in_its_own_words(name):
    """The reason is counted, the message quotes what was wrong, for the repair request."""
    reply, reason, quoted = REFUSED[name]
    with pytest.raises(ParseError) as caught:
        PLUGIN.parse(filled(reply))
    assert (caught.value.reason, quoted in caught.value.message) == (reason, True), caught.value.message


@pytest.mark.parametrize(
    "end", [*DOUBTFUL, *(f"{PAIR}\n{said}" for said in VERDICTS), *(f"{said}\n\n{PAIR}" for said in VERDICTS)]
)
def test_what_is_doubtful_is_refused(end):
    """A refusal costs one repeated request, a wrong winner a wrong label."""
    with pytest.raises(ParseError):
        PLUGIN.parse(f"{META_JUDGE}\n\n{end}")


@pytest.mark.parametrize(
    "said",
    [
        *("Output A is the better one.", "Output B is better in pacing.", "Overall, A is better than B."),
        *(
            "Output B has a higher pitch.",
            "Output A sounds more robotic in the second half.",
            "Output A has more artificial pauses.",
        ),
        *("Output B has the edge in clarity.", "Output B has lower volume.", "Output A is rated higher."),
    ],
)
def test_a_verdict_that_agrees_is_read(said):
    """So is praise in one respect."""
    assert PLUGIN.parse(f"{META_JUDGE}\n\n{said}\n\n{PAIR}").verdict == "a"


@pytest.mark.parametrize("name", ["two lines", "bold labels", "list", "heading", "table by rows"])
def test_the_analysis_is_left_as_it_was(name):
    """Lines that do nothing but state the scores go, and so does the heading over them; everything else stays."""
    rationale = PLUGIN.parse(filled(READ[name][0])).rationale
    assert rationale.replace("| Output | Score |\n|---|---|", "").strip() == META_JUDGE
