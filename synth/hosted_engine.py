"""Engines whose sessions run in an environment of their own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from contracts import plugins
from contracts.jobs import Failure
from contracts.plugin_environment import Environment, environment_of
from storage.environments.hosted_plugin import HostedPlugin, HostedSession
from synth.engine import RenderRequest, Session, SessionEngine, Waveform


class HostedEngine(HostedPlugin):
    """An engine in an environment of its own."""

    kind: ClassVar[str] = "engine"
    answer_classes: ClassVar[tuple[type, ...]] = (Waveform, Failure)

    def open(self) -> Session:
        """Load the engine there.

        Raises:
            SetupError: the environment cannot be built, or something is missing in it.
        """
        return HostedSpeech(self.start())


class HostedSpeech:
    """An open engine in another interpreter."""

    def __init__(self, session: HostedSession) -> None:
        self._session = session
        self.version = session.facts["version"]
        self.environment_contents = (session.contents,)

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Yield the engine's answers, in order."""
        yield from self._session.answers("render", requests)


def placed_engine(name: str, options: Mapping[str, Any], chosen: Environment | None) -> SessionEngine | HostedEngine:
    """Return an engine where its sessions run: in our interpreter, or hosted in another one.

    Args:
        name: the engine plug-in. A service has no session, and runs in no environment.
        options: its options.
        chosen: what the recipe says; None = what the engine says.

    Raises:
        RecipeError: unknown engine or option.
    """
    engine: SessionEngine = plugins.configure("engine", name, options)
    environment = environment_of(engine, chosen)
    return engine if environment.is_own else HostedEngine(name, options, environment)
