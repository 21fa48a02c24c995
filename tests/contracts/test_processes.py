"""Whether a process is there is told by the kernel on one machine; of other machines nothing is known."""

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from contracts import processes
from contracts.processes import Process

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is known of any process")


@contextmanager
def another():
    """Run a process, and yield it with what it says of itself."""
    code = "import sys; from contracts.processes import Process as P; p = P.this(); print(p.space, p.pid, p.started, sep='|', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as running:
        space, pid, started = running.stdout.readline().strip().split("|")
        yield running, Process(space=space, pid=int(pid), started=int(started))
        running.kill()


def test_this_process_is_alive():
    """And it is the same one every time."""
    assert Process.this() == Process.this()
    assert Process.this().pid == os.getpid()
    assert Process.this().state() == "alive"


def test_a_process_that_ended_is_gone_at_once():
    """Killed, and even before its parent has taken notice."""
    with another() as (running, process):
        assert process.space == Process.this().space
        assert process.state() == "alive"
        running.kill()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        assert process.state() == "gone"  # a zombie
        running.wait()
        assert process.state() == "gone"


def test_a_process_number_that_was_given_again_is_somebody_else():
    """The time of the start tells them apart."""
    this = Process.this()
    assert replace(this, started=this.started - 1).state() == "gone"


def test_a_child_is_a_process_of_its_own():
    """What was learnt before a fork does not make the child its parent."""
    this, (reading, writing) = Process.this(), os.pipe()
    if not (child := os.fork()):
        os.write(writing, f"{Process.this() == this} {Process.this().pid == os.getpid()} {Process.this().state()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == "False True alive"


@pytest.mark.parametrize("space", ["", "another boot id pid:[4026531836]"])
def test_of_other_machines_nothing_is_known(space):
    """A number means nothing on another machine, in another container or after a restart."""
    assert replace(Process.this(), space=space, pid=2**22 + 1).state() == "unknown"


def test_another_container_is_another_place():
    """The kernel is the same, the numbers are others."""
    code = "from contracts.processes import Process; print(Process.this().space)"
    apart = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if apart.returncode:
        pytest.skip(f"no namespaces here: {apart.stderr.strip()}")
    space = apart.stdout.strip()
    assert space.split()[0] == Process.this().space.split()[0]
    assert space != Process.this().space
    assert replace(Process.this(), space=space, pid=2**22 + 1).state() == "unknown"


def test_where_nothing_can_be_seen_nothing_is_claimed(monkeypatch):
    """Without /proc, and of processes that it hides."""
    this = Process.this()
    monkeypatch.setattr(processes, "_started", lambda _: None)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    assert this.state() == "unknown"

    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert this.state() == "unknown"


def test_the_kernel_knows_when_this_process_started():
    """The library psutil counts the same from the same source."""
    import psutil

    ticks = os.sysconf("SC_CLK_TCK")
    assert Process.this().started / ticks + psutil.boot_time() == pytest.approx(psutil.Process().create_time(), abs=1.5)
