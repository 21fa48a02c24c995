"""A plug-in whose sessions run in another interpreter: what general code asks of it, and its open session.

Its options, parameters, voices and resources are those of its class, which is imported in our interpreter, too. Whether it can
run and which version it has is asked in its environment.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from contracts import plugins
from contracts.errors import SetupError
from contracts.jobs import Resources
from contracts.plugin_environment import Environment
from storage.downloads import Download, Downloading
from storage.environments import environment_cache
from storage.environments.host_process import HostProcess


class HostedPlugin:
    """A configured plug-in and the environment of its sessions.

    Args:
        name: the plug-in.
        options: its options.
        environment: where its sessions run; not our own interpreter.

    Attributes:
        kind: kind of the plug-in.
        answer_classes: the dataclasses that its sessions answer with.
        plugin: the plug-in, configured in our interpreter.

    Raises:
        RecipeError: unknown plug-in or option.
    """

    kind: ClassVar[str]
    answer_classes: ClassVar[tuple[type, ...]] = ()

    def __init__(self, name: str, options: Mapping[str, Any], environment: Environment) -> None:
        self.plugin: Any = plugins.configure(self.kind, name, options)
        self.environment = environment
        self._name = name
        self._options = dict(options)

    def __reduce__(self) -> tuple[type[Self], tuple[str, dict[str, Any], Environment]]:
        """Send the name of the plug-in: the module of one in a user's folder is not known by name elsewhere."""
        return type(self), (self._name, self._options, self.environment)

    @property
    def resources(self) -> Resources:
        """Resources of one session."""
        resources: Resources = self.plugin.resources
        return resources

    def downloads(self) -> Sequence[Download]:
        """Return the files that a session downloads; none for a container, which has caches of its own."""
        return self.plugin.downloads() if isinstance(self.plugin, Downloading) and not self.environment.image else ()

    def is_built(self) -> bool:
        """Tell whether its environment is there; an interpreter or image that is named counts as such."""
        return not self.environment.requirements or environment_cache.built(self.environment) is not None

    def build(self) -> None:
        """Build its environment if it is not there.

        Raises:
            SetupError: it cannot be built.
        """
        if self.environment.requirements:
            environment_cache.build(self.environment)

    def missing(self) -> str | None:
        """Return what is missing before it can run: its environment, or what the plug-in misses in there; None = nothing.

        The modules that a session imports are tried, once for each built environment: that takes half a minute for some.
        """
        if not self.is_built():
            return f"its environment ({self.environment}) is not built yet: a build does that first"
        try:
            process = self._process()
        except SetupError as error:
            return str(error)
        found = environment_cache.built(self.environment) if self.environment.requirements else None
        modules = getattr(self.plugin, "session_modules", ())
        is_tried = found is not None and found.has_imported(modules)
        try:
            problem: str | None = process.ask(do="missing", modules=() if is_tried else modules)
        finally:
            process.close()
        if problem is not None:
            return f"in its environment ({self.environment}): {problem}"
        if found is not None and not is_tried:
            found.note_imported(modules)
        return None

    def installed_version(self) -> str | None:
        """Return the version that a session would report; None = only an open session can. Its environment is there."""
        process = self._process()
        try:
            version: str | None = process.ask(do="installed_version")
        finally:
            process.close()
        return version

    def start(self) -> "HostedSession":
        """Open a session in the environment, which is built if it is not there.

        Raises:
            SetupError: the environment cannot be built, or the plug-in cannot run in it.
        """
        self.build()
        process = self._process()
        facts = process.ask(do="open", limit_s=None)
        contents = {"kind": self.kind, "name": self._name, "environment": self.environment.literals()}
        return HostedSession(process, facts, contents | process.ask(do="contents"))

    def _process(self) -> HostProcess:
        return HostProcess(
            self.kind,
            self._name,
            self._options,
            environment=self.environment,
            python=self._python(),
            answers=self.answer_classes,
        )

    def _python(self) -> Path | None:
        """Return the interpreter; None = that of the image."""
        if self.environment.image is not None:
            return None
        if self.environment.interpreter is not None:
            return Path(self.environment.interpreter)
        return environment_cache.build(self.environment).python


def hosted_in(plugin: Any) -> Sequence[HostedPlugin]:
    """Return the hosted plug-ins that must work before a plug-in can: itself if it is one, or its models.

    Args:
        plugin: a plug-in; one whose models are plug-ins of their own has a method ``hosted``.
    """
    if isinstance(plugin, HostedPlugin):
        return (plugin,)
    models: Sequence[HostedPlugin] = plugin.hosted() if hasattr(plugin, "hosted") else ()
    return models


class HostedSession:
    """An open session in another interpreter.

    Attributes:
        facts: its ``version``, ``model`` and ``model_version``, as far as it has them.
        contents: what is in its environment: ``environment``, ``packages``, ``python_version``; and ``kind`` and ``name``.
    """

    def __init__(self, process: HostProcess, facts: Mapping[str, str], contents: Mapping[str, Any]) -> None:
        self._process = process
        self.facts = facts
        self.contents = contents

    def answer(self, method: str, *arguments: Any) -> Any:
        """Return what a method of the session returns."""
        (answer,) = self._process.call(method, *arguments, many=False)
        return answer

    def answers(self, method: str, *arguments: Any) -> Iterator[Any]:
        """Yield what a method of the session yields."""
        return self._process.call(method, *arguments, many=True)
