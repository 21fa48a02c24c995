"""Limits on what a clip may measure as soon as it is made: one that babbles, or says something else, has failed."""

import json
from dataclasses import dataclass

from contracts import plugins
from contracts.errors import RecipeError
from contracts.jobs import Failure, Resources
from scoring.metric import Metric, MetricRequest, MetricSession
from synth.engine import Waveform

OVER_LIMIT = "over_limit"
"""Reason of failures of clips that measure more than they may."""


@dataclass(frozen=True, kw_only=True)
class ClipLimit:
    """The most that a clip may measure.

    Attributes:
        metric: name of the metric plug-in; it compares clip and text, without a reference.
        options: its options as canonical JSON.
        value: the value of the metric that counts.
        at_most: largest value of a good clip.
    """

    metric: str
    options: str
    value: str
    at_most: float

    def configured(self) -> Metric:
        """Return the metric.

        Raises:
            RecipeError: unknown metric or option, one that needs a reference, or one without this value.
        """
        metric: Metric = plugins.configure("metric", self.metric, json.loads(self.options))
        if metric.needs_reference:
            raise RecipeError(f"metric {self.metric!r} measures against reference speech; a limit takes one without")
        if self.value not in metric.value_names:
            raise RecipeError(f"metric {self.metric!r} has no value {self.value!r}; it has {', '.join(metric.value_names)}")
        return metric

    @property
    def resources(self) -> Resources:
        """What the metric occupies beside an engine."""
        return self.configured().resources

    def open(self) -> "OpenLimit":
        """Load the metric.

        Raises:
            SetupError: it cannot run on this machine.
        """
        return OpenLimit(self, self.configured().open())


class OpenLimit:
    """A limit with its metric loaded."""

    def __init__(self, limit: ClipLimit, session: MetricSession) -> None:
        self._limit = limit
        self._session = session

    def excess(self, waveform: Waveform, *, sample_id: str, text: str, language: str) -> Failure | None:
        """Return why a clip is refused; None = it keeps to the limit, or the metric cannot measure it."""
        samples, rate = waveform.samples, waveform.sample_rate_hz
        request = MetricRequest(sample_id=sample_id, waveform=samples, sample_rate_hz=rate, text=text, language=language)
        [found] = self._session.measure([request])
        value = None if isinstance(found, Failure) else found.values[self._limit.value]
        if isinstance(found, Failure) or value is None or value <= self._limit.at_most:
            return None
        rests_on = f": {found.detail}" if found.detail else ""
        return Failure(OVER_LIMIT, f"{self._limit.value} {value:.3g}, at most {self._limit.at_most:g}{rests_on}"[:1000])
