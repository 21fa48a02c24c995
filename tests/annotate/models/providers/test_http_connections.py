"""Kept connections: as few as were needed at once, used again, and made anew when the server has closed them."""

import asyncio

import httpx2
import pytest

from annotate.models.providers.http_connections import http_client


class Server:
    """A server that counts connections, and can close them after each reply without saying so before."""

    def __init__(self, *, closes=False):
        self.connections = self.requests = self.now = self.most = 0
        self.closes = closes
        self.raise_if_stopped = asyncio.Event()
        self.raise_if_stopped.set()

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                self.now += 1
                self.most = max(self.most, self.now)
                await self.raise_if_stopped.wait()
                self.now -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")
                await writer.drain()
                if self.closes:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            self.now = 0
        finally:
            writer.close()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self, f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/"

    async def __aexit__(self, *_):
        self.raise_if_stopped.set()
        self.server.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_as_many_connections_as_requests_at_once_and_no_more():
    async def main():
        async with Server() as (server, url), http_client(8) as http:
            for _ in range(5):
                assert (await http.get(url)).text == "well"
            assert server.connections == 1
            for _ in range(3):
                replies = await asyncio.gather(*(http.get(url) for _ in range(8)))
                assert [reply.text for reply in replies] == ["well"] * 8
            assert (server.requests, server.connections) == (29, 8)

    asyncio.run(main())


def test_a_connection_that_the_server_closed_is_not_used_again():
    async def main():
        async with Server(closes=True) as (server, url), http_client(2) as http:
            for _ in range(4):
                assert (await http.get(url)).text == "well"
                await asyncio.sleep(0.05)  # for the end of the connection to arrive
            assert (server.requests, server.connections) == (4, 4)

    asyncio.run(main())


def test_a_request_that_is_given_up_leaves_the_connection_fit_for_the_next():
    async def main():
        async with Server() as (server, url), http_client(1) as http:
            server.raise_if_stopped.clear()
            with pytest.raises(httpx2.ReadTimeout):
                await http.get(url, timeout=0.2)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(http.get(url), 0.2)
            server.raise_if_stopped.set()
            assert (await http.get(url)).text == "well"
            assert server.requests == 3

    asyncio.run(main())


def test_a_body_that_is_not_read_frees_its_connection_when_it_is_closed():
    async def main():
        async with Server() as (server, url), http_client(1) as http:
            async with http.stream("GET", url) as reply:
                assert reply.status_code == 200
            assert (await http.get(url)).text == "well"
            assert server.requests == 2

    asyncio.run(main())


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(monkeypatch, name):
    async def main():
        async with Server() as (proxy, url):
            monkeypatch.setenv(name, url)
            async with http_client(2) as http:
                assert (await http.get("http://model.invalid/")).text == "well"
            assert proxy.requests == 1

    asyncio.run(main())
