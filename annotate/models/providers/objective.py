"""A judge without a model: a fixed rule that turns measurements into Task 1 scores. No key, no cost, the same answer always.

It is neither a human nor a language model and is never presented as one: rows name the judge ``objective`` and the rule's
version, and its explanations cite the numbers on which the scores rest.

The rule (facts are metric values of one speech; each map is monotone and smooth, so that no two values share a score
before rounding to one decimal):

- *text* = 10 exp(-2 ``wer``): 10 at no error, 7.9 at 12 % (the difference below which SpeechJudge counts two clips as equally
  faithful), 1.4 at one error per word.
- *speaker* = 10 S(``sim``; 0.60, 0.82): embeddings of one speaker were measured at .82 to .92, of two speakers mostly below .65
  (Resemblyzer). Another embedding needs other anchors: they are options.
- *prosody* = 5 S(``f0_range_semitones``; 4, 12) + 5 S(``f0_slope_semitones_per_s``; 12, 36): English melody spans about an
  octave ('t Hart, Collier & Cohen, "A Perceptual Study of Intonation", 1990), and rule-driven or averaged intonation drifts.
- *naturalness* = 10 S(``distillmos``; 2.0, 4.2): measured means were 2.2 for formant synthesis and for noise 10 dB below the
  speech, 4.1 to 4.4 for recordings and neural voices. docs/decisions/0020-what-runs-from-packages.md compares it with DNSMOS
  and the signs of mechanical speech, which the first revision took.

S(x; poor, good) is the logistic curve through 0.1 at ``poor`` and 0.9 at ``good``. The anchors of slope are round numbers
around the levels of one human and twelve synthetic voices on 12 sentences. What a clip scores depends on its measurements
alone.
"""

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import Field

from annotate.models.judge import BatchSession, JudgeSession, Pace
from annotate.models.parse.scorecard import SpeechAssessment
from annotate.models.request import Estimate, JudgeRequest, Refusal, Reply
from annotate.models.tasks.task1 import DIMENSIONS, compose
from contracts.errors import SetupError
from contracts.ids import digest
from storage.blobs import BlobStore

FREE: Final = Estimate(input_tokens=0, output_tokens=0, usd=0.0)
_REVISION: Final = 2  # of the formulas; the anchors enter the version by themselves
_ERROR_WEIGHT: Final = 2.0


@dataclass(frozen=True)
class Curve:
    """Logistic curve through 0.1 at ``poor`` and 0.9 at ``good``; falling where ``poor`` is the larger."""

    poor: float
    good: float

    def __call__(self, value: float) -> float:
        """Return a share in [0, 1]."""
        middle, width = (self.poor + self.good) / 2, self.good - self.poor
        return 0.5 + 0.5 * math.tanh(math.log(9) * (value - middle) / width)


F0_RANGE: Final = Curve(4.0, 12.0)
F0_SLOPE: Final = Curve(12.0, 36.0)
DISTILLMOS: Final = Curve(2.0, 4.2)

