"""The features of clips that an audit looks at, by name."""

from collections.abc import Mapping
from typing import Final

from contracts import plugins

POSITION: Final = "position"
OF_CLIPS: Final[Mapping[str, float]] = {"duration_s": 0.01, "loudness_lufs": 0.1, "text_length": 1.0}
"""Nuisances of every clip -> the smallest difference that counts; text in characters."""

ORIGINS: Final = ("is_synthetic", "system", "corruption")
"""What made a clip. Systems differ in quality, and what was corrupted is worse: a label may go along with these."""


def nuisances_of(metric: str) -> Mapping[str, float]:
    """Return the nuisances that a metric plug-in measures: value name -> the smallest difference that counts."""
    found: Mapping[str, float] = getattr(plugins.load("metric", metric), "nuisances", {})
    return found


def unmeasured(metrics: tuple[str, ...]) -> dict[str, str]:
    """Return nuisance -> the metric that measures it, of metrics that are not among these."""
    others = (name for name in sorted(plugins.intact("metric")) if name not in metrics)
    return {value: name for name in others for value in nuisances_of(name)}
