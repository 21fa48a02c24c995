"""The rule without ears: monotone, symmetric, honest about what it lacks, and right about which voices are natural."""

import asyncio
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models.providers.objective import DISTILLMOS, F0_RANGE, PLUGIN, Curve, Objective
from annotate.models.request import AttemptFailure, Estimate, JudgeRequest, Refusal, Reply
from annotate.models.tasks.task1 import DIMENSIONS
from annotate.models.tasks.task1 import PLUGIN as TASK
from contracts import plugins
from contracts.errors import SetupError

FACTS = Objective.facts

# Means measured with this project's metrics on real recordings and the embedded engines, over 12 sentences, DistillMOS over 24
# texts: wer, sim, F0 range and slope, DistillMOS.
MEASURED = {
    "human": (0.038, 0.913, 12.570, 42.150, 4.371),
    "kokoro jf_alpha": (0.015, 0.590, 8.858, 25.019, 3.999),
    "kokoro jm_kumo": (0.015, 0.515, 9.876, 35.445, 4.228),
    "piper joe": (0.066, 0.498, 10.401, 33.875, 4.390),
    "espeak us": (0.071, 0.469, 5.516, 12.553, 2.392),
    "espeak f3": (0.156, 0.555, 6.641, 15.666, 2.471),
    "espeak klatt2": (0.070, 0.448, 5.424, 16.132, 1.652),
}
FORMANT = [name for name in MEASURED if name.startswith("espeak")]
NATURAL = [name for name in MEASURED if not name.startswith("espeak")]

clips = st.fixed_dictionaries(
    {
        "wer": st.floats(0, 3),
        "sim": st.floats(-1, 1),
        "f0_range_semitones": st.floats(0, 60),
        "f0_slope_semitones_per_s": st.floats(0, 200),
        "distillmos": st.floats(1, 5),
    }
)
RISING = {
    "wer": False,
    "sim": True,
    "f0_range_semitones": True,
    "f0_slope_semitones_per_s": True,
    "distillmos": True,
}


def attempt(request: JudgeRequest, judge: Objective) -> tuple[Reply | Refusal | AttemptFailure, Estimate]:
    async def send() -> tuple[Reply | Refusal | AttemptFailure, Estimate]:
        async with judge.open(None) as line:
            return await line.attempt(request), await line.estimate(request)

    return asyncio.run(send())


def facts_of(a: dict, b: dict) -> dict[str, float | None]:
    return {f"{name}_{side}": values[name] for name in FACTS for side, values in (("a", a), ("b", b))}


def ask(a: dict, b: dict) -> Reply | Refusal:
    return Objective().answer(facts_of(a, b))


def measured(name: str) -> dict[str, float]:
    return dict(zip(FACTS, MEASURED[name], strict=True))


def test_it_is_a_plug_in_that_never_poses_as_somebody():
    """Its rows say that a rule judged, and which."""
    judge = plugins.configure("judge", "objective")
    assert isinstance(judge, PLUGIN)
    assert (judge.name, judge.missing(), judge.estimate("x", 9.0).usd) == ("objective", None, 0.0)
    assert judge.model == f"rule-{judge.version}"
    reply = ask(measured("human"), measured("espeak us"))
    assert isinstance(reply, Reply)
    assert reply.model_served == judge.model
    assert "By a fixed rule" in reply.text


def test_curves_pass_through_their_anchors():
    """One tenth at the poor level, nine tenths at the good one, one half between, rising or falling."""
    for curve in (Curve(0.55, 0.30), F0_RANGE, DISTILLMOS):
        assert curve(curve.poor) == pytest.approx(0.1)
        assert curve(curve.good) == pytest.approx(0.9)
        assert curve((curve.poor + curve.good) / 2) == pytest.approx(0.5)
        assert 0 <= curve(-1e9) <= 1
        assert 0 <= curve(1e9) <= 1


def test_scores_by_hand():
    """A clip at all poor anchors and one at all good ones score what the rule's formulas say."""
    poor = dict(zip(FACTS, (1.0, 0.60, 4.0, 12.0, 2.0), strict=True))
    good = dict(zip(FACTS, (0.0, 0.82, 12.0, 36.0, 4.2), strict=True))
    assert list(Objective().assess(poor).scores.values()) == [round(10 * math.exp(-2), 1), 1.0, 1.0, 1.0]
    assert list(Objective().assess(good).scores.values()) == [10.0, 9.0, 9.0, 9.0]


