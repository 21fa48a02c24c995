"""Simulated pairs, with or without shortcuts."""

from dataclasses import dataclass

import numpy as np

NAMES = ("position", "duration_s", "loudness_lufs", "bandwidth_hz", "f0_median_hz", "is_synthetic")


@dataclass(frozen=True)
class Simulated:
    """Pairs of clips: value of A less that of B by feature, which is chosen (+1 = A), and the leakage group."""

    differences: dict
    chosen: np.ndarray
    groups: np.ndarray

    def swapped(self, pairs):
        """Return the same pairs with A and B exchanged where ``pairs`` is true; the position is that of A all the same."""
        sign = np.where(pairs, -1.0, 1.0)
        differences = {name: v if name == "position" else v * sign for name, v in self.differences.items()}
        return Simulated(differences, self.chosen * sign, self.groups)

    def taken(self, rows):
        """Return some of the pairs."""
        return Simulated({n: v[rows] for n, v in self.differences.items()}, self.chosen[rows], self.groups[rows])


def pairs(seed, *, groups=120, size=6, shortcuts=()):
    """Return pairs whose labels depend on each other within a group, as those of one text do.

    Args:
        seed: of numpy.
        groups: leakage groups.
        size: pairs of each.
        shortcuts: ``louder`` (the chosen clip by 6 dB), ``longer`` (by 20 %) and ``real`` (always a recording).
    """
    draw = np.random.default_rng(seed)
    count = groups * size
    group = np.repeat(np.arange(groups), size)
    # All pairs of a text were once decided the same way, once each for itself.
    together = draw.choice([-1.0, 1.0], groups)[group]
    chosen = np.where(draw.random(count) < 0.5, together, draw.choice([-1.0, 1.0], count))
    length = draw.uniform(2, 8, (count, 2))
    loudness = draw.normal(-26, 2, (count, 2))
    synthetic = draw.integers(0, 2, (count, 2)).astype(float)
    better, worse = np.where(chosen > 0, 0, 1), np.where(chosen > 0, 1, 0)
    rows = np.arange(count)
    if "longer" in shortcuts:
        length[:, 1] = length[:, 0] * draw.normal(1, 0.1, count)
        length[rows, better] *= 1.2
    if "louder" in shortcuts:
        loudness[rows, better] += 6
    if "real" in shortcuts:
        synthetic[rows, better], synthetic[rows, worse] = 0, 1
    bandwidth = draw.choice([3400.0, 7000.0, 8000.0], (count, 2))
    pitch = draw.normal(150, 40, (count, 2))
    pitch[draw.random((count, 2)) < 0.05] = np.nan
    values = (length, loudness, bandwidth, pitch, synthetic)
    differences = {name: value[:, 0] - value[:, 1] for name, value in zip(NAMES[1:], values, strict=True)}
    return Simulated({"position": np.ones(count)} | differences, chosen, group)
