"""Protocols read forms strictly, know how many votes are needed, and treat A and B alike."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.people.store.item import Answer
from annotate.people.store.protocol import accepts, asks_about_critiques
from contracts.errors import DataError, RecipeError
from contracts.plugins import configure, names
from scoring.reliability.agreement_levels import ternary

CMOS = ("A+2", "A+1", "T", "B+1", "B+2")
ERRORS = ("omission", "insertion", "substitution")


@st.composite
def _filled(draw, name):
    """A protocol and a form that it accepts."""
    protocol = configure("protocol", name)
    form = {}
    for question in protocol.questions:
        if question.kind == "choice":
            form[question.name] = [draw(st.sampled_from(question.options))]
        else:
            form[question.name] = draw(st.lists(st.sampled_from(question.options), unique=True))
    return protocol, form


@pytest.mark.parametrize("name", names("protocol"))
@given(st.data())
def test_turning_twice_is_nothing_and_once_swaps_sides(name, data):
    """A and B are treated alike, whatever was said."""
    protocol, form = data.draw(_filled(name))
    answer = protocol.read(form)
    turned = protocol.swapped(answer)
    assert protocol.swapped(turned) == answer
    swapped = {"a": "b", "b": "a", None: None}
    assert protocol.side(turned) == swapped[protocol.side(answer)]
    if protocol.clips == 2:
        assert (turned.errors_a, turned.errors_b) == (answer.errors_b, answer.errors_a)


@pytest.mark.parametrize("name", names("protocol"))
@given(st.data())
def test_a_form_that_is_not_as_asked_is_refused(name, data):
    """A missing choice, an unknown field, a word that was not offered and a word given twice."""
    protocol, form = data.draw(_filled(name))
    choice = next(question.name for question in protocol.questions if question.kind == "choice")
    broken = [
        {key: words for key, words in form.items() if key != choice},
        form | {"other": ["x"]},
        form | {choice: ["<script>"]},
        form | {choice: form[choice] * 2},
        form | {choice: list(protocol.questions[-1].options[:2])},
        form | {choice: form[choice][0]},
    ]
    for bad in broken:
        with pytest.raises(DataError):
            protocol.read(bad)


def test_no_box_ticked_is_accurate():
    """Browsers do not post boxes that are not ticked; what is ticked is kept in one order."""
    protocol = configure("protocol", "speechjudge")
    assert protocol.read({"value": ["T"], "errors_b": ["substitution", "omission"]}) == Answer(
        value="T", errors_a=(), errors_b=("omission", "substitution")
    )


def test_a_third_vote_only_where_two_differ():
    """Only whether the first two prefer the same, or nothing, decides; how strongly does not."""
    protocol = configure("protocol", "speechjudge")
    for votes in (votes for count in range(4) for votes in product(CMOS, repeat=count)):
        wanted = protocol.votes_needed([Answer(value=vote) for vote in votes])
        assert wanted == (3 if len({ternary(vote) for vote in votes[:2]}) == 2 else 2), votes


def test_three_votes_always():
    """UniSRM asks three people even if two agree."""
    protocol = configure("protocol", "unisrm")
    assert [protocol.votes_needed([Answer(value="A")] * count) for count in range(5)] == [3] * 5
    assert protocol.max_plays == 4


def test_scales_are_the_recipes():
    """Names, range and votes can be set; the defaults are those of Task 2."""
    assert [question.name for question in configure("protocol", "rating").questions] == (
        ["noise", "distortion", "speed", "continuity", "naturalness", "listening_effort", "overall"]
    )
    protocol = configure("protocol", "rating", {"scales": ["calm"], "lowest": 0, "highest": 2, "votes": 5})
    assert protocol.questions[0].options == ("0", "1", "2")
    assert protocol.read({"calm": ["2"]}) == Answer(scores={"calm": 2.0})
    assert protocol.votes_needed([]) == 5
    for bad in ({"scales": []}, {"scales": ["a", "a"]}, {"lowest": 5}, {"votes": 0}, {"max_plays": 0}):
        with pytest.raises(RecipeError):
            configure("protocol", "rating", bad)


@pytest.mark.parametrize(("name", "value"), [("unisrm", "T"), ("speechjudge", "A"), ("unisrm", None)])
def test_a_word_of_another_protocol_is_no_answer(name, value):
    """It is refused before it is stored."""
    with pytest.raises(DataError):
        configure("protocol", name).swapped(Answer(value=value))


def test_every_protocol_says_in_both_languages_what_it_asks():
    """What people read stands in the protocol, once: each question and option, no two options alike."""
    for name in names("protocol"):
        for question in configure("protocol", name).questions:
            assert set(question.text) == {"en", "zh"}, question.name
            for language in ("en", "zh"):
                said = question.option_texts_in(language)
                assert tuple(said) == question.options
                assert len(set(said.values())) == len(said)
                assert question.is_scale or not set(said.values()) & set(question.options)


def test_the_comparison_is_asked_as_the_paper_asks_it():
    """SpeechJudge, appendix B: which one is more natural; 1 = slightly, 2 = significantly; a tie = similar."""
    (*_, value) = configure("protocol", "speechjudge").questions
    said = value.option_texts_in("en")
    assert "more natural" in value.text_in("en")
    for option, words in said.items():
        if option == "T":
            continue
        assert words == f"{option[0]} is {'slightly' if option.endswith('1') else 'significantly'} more natural"
    assert all("better" not in words for words in said.values())


def test_an_unknown_scale_goes_by_its_name():
    """A recipe may name scales that nobody has words for."""
    (question,) = configure("protocol", "rating", {"scales": ["vocal_fry"]}).questions
    assert question.text_in("zh") == "Vocal fry"
    assert question.option_texts_in("zh")["5"] == "5"


def test_an_answer_about_a_critique_accepts_it_or_not():
    """Whichever clip was played first; what cannot be said is neither."""
    protocol = configure("protocol", "acceptance")
    answers = [protocol.read({"value": [value]}) for value in ("yes", "no", "invalid")]
    assert [accepts(answer) for answer in answers] == [True, False, None]
    assert [protocol.swapped(answer) for answer in answers] == answers
    assert {name for name in names("protocol") if asks_about_critiques(configure("protocol", name))} == {"acceptance"}
    with pytest.raises(DataError, match="'A' is none of yes, no, invalid"):
        protocol.swapped(Answer(value="A"))
