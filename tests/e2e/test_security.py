"""A whole build, watched from outside: who listens where, who has which key, and who gets in, in every stage."""

import collections
import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.annotate.gemini_server import Answer, card, reply, serving
from tests.e2e.builds import CLI, ROOT, tiny_recipe
from tests.flows.break_in import BROKEN_IN, connects, submits_a_job
from tests.flows.process_tree import environments, family, is_loopback, listening

pytestmark = pytest.mark.e2e

PLANTED = ("GEMINI_API_KEY", "OPENAI_API_KEY", "HF_TOKEN", "UNISRM_LISTENING_SECRET", "OUR_DATABASE")
KEY = "planted-key-0123456789"


def slowly(_number, prompt):
    return Answer(body=reply(card(prompt)), delay_s=0.2)


class Watch(threading.Thread):
    """Looks at the process tree of a build again and again."""

    def __init__(self, pid, workspace):
        super().__init__(daemon=True)
        self.pid, self.workspace = pid, workspace
        self.open_to_all, self.with_keys, self.refused = set(), set(), {}
        self.looks, self.listeners = collections.Counter(), set()
        self.strangers = []
        self.looked_to_the_end = False

    def run(self):
        while members := family(self.pid):
            done = {mark.stem for mark in (self.workspace / "stages").glob("*.json")}
            self.looks[len(done)] += 1
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended while it was looked at; there is a next look
                self.look(members)
            time.sleep(0.1)
        self.looked_to_the_end = True

    def look(self, members):
        for process, environment in environments(members):
            if process.pid != self.pid and KEY in "\0".join(environment.values()):
                self.with_keys.add(" ".join(process.cmdline())[:200])
        for process, address, port in listening(members):
            name = process.name()
            self.listeners.add(name)
            if not is_loopback(address):
                self.open_to_all.add((name, address))
            if port not in self.refused:
                self.refused[port] = (submits_a_job(port), prefect(port))
                if name == "gcs_server":
                    self.strangers.append(connects(port, HOME="/nonexistent", RAY_AUTH_MODE="disabled"))


def prefect(port):
    """Ask for the flow runs, as anybody on this machine may try."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/flow_runs/filter", data=b"{}", headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError, urllib.request.http.client.HTTPException):
        return None


def test_nobody_gets_into_a_build(tmp_path, environment):
    """All of it listens on loopback, no child has a key, posting a job and ``ray.init`` are refused, and so is Prefect's API."""
    workspace, temporary = tmp_path / "ws", Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))  # short enough for Ray's sockets
    keys = dict.fromkeys(PLANTED, KEY) | {"OUR_DATABASE": f"postgresql://me:{KEY}@nowhere/db", "TMPDIR": str(temporary)}
    with serving(slowly) as server:
        recipe = tiny_recipe(tmp_path, judge={"options": {"concurrency": 2, "base_url": server.url}})
        build = subprocess.Popen(
            [CLI, "build", recipe, "-w", workspace],
            env=environment | keys,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watch = Watch(build.pid, workspace)
        watch.start()
        out, err = build.communicate(timeout=1800)
        watch.join()
    assert build.returncode == 0, err[-3000:]
    assert out.startswith("release: ")
    assert watch.looked_to_the_end
    assert {"gcs_server", "raylet", "python"} <= watch.listeners
    assert len(watch.looks) >= 4, "it was looked at in several stages"
    assert watch.open_to_all == set()
    assert watch.with_keys == set()
    assert {answer for answer, _ in watch.refused.values() if answer.isdigit()} == {"401"}, "only Prefect speaks HTTP"
    assert {answer for _, answer in watch.refused.values()} == {401, None}
    assert watch.strangers
    for stranger in watch.strangers:
        try:
            stranger.wait(60)
        except subprocess.TimeoutExpired:  # it came too late, and tries to reach a cluster that has ended
            stranger.kill()
        text = stranger.communicate()[1]
        assert stranger.returncode not in {0, BROKEN_IN}, text[-1000:]
    assert list(temporary.glob("unisrm-ray-*")) == []
    shutil.rmtree(temporary)
