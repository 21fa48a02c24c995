"""How the program ends: by Ctrl-C, SIGTERM or SIGHUP, or because a thread found a reason to end it.

The first signal raises ``KeyboardInterrupt`` in the main thread, and the stack is unwound with all its clean-up. Later signals
are ignored, because they would cut the clean-up short. If the clean-up takes too long, or a library swallows the exception, a
thread ends the process with all its descendants. Nothing is lost by that: results are durable before they are counted.
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
from flows.run.linux_processes import kill_descendants

CLEAN_UP_S: Final = 4.5
"""Limit of the clean-up. Requests to judges that are in flight get three seconds of it."""

_EXIT_S: Final = 15.0  # limit for libraries at the interpreter's exit

_NAMES: Final = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "the terminal has gone"}
_SHOW_CURSOR: Final = "\x1b[?25h"


class _Ending:
    """The end of this process: which signal came first, and which thread prints the final message."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.running = False
        self._final_message = threading.Lock()

    def handle_signal(self, number: int, _frame: FrameType | None = None) -> None:
        """Handle a signal in the main thread; ignore it once the command is done."""
        if self.running and self.signal is None:
            self.signal = number
            _silence()
            raise KeyboardInterrupt

    def watch(self) -> None:
        """Start a thread that waits for the first signal and ends the process if the main thread does not."""
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
        """Print why the process ends, kill its descendants, and end it without waiting for anything."""
        self._final_message.acquire()  # never released: no other thread prints after this one
        _silence()
        reason = interrupt_reason()
        kill_descendants(os.getpid())
        _say(str(reason or f"{_NAMES[signal.Signals(number)]}; the same command carries on where this one stopped"))
        os._exit(2 if reason else 128 + number)


_ending: Final = _Ending()


def run(command: Callable[[], object]) -> int:
    """Run a command in the main thread and return its exit code. A ``UnisrmError`` is printed as one line.

    So is an error in the code of a plug-in that is not this project's; any other is a defect, and its traceback is shown.

    Returns:
        The command's exit code; 2 for such an error; 1 if the reader of its output has gone. A signal ends the process here
        with 128 plus its number.
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
    except BaseException as error:
        if _ending.signal is None:
            code = 2
            if (where := _plugin_of(error)) is None:
                raise
            _say(f"{where} fails: {type(error).__name__}: {error}")
    _ending.running = False
    if _ending.signal is not None:
        _ending.finish(_ending.signal)
    code = code if _flushed() else 1
    _exit_soon(code)
    return code


def _plugin_of(error: BaseException) -> str | None:
    """Return whose plug-in it is that an error comes from; None if it is a defect of this program."""
    from contracts.plugins import where_raised  # it takes a while, and hardly ever is needed

    with contextlib.suppress(UnisrmError):  # two plug-ins of one name
        return where_raised(error)
    return None


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Install this module's signal handlers for the time of the block, where a library has installed its own."""
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
        if signal.getsignal(number) is not signal.SIG_IGN:  # set by nohup, and by shells for background jobs
            signal.signal(number, _ending.handle_signal)


def is_ending() -> bool:
    """Tell whether a signal is ending this process, so that waits must be cut short."""
    return _ending.signal is not None


def _exit_soon(code: int) -> None:
    """Limit the interpreter's exit: a library may try for minutes to reach a server that is gone."""

    def exit_now() -> None:
        time.sleep(_EXIT_S)
        os._exit(code)

    threading.Thread(target=exit_now, name="exit", daemon=True).start()


def _silence() -> None:
    """Suppress logs and tracebacks: errors from now on are consequences of the end."""
    logging.disable(logging.CRITICAL)
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None


def _code_of(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    _say(str(error.code))
    return 1


def _say(line: str) -> None:
    cursor = _SHOW_CURSOR if sys.stderr.isatty() else ""  # a progress bar that was not closed has hidden it
    with contextlib.suppress(OSError):
        os.write(2, f"{cursor}unisrm-data: {' '.join(line.split())}\n".encode())


def _flushed() -> bool:
    """Flush the output; return False if its reader has gone, about which the interpreter would print a traceback."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return False
    return True
