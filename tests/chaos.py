"""Random kills over a small build: ``make chaos``, or ``python -m tests.chaos --kills 50 --seed 1``.

Each time a build starts from one of three prepared workspaces; at a random moment a random process of its tree gets a random
signal. Then the same command runs again, unless the build was through. Right is: the build ended within a minute or carried on,
with one line at most; the release is that of an undisturbed build, byte for byte; no process and no lock is left; and the books
hold at least what the judge charged.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.run.kind import stages_of
from flows.run.pipeline import open_build
from tests.e2e.hits import Ended, Judge, Prepared, Running, digests

STARTS: Final = ("utterances", "samples", "judgments")
SIGNALS: Final = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
END_S: Final = 60.0
HEAD: Final = ("n", "process", "signal", "stage", "ended_s", "code", "same", "left", "locked", "bill_usd", "books_usd", "")


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One kill and what came of it."""

    number: int
    process: str
    signal: str
    stage: str
    ended: Ended
    same: bool
    bill_usd: float
    books_usd: float
    limit_s: float

    def faults(self) -> list[str]:
        """Return what is wrong, in a few words each."""
        told = self.process == "driver" and self.signal in {"SIGINT", "SIGTERM"}
        right = {0, 128 + signal.Signals[self.signal]} if told else {0, 2, -signal.SIGKILL if self.process == "driver" else 2}
        wrong = {
            "hung": self.ended.code is None,
            "late": self.ended.seconds > self.limit_s,
            "code": self.ended.code not in right,
            "lines": len(self.ended.lines) > 1,
            "release": not self.same,
            "processes": bool(self.ended.left),
            "lock": self.ended.locked,
            "books": self.books_usd < self.bill_usd - 1e-9,
        }
        return [name for name, is_so in wrong.items() if is_so]

    def cells(self) -> tuple[str, ...]:
        """Return its row of the table."""
        return (
            str(self.number),
            self.process,
            self.signal,
            self.stage,
            f"{self.ended.seconds:.1f}",
            str(self.ended.code),
            "yes" if self.same else "NO",
            str(len(self.ended.left)),
            "yes" if self.ended.locked else "no",
            f"{self.bill_usd:.6f}",
            f"{self.books_usd:.6f}",
            ", ".join(self.faults()),
        )


def calm_seconds(prepared: Prepared) -> dict[str, float]:
    """Return how long a build takes from each start when nobody disturbs it.

    Raises:
        RuntimeError: such a build does not end in the expected release.
    """
    took = {}
    for start in STARTS:
        began = time.monotonic()
        ended = Running(prepared, prepared.copy(start, f"calm from {start}")).end(600)
        took[start] = time.monotonic() - began
        if ended.released is None or digests(ended.released) != prepared.calm:
            raise RuntimeError(f"an undisturbed build from {start} went wrong: {ended}")
    return took


def kill(prepared: Prepared, number: int, luck: random.Random, took: dict[str, float]) -> Kill:
    """Start a build, hit it, wait for its end and build again."""
    start, moment, number_of_signal = luck.choice(STARTS), luck.random(), luck.choice(SIGNALS)
    workspace, bill_before = prepared.copy(start, f"kill {number}"), prepared.judge.bill_usd
    running = Running(prepared, workspace)
    due = time.monotonic() + 1.0 + moment * max(0.8 * took[start] - 1.0, 0.0)  # most builds are still at work then
    running.wait_until(lambda: time.monotonic() > due)
    kind = luck.choice(sorted({process.kind for process in running.living()} or {"driver"}))
    stage = next((name for name in _stages(prepared) if not running.marked(name)), "release")
    hit = running.hit(number_of_signal, kind) if running.lives() else []
    limit_s = END_S + took[start]
    ended = running.end(limit_s)
    # An engine that is killed is a sample that failed: the build carries on without it, and tries it again when asked to.
    options = ["--retry-failed"] if kind == "engine" else []
    released = ended.released
    if released is None or options:
        again = Running(prepared, workspace, *options).end(600)
        released = again.released
    result = Kill(
        number=number,
        process=kind if hit else f"({kind})",
        signal=number_of_signal.name,
        stage=stage,
        ended=ended,
        same=released is not None and digests(released) == prepared.calm,
        bill_usd=prepared.judge.bill_usd - bill_before,
        books_usd=prepared.owed_usd(workspace),
        limit_s=limit_s if ended.code == 0 else END_S,
    )
    if not result.faults():
        shutil.rmtree(workspace)
    return result


def _stages(prepared: Prepared) -> list[str]:
    return [stage.name for stage in stages_of(open_build(prepared.recipe, str(prepared.folder / "calm")))]


def show(cells: Sequence[str]) -> None:
    """Print one row of the table."""
    widths = (3, 13, 8, 11, 8, 5, 5, 5, 7, 9, 10)
    print(" ".join(f"{cell:<{width}}" for cell, width in zip(cells, (*widths, 0), strict=True)).rstrip(), flush=True)


def main() -> int:
    """Return 0 if nothing was off."""
    parser = argparse.ArgumentParser(description="Random kills over a small build.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    luck = random.Random(given.seed)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    (folder / "prefect").mkdir()
    environment = os.environ | {"PREFECT_HOME": str(folder / "prefect"), "GEMINI_API_KEY": "test-key"}
    environment.pop("PREFECT_API_URL", None)
    wrong = 0
    with Judge.serving() as judge:
        prepared = Prepared.make(folder, judge, environment)
        judge.delay_s = 0.2
        took = calm_seconds(prepared)
        show(HEAD)
        for number in range(1, given.kills + 1):
            result = kill(prepared, number, luck, took)
            show(result.cells())
            for line in (result.ended.lines + result.ended.left) if result.faults() else []:
                print(f"      {line[:160]}", flush=True)
            wrong += bool(result.faults())
    print(f"{given.kills} kills, {wrong} with faults" + (f"; what they left is in {folder}" if wrong else ""))
    if not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
