"""Connections that cannot be hoarded: time limits for what is sent and fetched, and places for those who are being served.

A client that opens connections and sends half a request, or fetches an answer a byte at a time, costs the server a place each.
So a connection that nobody is served on gives way: when there are too many, in all or of one client, the one that has waited
longest, of the client with most of them, is closed for a new one. An honest client sends its request at once.
"""

import asyncio
import ipaddress
import resource
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from annotate.people.web.buckets import neighbourhood

HEAD_S: Final = 10.0
"""Longest time for the head of a request."""

BODY_S: Final = 20.0
"""Longest time for a request and its body; the app says so sooner where it waits for one."""

STALL_S: Final = 20.0
"""Longest time in which a client may fetch less than ``LEAST_FETCHED`` of what is there for it."""

LEAST_FETCHED: Final = 16 * 1024
KEEP_ALIVE_S: Final = 15
MOST: Final = 1000
"""Connections at once, where the process may have so many files open."""

_OTHER_FILES: Final = 80
"""Open files beside connections: databases of all threads, recordings, and connections that are just being closed."""

_FEWEST: Final = 16
_ACCEPTED_AT_ONCE: Final = 16
_WAITING_TO_BE_ACCEPTED: Final = 1024


def places() -> int:
    """Return how many connections there may be at once, given how many files this process may have open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else max(_FEWEST, min(MOST, files - _OTHER_FILES))


class Connection(H11Protocol):
    """A connection that knows since when it has been waiting."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place."""
        self.waits_since = self.loop.time()
        self.idle = False
        self.gives_way = False
        self._served: object = None
        self._served_since = self._fetched_since = 0.0
        self._unfetched = 0
        super().connection_made(transport)
        self.who = neighbourhood(self.client[0]) if self.client else ""
        assert isinstance(self.config, Config)
        self.config.guard.admit(self)

    def data_received(self, data: bytes) -> None:
        """Read what came; the first byte after an answer begins the head of another request."""
        if self.idle:
            self.idle, self.waits_since = False, self.loop.time()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.idle, self.waits_since = True, self.loop.time()
        super().on_response_complete()

    def give_way(self) -> None:
        """Close at once."""
        self.gives_way = True
        self.transport.abort()

    @property
    def is_served(self) -> bool:
        """Whether a request has come whose answer is not yet sent, or not yet fetched."""
        return (self.cycle is not None and not self.cycle.response_complete) or self._in_buffer() > 0

    def _in_buffer(self) -> int:
        return self.transport.get_write_buffer_size()

    def look(self, now: float) -> None:
        """Close the connection if its client takes too long."""
        if self.cycle is not None and self.cycle is not self._served:
            self._served, self._served_since = self.cycle, now
        if (unfetched := self._in_buffer()) > 0:
            if self._unfetched == 0 or unfetched <= self._unfetched - LEAST_FETCHED or unfetched > self._unfetched:
                self._unfetched, self._fetched_since = unfetched, now
            elif now - self._fetched_since > STALL_S:
                self.transport.abort()
            return
        self._unfetched = 0
        if self.is_served:
            if self.cycle.more_body and now - self._served_since > BODY_S:
                self.transport.abort()
        elif not self.idle and now - self.waits_since > HEAD_S:
            self.transport.close()


class Guard:
    """Decides which connection gives way."""

    def __init__(self, *, most: int, proxies: Collection[str] = ()) -> None:
        """Keep the limits.

        Args:
            most: connections at once; one client may have three quarters of them.
            proxies: addresses or networks behind which many clients are.
        """
        self._most = most
        self._most_of_one = most * 3 // 4
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]

    def admit(self, new: Connection) -> None:
        """Make room for a connection, or close it where everybody is being served."""
        everybody = [one for one in new.connections if isinstance(one, Connection) and not one.gives_way]
        of_client = [one for one in everybody if one.who == new.who]
        too_many_of_one = len(of_client) > self._most_of_one and not self._is_proxy(new)
        if len(everybody) <= self._most and not too_many_of_one:
            return
        waiting = [one for one in (of_client if too_many_of_one else everybody) if one is not new and not one.is_served]
        if not waiting:
            new.give_way()
            return
        held = Counter(one.who for one in waiting)
        min(waiting, key=lambda one: (-held[one.who], one.waits_since)).give_way()

    def _is_proxy(self, connection: Connection) -> bool:
        address = ipaddress.ip_address(connection.client[0]) if connection.client else None
        return address is not None and any(address in network for network in self._proxies)


class Config(uvicorn.Config):
    """The configuration of a server, with its guard."""

    def __init__(self, app: Any, *, proxies: Collection[str] = (), **options: Any) -> None:
        """Keep it.

        Args:
            app: the app.
            proxies: addresses or networks whose ``X-Forwarded-For`` is believed: the client is the first address in it, from
                the right, that is none of them. Empty = nobody's.
            options: further ones of uvicorn.
        """
        self.guard = Guard(most=places(), proxies=proxies)
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
    """A server that looks after its connections every second."""

    async def startup(self, sockets: Any = None) -> None:
        """Listen; few are accepted at once, so that room is made in between, and many may wait for it."""
        await super().startup(sockets=sockets)
        for socket in sockets or []:
            socket.listen(_WAITING_TO_BE_ACCEPTED)

    async def on_tick(self, counter: int) -> bool:
        """Close what takes too long."""
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.look(now)
        return await super().on_tick(counter)
