"""Running a command as a Prefect flow with its progress on the terminal."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from flows.run.ending import own_signals

if TYPE_CHECKING:
    from flows.run.progress import Progress


def run_in_flow(name: str, body: Callable[["Progress"], Any]) -> Any:
    """Run ``body`` as a Prefect flow with its progress on this terminal, and return its outcome."""
    from flows.run.local_api import prefect_api

    for level in ("PREFECT_LOGGING_LEVEL", "PREFECT_INTERNAL_LOGGING_LEVEL"):
        os.environ.setdefault(level, "CRITICAL")  # errors are raised here and printed as one line
    with prefect_api() as api, observed() as progress:
        from prefect import flow

        from flows.entry.prefect_runs import as_state

        outcomes, started = list[Any](), threading.Event()

        # A deployment's flow takes names; this one closes over the open build.
        @flow(name=name, persist_result=False)
        def run() -> object:
            started.set()
            with own_signals(), api.in_reach():
                outcomes.append(body(progress))
            return as_state(outcomes[-1])

        api.run_flow(run, started.is_set)
        return outcomes[-1]


@contextlib.contextmanager
def observed() -> Iterator["Progress"]:
    """Yield an observer that shows progress on this terminal, or in its log."""
    from flows.run.progress import Lines, Terminal

    if sys.stderr.isatty():
        with Terminal() as bars:
            yield bars
    else:
        yield Lines()
