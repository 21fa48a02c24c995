"""Work in a thread beside that of this one, which has signals and may wait for a network."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from contracts.errors import UnisrmError


class Stoppable(Protocol):
    """Work that ends soon after an event is set."""

    def __call__(self, *, stop: threading.Event) -> None:
        """Do the work."""
        ...


@contextlib.contextmanager
def meanwhile(run: Stoppable) -> Iterator[Callable[[], None]]:
    """Run something in another thread during the block, and wait for it at the end.

    An error of this project in the block waits for the other work, which is paid for or long; whatever else ends the block,
    such as Ctrl-C, stops it.

    Yields:
        A function that raises the error of the other work, if it has ended with one.
    """
    stop, errors = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            run(stop=stop)
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            errors.append(error)

    def check() -> None:
        if errors:
            raise errors[0]

    thread = threading.Thread(target=work, name="meanwhile")
    thread.start()
    try:
        yield check
    except UnisrmError:
        thread.join()
        raise
    except BaseException:
        stop.set()
        raise
    finally:
        thread.join()
    check()
