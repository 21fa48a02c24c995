"""Who is alive is told by the kernel on one machine, and by the lease elsewhere."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from annotate.ledger.owners import Owner

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is only the lease")


def test_this_process_is_alive():
    """And it is somebody new every time."""
    owner, other = Owner.this_process(), Owner.this_process()
    assert not owner.gone
    assert (owner.pid, owner.host) == (os.getpid(), other.host)
    assert owner.token != other.token


def test_a_process_that_ended_is_gone_at_once():
    """Killed, and even before its parent has taken notice."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        started = int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19])
        owner = replace(Owner.this_process(), pid=process.pid, started=started)
        assert not owner.gone
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert owner.gone  # a zombie
    assert owner.gone


def test_a_process_number_that_was_given_again_is_somebody_else():
    """The time of the start tells them apart."""
    owner = Owner.this_process()
    assert replace(owner, started=owner.started - 1).gone


@pytest.mark.parametrize("host", ["", "another boot id pid:[4026531836]"])
def test_of_other_machines_nothing_is_known(host):
    """A number means nothing on another machine, in another container, or after a restart: the lease decides."""
    assert not replace(Owner.this_process(), host=host, pid=2**22 + 1).gone


def test_the_kernel_knows_when_this_process_started():
    """The library psutil counts the same from the same source."""
    psutil = pytest.importorskip("psutil")
    ticks = os.sysconf("SC_CLK_TCK")
    assert Owner.this_process().started / ticks + psutil.boot_time() == pytest.approx(psutil.Process().create_time(), abs=1.5)