_WORDS: Final = ((8.0, "Very good"), (6.0, "Good"), (4.0, "Fair"), (2.0, "Weak"), (0.0, "Poor"))


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The rule.

    Attributes:
        sim_other: speaker similarity that two different speakers reach; scores 1 of 10.
        sim_same: speaker similarity that two recordings of one speaker reach; scores 9 of 10.
    """

    name: ClassVar[str] = "objective"
    facts: ClassVar[tuple[str, ...]] = (
        "wer",
        "sim",
        "f0_range_semitones",
        "f0_slope_semitones_per_s",
        "distillmos",
    )
    repeatable: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ("task1",)
    pace: ClassVar[Pace] = Pace()
    has_batches: ClassVar[bool] = False
    key_variables: ClassVar[tuple[str, ...]] = ()

    sim_other: Annotated[float, Field(ge=-1, le=1)] = 0.60
    sim_same: Annotated[float, Field(ge=-1, le=1)] = 0.82

    def __post_init__(self) -> None:
        if not -1 <= self.sim_other < self.sim_same <= 1:
            raise ValueError(f"sim_other {self.sim_other} must lie below sim_same {self.sim_same}, both in [-1, 1]")

    @property
    def version(self) -> str:
        """Revision of the formulas and hash of their constants."""
        curves = [F0_RANGE, F0_SLOPE, DISTILLMOS, Curve(self.sim_other, self.sim_same)]
        return f"{_REVISION}-{digest([_ERROR_WEIGHT, [[curve.poor, curve.good] for curve in curves]])[:8]}"

    @property
    def model(self) -> str:
        """The rule by its version."""
        return f"rule-{self.version}"

    def params(self) -> Mapping[str, str | int | float | bool | None]:
        """Return the options."""
        return {"sim_other": self.sim_other, "sim_same": self.sim_same}

    def missing(self) -> str | None:
        """Nothing can be missing."""
        return None

    def key_problem(self) -> str | None:
        """There is no key."""
        return None

    def text_in(self, raw: str) -> str | Refusal | None:  # noqa: ARG002  # of the protocol
        """Return None: a rule's reply is its text."""
        return None

    def estimate(self, prompt: str, audio_s: float, *, batch: bool = False) -> Estimate:  # noqa: ARG002  # a judge's shape
        """It is free and reads nothing."""
        return FREE

    @asynccontextmanager
    async def open(self, clips: BlobStore | None) -> AsyncIterator[JudgeSession]:  # noqa: ARG002  # as above
        """Open the rule, which sends nothing."""
        yield _Rule(judge=self)

    def open_batches(self, clips: BlobStore | None) -> AbstractAsyncContextManager[BatchSession]:  # noqa: ARG002  # as above
        """Refuse.

        Raises:
            SetupError: always.
        """
        raise SetupError("judge 'objective' has no batches: leave `mode` out of the recipe's judge, it is free and immediate")

    def answer(self, facts: Mapping[str, float | None]) -> Reply | Refusal:
        """Judge one pair.

        Args:
            facts: ``<fact>_a`` and ``<fact>_b`` for every one of ``facts``.
        """
        known = {name: value for name, value in facts.items() if value is not None}
        if missing := [name for name in facts if name not in known]:
            return Refusal(reason="missing_metric", message=f"not measured: {', '.join(missing)}")
        a, b = (self.assess({fact: known[f"{fact}_{side}"] for fact in self.facts}) for side in "ab")
        return Reply(text=compose(a, b, _summary(a.scores, b.scores)), model_served=self.model)

    def assess(self, facts: Mapping[str, float]) -> SpeechAssessment:
        """Score one speech.

        Args:
            facts: metric value -> number, every one of ``facts``.
        """
        wer, sim, quality = facts["wer"], facts["sim"], facts["distillmos"]
        span, slope = facts["f0_range_semitones"], facts["f0_slope_semitones_per_s"]
        judged = {
            "text": (10 * math.exp(-_ERROR_WEIGHT * wer), f"a recogniser hears {wer:.3f} errors per word of the text"),
            "speaker": (
                10 * Curve(self.sim_other, self.sim_same)(sim),
                (
                    f"the speaker embedding has a cosine of {sim:.3f} to that of the prompt speech, where one speaker reaches "
                    f"{self.sim_same:g} and two speakers stay near {self.sim_other:g} or below"
                ),
            ),
            "prosody": (
                5 * F0_RANGE(span) + 5 * F0_SLOPE(slope),
                (f"the pitch spans {span:.1f} semitones and moves by {slope:.1f} semitones per second"),
            ),
            "naturalness": (
                10 * DISTILLMOS(quality),
                f"DistillMOS predicts that listeners rate the quality at {quality:.2f} of 5",
            ),
        }
        scores = {dimension.name: round(judged[dimension.key][0], 1) for dimension in DIMENSIONS}
        return SpeechAssessment(
            scores=scores,
            explanations={
                dimension.name: f"{_word(scores[dimension.name])}: {judged[dimension.key][1]}." for dimension in DIMENSIONS
            },
        )


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """The rule as a session."""

    judge: Objective

    async def estimate(self, request: JudgeRequest) -> Estimate:  # noqa: ARG002  # of the protocol
        """It is free."""
        return FREE

    async def attempt(self, request: JudgeRequest) -> Reply | Refusal:
        """Judge."""
        return self.judge.answer(request.facts)


def _word(score: float) -> str:
    return next(word for lowest, word in _WORDS if score >= lowest)


def _summary(a: Mapping[str, float], b: Mapping[str, float]) -> str:
    """Compare in three sentences."""
    leads = {name: round(a[name] - b[name], 1) for name in a}
    total_a, total_b = round(sum(a.values()), 1), round(sum(b.values()), 1)
    winner, loser, sign = ("Speech B", "Speech A", -1) if total_b > total_a else ("Speech A", "Speech B", 1)
    if total_a == total_b:
        return f"By a fixed rule, both speeches reach {total_a:g} of 40 points. The measurements give no preference."
    widest = max(leads, key=lambda name: sign * leads[name])
    behind = [name for name, lead in leads.items() if sign * lead < 0]
    other = f"{loser} is ahead in {' and in '.join(behind)}." if behind else f"{loser} is ahead in none of the four dimensions."
    high, low = max(a[widest], b[widest]), min(a[widest], b[widest])
    return (
        f"By a fixed rule, {winner} reaches {max(total_a, total_b):g} of 40 points and {loser} {min(total_a, total_b):g}. "
        f"The lead is widest in {widest}, with {high:g} against {low:g}. {other}"
    )


PLUGIN = Objective
