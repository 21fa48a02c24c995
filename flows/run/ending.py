"""How the program ends when it is told to: by Ctrl-C, SIGTERM or SIGHUP, or by a thread that found a reason.

The first signal raises ``KeyboardInterrupt`` in the main thread, and everything is cleaned up on the way out. Later signals are
ignored: they must not cut the clean-up short. A thread watches: when the clean-up takes too long, or a library swallowed the
exception, it ends the process with all its descendants. That loses nothing: whatever counts is durable before it counts.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, NoReturn

from contracts.errors import UnisrmError
from contracts.interrupts import interrupt_reason
from flows.run.processes import kill_descendants

CLEAN_UP_S: Final = 4.5
"""How long the clean-up may take. Requests to judges that are under way have three seconds of it."""

_EXIT_S: Final = 15.0  # how long libraries may take over the interpreter's exit

_NAMES: Final = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "the terminal has gone"}
_SHOW_CURSOR: Final = "\x1b[?25h"


class _Ending:
    """The end of this process: which signal came first, and who says the last words."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.running = False
        self._last_words = threading.Lock()

    def told(self, number: int, _frame: FrameType | None = None) -> None:
        """Handle a signal, in the main thread. What is done already is not interrupted."""
        if self.running and self.signal is None:
            self.signal = number
            _silence()
            raise KeyboardInterrupt

    def watch(self) -> None:
        """Wait for the first signal, in a thread of its own, and end the process if nobody else does."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

        def wait() -> None:
            while (number := os.read(reader, 1)[0]) not in _NAMES:
                pass
            time.sleep(CLEAN_UP_S)
            self.finish(number)

        threading.Thread(target=wait, name="ending", daemon=True).start()

    def finish(self, number: int) -> NoReturn:
        """Say why the process ends, end what it started, and end it without waiting for anything."""
        self._last_words.acquire()  # never released: nobody speaks after these words
        _silence()
        reason = interrupt_reason()
        kill_descendants(os.getpid())
        _say(str(reason or f"{_NAMES[signal.Signals(number)]}; the same command carries on where this one stopped"))
        os._exit(2 if reason else 128 + number)


_ending: Final = _Ending()


def run(command: Callable[[], object]) -> int:
    """Run a command in the main thread, and return its exit code: that of a program which ends with one line, whatever happens.

    Returns:
        What the command exits with; 2 for an error that was raised on purpose; 1 if nobody reads its output any more. A signal
        ends the process here with 128 plus its number.
    """
    _ending.watch()
    _ending.running, code = True, 0
    _install()
    try:
        command()
        sys.stdout.flush()
        _ending.running = False
    except SystemExit as error:
        code = _code_of(error)
    except UnisrmError as error:
        code = 2
        if _ending.signal is None:
            _say(str(error))
    except BrokenPipeError:
        code = 1
    except BaseException:
        if _ending.signal is None:
            raise
    _ending.running = False
    if _ending.signal is not None:
        _ending.finish(_ending.signal)
    code = code if _flushed() else 1
    _exit_soon(code)
    return code


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Let signals end the process as described, inside this block, where a library has put its own handlers."""
    before = {number: signal.getsignal(number) for number in _NAMES}
    _install()
    try:
        yield
    finally:
        if _ending.running and _ending.signal is None:
            for number, handler in before.items():
                signal.signal(number, handler)


def _install() -> None:
    for number in _NAMES:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup, and shells for what runs in the background, want it
            signal.signal(number, _ending.told)


def is_ending() -> bool:
    """Tell whether a signal ends this process, so that nobody has time to wait."""
    return _ending.signal is not None


def _exit_soon(code: int) -> None:
    """Bound the interpreter's exit: a library may try for minutes to reach a server that is gone."""

    def exit_now() -> None:
        time.sleep(_EXIT_S)
        os._exit(code)

    threading.Thread(target=exit_now, name="exit", daemon=True).start()


def _silence() -> None:
    """Let nobody else speak: what breaks now breaks because we end."""
    logging.disable(logging.CRITICAL)
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None


def _code_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    _say(str(error.code))
    return 1


def _say(line: str) -> None:
    cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""  # a bar that could not be taken down has hidden it
    with contextlib.suppress(OSError):
        os.write(2, f"{cursor}unisrm-data: {' '.join(line.split())}\n".encode())


def _flushed() -> bool:
    """Write out what is left; False if nobody reads it. The interpreter would complain about that in a traceback."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return False
    return True
