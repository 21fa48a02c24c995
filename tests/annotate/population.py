"""Simulated listeners with known habits, and what they answer: tables of schema ANSWERS for the tests of trust.

The model: an item has a true difference d (above 0: the stored A is better), normal with a spread of its language; a listener
perceives d plus normal noise plus a small lean towards one place of playing. The spreads and the thresholds of the five points
are set so that careful listeners agree with each other as people do in SpeechJudge's Table 5: about half of the pairs on
three labels, 69 % without ties, more in Chinese than on code-switched text. ``binary`` gives A, B or invalid, three votes a pair
(UniSRM); ``cmos`` five points, two votes and a third where they disagree (SpeechJudge).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from annotate.people.store.rule import ANSWERS

Protocol = Literal["binary", "cmos"]
Array = npt.NDArray[Any]

SPREADS: Mapping[str, float] = MappingProxyType({"en": 0.55, "zh": 1.2, "mixed": 0.5})
"""Standard deviation of the true difference, in units of a typical listener's noise."""

TIE, CLEARLY = 0.42, 1.8
"""Perceived differences below the first are ties; from the second on, A+2 or B+2."""

GOLD_EVERY = 10
QUALIFICATION = 5
GOLD_ITEMS = 100
CORRUPT = 0.02
"""Share of pairs that a listener should call invalid."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How listeners of one kind answer, outside the qualification test, which all take seriously.

    Attributes:
        attention: share of items on which they answer what they hear.
        otherwise: what they do else: ``guess`` any answer, prefer the ``first`` place, ``alternate`` places, or say the
            ``opposite`` of what they hear.
        noise_spread: standard deviation of the logarithm of a listener's noise: how unlike each other they are.
        lean_spread: standard deviation of the lean towards a place.
        deciding_s: median time between the end of the audio and the answer, on items that are not hurried.
        hurried: share of items answered within 0.4 s of the end of the audio.
    """

    attention: float = 0.98
    otherwise: Literal["guess", "first", "alternate", "opposite"] = "guess"
    noise_spread: float = 0.25
    lean_spread: float = 0.15
    deciding_s: float = 2.5
    hurried: float = 0.05


KINDS: Mapping[str, Habits] = MappingProxyType({
    "careful": Habits(),
    "careless": Habits(attention=0.1, deciding_s=1.5),
    "fast": Habits(attention=0.6, hurried=0.8),
    "always_left": Habits(attention=0.04, otherwise="first", deciding_s=1.5),
    "adversarial": Habits(attention=0.05, otherwise="opposite"),
    "alternating": Habits(attention=0.04, otherwise="alternate", deciding_s=1.5),
})  # fmt: skip

CROWD: Mapping[str, int] = MappingProxyType(
    {"careful": 40, "careless": 4, "fast": 3, "always_left": 3, "adversarial": 3, "alternating": 3}
)


@dataclass(frozen=True, kw_only=True)
class Listening:
    """What a population answered.

    Attributes:
        answers: table of schema ANSWERS.
        kind_of: annotator id -> kind.
    """

    answers: pa.Table
    kind_of: Mapping[str, str]


