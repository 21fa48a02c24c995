"""Runs that are killed: ``kill -9`` before and after each write into a workspace."""

import itertools
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from storage.workspace import Workspace


def killed_at_every_write(origin: Path, folder: Path, run: Callable[[Path], object], check: Callable[[Path], object]) -> int:
    """Run over copies of a workspace, each time killed at another write, and let ``check`` look at what is left.

    Returns:
        How many writes there were to die at.
    """
    for moment in ("before", "after"):
        for number in itertools.count():
            workspace = folder / f"killed {moment} write {number}"
            shutil.copytree(origin, workspace)
            child = os.fork()
            if child == 0:
                _die_at_write(run, workspace, number, moment)
            _, status = os.waitpid(child, 0)
            check(workspace)
            shutil.rmtree(workspace)
            if os.WIFEXITED(status):
                assert os.WEXITSTATUS(status) == 0
                break
            assert os.WTERMSIG(status) == signal.SIGKILL
    return number


def _die_at_write(run: Callable[[Path], object], workspace: Path, number: int, moment: str) -> None:
    """In a child process: run, and kill it at its ``number``-th write."""
    real, count = Workspace.write, 0

    def write(self, name, data):
        nonlocal count
        dying = count == number
        count += 1
        if dying and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, name, data)
        if dying:
            os.kill(os.getpid(), signal.SIGKILL)

    Workspace.write = write
    try:
        run(workspace)
        os._exit(0)
    finally:
        os._exit(1)
