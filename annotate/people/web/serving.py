"""Running the app: one process, no access log."""

import contextlib
import socket
from collections.abc import Collection

from starlette.applications import Starlette

from contracts.errors import SetupError


def serve(app: Starlette, host: str, port: int, *, proxies: Collection[str] = ()) -> None:
    """Serve until interrupted.

    Addresses are not logged, as they contain invitation tokens.

    Args:
        app: the app.
        host: address to listen at.
        port: port to listen at.
        proxies: addresses or networks of proxies, whose ``X-Forwarded-For`` is trusted; no other is.

    Raises:
        SetupError: the server cannot listen at this address.
    """
    from annotate.people.web.connection_limits import Config, Server

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise SetupError(
            f"cannot listen at {host} port {port}: {error.strerror or error}; name another --port or --host"
        ) from None
    with listening, contextlib.suppress(KeyboardInterrupt):
        Server(Config(app, proxies=proxies, timeout_graceful_shutdown=5)).run(sockets=[listening])
