"""Leases: one build at a time on real object stores, the dead make room, and who lost one writes nothing more."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.errors import LeaseLost, StorageError, WorkspaceLocked
from contracts.processes import Process
from storage import lease as module
from storage.lease import LeaseOwner
from storage.shared_object import Conditions, SharedObject, conditions_of
from storage.workspace import Workspace
from tests.storage import object_stores

strong_server, weak_server = object_stores.strong_server, object_stores.weak_server
strong, weak = object_stores.strong, object_stores.weak

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = Process(space="another boot id pid:[1]", pid=4711, started=1)


@pytest.fixture
def plain(request):
    """URL of a workspace in a store that knows exclusive creation and no more."""
    return f"memory://{request.node.name}"


@pytest.fixture
def quick(monkeypatch):
    """Seconds instead of minutes."""
    for name, seconds in {"_LEASE_S": 6.0, "_WATCH_S": 0.5, "_LOOK_S": 0.05, "_SETTLE_S": 0.5, "_RENEW_S": 0.1}.items():
        monkeypatch.setattr(module, name, seconds)


def holder(*, ago_s: float = 0.0, process: Process = ELSEWHERE, lease_s: float = 60.0, token: str = "theirs") -> bytes:
    return LeaseOwner(host="far", process=process, token=token, renewed=time.time() - ago_s, lease_s=lease_s).to_json()


def ended() -> Process:
    """Return a process of this machine that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return replace(Process.this(), pid=process.pid)


@contextmanager
def together(count: int):
    """Let the first look at the lock of so many be over before any of them goes on."""
    barrier, looked, look = threading.Barrier(count), set(), SharedObject.read

    def read(self):
        found, me = look(self), threading.current_thread().name
        if me.startswith("racer") and me not in looked:
            looked.add(me)
            barrier.wait(30)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SharedObject, "read", read)
        yield


def race(url: str, count: int) -> list[str]:
    """Return what became of so many that want the same workspace at once."""
    outcomes, finish = [], threading.Event()
    conditions_of(Workspace(url).filesystem, Workspace(url).path(""))

    def take():
        try:
            with Workspace(url).lock():
                outcomes.append("held")
                finish.wait(30)
        except BaseException as error:  # noqa: BLE001 - for the assertion in the main thread
            outcomes.append(f"{type(error).__name__}: {error}")

    with together(count):
        threads = [threading.Thread(target=take, name=f"racer {number}") for number in range(count)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 30
        while len(outcomes) < count and time.monotonic() < until:
            time.sleep(0.02)
        finish.set()
        for thread in threads:
            thread.join()
    return sorted(outcomes)


def test_one_of_eight_gets_a_free_workspace(strong):
    """The losers learn who has it, whatever the server calls a failed condition."""
    *lost, held = race(strong, 8)
    assert held == "held"
    assert len(lost) == 7
    for message in lost:
        assert message.startswith(f"WorkspaceLocked: workspace {strong} is in use by process {os.getpid()} on ")
    assert Workspace(strong).listdir("") == []


def test_one_of_eight_takes_over_from_the_dead(strong):
    """All of them see that the holder is gone; the store decides between them, and nobody has to wait."""
    Workspace(strong).write("lock", holder(process=ended()))
    *lost, held = race(strong, 8)
    assert held == "held"
    assert all(message.startswith("WorkspaceLocked: ") for message in lost)
    assert len(lost) == 7


def test_the_last_one_has_it_where_writes_cannot_be_tied(plain, quick):
    """Without If-Match, those who take over a lease at once wait and look who wrote last."""
    Workspace(plain).write("lock", holder(process=ended()))
    *lost, held = race(plain, 3)
    assert held == "held"
    assert all(message.startswith("WorkspaceLocked: ") for message in lost)
    assert len(lost) == 2


def test_a_store_that_ignores_conditions_is_refused(weak):
    """Before anybody relies on it, with advice, and without a trace in the bucket."""
    with (
        pytest.raises(StorageError, match=r"ignores conditional writes \(If-None-Match\).*use a store that honours them"),
        Workspace(weak).lock(),
    ):
        pass
    assert Workspace(weak).listdir("") == []


def test_what_stores_can_do_is_found_out(strong, plain):
    """By trying, and once."""
    for url, expected in ((strong, Conditions(by_tag=True)), (plain, Conditions(by_tag=False))):
        workspace = Workspace(url)
        found = conditions_of(workspace.filesystem, workspace.path(""))
        assert found == expected
        assert conditions_of(workspace.filesystem, workspace.path("deeper")) is found
        assert workspace.listdir("") == []


@pytest.mark.parametrize("place", ["strong", "plain"])
def test_a_lease_is_held_renewed_and_released(place, request, quick):
    """A second build is refused as long as the first one runs."""
    url = request.getfixturevalue(place)
    first, second = Workspace(url), Workspace(url)
    with first.lock():
        before = LeaseOwner.from_json(first.read("lock"))
        with pytest.raises(WorkspaceLocked, match=rf"in use by process {os.getpid()} on .*; wait for it to end"), second.lock():
            pass
        time.sleep(0.5)
        after = LeaseOwner.from_json(first.read("lock"))
        assert (after.token, after.process) == (before.token, Process.this())
        assert after.renewed > before.renewed
        first.write("a", b"1")
    assert first.listdir("") == ["a"]
    with second.lock():
        second.remove("a")


_HOLD = """
import sys, time
from storage import lease
from storage.workspace import Workspace
lease._RENEW_S = lease._LOOK_S = 0.1
workspace = Workspace(sys.argv[1])
with workspace.lock():
    print("held", flush=True)
    time.sleep(60)
    workspace.write("late", b"")
"""


def _holding(url: str, endpoint: str) -> subprocess.Popen[str]:
    environment = os.environ | object_stores.environment(endpoint) | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _HOLD, url]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n", process.stderr.read()
    return process


