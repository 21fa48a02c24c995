"""The HTTP client of the SDKs, which keeps connections at no CPU cost.

The pool of httpx asks the operating system about every idle connection whenever a request begins and whenever one ends. Between
two commits of the ledger most connections are idle, and with 64 of them this took a third of all CPU time. Here each connection
is a pool of its own, and only the connection that is used is checked.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.request import getproxies

import httpx2


def http_client(concurrency: int, **options: Any) -> httpx2.AsyncClient:
    """Return a client that keeps its connections.

    Args:
        concurrency: most connections, where a proxy of the environment makes httpx's own pool necessary; else there are as
            many as requests were under way at once.
        options: of ``httpx2.AsyncClient``.
    """
    if getproxies():
        limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
        return httpx2.AsyncClient(limits=limits, **options)
    return httpx2.AsyncClient(transport=_Connections(), **options)


class _Connections(httpx2.AsyncBaseTransport):
    """Connections of which the one used last is used next, so that those of a busier time expire."""

    def __init__(self) -> None:
        self._ssl_context = httpx2.create_ssl_context()
        self._all: list[httpx2.AsyncHTTPTransport] = []
        self._free: list[httpx2.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; its connection is free again once the response is closed."""
        connection = self._free.pop() if self._free else self._new()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            self._free.append(connection)
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            status_code=response.status_code,
            headers=response.headers,
            stream=_Body(response.stream, lambda: self._free.append(connection)),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in self._all:
            await connection.aclose()

    def _new(self) -> httpx2.AsyncHTTPTransport:
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1)
        self._all.append(httpx2.AsyncHTTPTransport(verify=self._ssl_context, limits=limits))
        return self._all[-1]


class _Body(httpx2.AsyncByteStream):
    """The body of a response, and what is to be done once it is closed."""

    def __init__(self, body: httpx2.AsyncByteStream, closed: Callable[[], None]) -> None:
        self._body, self._closed = body, closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            closed, self._closed = self._closed, lambda: None
            closed()
