"""The Prefect API that a build reports to: the configured one, or a private one where no server is configured.

Prefect would start a server itself, but that one outlives a killed build and has a short start-up time-out. This one is bound
to loopback, requires a random login, keeps its history in Prefect's own database (a later ``prefect server start`` shows it),
and ends with the build. If it dies alone, it is started again at the same port; Prefect's clients retry until then.
"""

import contextlib
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Final, Self

from contracts.errors import SetupError, UnisrmError
from contracts.interrupts import interrupt_main
from flows.run.ending import is_ending
from flows.run.environment import server_environment

START_TIMEOUT_S: Final = 180.0
QUIET: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
}
"""Environment that keeps Prefect from reporting to anybody."""

_STARTS: Final = 5
_SERVE: Final = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end with the build, even by kill -9
    if os.getppid() != int(sys.argv[2]):
        sys.exit()
import uvicorn
from prefect.server.api.server import create_app
uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


class PrefectApi:
    """A Prefect API in use.

    Attributes:
        url: its address.
        outage_s: how long it may fail to answer when a flow run ends.
    """

    outage_s = 30.0

    def __init__(self, url: str) -> None:
        self.url = url

    def may_answer(self) -> bool:
        """Tell whether it may answer later."""
        return True

    def error(self) -> SetupError:
        """Return the error to raise when it is gone."""
        return SetupError(
            f"the Prefect server at PREFECT_API_URL={self.url} does not answer any more: start it again or unset the variable; "
            "the same command carries on where this one stopped"
        )

    def answers(self, within_s: float) -> bool:
        """Wait until the server is healthy, at most that long, and tell whether it is."""
        deadline = time.monotonic() + within_s
        while not _healthy(self.url):
            if time.monotonic() > deadline or not self.may_answer():
                return False
            time.sleep(0.2)
        return True

    def run_flow(self, flow: Callable[[], object], started: Callable[[], object]) -> None:
        """Run a flow, and retry it if the server died before its body started: Prefect does not retry its first call.

        Args:
            flow: the flow.
            started: whether the flow's body has started.

        Raises:
            SetupError: the server does not come back, or died after the body had started.
        """
        import httpx

        for _ in range(_STARTS):
            try:
                flow()
            except (httpx.HTTPError, RuntimeError) as error:
                if not _is_outage(error):
                    raise
                if started() or not self.answers(self.outage_s):
                    break
            else:
                return
        raise self.error() from None

    @contextlib.contextmanager
    def in_reach(self) -> Iterator[None]:
        """End the command after this block if the server does not come back: Prefect would retry its last call for minutes."""
        error: UnisrmError = self.error()
        try:
            yield
        except UnisrmError as its_own:
            error = its_own
            raise
        finally:
            if not is_ending() and not self.answers(self.outage_s):
                interrupt_main(error)


class _PrivateServer(PrefectApi):
    """A private server in a process session of its own, which the terminal's signals do not reach.

    Attributes:
        login: user and password that it requires.
    """

    outage_s = START_TIMEOUT_S

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        super().__init__(f"http://127.0.0.1:{self._port}/api")
        self.login = f"build:{secrets.token_hex(32)}"  # who can write to the API can change what a build does
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._supervisor = threading.Thread(target=self._supervise, name="prefect-server", daemon=True)

    def error(self) -> SetupError:
        return SetupError(
            "Prefect's private server ended and did not come up again: start one yourself with `prefect server start` and set "
            "PREFECT_API_URL; the same command carries on where this one stopped"
        )

    def __enter__(self) -> Self:
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        deadline = time.monotonic() + (1.0 if is_ending() else 10.0)
        while self._supervisor.is_alive():
            if (process := self._process) is not None:
                process.send_signal(signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
            self._supervisor.join(0.1)

    def may_answer(self) -> bool:
        return self._supervisor.is_alive()

    def _supervise(self) -> None:
        """Start the server, and restart it when it dies. PR_SET_PDEATHSIG ends the server when this thread ends."""
        environment = server_environment(os.environ) | {
            "PREFECT_UI_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_API_AUTH_STRING": self.login,
            "PREFECT_API_AUTH_STRING": self.login,
        }
        for _ in range(_STARTS):
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, str(self._port), str(os.getpid())],
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._process.wait()
            if self._stopping.is_set():
                return


@contextlib.contextmanager
def prefect_api() -> Iterator[PrefectApi]:
    """Yield the Prefect API to use: the configured one, or a private one for the time of the block.

    Call it before anything of Prefect is imported: settings are read once.

    Raises:
        SetupError: the configured one does not answer, or the private one did not start in time.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    configured = os.environ.get("PREFECT_API_URL")
    if configured:
        _check(configured)
        yield PrefectApi(configured)
        return
    with _PrivateServer() as server:
        if not server.answers(START_TIMEOUT_S):
            raise SetupError(
                f"Prefect's API did not start within {START_TIMEOUT_S:.0f} s; start a server yourself with "
                "`prefect server start` and set PREFECT_API_URL"
            )
        # Log records are sent in the background: some would still be in flight when the server stops.
        own = {
            "PREFECT_API_URL": server.url,
            "PREFECT_API_AUTH_STRING": server.login,
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }
        os.environ.update(own)
        try:
            yield server
        finally:
            for name in own:
                os.environ.pop(name, None)


def _check(url: str) -> None:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30):  # noqa: S310 - the address that the user configured
            return
    except OSError as error:
        raise SetupError(
            f"no Prefect server answers at PREFECT_API_URL={url} ({error}): start it, or unset the variable"
        ) from error


def _is_outage(error: BaseException | None) -> bool:
    """Tell whether an error, or its cause, is that of Prefect's client whose server does not answer."""
    import httpx

    if error is None or isinstance(error, UnisrmError):
        return False
    return isinstance(error, httpx.HTTPError) or _is_outage(error.__cause__)


def _healthy(url: str) -> bool:
    # No proxy for loopback.
    handlers = [urllib.request.ProxyHandler({})] if url.startswith("http://127.0.0.1:") else []
    try:
        with urllib.request.build_opener(*handlers).open(f"{url}/health", timeout=5):
            return True
    except (OSError, http.client.HTTPException):
        return False
