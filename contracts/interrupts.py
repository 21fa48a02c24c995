"""Ending what the main thread does from another thread, with an error that says why.

A background thread that finds that the work must stop, such as one that renews a lease, has no stack on which an error would
reach the user. It interrupts the main thread and leaves the error here for whoever reports the end.
"""

import signal
import threading
from typing import Final

from contracts.errors import UnisrmError

_reasons: Final[list[UnisrmError]] = []


def interrupt_main(error: UnisrmError) -> None:
    """Raise ``KeyboardInterrupt`` in the main thread, and let the command end with ``error``. The first error is kept.

    What the main thread waits for is interrupted like by Ctrl-C.

    Args:
        error: why; becomes the one line on stderr, with exit code 2.
    """
    _reasons.append(error)
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def interrupt_reason() -> UnisrmError | None:
    """Return the error of the first ``interrupt_main`` of this process; None if there was none."""
    return _reasons[0] if _reasons else None
