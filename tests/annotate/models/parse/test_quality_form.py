"""The quality form: what is written is read as the same, whatever words a corpus has; the layout is the paper's."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from annotate.models.parse.quality_form import NOTHING
from annotate.models.task import PROMPTS, ParseError
from annotate.models.tasks.quality import FORM
from contracts.text_forms import keyed
from tests.annotate.good_replies import QUALITY

SCORES = dict.fromkeys(FORM.aspects, 4.0)

# The lines of UniSRM, App. A Fig. 4, between its tags, and its answer.
PAPER = """[Aspect descriptions]
Noise description: ...
Distortion description: ...
Unnatural pause: ...
Feeling of voice: ...

[Natural language description]
A detailed paragraph explaining the perceived quality, covering all aspects."""
PAPER_ANSWER = "noise=N; distortion=D; speed=S; continuity=C; naturalness=Na; listening_effort=L; overall=O;"

REFUSED = {"description_missing", "heading_in_text", "tag_in_text", "text_contradicts_scores", "not_text"}

scores = st.fixed_dictionaries({aspect: st.integers(1, 5).map(float) for aspect in FORM.aspects})
# Words as annotators write them, with what would break a careless layout.
PARTS = [
    *(
        "hum",
        "0.0-1.2 s",
        ":",
        ": x",
        "None",
        "none.",
        "NONE",
        "\n",
        "\r\n",
        "\t",
        "\u2028",
        "  ",
        "[",
        "]",
        "=",
        "noise=",
        "overall=5",
    ),
    *(
        "[Aspect descriptions]",
        "[Natural language description]",
        "Noise description:",
        "Feeling of voice: x",
        "<think>",
        "</answer>",
    ),
    *("```", "\u200b", "\u202e", "\ufeff", "\x00", "\ud800", "\uff1a", "\uff1d4", "\u00e9", "\u4f60"),
]
words = st.one_of(st.none(), st.text(), st.lists(st.sampled_from(PARTS), max_size=5).map(" ".join))
contents = st.fixed_dictionaries(dict.fromkeys(FORM.fields, words))


def test_the_layout_is_that_of_the_paper():
    """Line by line, with the figure's own words for a text."""
    content = dict.fromkeys(FORM.fields, "...") | {FORM.paragraph: PAPER.rpartition("\n")[2]}
    written = FORM.compose(SCORES, content)
    thoughts, answer = re.fullmatch(r"<think>\n(.*)\n</think><answer>(.*)</answer>", written, re.DOTALL).groups()
    assert thoughts == PAPER
    assert re.sub("=4", "=n", answer) == re.sub("=[A-Z]a?", "=n", PAPER_ANSWER)


def test_the_prompt_shows_the_layout_that_the_parser_reads():
    prompt = (PROMPTS / "quality.en.jinja").read_text()
    sample = prompt[prompt.index("<think>") :].strip().replace("=n;", "=2;")
    assert set(FORM.parse(sample).scores.values()) == {2.0}


@given(scores=scores, content=contents)
@example(scores=SCORES, content=dict.fromkeys(FORM.fields, ": x"))
@example(scores=SCORES, content=dict.fromkeys(FORM.fields, "overall=4"))
@example(scores=SCORES, content=dict.fromkeys(FORM.fields, "[Natural language description] x"))
def test_what_is_written_is_read_as_the_same(scores: dict[str, float], content: dict[str, str | None]):
    """Scores and texts come back; a text comes back in its stored form, and one that says nothing as none. Or it is refused."""
    try:
        written = FORM.compose(scores, content)
    except ParseError as error:
        if error.reason not in REFUSED:
            raise
        return
    said = FORM.parse(written)
    assert said.scores == scores
    assert said.completion == written
    for field, text in content.items():
        stored = keyed(text or "")
        assert said.content[field] == (None if not stored or stored.lower().strip(".") == "none" else stored)


def test_what_is_forgiven():
    """Full-width signs, a last score without its semicolon, and texts over several lines."""
    good = FORM.parse(QUALITY)
    for old, new in (
        ("overall=4;", "overall=4"),
        ("noise=3;", "noise \uff1d 3\uff1b"),
        ("Unnatural pause:", "Unnatural pause\uff1a"),
        ("a faint hum, ", "a faint\n  hum,\n"),
        (" The voice itself", "\nThe voice itself"),
        ("Distortion description: None", "Distortion description: none."),
        ("</think><answer>", "</think>\n<answer>"),
    ):
        assert FORM.parse(QUALITY.replace(old, new)) == good, new


@pytest.mark.parametrize(
    ("score", "reason"), [(3.5, "score_not_whole"), (0.0, "score_range"), (6.0, "score_range"), (4.999, "score_not_whole")]
)
def test_scores_that_the_form_cannot_state_are_refused(score: float, reason: str):
    content = {FORM.paragraph: "It is fine."}
    with pytest.raises(ParseError) as caught:
        FORM.compose(SCORES | {"speed": score}, content)
    assert caught.value.reason == reason
    assert "speed" in str(caught.value)


def test_a_description_that_is_not_there_is_said_so():
    """As the corpus itself writes it; the paragraph alone cannot be left out."""
    written = FORM.compose(SCORES, {FORM.paragraph: "It is fine."})
    assert written.count(f": {NOTHING}\n") == 4
    with pytest.raises(ParseError, match="write a paragraph"):
        FORM.compose(SCORES, dict.fromkeys(FORM.descriptions.values(), "x"))
