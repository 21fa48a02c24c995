"""The headphone check: counts of tones in each ear, and the quietest of three tones.

Counting tones is ReSEval's check. The quietest of three is that of Woods et al. (2017, Attention, Perception & Psychophysics
79): one tone is 6 dB softer; another has its channels in opposite phase, and is softest only where the channels mix in the air,
as with loudspeakers. The server draws the tones and keeps the answers.
"""

import random
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from annotate.people.web.audio import encoded
from annotate.people.web.buckets import Allowance, Buckets

if TYPE_CHECKING:
    import numpy.typing as npt

RATE_HZ: Final = 24_000
MAX_TONES: Final = 4
TRIES: Final = Allowance(burst=3, per_s=1 / 600)
QUIETER_DB: Final = -6.0

_LEVEL: Final = 0.1
_MAX_OPEN: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Puzzle:
    """One question of the headphone check.

    Attributes:
        kind: ``count`` asks for tones left and right, ``quietest`` for a position 1 to 3.
        tones: in order: ``left``, ``right``; or ``plain``, ``soft``, ``opposite``.
    """

    kind: Literal["count", "quietest"]
    tones: tuple[str, ...]

    @property
    def answers(self) -> Mapping[str, int]:
        """Field -> right number."""
        if self.kind == "count":
            return {side: self.tones.count(side) for side in ("left", "right")}
        return {"position": self.tones.index("soft") + 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """The puzzles of one listener at one time."""

    challenge_id: str
    puzzles: tuple[Puzzle, ...]

    @property
    def answers(self) -> dict[str, str]:
        """Return the form that passes: field -> number in digits."""
        return {
            f"{number}-{name}": str(value)
            for number, puzzle in enumerate(self.puzzles)
            for name, value in puzzle.answers.items()
        }


def draw_puzzles(rng: random.Random) -> tuple[Puzzle, ...]:
    """Return one puzzle of counting and two of the quietest tone; guessing passes once in 16 * 3 * 3 = 144 times."""
    sides = ["left"] * rng.randint(1, MAX_TONES) + ["right"] * rng.randint(1, MAX_TONES)
    rng.shuffle(sides)
    quietest = []
    for _ in range(2):
        tones = ["plain", "soft", "opposite"]
        rng.shuffle(tones)
        quietest.append(Puzzle(kind="quietest", tones=tuple(tones)))
    return (Puzzle(kind="count", tones=tuple(sides)), *quietest)


def sound(puzzle: Puzzle) -> bytes:
    """Return a puzzle as a stereo FLAC file."""
    if puzzle.kind == "count":
        tone, rest = _tone(660, 0.25), _silence(0.3)
        parts = [np.stack([tone * (side == "left"), tone * (side == "right")], axis=1) for side in puzzle.tones]
    else:
        tone, rest = _tone(200, 0.7), _silence(0.4)
        soft = tone * 10 ** (QUIETER_DB / 20)
        shapes = {"plain": (tone, tone), "soft": (soft, soft), "opposite": (tone, -tone)}
        parts = [np.stack(shapes[name], axis=1) for name in puzzle.tones]
    track = np.concatenate([piece for part in parts for piece in (rest, part)])
    return encoded(np.rint(track * 32767).astype(np.int16), RATE_HZ)


def _tone(frequency_hz: float, duration_s: float) -> "npt.NDArray[np.float64]":
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    ramp = np.clip(np.minimum(time_s, duration_s - time_s) / 0.03, 0, 1)  # without a ramp, a click would reveal the side
    tone: npt.NDArray[np.float64] = _LEVEL * ramp * np.sin(2 * np.pi * frequency_hz * time_s)
    return tone


def _silence(duration_s: float) -> "npt.NDArray[np.float64]":
    return np.zeros((round(duration_s * RATE_HZ), 2))


class Challenges:
    """The open challenges, one per listener, with a limit on tries. In memory: lost at a restart. Thread-safe."""

    def __init__(self, *, tries: Allowance = TRIES, clock: Callable[[], float] | None = None) -> None:
        self._tries = Buckets(tries, clock=clock) if clock else Buckets(tries)
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Challenge] = OrderedDict()
        self._rng = random.SystemRandom()

    def current(self, annotator_id: str) -> Challenge:
        """Return the open challenge of a listener, created if there is none; a reload shows the same one."""
        with self._lock:
            if annotator_id not in self._open:
                self._open[annotator_id] = Challenge(challenge_id=secrets.token_urlsafe(12), puzzles=draw_puzzles(self._rng))
                if len(self._open) > _MAX_OPEN:
                    self._open.popitem(last=False)
            return self._open[annotator_id]

    def grade(self, annotator_id: str, challenge_id: str, answers: Mapping[str, str]) -> tuple[bool | None, float]:
        """Grade answers and close the challenge.

        Returns:
            Whether they are right, None if they are not for the open challenge or no try is left; and the seconds until the
            next try.
        """
        with self._lock:
            challenge = self._open.get(annotator_id)
            if challenge is None or challenge.challenge_id != challenge_id:
                return None, 0.0
            if wait_s := self._tries.take(annotator_id):
                return None, wait_s
            del self._open[annotator_id]
        return dict(answers) == challenge.answers, 0.0
