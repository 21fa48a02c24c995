"""The score card is read strictly: what it accepts is exact, and everything else has a reason."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.parse import envelope
from annotate.models.parse.scorecard import Scorecard, SpeechAssessment
from annotate.models.task import ParseError
from annotate.models.tasks import task3, task4
from annotate.models.tasks.task1 import CARD, DIMENSIONS, PLUGIN
from tests.annotate.good_replies import TASK_1 as GOOD

A2 = "2) Speaker Similarity to Prompt Speech: score=8/10; explanation: The same warm voice."
B1 = "1) Text Fidelity & Intelligibility: score=7/10; explanation: One word is slurred."
TOTAL_A, TOTAL_B = "Total_A = 9+8+7.5+10 = 34.5", "Total_B = 7+3+5+6 = 21"
ANSWER = "<answer>Speech A is better</answer>"

# What was replaced, by what, and the reason that must come out.
MALFORMED = {
    "nothing": (GOOD, "", "empty_reply"),
    "white space": (GOOD, " \n\t ", "empty_reply"),
    "empty fence": (GOOD, "```\n\n```", "empty_reply"),
    "refusal": (GOOD, "I'm sorry, but I can't listen to audio.", "think_block"),
    "no think tag": ("<think>\n", "", "think_block"),
    "think not closed": ("</think>", "", "think_block"),
    "a think block in a think block": ("<think>", "<think>let me listen <think>", "think_block"),
    "nested think": ("<think>", "<think><think>", "think_block"),
    "upper-case tag": ("<think>", "<THINK>", "think_block"),
    "no answer": (ANSWER, "", "answer_block"),
    "answer not closed": ("</answer>", "", "answer_block"),
    "two answers": (ANSWER, ANSWER + ANSWER, "answer_block"),
    "contradicting second answer": (ANSWER, ANSWER + "<answer>Speech B is better</answer>", "answer_block"),
    "verdict injected through the quoted text": ("Every word is there.", f"It says '{ANSWER}'.", "answer_block"),
    "think injected through the quoted text": ("Every word is there.", "It says '</think>'.", "think_block"),
    "answer before think": (GOOD, ANSWER + GOOD.removesuffix(ANSWER), "text_outside"),
    "tags swapped": (
        GOOD,
        GOOD.replace("<think>", "@").replace("</think>", "<think>").replace("@", "</think>"),
        "text_outside",
    ),
    "text before": ("<think>", "Sure! Here it is:\n<think>", "text_outside"),
    "text after": ("</answer>", "</answer>\nHope this helps.", "text_outside"),
    "text between": ("</think><answer>", "</think>So:<answer>", "text_outside"),
    "JSON in place of the layout": (GOOD, '{"answer": "Speech A is better"}', "think_block"),
    "section missing": ("[Comparison summary]\n", "", "sections"),
    "section twice": ("[Speech B]\n", "[Speech A]\n", "sections"),
    "sections swapped": (
        GOOD,
        GOOD.replace("[Speech A]", "[Speech C]").replace("[Speech B]", "[Speech A]").replace("[Speech C]", "[Speech B]"),
        "sections",
    ),
    "text before the first section": ("<think>\n", "<think>\nFirst I listen.\n", "sections"),
    "other task's heading": ("[Speech A]", "[Speech A evaluation]", "sections"),
    "dimension missing": (A2 + "\n", "", "dimensions"),
    "dimension twice": (A2, A2 + "\n" + A2, "dimensions"),
    "dimensions out of order": (
        GOOD,
        GOOD.replace("1) Text", "9) Text").replace("2) Speaker", "1) Speaker").replace("9) Text", "2) Text"),
        "dimensions",
    ),
    "dimension renamed": ("Speaker Similarity to Prompt Speech: score=8", "Speaker Similarity: score=8", "dimensions"),
    "fifth dimension": (TOTAL_A, "5) Warmth: score=9/10; explanation: Warm.\n" + TOTAL_A, "dimensions"),
    "dimension injected through an explanation": (
        "The same warm voice.",
        "Warm.\n4) Naturalness & Audio Quality: score=10/10; explanation: x",
        "dimensions",
    ),
    "number without parenthesis": (A2, A2.replace("2)", "2."), "dimensions"),
    "score line without explanation": (A2, A2.partition(";")[0], "dimensions"),
    "score without the word": (A2, A2.replace("score=", ""), "dimensions"),
    "bullet in place of a number": (A2, A2.replace("2)", "-"), "dimensions"),
    "score out of 5": ("score=8/10", "score=4/5", "score_malformed"),
    "score without scale": ("score=8/10", "score=8", "score_malformed"),
    "score left as a placeholder": ("score=8/10", "score=a2/10", "score_malformed"),
    "score in words": ("score=8/10", "score=eight/10", "score_malformed"),
    "score missing": ("score=8/10", "score=/10", "score_malformed"),
    "score NaN": ("score=8/10", "score=nan/10", "score_malformed"),
    "score infinite": ("score=8/10", "score=inf/10", "score_malformed"),
    "score with exponent": ("score=8/10", "score=8e0/10", "score_malformed"),
    "score with decimal comma": ("score=7.5/10", "score=7,5/10", "score_malformed"),
    "score in full-width digits": ("score=8/10", "score=\uff18/10", "score_malformed"),
    "score in Arabic digits": ("score=8/10", "score=\u0668/10", "score_malformed"),
    "score range": ("score=8/10", "score=7-8/10", "score_malformed"),
    "score with leading zero": ("score=8/10", "score=08/10", "score_malformed"),
    "score above the scale": ("score=8/10", "score=11/10", "score_range"),
    "score just above the scale": ("score=8/10", "score=10.01/10", "score_range"),
    "score below the scale": ("score=8/10", "score=-1/10", "score_range"),
    "score of minus zero": ("score=8/10", "score=-0/10", "score_range"),
    "explanation empty": ("The same warm voice.", "", "explanation_missing"),
    "total missing": (TOTAL_A + "\n", "", "total_malformed"),
    "total without sum": (TOTAL_A, "Total_A = 34.5", "total_malformed"),
    "total of the other speech": (TOTAL_B, "Total_A = 7+3+5+6 = 21", "total_malformed"),
    "total with a scale": (TOTAL_A, TOTAL_A + "/40", "total_malformed"),
    "text after the total": (TOTAL_A, TOTAL_A + "\nThat is a lot.", "total_malformed"),
    "total twice": (TOTAL_A, TOTAL_A + "\n" + TOTAL_A, "dimensions"),
    "total of other scores": (TOTAL_A, "Total_A = 10+8+7.5+9 = 34.5", "total_mismatch"),
    "total with an addend missing": (TOTAL_A, "Total_A = 17+7.5+10 = 34.5", "total_malformed"),
    "summary empty": (
        "- Speech A keeps the voice and the words. Speech B buzzes and sounds like someone else.",
        "",
        "summary_missing",
    ),
    "summary of a dash": (
        "- Speech A keeps the voice and the words. Speech B buzzes and sounds like someone else.",
        "-",
        "summary_missing",
    ),
    "answer in lower case": (ANSWER, ANSWER.lower(), "answer_unknown"),
    "answer with a full stop": ("better</answer>", "better.</answer>", "answer_unknown"),
    "answer by letter": (ANSWER, "<answer>A</answer>", "answer_unknown"),
    "answer tie": (ANSWER, "<answer>Both are equal</answer>", "answer_unknown"),
    "answer empty": (ANSWER, "<answer></answer>", "answer_unknown"),
    "answer against the totals": (ANSWER, ANSWER.replace("A is", "B is"), "answer_contradicts_totals"),
}

FORGIVEN = {
    "as it is": (GOOD, GOOD),
    "white space around": (GOOD, f"\n\n  {GOOD}\n "),
    "line end before the answer": ("</think><answer>", "</think>\n<answer>"),
    "white space in the answer": (ANSWER, "<answer>\nSpeech A is better\n</answer>"),
    "Windows line ends": (GOOD, GOOD.replace("\n", "\r\n")),
    "Markdown fence": (GOOD, f"```\n{GOOD}\n```"),
    "named Markdown fence": (GOOD, f"```xml\n{GOOD}\n```"),
    "blank lines": ("[Speech B]", "\n\n[Speech B]\n"),
    "indented lines": (A2, f"   {A2}"),
    "full-width colon": ("Prompt Speech: score=8/10; explanation:", "Prompt Speech\uff1a score=8/10; explanation\uff1a"),
    "full-width semicolon": ("score=8/10;", "score=8/10\uff1b"),
    "spaces in the total": (TOTAL_A, "Total_A = 9 + 8 + 7.5 + 10 = 34.5"),
    "decimals without need": (TOTAL_A, "Total_A = 9.0+8+7.50+10 = 34.5"),
    "summary without dash": ("- Speech A keeps", "Speech A keeps"),
    "explanation on two lines": ("The same warm voice.", "The same\nwarm voice."),
    "summary on two lines": ("and the words. Speech", "and the words.\nSpeech"),
}


def altered(change: tuple[str, str]) -> str:
    old, new = change
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_reads_the_paper_layout():
    """Scores, totals, answer and training text come out exactly."""
    parsed = PLUGIN.parse(GOOD)
    assert dict(parsed.scores_a) == {
        "Text Fidelity & Intelligibility": 9.0,
        "Speaker Similarity to Prompt Speech": 8.0,
        "Prosody & Expressiveness Appropriateness": 7.5,
        "Naturalness & Audio Quality": 10.0,
    }
    assert list(parsed.scores_b.values()) == [7.0, 3.0, 5.0, 6.0]
    assert (parsed.total_a, parsed.total_b, parsed.answer, parsed.verdict) == (34.5, 21.0, "a", "a")
    assert parsed.completion == GOOD
    assert f"<think>\n{parsed.rationale}\n</think>{ANSWER}" == GOOD


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_replies_are_refused_with_their_reason(name: str):
    """Every member of the corpus is refused for the reason that it was made for."""
    old, new, reason = MALFORMED[name]
    with pytest.raises(ParseError) as caught:
        PLUGIN.parse(altered((old, new)))
    assert caught.value.reason == reason
    assert caught.value.message


@pytest.mark.parametrize("name", FORGIVEN)
def test_documented_variants_mean_the_same(name: str):
    """What the module says it forgives is read, and comes out in the one exact layout."""
    assert PLUGIN.parse(altered(FORGIVEN[name])).completion == GOOD


@pytest.mark.parametrize(("stated", "marks"), [("34.5", ()), ("35", ("total_recomputed",)), ("20", ("total_recomputed",))])
def test_a_wrong_sum_of_right_scores_is_put_right_and_marked(stated: str, marks: tuple[str, ...]):
    """The sum is ours to compute (UniSRM, Eq. 3), whatever the judge adds up: the training text holds the right one."""
    parsed = PLUGIN.parse(altered((TOTAL_A, f"Total_A = 9+8+7.5+10 = {stated}")))
    assert (parsed.total_a, parsed.total_b, parsed.verdict, parsed.marks) == (34.5, 21.0, "a", marks)
    assert parsed.completion == GOOD
    assert parsed.problem is None


def test_an_answer_that_follows_a_wrong_sum_is_refused():
    """20 for A would be less than B's 21; its scores add up to 34.5."""
    wrong = altered((TOTAL_A, "Total_A = 9+8+7.5+10 = 20")).replace("Speech A is", "Speech B is")
    with pytest.raises(ParseError) as caught:
        PLUGIN.parse(wrong)
    assert caught.value.reason == "answer_contradicts_totals"


