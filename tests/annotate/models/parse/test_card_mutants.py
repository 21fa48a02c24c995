"""No accepted score card teaches a total or a score that its own lines contradict."""

from tests.annotate.card_mutants import CARDS, contradictions, try_all
from tests.annotate.models.test_tasks import TASKS


def test_no_training_text_contradicts_itself():
    """Thousands of mutants in both layouts; most are refused, and what is accepted says one thing."""
    outcomes, wrong = try_all(3000)
    assert wrong == []
    assert outcomes["accepted"] > 100
    assert outcomes["text_contradicts_scores"] > 100


def test_the_oracle_sees_contradictions():
    """It is silent about sound cards, and hears each layout's total in an explanation."""
    import dataclasses

    for name, card in CARDS.items():
        said = TASKS[name].parse(card)
        assert contradictions(said) == []
        for stated in ("Total_A = 1+2 = 3", "- Total score for Speech B = 50", "score=0/10", "0.5/10"):
            assert contradictions(dataclasses.replace(said, completion=f"{said.completion} {stated}"))
