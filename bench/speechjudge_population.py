"""A simulated population of annotators: what 69 people would say of pairs whose clips differ in quality by a known amount.

A pair has a gap of quality, drawn from a normal distribution. An annotator hears the gap with noise of their own, says tie
where what they heard is within the width of a tie, else A or B, and "significantly" where it is far out. Two annotators vote on
each pair, and a third where these differ (SpeechJudge, section 3.2). Gap and width, in units of the mean noise, are fitted to
two published shares: 51.5 % of full and 17.2 % of weak agreement (section 3.2). All else follows, or does not.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FULL: Final = 0.515
WEAK: Final = 0.172
ANNOTATORS: Final = 69
VALUES: Final = ("A+2", "A+1", "T", "B+1", "B+2")

_NODES: Final = 80
_STRONG: Final = 2.0  # how many widths of a tie from 0 a preference is significant


@dataclass(frozen=True, kw_only=True)
class Population:
    """Parameters, in units of the noise of a mean annotator.

    Attributes:
        gap: standard deviation of the gaps of quality.
        tie: width of a tie to each side.
        annotators: how many people there are.
        spread: standard deviation of the logarithm of their noise.
    """

    gap: float
    tie: float
    annotators: int = ANNOTATORS
    spread: float = 0.25


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Votes, by pair.

    Attributes:
        pair: number of the pair of each vote, ascending.
        annotator: number of the annotator.
        value: place in ``VALUES``.
    """

    pair: Ints
    annotator: Ints
    value: Ints


def level_shares(gap: float, tie: float) -> dict[str, float]:
    """Return the shares of FA, WA, WD and FD where all annotators are alike, by quadrature over the gaps."""
    from scipy.stats import norm

    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    a = norm.sf(tie - gap * nodes)
    b = norm.cdf(-tie - gap * nodes)
    t = 1 - a - b
    shares = {
        "FA": a**2 + b**2 + t**2,
        "WA": 2 * a * t * (a + t) + 2 * b * t * (b + t),
        "WD": 2 * a * b * (a + b),
        "FD": 6 * a * b * t,
    }
    return {name: float(weights @ share) for name, share in shares.items()}


def fitted(full: float = FULL, weak: float = WEAK) -> Population:
    """Return the population with these shares of full and weak agreement.

    Raises:
        ValueError: no gap and width give them.
    """
    from scipy.optimize import least_squares

    def missed(logs: Floats) -> list[float]:
        shares = level_shares(*np.exp(logs))
        return [shares["FA"] - full, shares["WA"] - weak]

    found = least_squares(missed, np.log([1.0, 0.3]), xtol=1e-12, ftol=1e-12)
    if np.abs(found.fun).max() > 1e-4:
        raise ValueError(f"no gap and tie give {full:.1%} full and {weak:.1%} weak agreement; nearest: {np.exp(found.x)}")
    gap, tie = np.exp(found.x).tolist()
    return Population(gap=gap, tie=tie)


def cast_votes(gaps: Floats, population: Population, seed: int) -> Cast:
    """Return what people say of pairs: two each, and a third where the first two differ.

    Args:
        gaps: how much better A is, per pair.
        population: who is asked; nobody is asked twice about one pair.
        seed: decides who hears what.
    """
    draw = np.random.default_rng(seed)
    pairs = len(gaps)
    # The mean of the noise is 1 whatever its spread.
    noise = np.exp(draw.normal(-(population.spread**2) / 2, population.spread, population.annotators))
    first = draw.integers(0, population.annotators, pairs)
    second = (first + draw.integers(1, population.annotators, pairs)) % population.annotators
    low, high = np.minimum(first, second), np.maximum(first, second)
    third = draw.integers(0, population.annotators - 2, pairs)
    third += third >= low
    third += third >= high
    who = np.stack([first, second, third], axis=1)
    heard = gaps[:, None] + draw.normal(size=who.shape) * noise[who]
    edges = population.tie * np.array([-_STRONG, -1, 1, _STRONG])
    values = len(VALUES) - 1 - np.digitize(heard, edges)
    side = np.array([0, 0, 2, 1, 1])[values]
    asked = np.stack([np.ones(pairs, bool), np.ones(pairs, bool), side[:, 0] != side[:, 1]], axis=1)
    place = np.nonzero(asked)
    return Cast(pair=place[0].astype(np.int64), annotator=who[asked].astype(np.int64), value=values[asked].astype(np.int64))