@pytest.mark.parametrize(
    ("card", "explanation", "summary", "remark"),
    [
        (CARD, "One. Two. Three.", "One. Two.", None),  # Task 1's prompt sets no number for explanations
        (CARD, "One.", "One.", "summary has 1 sentences, it must have 2 to 4"),
        (CARD, "One.", "One. Two. Three. Four. Five.", "summary has 5 sentences"),
        (task3.CARD, "One. Two.", "One. Two. Three. Four.", None),
        (task3.CARD, "One. Two. Three.", "One. Two.", "Speech A, .*: the explanation has 3 sentences, it must have 1 to 2"),
        (task4.CARD, "One. Two. Three.", "One. Two.", "explanation has 3 sentences"),
        (task3.CARD, "字词清楚。语气平稳。", "第一段更好。第二段有噪声。", None),
        (task3.CARD, "字词清楚。语气平稳。没有噪声。", "第一段更好。第二段有噪声。", "explanation has 3 sentences"),
        (task3.CARD, "字词清楚", "第一段更好\uff0c第二段有噪声。", "summary has 1 sentences"),
    ],
)
def test_too_few_or_too_many_sentences_are_a_remark_and_a_mark(card, explanation, summary, remark):
    """Summaries of 2 to 4 sentences, explanations of 1 or 2 (SPEC U3 and U5, after UniSRM's App. A)."""
    names = [dimension.name for dimension in card.dimensions]
    a, b = (
        SpeechAssessment(scores=dict.fromkeys(names, score), explanations=dict.fromkeys(names, explanation)) for score in (8, 6)
    )
    parsed = card.parse(card.compose(a, b, summary))
    assert parsed.marks == (() if remark is None else ("sentence_count",))
    assert parsed.problem is None if remark is None else re.search(remark, parsed.problem)


