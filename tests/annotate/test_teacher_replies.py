"""Golden table of a teacher's replies: what each states, or why it is refused.

The format is SpeechJudge's (seed 002, Fig. 4 and the example of the meta-judge's prompt): criteria for Output A, for Output B,
then ``Conclusion: Output A: X, Output B: X``. Its public parser takes the scores that are stated last. All but the
first two are our own: layouts in which models give the same scores, and what looks like them.
"""

import pytest

from annotate.task import ParseError
from annotate.tasks.teacher import CONCLUSION, PLUGIN

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
    "remark in brackets": ("{}\n\nOutput A: 8 (close to a person)\nOutput B: 6 (robotic)", 8, 6),
    "remark behind a dash": ("{}\n\nOutput A: 8 - close to a person.\nOutput B: 6 - robotic.", 8, 6),
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
    # Before the analysis, inside it, more than once.
    "before the analysis": ("Output A: 8, Output B: 6\n\n{}", 8, 6),
    "two lines before the analysis": ("**Output A: 8/10**\n**Output B: 6/10**\n\n{}", 8, 6),
    "a word after them": ("{}\n\nOutput A: 8, Output B: 6\n\nOutput A is therefore the more natural one.", 8, 6),
    "said twice alike": ("Output A: 8, Output B: 6\n\n{}\n\nConclusion: Output A: 8/10, Output B: 6/10", 8, 6),
    "said twice, swapped": ("Output A: 8, Output B: 6\n\n{}\n\nOutput B: 6\nOutput A: 8", 8, 6),
    "each behind its analysis": ("Output A: 8\n{}\nOutput B: 6", 8, 6),
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
    "cut off in the analysis behind": (
        "Output A: 8, Output B: 6\n\n{}\n- and the last word of Output B",
        "cut_off",
        "last word",
    ),
    "cut off before the last criteria": (
        "Output A: 8, Output B: 6\n\nProsody and Intonation: fine.",
        "criteria_missing",
        "Pacing",
    ),
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
    "one score again": ("{}\n\nOutput A: 8, Output B: 6\nOn reflection, Output A: 5.", "conclusion_twice", "On reflection"),
    "unreadable scores before": ("Output A: 5-6, Output B: 7\n\n{}\n\nOutput A: 8, Output B: 6", "conclusion_twice", "5-6"),
    "unreadable scores behind": (
        "{}\n\nOutput A: 8, Output B: 6\nOutput A gets five and Output B seven.",
        "conclusion_twice",
        "gets five",
    ),
    "a third output": ("{}\n\nOutput A: 8, Output B: 6, Output C: 9", "conclusion_twice", "Output C: 9"),
    "a verdict against them": (
        "{}\n\nOutput A: 8, Output B: 6\n\nTherefore, Output B is more natural.",
        "conclusion_contradicted",
        "B",
    ),
    "a winner against them": (
        "{}\n\nOutput A: 8, Output B: 6\n\nWinner: Output B",
        "conclusion_contradicted",
        "Winner: Output B",
    ),
    "no analysis": ("Output A: 8, Output B: 6", "rationale_missing", "analysis"),
    "empty": ("", "empty_reply", "empty"),
}


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


@pytest.mark.parametrize("name", ["two lines", "bold labels", "list", "heading", "before the analysis", "table by rows"])
def test_the_analysis_is_left_as_it_was(name):
    """Lines that do nothing but state the scores go, and so does the heading over them; everything else stays."""
    rationale = PLUGIN.parse(filled(READ[name][0])).rationale
    assert rationale.replace("| Output | Score |\n|---|---|", "").strip() == META_JUDGE
