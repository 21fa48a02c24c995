"""Limits on connections: timeouts for requests and responses, and a maximum number in total and per client.

A client that sends requests slowly, or reads responses slowly, occupies connections. When there are too many connections, in
total or of one client, an idle one is closed for a new one: the one that has waited longest, of the client with most idle ones.
An honest client sends its request at once.
"""

import asyncio
import ipaddress
import resource
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from annotate.people.web.buckets import client_network

HEAD_TIMEOUT_S: Final = 10.0
"""Longest time for the head of a request."""

BODY_TIMEOUT_S: Final = 20.0
"""Longest time for a request and its body; the app itself waits a shorter time for a body."""

STALL_TIMEOUT_S: Final = 20.0
"""Longest time in which a client may read less than ``MIN_FETCHED`` of the response."""

MIN_FETCHED: Final = 16 * 1024
KEEP_ALIVE_S: Final = 15
MAX_CONNECTIONS: Final = 1000
"""Connections at once, if the process may have so many files open."""

_OTHER_FILES: Final = 80
"""Open files apart from connections: databases of all threads, recordings, and connections that are being closed."""

_MIN_CONNECTIONS: Final = 16
_ACCEPTED_AT_ONCE: Final = 16
_WAITING_TO_BE_ACCEPTED: Final = 1024


def max_connections() -> int:
    """Return the maximum number of connections, given the limit of open files of this process."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        MAX_CONNECTIONS
        if files == resource.RLIM_INFINITY
        else max(_MIN_CONNECTIONS, min(MAX_CONNECTIONS, files - _OTHER_FILES))
    )


class Connection(H11Protocol):
    """A connection with the time since when it has been waiting."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the connection, within the limit."""
        self.waiting_since = self.loop.time()
        self.idle = False
        self.is_closing = False
        self._served: object = None
        self._served_since = self._fetched_since = 0.0
        self._unfetched = 0
        super().connection_made(transport)
        self.network = client_network(self.client[0]) if self.client else ""
        assert isinstance(self.config, Config)
        self.config.limit.admit(self)

    def data_received(self, data: bytes) -> None:
        """Read data; the first byte after a response starts the head of the next request."""
        if self.idle:
            self.idle, self.waiting_since = False, self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.idle, self.waiting_since = True, self.loop.time()
        super().on_response_complete()

    def close_now(self) -> None:
        """Close without waiting."""
        self.is_closing = True
        self.transport.abort()

    @property
    def is_served(self) -> bool:
        """Whether the response to a request is not yet complete, or not yet read by the client."""
        return (self.cycle is not None and not self.cycle.response_complete) or self._in_buffer() > 0

    def _in_buffer(self) -> int:
        return self.transport.get_write_buffer_size()

    def enforce_timeouts(self, now: float) -> None:
        """Close the connection if its client is too slow."""
        if self.cycle is not None and self.cycle is not self._served:
            self._served, self._served_since = self.cycle, now
        if (unfetched := self._in_buffer()) > 0:
            if self._unfetched == 0 or unfetched <= self._unfetched - MIN_FETCHED or unfetched > self._unfetched:
                self._unfetched, self._fetched_since = unfetched, now
            elif now - self._fetched_since > STALL_TIMEOUT_S:
                self.transport.abort()
            return
        self._unfetched = 0
        if self.is_served:
            if self.cycle.more_body and now - self._served_since > BODY_TIMEOUT_S:
                self.transport.abort()
        elif not self.idle and now - self.waiting_since > HEAD_TIMEOUT_S:
            self.transport.close()


class ConnectionLimit:
    """Limits the number of connections, and decides which one is closed."""

    def __init__(self, *, most: int, proxies: Collection[str] = ()) -> None:
        """Take the limits.

        Args:
            most: connections at once; one client may have three quarters of them.
            proxies: addresses or networks of proxies, to which the limit per client does not apply.
        """
        self._max = most
        self._max_per_client = most * 3 // 4
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]

    def admit(self, new: Connection) -> None:
        """Close an idle connection for a new one if there are too many; if none is idle, close the new one."""
        connections = [one for one in new.connections if isinstance(one, Connection) and not one.is_closing]
        of_client = [one for one in connections if one.network == new.network]
        too_many_of_one = len(of_client) > self._max_per_client and not self._is_proxy(new)
        if len(connections) <= self._max and not too_many_of_one:
            return
        waiting = [one for one in (of_client if too_many_of_one else connections) if one is not new and not one.is_served]
        if not waiting:
            new.close_now()
            return
        held = Counter(one.network for one in waiting)
        min(waiting, key=lambda one: (-held[one.network], one.waiting_since)).close_now()

    def _is_proxy(self, connection: Connection) -> bool:
        address = ipaddress.ip_address(connection.client[0]) if connection.client else None
        return address is not None and any(address in network for network in self._proxies)


class Config(uvicorn.Config):
    """The configuration of a server, with its limit on connections."""

    def __init__(self, app: Any, *, proxies: Collection[str] = (), **options: Any) -> None:
        """Configure the server.

        Args:
            app: the app.
            proxies: addresses or networks whose ``X-Forwarded-For`` is trusted: the client is the first address in it, from
                the right, that is none of them. Empty = none is trusted.
            options: further options of uvicorn.
        """
        self.limit = ConnectionLimit(most=max_connections(), proxies=proxies)
        super().__init__(
            app,
            http=Connection,
            ws="none",
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            backlog=_ACCEPTED_AT_ONCE,
            timeout_keep_alive=KEEP_ALIVE_S,
            access_log=False,
            log_level="warning",
            server_header=False,
            **options,
        )


class Server(uvicorn.Server):
    """A server that enforces timeouts every second."""

    async def startup(self, sockets: Any = None) -> None:
        """Listen; few connections are accepted at once, so that idle ones are closed in between, and many may wait."""
        await super().startup(sockets=sockets)
        for socket in sockets or []:
            socket.listen(_WAITING_TO_BE_ACCEPTED)

    async def on_tick(self, counter: int) -> bool:
        """Close slow connections."""
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.enforce_timeouts(now)
        return await super().on_tick(counter)
