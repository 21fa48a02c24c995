"""Metrics and recognisers whose sessions run in an environment of their own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from contracts import plugins
from contracts.jobs import Failure
from contracts.plugin_environment import Environment, environment_of
from scoring.metric import Measurement, Metric, MetricRequest, MetricSession, Waveform
from scoring.transcriber import Transcriber, TranscriberSession
from storage.environments.hosted_plugin import HostedPlugin, HostedSession


@runtime_checkable
class PlacesItsModel(Protocol):
    """A metric that runs here, and whose model is a plug-in of its own that may run elsewhere."""

    def with_model_in(self, environment: Environment) -> Metric:
        """Return the same metric with its model in an environment."""
        ...


class HostedMetric(HostedPlugin):
    """A metric in an environment of its own."""

    kind: ClassVar[str] = "metric"
    answer_classes: ClassVar[tuple[type, ...]] = (Measurement, Failure)

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of its values."""
        names: tuple[str, ...] = self.plugin.value_names
        return names

    @property
    def needs_reference(self) -> bool:
        """Whether it compares a clip with a reference."""
        return bool(self.plugin.needs_reference)

    def open(self) -> MetricSession:
        """Load the model there."""
        return HostedMeasuring(self.start())


class HostedMeasuring:
    """An open metric in another interpreter."""

    def __init__(self, session: HostedSession) -> None:
        self._session = session
        self.model = session.facts["model"]
        self.model_version = session.facts["model_version"]
        self.environment_contents = (session.contents,)

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Yield the metric's answers, in order."""
        yield from self._session.answers("measure", requests)


class HostedTranscriber(HostedPlugin):
    """A recogniser in an environment of its own."""

    kind: ClassVar[str] = "asr"

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that it understands."""
        languages: tuple[str, ...] = self.plugin.languages
        return languages

    def open(self) -> TranscriberSession:
        """Load the model there."""
        return HostedTranscription(self.start())


class HostedTranscription:
    """An open recogniser in another interpreter."""

    def __init__(self, session: HostedSession) -> None:
        self._session = session
        self.model = session.facts["model"]
        self.model_version = session.facts["model_version"]
        self.environment_contents = (session.contents,)

    def transcribe(self, waveform: Waveform, language: str) -> str:
        """Return the recogniser's transcript."""
        return str(self._session.answer("transcribe", waveform, language))


def placed_metric(name: str, options: Mapping[str, Any], chosen: Environment | None) -> Metric:
    """Return a metric where its session runs: in our interpreter, or hosted in another one.

    Args:
        name: the metric plug-in.
        options: its options.
        chosen: what the recipe says; None = what the metric says. It is meant for the model: a metric whose model is a plug-in
            of its own stays here.

    Raises:
        RecipeError: unknown metric or option.
    """
    metric: Metric = plugins.configure("metric", name, options)
    environment = environment_of(metric, chosen)
    if chosen is not None and isinstance(metric, PlacesItsModel):
        return metric.with_model_in(chosen)
    if environment.is_own:
        return metric
    return HostedMetric(name, options, environment)  # type: ignore[return-value]  # its class variables are the metric's


def placed_transcriber(name: str, options: Mapping[str, Any] | None, chosen: Environment | None) -> Transcriber:
    """Return a recogniser where its session runs: in our interpreter, or hosted in another one.

    Args:
        name: the asr plug-in.
        options: its options.
        chosen: what the recipe says; None = what the recogniser says.

    Raises:
        RecipeError: unknown recogniser or option.
    """
    transcriber: Transcriber = plugins.configure("asr", name, options)
    environment = environment_of(transcriber, chosen)
    return transcriber if environment.is_own else HostedTranscriber(name, options or {}, environment)
