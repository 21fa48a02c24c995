"""Environments on a cluster: each is built on a node that can run its plug-in, and tried, before any work."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from contracts.errors import SetupError
from contracts.jobs import Job, Outcome, Resources
from contracts.schemas import FAILURES
from flows.run.fanout import fan_out
from storage.downloads import unobtainable
from storage.environments.hosted_plugin import HostedPlugin, hosted_in


@dataclass(frozen=True, kw_only=True, eq=False)
class PrepareJob:
    """Build the environment of one plug-in and ask the plug-in in it what is missing. It makes no rows.

    Attributes:
        who: the plug-in's name in messages.
        plugin: the plug-in.
    """

    stage: ClassVar[str] = "environments"
    table: ClassVar[str] = "failures"

    who: str
    plugin: HostedPlugin

    @property
    def name(self) -> str:
        """The plug-in."""
        return self.who

    @property
    def resources(self) -> Resources:
        """What a session occupies, so that the node is one that could run it."""
        return self.plugin.resources

    def open(self) -> "PrepareSession":
        """Build and ask.

        Raises:
            SetupError: the environment cannot be built, or the plug-in in it misses something.
        """
        try:
            self.plugin.build()
            problem = self.plugin.missing() or unobtainable(self.plugin)
        except SetupError as error:
            problem = str(error)
        if problem is not None:
            raise SetupError(f"{self.who}: {problem}")
        return PrepareSession()


class PrepareSession:
    """Says nothing more."""

    def run(self, batch: pa.Table) -> Outcome:
        """Give the request back."""
        return Outcome(rows=batch, failures=FAILURES.empty_table())


def prepare_on_cluster(needs: Mapping[str, Any]) -> None:
    """Build every environment on one node of the running cluster; other nodes build theirs when they open a session.

    Raises:
        SetupError: one cannot be built, or the plug-in in it misses something.
    """
    work: list[tuple[Job, pa.Table]] = [
        (PrepareJob(who=who, plugin=hosted), pa.table({"row_id": [who], "subject_id": [who]}))
        for who, plugin in needs.items()
        for hosted in hosted_in(plugin)
    ]
    fan_out(work, lambda _job, _outcome: None)