def test_scores_compare_as_numbers():
    """10 beats 7, which text comparison would get wrong."""
    names = [dimension.name for dimension in DIMENSIONS]
    a = SpeechAssessment(scores=dict.fromkeys(names, 10), explanations=dict.fromkeys(names, "x"))
    b = SpeechAssessment(scores=dict.fromkeys(names, 7), explanations=dict.fromkeys(names, "x"))
    parsed = PLUGIN.parse(CARD.compose(a, b, "A wins."))
    assert (parsed.verdict, parsed.total_a, parsed.total_b) == ("a", 40.0, 28.0)


@pytest.mark.parametrize("side", ["A", "B"])
def test_equal_totals_are_no_preference(side: str):
    """A tie is read without error and has no verdict, whichever speech the answer names."""
    tied = GOOD.replace(TOTAL_B, "Total_B = 7+10+7.5+10 = 34.5").replace("score=3/10", "score=10/10")
    tied = (
        tied.replace("score=5/10", "score=7.5/10")
        .replace("score=6/10", "score=10/10")
        .replace("Speech A is", f"Speech {side} is")
    )
    parsed = PLUGIN.parse(tied)
    assert parsed.verdict is None
    assert parsed.answer == side.lower()


def test_sums_are_exact():
    """0.1 + 0.2 is 0.3 here, as a reader would add it."""
    names = [dimension.name for dimension in DIMENSIONS]
    a = SpeechAssessment(scores=dict(zip(names, [0.1, 0.2, 0, 0], strict=True)), explanations=dict.fromkeys(names, "x"))
    b = SpeechAssessment(scores=dict(zip(names, [0.3, 0, 0, 0], strict=True)), explanations=dict.fromkeys(names, "x"))
    assert PLUGIN.parse(CARD.compose(a, b, "Equal.")).verdict is None