def test_a_killed_build_frees_a_bucket_at_once(strong, strong_server):
    """On the same machine nobody waits for a lease to run out."""
    with _holding(strong, strong_server) as process:
        with pytest.raises(WorkspaceLocked, match=f"in use by process {process.pid} on"), Workspace(strong).lock():
            pass
        process.kill()
        process.wait()
        began = time.monotonic()
        with Workspace(strong).lock():
            assert time.monotonic() - began < 5


def test_a_build_that_lost_its_lease_stops_where_it_is(strong, strong_server):
    """It is interrupted even while it waits, says why, writes no more, and leaves the other's lock alone."""
    theirs = holder()
    with _holding(strong, strong_server) as process:
        Workspace(strong).write("lock", theirs)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == (
        f"contracts.errors.LeaseLost: the lock of workspace {strong} was taken over by process 4711 on far while this build "
        "could not renew it: another build may write there, so this one has stopped; run the same command again"
    )
    assert Workspace(strong).listdir("") == ["lock"]
    assert Workspace(strong).read("lock") == theirs


def test_nothing_is_written_after_the_loss(plain, quick, tmp_path):
    """By no method of the workspace that held it; a newly opened one is another build's business."""
    (source := tmp_path / "f").write_bytes(b"1")
    workspace = Workspace(plain)
    workspace.write("kept", b"1")

    def work():
        with workspace.lock():
            workspace.write("lock", holder())
            while True:
                workspace.require_lease()
                time.sleep(0.02)

    errors = []

    def run():
        try:
            work()
        except LeaseLost as error:
            errors.append(error)

    thread = threading.Thread(target=run)  # not the main thread: nobody is interrupted
    thread.start()
    thread.join(30)
    assert len(errors) == 1
    for change in (
        lambda: workspace.write("a", b""),
        lambda: workspace.remove("kept"),
        lambda: workspace.put_file(source, "b"),
    ):
        with pytest.raises(LeaseLost, match="was taken over by process 4711 on far"):
            change()
    assert workspace.listdir("") == ["kept", "lock"]


def test_an_error_of_the_work_is_no_loss(plain, quick):
    """It comes through, the lease is released, and the workspace may be written without one."""
    workspace = Workspace(plain)
    with pytest.raises(ZeroDivisionError), workspace.lock():
        _ = 1 / 0
    assert workspace.listdir("") == []
    workspace.write("a", b"1")


def test_the_main_thread_is_interrupted_once_and_by_the_loss_only(plain, quick):
    """An interrupt of the user stays one."""
    with pytest.raises(KeyboardInterrupt), Workspace(plain).lock():
        signal.raise_signal(signal.SIGINT)
    workspace = Workspace(plain)

    def lose():
        with workspace.lock():
            workspace.write("lock", holder())
            time.sleep(30)

    with pytest.raises(LeaseLost):
        lose()
    time.sleep(0.2)


