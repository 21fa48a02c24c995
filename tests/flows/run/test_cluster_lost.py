"""A cluster that is lost in the middle: the fan-out goes on by itself, or says in one line that it cannot."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from contracts.errors import SetupError
from flows.run import cluster
from flows.run.cluster import Cluster, ClusterLost
from flows.run.fanout import fan_out
from flows.run.linux_processes import is_running, kill_session, session_members
from tests.flows.fake_job import TroubleJob, requests

LIMIT_S = 150
"""A minute, and what a loaded machine adds to it."""


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200]
    except OSError:
        return ""


VICTIMS = {
    "raylet": lambda line: "raylet/raylet" in line,
    "gcs": lambda line: "gcs_server" in line,
    "workers": lambda line: line.startswith("ray::") or "default_worker.py" in line,
    "stand-ins": lambda line: line.startswith("tail "),
    "driver": lambda line: "flows.run.ray_process" in line,
}


@pytest.mark.parametrize(
    "victim",
    [
        "raylet",
        pytest.param("gcs", marks=pytest.mark.slow),  # a stopped one is noticed below
        "workers",
        pytest.param("stand-ins", marks=pytest.mark.slow),
        "driver",
    ],
)
def test_whatever_is_killed_the_fan_out_ends_right(ray_cluster, tmp_path, victim):
    """``kill -9`` after the first batch: every request is done, what was committed is not done again, and it takes no minute."""
    log, done = tmp_path / "log", []
    log.touch()
    killed_at = []

    def commit(job, outcome):
        done.extend(outcome.rows["metric_key"].to_pylist())
        assert outcome.failures.num_rows == 0
        if not killed_at:
            for pid in [pid for pid in session_members(ray_cluster._process.pid) if VICTIMS[victim](command(pid))]:
                with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                    os.kill(pid, signal.SIGKILL)
                killed_at.append(time.monotonic())

    fan_out([(TroubleJob(log=str(log), batch_size=2), requests(*["fine"] * 12))], commit)
    assert killed_at
    assert time.monotonic() - killed_at[0] < LIMIT_S
    assert sorted(done) == sorted(set(done)) == [f"row{number:03d}" for number in range(12)]
    attempts = [json.loads(line)["row"] for line in log.read_text().splitlines()]
    assert attempts.count(done[0]) == 1
    assert len(attempts) <= 12 + 2 * 2, "only what was in flight is done again"


def test_a_daemon_that_stands_still_is_noticed(ray_cluster, tmp_path, monkeypatch):
    """A stopped GCS lives, but answers nothing."""
    monkeypatch.setattr(cluster, "_REPLY_LIMIT_S", 5.0)
    (gcs,) = [pid for pid in session_members(ray_cluster._process.pid) if "gcs_server" in command(pid)]
    os.kill(gcs, signal.SIGSTOP)
    assert ray_cluster.nodes()[0]["CPU"] == 2
    assert not is_running(gcs)


@pytest.mark.parametrize("stopped", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_killed_build_takes_its_cluster_along(stopped):
    """``kill -9``: no process and no folder is left, even where Ray's own process cannot run: Ray may hold its interpreter."""
    script = (
        "import time\nfrom flows.run.cluster import cluster\nwith cluster(cpus=1) as c:\n"
        " print(c._process.pid, c._folder, flush=True); time.sleep(600)"
    )
    build = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    session, folder = build.stdout.readline().split()
    members = session_members(int(session))
    assert len(members) >= 3
    if stopped:
        os.kill(int(session), signal.SIGSTOP)
    build.kill()
    build.communicate()
    deadline = time.monotonic() + 60
    while (Path(folder).exists() or any(is_running(pid) for pid in members)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [command(pid) for pid in members if is_running(pid)]
    assert not Path(folder).exists()


def start(tmp_path, monkeypatch, body, **limits):
    """Start a cluster whose process is a script of ours."""
    (tmp_path / "flows" / "run").mkdir(parents=True)
    for package in ("flows", "flows/run"):
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "flows" / "run" / "ray_process.py").write_text(
        "import os, sys, time\nfrom multiprocessing.connection import Connection\nc = Connection(int(sys.argv[1]))\n" + body
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name, value in limits.items():
        monkeypatch.setattr(cluster, name, value)
    made = Cluster(None, 1, (), tmp_path)
    try:
        made.start()
    finally:
        made.stop()
    return made


@pytest.mark.parametrize(
    ("body", "limit_s", "reason"),
    [
        ("time.sleep(600)", 2.0, "no answer within 2 s"),
        ("sys.exit(3)", 60.0, "its process has ended"),
        ("c.send(('failed', 'no room on /dev/shm')); time.sleep(600)", 60.0, "no room on /dev/shm"),
    ],
)
def test_a_start_that_hangs_or_fails_is_bounded(tmp_path, monkeypatch, body, limit_s, reason):
    """Ray waits for ever for a worker that died while it started; here that ends in one line, and nothing is left running."""
    began = time.monotonic()
    with pytest.raises(SetupError, match=f"failed 3 times in a row .{reason}.*run the same command again"):
        start(tmp_path, monkeypatch, body, _START_LIMIT_S=limit_s)
    assert time.monotonic() - began < 60


def test_a_second_start_may_work(tmp_path, monkeypatch, caplog):
    """The first one failed, which is said, and the build goes on."""
    body = f"""
from pathlib import Path
mark = Path({str(tmp_path / "mark")!r})
if not mark.exists():
    mark.touch()
    sys.exit(1)
c.send(("started", [os.getpid()], [{{"CPU": 1.0}}]))
time.sleep(600)
"""
    made = start(tmp_path, monkeypatch, body)
    assert made.nodes_seen == [{"CPU": 1.0}]
    assert "the embedded Ray cluster failed (its process has ended); starting again" in caplog.text


def test_losses_without_anything_done_in_between_are_counted(tmp_path):
    """A batch that takes the whole cluster with it each time must not go on for ever."""
    made = Cluster(None, 1, (), tmp_path)
    made.start = lambda: None
    made.restart(ClusterLost("x"))
    made.restart(ClusterLost("x"))
    with pytest.raises(SetupError, match="failed 3 times in a row"):
        made.restart(ClusterLost("x"))


def test_a_session_is_killed_to_the_last_orphan(tmp_path):
    """Whoever was started by it, even where the parent is gone already."""
    script = "sleep 600 & setsid -w sleep 0 & (sleep 600 & sleep 600 &) ; wait"
    leader = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    deadline = time.monotonic() + 10
    while len(session_members(leader.pid)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    members = session_members(leader.pid)
    threading.Thread(target=leader.wait, daemon=True).start()
    kill_session(leader.pid)
    assert len(members) >= 4
    assert not any(is_running(pid) for pid in members)