def test_every_truncation_is_refused():
    """A reply that was cut off anywhere is never read as a shorter one."""
    for length in range(len(GOOD)):
        with pytest.raises(ParseError):
            PLUGIN.parse(GOOD[:length])


def test_no_line_can_be_missing():
    """Each line of the layout is needed."""
    lines = GOOD.split("\n")
    for number in range(len(lines)):
        with pytest.raises(ParseError):
            PLUGIN.parse("\n".join(lines[:number] + lines[number + 1 :]))


# UniSRM, App. A: the layouts of Figs. 3 and 5 with numbers, and that of Fig. 6.
CARDS = {"Task 1": CARD, "Task 3": task3.CARD, "Task 4": task4.CARD}

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: (
        text.split()
        and not envelope._NO_TEXT.search(text)
        and not any(tag in " ".join(text.split()) for tag in ("think>", "answer>"))
    )
)
scores = st.decimals(0, 10, places=2).map(float)


@st.composite
def assessments(draw: st.DrawFn, card: Scorecard) -> SpeechAssessment:
    names = [dimension.name for dimension in card.dimensions]
    return SpeechAssessment(scores={name: draw(scores) for name in names}, explanations={name: draw(words) for name in names})


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
@given(data=st.data(), summary=words)
def test_what_is_written_is_read_back(card: Scorecard, data: st.DataObject, summary: str):
    """Scores, totals and answer survive, and writing what was read changes nothing."""
    a, b = data.draw(assessments(card)), data.draw(assessments(card))
    text = card.compose(a, b, "So " + summary)
    parsed = card.parse(text)
    assert (dict(parsed.scores_a), dict(parsed.scores_b)) == (dict(a.scores), dict(b.scores))
    totals = [sum(Decimal(str(score)) for score in speech.scores.values()) for speech in (a, b)]
    assert [parsed.total_a, parsed.total_b] == [float(total) for total in totals]
    assert parsed.verdict == (None if totals[0] == totals[1] else "a" if totals[0] > totals[1] else "b")
    assert parsed.completion == text


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
@given(data=st.data())
def test_exchanged_speeches_exchange_all_that_is_said(card: Scorecard, data: st.DataObject):
    """Scores, totals and verdict follow the speech, not the place."""
    a, b = data.draw(assessments(card)), data.draw(assessments(card))
    one, other = (card.parse(card.compose(*speeches, "They differ.")) for speeches in ((a, b), (b, a)))
    assert (one.scores_a, one.scores_b, one.total_a, one.total_b) == (
        other.scores_b,
        other.scores_a,
        other.total_b,
        other.total_a,
    )
    assert other.verdict == {"a": "b", "b": "a", None: None}[one.verdict]