def listen(
    protocol: Protocol,
    seed: int,
    *,
    crowd: Mapping[str, int] = CROWD,
    answers_each: int = 240,
    habits: Mapping[str, Habits] = KINDS,
    lean: float = 0.0,
) -> Listening:
    """Return the answers of a crowd.

    Args:
        protocol: ``binary`` or ``cmos``.
        seed: seeds all of it.
        crowd: kind -> how many listeners.
        answers_each: about how many ordinary items each gets; gold items and the qualification test come on top.
        habits: kind -> habits.
        lean: added to every listener's lean, for crowds that favour what they hear first.
    """
    draw = np.random.default_rng([seed, ("binary", "cmos").index(protocol)])
    kinds = [kind for kind, number in crowd.items() for _ in range(number)]
    ids = [f"r{place:03d}" for place in draw.permutation(1000)[: len(kinds)]]
    items, truth, language, corrupt = _items(draw, max(1, len(kinds) * answers_each // 3))
    listeners = np.argsort(draw.random((items, len(kinds))), axis=1)[:, :3]
    sessions = [
        _Session(draw, annotator_id, habits[kind], protocol, lean) for annotator_id, kind in zip(ids, kinds, strict=True)
    ]
    rows: list[dict[str, Any]] = []
    wanted = np.ones(items, dtype=bool)
    for rounds in (slice(0, 2), slice(2, 3)):
        for who, session in enumerate(sessions):
            given = np.nonzero((listeners[:, rounds] == who).any(axis=1) & wanted)[0]
            rows += session.rows(given, truth, corrupt, language)
        if protocol == "cmos":
            wanted = _disagreed(rows, items)
    return Listening(answers=pa.Table.from_pylist(rows, schema=ANSWERS), kind_of=dict(zip(ids, kinds, strict=True)))


def _disagreed(rows: list[dict[str, Any]], items: int) -> Array:
    sides: list[set[str | None]] = [set() for _ in range(items)]
    for row in rows:
        if not row["gold"]:
            sides[int(row["item_id"][1:])].add(row["side"])
    return np.array([len(said) == 2 for said in sides])


def _items(draw: np.random.Generator, items: int) -> tuple[int, Array, Array, Array]:
    language = draw.choice(list(SPREADS), items, p=[0.4, 0.4, 0.2])
    truth = draw.normal(0, 1, items) * np.array([SPREADS[name] for name in language])
    return items, truth, language, draw.random(items) < CORRUPT


class _Session:
    """One listener at work."""

    def __init__(self, draw: np.random.Generator, annotator_id: str, habits: Habits, protocol: Protocol, lean: float) -> None:
        self.draw, self.annotator_id, self.habits, self.protocol = draw, annotator_id, habits, protocol
        self.noise = float(np.exp(draw.normal(0, habits.noise_spread)))
        self.lean = lean + float(draw.normal(0, habits.lean_spread))
        self.gold_items = draw.permutation(GOLD_ITEMS)
        self.gold_seen = self.answered = 0

    def rows(self, given: Array, truth: Array, corrupt: Array, language: Array) -> list[dict[str, Any]]:
        """Return the answers to some items and to the gold items among them, the first time after the qualification test."""
        serious = 0 if self.answered else QUALIFICATION
        gold = self._gold(serious + given.size // (GOLD_EVERY - 1))
        true = np.concatenate([_gold_difference(gold), truth[given]])
        bad = np.concatenate([np.zeros(gold.size, dtype=bool), corrupt[given]])
        names = [f"g{item:06d}" for item in gold] + [f"i{item:06d}" for item in given]
        languages = ["en"] * gold.size + language[given].tolist()
        order = np.concatenate([np.arange(serious), serious + self.draw.permutation(true.size - serious)])
        columns = self._answers(true[order], bad[order], serious)
        found = []
        for place, (item, swapped, perceived, invalid, audio, time) in enumerate(zip(order.tolist(), *columns, strict=True)):
            value, side = _value(self.protocol, -perceived if swapped else perceived, invalid=invalid)
            found.append({
                "answer_id": f"{self.annotator_id}.{self.answered:05d}", "item_id": names[item], "subject_id": f"p.{names[item]}",
                "annotator_id": self.annotator_id, "number": self.answered, "language": languages[item],
                "gold": _right(self.protocol, true[item]) if item < gold.size else [], "qualification": place < serious,
                "value": value, "side": side, "errors_a": None, "errors_b": None, "scores": [],
                "order": "ba" if swapped else "ab", "time_s": time, "audio_s": audio, "plays_a": 1, "plays_b": 1,
                "discarded": None,
            })  # fmt: skip
            self.answered += 1
        return found

    def _gold(self, number: int) -> Array:
        chosen = self.gold_items[self.gold_seen : self.gold_seen + number]
        self.gold_seen += number
        return chosen

    def _answers(self, true: Array, bad: Array, serious: int) -> tuple[list[Any], ...]:
        draw, habits, size = self.draw, self.habits, true.size
        testing = np.arange(size) < serious
        swapped = draw.random(size) < 0.5
        heard = np.where(swapped, -true, true) + draw.normal(0, self.noise, size) + self.lean
        attentive = testing | (draw.random(size) < habits.attention)
        perceived = np.where(attentive, heard, self._otherwise(heard))
        invalid = bad & attentive & (draw.random(size) < 0.9)
        audio = draw.uniform(6.0, 24.0, size)
        deciding = 0.5 + habits.deciding_s * np.exp(draw.normal(0, 0.6, size))
        hurried = ~testing & (draw.random(size) < habits.hurried)
        time = audio + np.where(hurried, draw.uniform(0, 0.4, size), deciding)
        return tuple(column.tolist() for column in (swapped, perceived, invalid, audio, time))

    def _otherwise(self, heard: Array) -> Array:
        """Return what is 'perceived', in the order played, on items without attention."""
        if self.habits.otherwise == "opposite":
            return -heard
        if self.habits.otherwise == "first":
            return np.full(heard.size, 1.0)
        if self.habits.otherwise == "alternate":
            return np.where((self.answered + np.arange(heard.size)) % 2 == 0, 1.0, -1.0)
        # A guess is any of the five points alike, and of two sides either.
        tie = self.draw.choice([-0.1, 0.1], heard.size)
        points = np.stack([np.full(heard.size, point) for point in (-2.5, -1.0, 1.0, 2.5)] + [tie])
        return points[self.draw.integers(0, 5, heard.size), np.arange(heard.size)]


def _gold_difference(gold: Array) -> Array:
    """Return the true difference of gold items: plain, to either side, and the same for all listeners."""
    return np.where(gold % 2 == 0, 1.0, -1.0) * (2.5 + (gold % 7) / 4)


def _value(protocol: Protocol, perceived: float, *, invalid: bool) -> tuple[str, str | None]:
    side = "a" if perceived > 0 else "b"
    if protocol == "binary":
        return ("invalid", None) if invalid else (side.upper(), side)
    if abs(perceived) < TIE:
        return "T", None
    return f"{side.upper()}+{2 if abs(perceived) >= CLEARLY else 1}", side


def _right(protocol: Protocol, true: float) -> list[str]:
    side = "A" if true > 0 else "B"
    return [side] if protocol == "binary" else [f"{side}+1", f"{side}+2"]


def excluded_by_kind(kind_of: Mapping[str, str], excluded: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return kind -> (how many were excluded, how many there are)."""
    out = set(excluded)
    found: dict[str, tuple[int, int]] = {}
    for annotator_id, kind in kind_of.items():
        hits, number = found.get(kind, (0, 0))
        found[kind] = (hits + (annotator_id in out), number + 1)
    return found


def with_habits(kind: str, **changes: Any) -> dict[str, Habits]:
    """Return the habits of all kinds, one of them changed."""
    return dict(KINDS) | {kind: replace(KINDS[kind], **changes)}
