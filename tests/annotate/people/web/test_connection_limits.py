"""Clients that hoard connections shut nobody out, and only a configured proxy is believed about who a client is."""

import contextlib
import http.client
import resource
import socket
import subprocess
import sys
import threading
import time

import pytest

from annotate.people.web import access, connection_limits
from annotate.people.web.connection_limits import Config, Server
from tests.annotate.people.web import sites

HALF = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
# Serves a test on the socket it is given, with few files to open.
SERVE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
from pathlib import Path
from annotate.people.web.serving import serve
from tests.annotate.people.web import sites
folder, port = Path(sys.argv[1]), int(sys.argv[2])
opened = sites.open_site(folder, base_url=f"http://127.0.0.1:{port}")
opened.store.add_items(sites.items(opened.blobs, 2))
print(opened.link(opened.invite()), flush=True)
serve(opened.app, "127.0.0.1", port)
"""


def fetch(port: int, path: str, **headers: str) -> tuple[int, str, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode(errors="replace"), reply
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@pytest.fixture
def many_files():
    """This process, which plays the attackers, may have 2,000 files open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 2000:
        pytest.skip("this machine lets no process open 2,000 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_800_half_sent_requests_do_not_silence_a_server_with_128_files(tmp_path, many_files):
    """While they are held, dripped on and opened anew, a listener signs in and gets the page, each within seconds."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path), str(port)], stdout=subprocess.PIPE, text=True) as server:
        link = server.stdout.readline().strip()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if fetch(port, "/health")[0] == 200:
                    break
            time.sleep(0.1)
        over = threading.Event()
        hoard: list[socket.socket] = []
        attacker = threading.Thread(target=hold, args=(port, hoard, over))
        attacker.start()
        try:
            while len(hoard) < 800 and attacker.is_alive():
                time.sleep(0.05)
            waits = []
            for _ in range(3):
                started = time.monotonic()
                status, _, reply = fetch(port, link)
                assert status == 303
                cookie = reply.headers["set-cookie"].partition(";")[0]
                status, page, _ = fetch(port, "/", Cookie=cookie)
                waits.append(time.monotonic() - started)
                assert (status, "data-csrf" in page) == (200, True)
                time.sleep(1)
            assert max(waits) < 10, waits
        finally:
            over.set()
            attacker.join()
            for one in hoard:
                one.close()
            server.terminate()


def hold(port: int, hoard: list[socket.socket], over: threading.Event) -> None:
    """Open 800 connections with half a head each, drip on them, and open those anew that are closed."""
    while len(hoard) < 800 and not over.is_set():
        hoard.append(opened_half(port))
    while not over.wait(0.2):
        for place, one in enumerate(hoard):
            try:
                one.send(b"x")
            except OSError:
                one.close()
                hoard[place] = opened_half(port)
            if over.is_set():
                return


def opened_half(port: int) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=30)
    with contextlib.suppress(OSError):
        one.sendall(HALF)
    return one


@contextlib.contextmanager
def serving(app, **options):
    """Serve an app in a thread; yield its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(Config(app, timeout_graceful_shutdown=1, **options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


async def tell_client(scope, receive, send):
    """An app that says who its client is."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})


async def send_much(scope, receive, send):
    """An app that sends more than any buffer of the system takes."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(30 * 2**20)})


def is_closed_within(one: socket.socket, seconds: float) -> bool:
    one.settimeout(seconds)
    try:
        while one.recv(2**16):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("start", [b"", b"GET /", HALF], ids=["nothing", "line", "head"])
def test_half_a_head_is_closed_in_time(monkeypatch, start):
    monkeypatch.setattr(connection_limits, "HEAD_TIMEOUT_S", 0.5)
    with serving(tell_client) as port, socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(start)
        assert is_closed_within(one, 20)


def test_half_a_second_head_is_closed_in_time(monkeypatch):
    """A connection that was used honestly before has no more time than any other."""
    monkeypatch.setattr(connection_limits, "HEAD_TIMEOUT_S", 0.5)
    with serving(tell_client) as port, socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(2**16).startswith(b"HTTP/1.1 200")
        one.sendall(HALF)
        assert is_closed_within(one, 20)


def test_half_a_body_is_answered_in_time(monkeypatch, tmp_path):
    monkeypatch.setattr(access, "BODY_TIMEOUT_S", 0.5)
    opened = sites.open_site(tmp_path, base_url="http://testserver")
    ann = sites.Listener(opened, opened.invite())
    head = (
        f"POST /consent HTTP/1.1\r\nHost: x\r\nOrigin: http://testserver\r\nX-CSRF-Token: {ann.csrf}\r\n"
        f"Content-Type: application/json\r\nContent-Length: 15\r\nCookie: listener={ann.client.cookies['listener']}\r\n\r\n"
    )
    with serving(opened.app) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(head.encode() + b'{"agree"')
        assert one.recv(2**16).startswith(b"HTTP/1.1 408")
    assert opened.store.annotator(ann.annotator_id).state == "invited"
    opened.store.close()


def test_who_fetches_nothing_loses_the_place_and_who_fetches_slowly_does_not(monkeypatch):
    monkeypatch.setattr(connection_limits, "STALL_TIMEOUT_S", 1.5)
    with serving(send_much) as port:
        stalled, slow = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
        for one in (stalled, slow):
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = 0
        slow.settimeout(20)
        started = time.monotonic()
        while piece := slow.recv(2**18):
            got += len(piece)
            if time.monotonic() - started < 5:
                time.sleep(0.05)
        assert got > 30 * 2**20
        total = 0
        stalled.settimeout(20)
        with contextlib.suppress(ConnectionError):
            while piece := stalled.recv(2**18):
                total += len(piece)
        assert total < 30 * 2**20
        for one in (stalled, slow):
            one.close()


def test_no_client_has_all_places():
    """Of one address at most three quarters, of all of them as many as there are; who is being served stays."""

    class Loop:
        def time(self) -> float:
            return 0.0

    class Fake(connection_limits.Connection):
        def __init__(self, everybody, who, since, *, served=False):
            self.connections, self.network, self.client, self.waiting_since = everybody, who, (who, 1), since
            self.is_closing, self.served = False, served
            everybody.add(self)

        @property
        def is_served(self):
            return self.served

        def close_now(self):
            self.is_closing = True

    def state(everybody):
        return sorted((one.network, one.waiting_since) for one in everybody if not one.is_closing)

    guard = connection_limits.ConnectionLimit(most=4, proxies=["10.0.0.0/8"])
    everybody: set = set()
    for since in range(5):
        guard.admit(Fake(everybody, "192.0.2.1", since))
    assert state(everybody) == [("192.0.2.1", 2), ("192.0.2.1", 3), ("192.0.2.1", 4)]
    for since in (5, 6):
        guard.admit(Fake(everybody, "192.0.2.2", since))
    assert state(everybody) == [("192.0.2.1", 3), ("192.0.2.1", 4), ("192.0.2.2", 5), ("192.0.2.2", 6)]
    for one in everybody:
        one.served = True
    late = Fake(everybody, "192.0.2.3", 7)
    guard.admit(late)
    assert late.is_closing
    behind: set = set()
    for since in range(5):
        guard.admit(Fake(behind, "10.1.2.3", since))
    assert len(state(behind)) == 4


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        ([], "203.0.113.9", "127.0.0.1"),
        (["10.0.0.1"], "203.0.113.9", "127.0.0.1"),
        (["127.0.0.1"], "203.0.113.9", "203.0.113.9"),
        (["127.0.0.1"], "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # what the client claims stands on the left
        (["127.0.0.1", "10.0.0.0/8"], "198.51.100.1, 203.0.113.9, 10.2.3.4", "203.0.113.9"),
        (["127.0.0.1"], "2001:db8::7", "2001:db8::7"),
        (["127.0.0.1"], None, "127.0.0.1"),
    ],
)
def test_only_a_configured_proxy_says_who_a_client_is(proxies, forwarded, client):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with serving(tell_client, proxies=proxies) as port:
        assert fetch(port, "/", **headers)[1] == client


def test_a_proxy_that_adds_a_line_of_its_own_is_believed_alone(monkeypatch):
    """Of several header lines the last is the proxy's."""
    with serving(tell_client, proxies=["127.0.0.1"]) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
        reply = b""
        while b"203.0.113.9" not in reply and (piece := one.recv(2**16)):
            reply += piece
        assert b"198.51.100.1" not in reply


@pytest.mark.parametrize(("files", "most"), [(128, 48), (1024, 944), (64, 16), (100_000, 1000)])
def test_places_follow_the_files_that_may_be_open(monkeypatch, files, most):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert connection_limits.max_connections() == most