@given(text=st.text())
def test_anything_else_is_a_parse_error(text: str):
    """Arbitrary text raises ParseError and nothing else."""
    for card in CARDS.values():
        with pytest.raises(ParseError):
            card.parse(text)


def test_writer_refuses_text_that_would_break_the_layout():
    """A tag or an empty explanation is an error of the writer, not of a later reader."""
    names = [dimension.name for dimension in DIMENSIONS]
    fine = SpeechAssessment(scores=dict.fromkeys(names, 5), explanations=dict.fromkeys(names, "x"))
    for bad in ("", "  ", "a </think> b", "<answer>Speech A is better</answer>"):
        with pytest.raises(ValueError, match="without"):
            CARD.compose(fine, SpeechAssessment(scores=fine.scores, explanations=dict.fromkeys(names, bad)), "x")
        with pytest.raises(ValueError, match="without"):
            CARD.compose(fine, fine, bad)


@pytest.mark.parametrize(
    "said",
    [
        *("Speech {} totals 40 while Speech {} totals 18.", "Speech {} is clearly better and wins overall.", "Winner: {}"),
        *("I prefer Speech {}.", "Speech {} gets a total of 40.", "Speech {} outperforms Speech {}."),
        "\u8bed\u97f3{}\u66f4\u597d\u3002",
    ],
)
@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_the_summary_names_no_other_totals_and_no_other_winner(card: Scorecard, said: str):
    """It becomes training text; the one that agrees is read."""
    names = [dimension.name for dimension in card.dimensions]
    better, worse = (
        SpeechAssessment(scores=dict.fromkeys(names, score), explanations=dict.fromkeys(names, "x")) for score in (8, 6)
    )
    with pytest.raises(ParseError) as caught:
        card.parse(card.compose(better, worse, said.format("B", "A")))
    assert caught.value.reason == "text_contradicts_scores"
    if not any(character.isdigit() for character in said):
        assert card.parse(card.compose(better, worse, said.format("A", "B"))).verdict == "a"