@pytest.mark.parametrize("natural", NATURAL)
@pytest.mark.parametrize("formant", FORMANT)
def test_people_and_neural_voices_beat_formant_voices(natural: str, formant: str):
    """On measured levels of real recordings and engines, in both orders."""
    for a, b, verdict in ((natural, formant, "a"), (formant, natural, "b")):
        reply = ask(measured(a), measured(b))
        assert isinstance(reply, Reply)
        assert TASK.parse(reply.text).verdict == verdict


@pytest.mark.parametrize(("noise_db", "measured_mos"), [(30, 3.45), (20, 2.82), (10, 2.16)])
def test_noise_does_not_pass_for_nature(noise_db: int, measured_mos: float):
    """The same recordings with white noise below the speech by so much score worse, the more the louder it is."""
    clean = measured("human")
    noisy = clean | {"distillmos": measured_mos}
    name = DIMENSIONS[3].name
    assert Objective().assess(noisy).scores[name] < Objective().assess(clean).scores[name] - (40 - noise_db) / 10


@given(a=clips, b=clips)
def test_every_answer_is_a_valid_reply_and_symmetric(a: dict, b: dict):
    """Any measurements give a parsable reply; exchanging the speeches exchanges the verdict."""
    forth, back = ask(a, b), ask(b, a)
    assert isinstance(forth, Reply)
    assert isinstance(back, Reply)
    one, other = TASK.parse(forth.text), TASK.parse(back.text)
    assert one.completion == forth.text
    assert (dict(one.scores_a), dict(one.scores_b)) == (dict(other.scores_b), dict(other.scores_a))
    assert other.verdict == {"a": "b", "b": "a", None: None}[one.verdict]
    summary = forth.text.split("[Comparison summary]\n- ")[1].split("\n</think>")[0]
    assert 2 <= len(re.findall(r"\.(?= |$)", summary)) <= 4


@given(clip=clips, fact=st.sampled_from(FACTS), step=st.floats(0, 50))
def test_better_measurements_never_score_worse(clip: dict, fact: str, step: float):
    """Each dimension is monotone in each measurement."""
    better = clip | {fact: clip[fact] + step if RISING[fact] else clip[fact] - step}
    before, after = (Objective().assess(facts).scores for facts in (clip, better))
    assert all(after[name] >= before[name] for name in before)


def test_explanations_cite_the_numbers():
    """What a score rests on stands in its explanation."""
    reply = ask(measured("human"), measured("piper joe"))
    assert isinstance(reply, Reply)
    for cited in ("0.038", "0.913", "12.6 semitones", "42.1 semitones", "4.37 of 5", "4.39 of 5", "0.498"):
        assert cited in reply.text


def test_its_line_answers_by_the_rule_for_nothing():
    """One attempt is the rule's reply, at no cost and no token."""
    facts = facts_of(measured("human"), measured("espeak us"))
    answer, estimate = attempt(JudgeRequest(key="k", prompt="", facts=facts), Objective())
    assert answer == Objective().answer(facts)
    assert isinstance(answer, Reply)
    assert (answer.cost_usd, answer.attempts) == (0.0, 1)
    assert (estimate.input_tokens, estimate.output_tokens, estimate.usd) == (0, 0, 0.0)


def test_a_missing_measurement_is_a_refusal_not_a_zero():
    """What was not measured is named, and nothing is judged."""
    facts = facts_of(measured("human"), measured("espeak us")) | {"sim_b": None}
    answer, _ = attempt(JudgeRequest(key="k", prompt="", facts=facts), Objective())
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.cost_usd) == ("missing_metric", 0.0)
    assert answer.message.endswith(": sim_b")


def test_it_does_task_1_alone_and_has_no_batches():
    """Its scores are those of Task 1, and asking for batches is refused with advice."""
    assert Objective().tasks == (TASK.name,)
    assert not Objective().has_batches
    with pytest.raises(SetupError, match="mode"):
        Objective().open_batches(None)


def test_options_change_the_version():
    """Other anchors are another rule, and nonsense is refused."""
    assert Objective(sim_other=0.7, sim_same=0.9).version != Objective().version
    with pytest.raises(ValueError, match="below"):
        Objective(sim_other=0.9, sim_same=0.6)
