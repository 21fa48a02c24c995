"""A recogniser for each language: SpeechJudge (App. C) takes Whisper for English, Paraformer for Chinese and mixed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import SetupError
from contracts.jobs import Resources
from contracts.languages import Language
from scoring.hosted_model import placed_transcriber
from scoring.metric import Waveform
from scoring.transcriber import Transcriber, TranscriberSession
from storage.downloads import Download, Downloading
from storage.environments.hosted_plugin import HostedPlugin, hosted_in


class RoutedSession:
    """One loaded recogniser per name, chosen by language."""

    def __init__(self, routes: Mapping[str, str], sessions: Mapping[str, TranscriberSession]) -> None:
        self._routes = routes
        self._sessions = sessions
        by_route = sorted(routes.items())
        self.environment_contents = tuple(
            contents for _, session in sorted(sessions.items()) for contents in getattr(session, "environment_contents", ())
        )
        self.model = "; ".join(f"{language}: {sessions[name].model}" for language, name in by_route)
        self.model_version = "; ".join(f"{language}: {sessions[name].model_version}" for language, name in by_route)

    def transcribe(self, waveform: Waveform, language: str) -> str:
        """Return the transcript of the language's recogniser."""
        return self._sessions[self._routes[language]].transcribe(waveform, language)


@dataclass(frozen=True, kw_only=True)
class ByLanguage:
    """Several recognisers in one session.

    Attributes:
        routes: language -> name of an asr plug-in.
        options: name of an asr plug-in -> its options.
    """

    routes: Mapping[Language, str] = field(
        default_factory=lambda: {"en": "whisper_large_v3", "zh": "paraformer_zh", "mixed": "paraformer_zh"}
    )
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unused = sorted(set(self.options) - set(self.routes.values()))
        if unused:
            raise ValueError(f"options for {', '.join(unused)}, which no language is routed to")
        for language, name in self.routes.items():
            if language not in self._transcribers()[name].languages:
                raise ValueError(f"{name} does not understand {language!r}")

    def _transcribers(self) -> dict[str, Transcriber]:
        return {name: placed_transcriber(name, self.options.get(name), None) for name in sorted(set(self.routes.values()))}

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have a route."""
        return tuple(sorted(self.routes))

    @property
    def resources(self) -> Resources:
        """One core, and the GPU shares of all recognisers together."""
        each = [transcriber.resources for transcriber in self._transcribers().values()]
        return Resources(gpus=sum(one.gpus for one in each), batch_size=min(one.batch_size for one in each))

    def hosted(self) -> list[HostedPlugin]:
        """Return the recognisers that run in environments of their own."""
        return [hosted for transcriber in self._transcribers().values() for hosted in hosted_in(transcriber)]

    def missing(self) -> str | None:
        """Return the first thing that any recogniser lacks."""
        problems = [(name, transcriber.missing()) for name, transcriber in self._transcribers().items()]
        return next((f"{name}: {problem}" for name, problem in problems if problem), None)

    def downloads(self) -> list[Download]:
        """Return what the recognisers fetch on first use."""
        each = self._transcribers().values()
        return [file for transcriber in each if isinstance(transcriber, Downloading) for file in transcriber.downloads()]

    def installed_version(self) -> str | None:
        """Return what a session here reports as its version."""
        each = {name: transcriber.installed_version() for name, transcriber in self._transcribers().items()}
        if None in each.values():
            return None
        return "; ".join(f"{language}: {each[name]}" for language, name in sorted(self.routes.items()))

    def open(self) -> RoutedSession:
        """Load all recognisers."""
        if problem := self.missing():
            raise SetupError(problem)
        return RoutedSession(self.routes, {name: transcriber.open() for name, transcriber in self._transcribers().items()})


PLUGIN = ByLanguage
