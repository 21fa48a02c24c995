"""The deployment as an operator runs it: a Prefect server, a work pool, a worker, and ``prefect deployment run``."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests/annotate")]
from conftest import tiny_recipe  # noqa: E402
from gemini_server import serving  # noqa: E402

pytestmark = pytest.mark.e2e

BIN = Path(sys.executable).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def running():
    """Start programs in the background and stop them by their pids, last one first."""
    started = []

    def start(*command, **options):
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        started.append(process)
        return process

    yield start
    for process in reversed(started):
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def api(url, path, body):
    request = urllib.request.Request(f"{url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.5)
    raise AssertionError(f"waited {seconds} s for {what}")


def healthy(url):
    try:
        return urllib.request.urlopen(f"{url}/health", timeout=5).status == 200
    except OSError:
        return False


def test_prefect_deployment_run_builds_a_release(tmp_path, environment, running):
    """Server, worker and ``prefect deployment run`` build the release by both spellings, and judge it again; artifacts tell of it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    prefect_environment = environment | {
        "PREFECT_API_URL": url,
        "PREFECT_HOME": str(tmp_path / "home"),
        "UNISRM_PROJECT": str(ROOT),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "UNISRM_WORKSPACES": str(tmp_path / "workspaces"),
    }

    def prefect(*arguments):
        done = subprocess.run(
            [BIN / "prefect", *map(str, arguments)],
            env=prefect_environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    with serving() as server:
        recipe = tiny_recipe(tmp_path, judge={"options": {"base_url": server.url}}, prompts={"texts": 4})
        running(
            BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", port, env=prefect_environment, cwd=tmp_path
        )
        wait_for(lambda: healthy(url), 120, "the Prefect server")
        prefect("work-pool", "create", "unisrm", "--type", "process")
        prefect("--no-prompt", "deploy", "--all")
        running(BIN / "prefect", "worker", "start", "--pool", "unisrm", env=prefect_environment, cwd=ROOT)
        first = prefect("deployment", "run", "build-unisrm-data/build-unisrm-data", "--param", f"recipe={recipe}", "--watch")
        assert "Completed" in first or "success" in first.lower()
        prefect("deployment", "run", "build-unisrm-data", "--param", f"recipe={recipe}", "--watch")
        asked = len(server.bodies)
        prefect("deployment", "run", "reannotate/reannotate", "--param", f"recipe={recipe}", "--watch")
        assert len(server.bodies) == 2 * asked, "one more repetition of every question"
        scheduled = api(url, "/deployments/filter", {"deployments": {"name": {"any_": ["reannotate"]}}})[0]["schedules"]
        assert [(one["slug"], one["schedule"]["cron"], one["active"]) for one in scheduled] == [("weekly", "0 3 * * 1", True)]

    runs = [run for run in api(url, "/flow_runs/filter", {}) if run["state_type"] != "SCHEDULED"]
    assert [run["state_type"] for run in runs] == ["COMPLETED"] * 3
    assert {run["parameters"]["recipe"] for run in runs} == {str(recipe)}
    names = {run["name"].rpartition("-")[0] for run in api(url, "/task_runs/filter", {})}
    assert {"utterances", "samples", "judgments", "release"} <= names
    artifacts = {artifact["key"]: artifact for artifact in api(url, "/artifacts/latest/filter", {})}
    assert {"build-summary", "stage-samples", "stage-judgments", "stage-reannotation", "judge-drift"} <= set(artifacts)
    summary = json.loads(artifacts["build-summary"]["data"])
    assert [row["stage"] for row in summary][-1] == "release"
    release = list((tmp_path / "workspaces" / "tiny" / "releases").glob("0.1.0-*"))
    assert len(release) == 1, "the second run found nothing to do"
    assert (release[0] / "MANIFEST.json").exists()