def test_a_lease_that_cannot_be_renewed_is_lost_before_it_is_over(plain, quick, monkeypatch):
    """The last error of the store is in the message. A renewal that fails now and then is none."""
    monkeypatch.setattr(module, "_GIVE_UP_S", 1.0)
    change, outage = SharedObject.change, threading.Event()
    times = []

    def changed(self, data, seen):
        times.append(time.monotonic())
        if outage.is_set() or len(times) % 2:
            raise OSError("the store is on holiday")
        return change(self, data, seen)

    monkeypatch.setattr(SharedObject, "change", changed)
    workspace = Workspace(plain)

    def work():
        with workspace.lock():
            time.sleep(2)
            workspace.write("a", b"")
            outage.set()
            time.sleep(30)

    with pytest.raises(LeaseLost, match=r"could not be renewed for 1 s \(the store is on holiday\)"):
        work()


def test_one_that_hangs_in_the_store_is_noticed_too(plain, quick, monkeypatch):
    """A renewal without an answer neither keeps the lease alive nor the build from ending."""
    monkeypatch.setattr(module, "_GIVE_UP_S", 0.5)
    monkeypatch.setattr(module, "_RELEASE_S", 0.2)
    answer = threading.Event()
    monkeypatch.setattr(SharedObject, "change", lambda *_: answer.wait(30))
    began = time.monotonic()
    with pytest.raises(LeaseLost, match="could not be renewed"), Workspace(plain).lock():
        time.sleep(20)
    assert time.monotonic() - began < 10
    answer.set()


# Holders elsewhere, of whom only the lock tells.


def test_who_is_elsewhere_is_waited_for_and_the_message_says_until_when(plain):
    """A minute from the last sign of life."""
    Workspace(plain).write("lock", holder(ago_s=20.4))
    with (
        pytest.raises(
            WorkspaceLocked,
            match=r"in use by process 4711 on far; it showed a sign of life 20 s ago; .* the workspace is free in 40 s \(at "
            r"\d\d:\d\d:\d\d\), then run the same command again",
        ),
        Workspace(plain).lock(),
    ):
        pass


@pytest.mark.parametrize("ago_s", [6, 3600, 86400 * 365])
def test_who_shows_no_life_is_taken_over(plain, quick, ago_s):
    """After a look that is longer than two renewals are apart."""
    Workspace(plain).write("lock", holder(ago_s=ago_s, lease_s=6.0))
    began = time.monotonic()
    with Workspace(plain).lock():
        assert 0.5 <= time.monotonic() - began < 5


def test_a_lock_from_the_future_is_watched_for_as_long_as_a_lease_lasts(plain, quick):
    """Its clock is wrong, so it says nothing about when it was renewed; no hour has to pass."""
    Workspace(plain).write("lock", holder(ago_s=-3600, lease_s=2.0))
    began = time.monotonic()
    with Workspace(plain).lock():
        assert 2 <= time.monotonic() - began < 8


@pytest.mark.parametrize("ago_s", [3600, -3600])
def test_who_renews_is_alive_whatever_the_clocks_say(plain, quick, ago_s):
    """A step of an hour between two machines takes nothing from anybody."""
    workspace, done = Workspace(plain), threading.Event()
    workspace.write("lock", holder(ago_s=ago_s))

    def renew():
        while not done.wait(0.2):
            Workspace(plain).write("lock", holder(ago_s=ago_s))

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.raises(WorkspaceLocked, match="is free in 60 s"), workspace.lock():
            pass
    finally:
        done.set()
        thread.join()


def test_one_that_is_released_while_it_is_watched_is_free(plain, quick, monkeypatch):
    """Nobody has to start again."""
    monkeypatch.setattr(module, "_WATCH_S", 20.0)
    Workspace(plain).write("lock", holder(ago_s=6.0, lease_s=6.0))
    timer = threading.Timer(0.3, Workspace(plain).remove, ["lock"])
    timer.start()
    began = time.monotonic()
    with Workspace(plain).lock():
        assert time.monotonic() - began < 10


def test_the_lock_of_an_older_version_is_understood(plain, quick):
    """It had five minutes, and says nothing about the process."""
    workspace = Workspace(plain)
    workspace.write("lock", json.dumps({"host": "h", "pid": 1, "renewed": time.time() - 100, "token": "t"}).encode())
    with pytest.raises(WorkspaceLocked, match=r"process 1 on h; .* free in 200 s"), workspace.lock():
        pass


@pytest.mark.parametrize(
    "lock", [b"", b"{", b"[]", b"\xff", b'{"host": "h"}', b'{"host": "h", "pid": "x", "renewed": 1}', b"[" * 5000]
)
def test_a_damaged_lock_is_named(plain, lock):
    """It says who holds it no more: a person has to."""
    Workspace(plain).write("lock", lock)
    with (
        pytest.raises(StorageError, match=r"/lock is no lock of a build: remove it if no build runs there"),
        Workspace(plain).lock(),
    ):
        pass
