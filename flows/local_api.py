"""A private Prefect API for one build, where no server is configured.

Prefect would start one itself, but that one outlives a killed build and has a short start-up time-out. Ours is bound to
loopback, wants a random login, keeps its history in Prefect's own database (a later ``prefect server start`` shows it), and
dies with us.
"""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Final

from contracts.errors import SetupError
from flows.environment import server_environment

START_TIMEOUT_S: Final = 180.0
QUIET: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
}
"""Environment that keeps Prefect from reporting to anybody."""

_PR_SET_PDEATHSIG: Final = 1
_SERVE: Final = (
    "import sys, uvicorn; from prefect.server.api.server import create_app; "
    "uvicorn.run(create_app(), host='127.0.0.1', port=int(sys.argv[1]), log_level='error')"
)


@contextlib.contextmanager
def prefect_api() -> Iterator[str]:
    """Yield the URL of the Prefect API to use: the configured one, or a private one for the time of the block.

    Call it before anything of Prefect is imported: settings are read once.

    Raises:
        SetupError: the private one did not answer in time.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    configured = os.environ.get("PREFECT_API_URL")
    if configured:
        _check(configured)
        yield configured
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    login = f"build:{secrets.token_hex(32)}"  # whoever may write to the API may change what a build does
    environment = server_environment(os.environ) | {
        "PREFECT_UI_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_API_AUTH_STRING": login,
        "PREFECT_API_AUTH_STRING": login,
    }
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(port)],
        env=environment,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - no threads yet
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_healthy(url, server)
        # Log records are sent in the background: some would still be on their way when the server stops.
        own = {"PREFECT_API_URL": url, "PREFECT_API_AUTH_STRING": login, "PREFECT_LOGGING_TO_API_ENABLED": "false"}
        os.environ.update(own)
        yield url
    finally:
        for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_LOGGING_TO_API_ENABLED"):
            os.environ.pop(name, None)
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _check(url: str) -> None:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=30):  # noqa: S310 - the address that the user configured
            return
    except OSError as error:
        raise SetupError(
            f"no Prefect server answers at PREFECT_API_URL={url} ({error}): start it, or unset the variable"
        ) from error


def die_with_parent() -> None:
    """Ask the kernel to end this (child) process when its parent ends, even by ``kill -9``. Linux only; elsewhere a no-op."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_healthy(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no business on loopback
    while time.monotonic() < deadline and server.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
            direct.open(f"{url}/health", timeout=5),
        ):
            return
        time.sleep(0.2)
    raise SetupError(
        f"Prefect's API did not start within {START_TIMEOUT_S:.0f} s; start a server yourself with `prefect server start` "
        "and set PREFECT_API_URL"
    )
