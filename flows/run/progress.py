"""Observers of a build: bars on a terminal, plain lines for a log, or none."""

import sys
import time
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

_LINE_EVERY_S: Final = 10.0


class Progress(Protocol):
    """Observer of long stages. ``total`` counts the rows left to do now, without those of earlier runs."""

    def start(self, stage: str, total: int) -> None:
        """A stage starts with ``total`` rows to do."""

    def advance(self, done: int, failed: int = 0, *, of: str = "", audio_s: float = 0.0) -> None:
        """``done`` more rows are finished, ``failed`` of them as failures.

        Args:
            done: rows, failures included.
            failed: failures.
            of: the system or metric whose rows they are; empty = no such.
            audio_s: length of the clips that were made, in seconds.
        """

    def advance_ahead(self, stage: str, done: int, total: int, *, of: str = "") -> None:
        """``done`` more rows of a later stage are finished beside those of this one, of ``total`` that could be so far.

        Args:
            stage: the later stage.
            done: rows, failures included.
            total: rows that were or will be done now; it grows.
            of: the metric whose rows they are; empty = no such.
        """

    def end(self) -> None:
        """The stage is done."""


class Silent:
    """No observer."""

    def start(self, stage: str, total: int) -> None:
        """Ignore it."""

    def advance(self, done: int, failed: int = 0, *, of: str = "", audio_s: float = 0.0) -> None:
        """Ignore it."""

    def advance_ahead(self, stage: str, done: int, total: int, *, of: str = "") -> None:
        """Ignore it."""

    def end(self) -> None:
        """Ignore it."""


class Both:
    """Two observers of one build."""

    def __init__(self, first: Progress, second: Progress) -> None:
        self._observers = (first, second)

    def start(self, stage: str, total: int) -> None:
        """Pass it on to both."""
        for observer in self._observers:
            observer.start(stage, total)

    def advance(self, done: int, failed: int = 0, *, of: str = "", audio_s: float = 0.0) -> None:
        """Pass it on to both."""
        for observer in self._observers:
            observer.advance(done, failed, of=of, audio_s=audio_s)

    def advance_ahead(self, stage: str, done: int, total: int, *, of: str = "") -> None:
        """Pass it on to both."""
        for observer in self._observers:
            observer.advance_ahead(stage, done, total, of=of)

    def end(self) -> None:
        """Pass it on to both."""
        for observer in self._observers:
            observer.end()


class _Rates:
    """How fast each system or metric of a stage was, from its first rows to its last ones."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._count: dict[str, list[float]] = {}

    def add(self, of: str, done: int, audio_s: float) -> None:
        """Count rows and seconds of audio."""
        rows, audio, _ = self._count.get(of, (0, 0.0, 0.0))
        self._count[of] = [rows + done, audio + audio_s, time.monotonic() - self._began]

    def lines(self) -> list[str]:
        """Return a line for each, if they are several."""
        if len(self._count) < 2:
            return []
        return [
            f"  {name}: {rows:.0f} in {took:.1f} s, {rows / took:.1f}/s"
            + (f", {audio / took:.1f} s of audio a second" if audio else "")
            for name, (rows, audio, took) in self._count.items()
            if name and took
        ]


class Lines:
    """Plain lines with rate and time left, at most one every ten seconds: for logs and pipes."""

    def __init__(self) -> None:
        self._stage, self._total, self._done, self._failed = "", 0, 0, 0
        self._ahead, self._done_ahead = "", 0
        self._began = self._last = 0.0
        self._rates = _Rates()

    def start(self, stage: str, total: int) -> None:
        """Print the number of rows to do."""
        self._stage, self._total, self._done, self._failed = stage, total, 0, 0
        self._ahead, self._done_ahead = "", 0
        self._began = self._last = time.monotonic()
        self._rates = _Rates()
        if total:
            print(f"{stage}: {total} to do", file=sys.stderr, flush=True)

    def advance(self, done: int, failed: int = 0, *, of: str = "", audio_s: float = 0.0) -> None:
        """Count, and print a line if the last one is ten seconds old."""
        self._done += done
        self._failed += failed
        self._rates.add(of, done, audio_s)
        self._print_sometimes()

    def advance_ahead(self, stage: str, done: int, total: int, *, of: str = "") -> None:
        """Count, and print a line if the last one is ten seconds old."""
        self._done_ahead += done
        self._ahead = f"; {stage}: {self._done_ahead}/{total} already"
        self._rates.add(of, done, 0.0)
        self._print_sometimes()

    def _print_sometimes(self) -> None:
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY_S:
            self._last = now
            rate = self._done / (now - self._began)
            left = (self._total - self._done) / rate if rate else 0.0
            print(
                f"{self._stage}: {self._done}/{self._total}, {self._failed} failed, {rate:.1f}/s, {left:.0f} s left"
                f"{self._ahead}",
                file=sys.stderr,
                flush=True,
            )

    def end(self) -> None:
        """Print the totals."""
        if self._total:
            took = time.monotonic() - self._began
            total = f"{self._stage}: {self._done} done, {self._failed} failed, in {took:.1f} s{self._ahead}"
            print("\n".join([total, *self._rates.lines()]), file=sys.stderr, flush=True)


class Terminal:
    """Bars with counts, rates and time left; use as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self._bars = Bars(
            TextColumn("{task.description:<11}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[trouble]}"),
            console=console or Console(stderr=True),
        )
        self._task: TaskID | None = None
        self._ahead: TaskID | None = None
        self._failed = 0
        self._rates = _Rates()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def start(self, stage: str, total: int) -> None:
        """Add a bar."""
        self._failed, self._rates = 0, _Rates()
        self._ahead = None
        self._task = self._bars.add_task(stage, total=total, rate="", trouble="") if total else None

    def advance(self, done: int, failed: int = 0, *, of: str = "", audio_s: float = 0.0) -> None:
        """Move the bar."""
        if self._task is not None:
            self._failed += failed
            self._rates.add(of, done, audio_s)
            self._bars.advance(self._task, done)
            speed = self._bars.tasks[self._task].speed
            self._bars.update(
                self._task, rate=f"{speed:.1f}/s" if speed else "", trouble=f"{self._failed} failed" if self._failed else ""
            )

    def advance_ahead(self, stage: str, done: int, total: int, *, of: str = "") -> None:
        """Move a bar of its own."""
        if self._ahead is None:
            self._ahead = self._bars.add_task(stage, total=total, rate="", trouble="")
        self._rates.add(of, done, 0.0)
        self._bars.update(self._ahead, total=total, advance=done)

    def end(self) -> None:
        """Leave the bar as it is, with the rates of several systems above it."""
        if self._task is not None:
            for line in self._rates.lines():
                self._bars.console.print(line, highlight=False, markup=False)
        self._task = None
