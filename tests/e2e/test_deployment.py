"""The deployment as an operator runs it: a Prefect server, a work pool, a worker, and ``prefect deployment run``."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from annotate.people.store.store_records import Refused
from flows.listening.store import open_store
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from tests.annotate.gemini_server import serving
from tests.annotate.replies import answer
from tests.e2e.builds import CLI, ROOT, tiny_recipe, unisrm
from tests.e2e.http_listener import Listener

pytestmark = pytest.mark.e2e

BIN = Path(sys.executable).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def programs():
    """Start programs in the background and stop them by their pids, last one first."""
    started = []

    def start(*command, **options):
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def running():
    with programs() as start:
        yield start


def api(url, path, body, method="POST"):
    """Ask Prefect's API, again while it says that it is busy (503, a locked database), as Prefect's own clients do."""
    request = urllib.request.Request(
        f"{url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
    )

    def asked():
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [json.loads(answer.read() or b"null")]
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            return None

    return wait_for(asked, 60, f"an answer to {method} {path}")[0]


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


@pytest.fixture(scope="module")
def deployed(tmp_path_factory, environment):
    """A server, a worker and all deployments; yields the API's URL, the environment of its clients and how to run one."""
    folder = tmp_path_factory.mktemp("deployed")
    url = f"http://127.0.0.1:{free_port()}/api"
    client = environment | {
        "PREFECT_API_URL": url,
        "PREFECT_HOME": str(folder / "home"),
        "UNISRM_PROJECT": str(ROOT),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "UNISRM_WORKSPACES": str(folder / "workspaces"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }

    def run(deployment, recipe):
        prefect("deployment", "run", deployment, "--param", f"recipe={recipe}", "--watch", "--watch-interval", "1")

    def prefect(*arguments):
        done = subprocess.run(
            [BIN / "prefect", *map(str, arguments)],
            env=client,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    port = url.rsplit(":", 1)[1].removesuffix("/api")
    with programs() as start:
        start(BIN / "prefect", "server", "start", "--host", "127.0.0.1", "--port", port, env=client, cwd=folder)
        wait_for(lambda: healthy(url), 120, "the Prefect server")
        prefect("work-pool", "create", "unisrm", "--type", "process")
        prefect("--no-prompt", "deploy", "--all")
        # A run that a schedule starts at the quarter of an hour would cancel the test's own.
        for deployment in api(url, "/deployments/filter", {}):
            api(url, f"/deployments/{deployment['id']}", {"paused": True}, "PATCH")
        start(BIN / "prefect", "worker", "start", "--pool", "unisrm", env=client, cwd=ROOT)
        yield url, client, run


def runs_of(url, recipe):
    """Return the flow runs about one recipe, oldest first; others may be the schedules'."""
    runs = [run for run in api(url, "/flow_runs/filter", {}) if run["state_type"] != "SCHEDULED"]
    return sorted((run for run in runs if run["parameters"].get("recipe") == str(recipe)), key=lambda run: run["created"])


def schedules_of(url, name):
    found = api(url, "/deployments/filter", {"deployments": {"name": {"any_": [name]}}})[0]["schedules"]
    return [(one["slug"], one["schedule"]["cron"], one["active"]) for one in found]


def test_prefect_deployment_run_builds_a_release(tmp_path, deployed):
    """Server, worker and ``prefect deployment run`` build the release, and judge it again; artifacts tell of it."""
    url, client, run = deployed
    with serving() as server:
        recipe = tiny_recipe(tmp_path, judge={"options": {"base_url": server.url}}, prompts={"texts": 4})
        run("build-unisrm-data/build-unisrm-data", recipe)
        asked = len(server.bodies)
        run("reannotate/reannotate", recipe)
        assert len(server.bodies) == 2 * asked, "one more repetition of every question"
    assert schedules_of(url, "reannotate") == [("weekly", "0 3 * * 1", True)]

    assert [run["state_type"] for run in runs_of(url, recipe)] == ["COMPLETED"] * 2
    names = {run["name"].rpartition("-")[0] for run in api(url, "/task_runs/filter", {})}
    assert {"utterances", "samples", "judgments", "release"} <= names
    artifacts = {artifact["key"]: artifact for artifact in api(url, "/artifacts/latest/filter", {})}
    assert {"build-summary", "stage-samples", "stage-judgments", "stage-reannotation", "judge-drift"} <= set(artifacts)
    summary = json.loads(artifacts["build-summary"]["data"])
    assert [row["stage"] for row in summary][-1] == "release"
    (release,) = (Path(client["UNISRM_WORKSPACES"]) / "tiny" / "releases").glob("0.1.0-*")
    assert (release / "MANIFEST.json").exists()


def test_a_build_waits_for_listeners_and_collect_votes_finishes_it(tmp_path, deployed, running):
    """Built by the short name until it waits, served and voted on, collected: RL and bench hold the pairs that people confirmed."""
    url, client, run = deployed
    port = free_port()
    with serving(text=answer) as server:
        recipe = tiny_recipe(
            tmp_path,
            name="heard",
            judge={"task": "teacher", "options": {"base_url": server.url}},
            prompts={"texts": 4, "max_duration_s": 4.0, "reference": "none"},
            pair_kinds=["inter"],
            listening={"protocol": "unisrm", "languages": {"en": "proficient"}, "qualification": 0},
        )
        run("build-unisrm-data", recipe)
        build = open_build(recipe, f"{client['UNISRM_WORKSPACES']}/heard")
        truth = {row["item_id"]: row["label"].upper() for row in build.tables.read("labels").to_pylist()}
        verified = [row for row in build.tables.read(splits_table(build)).to_pylist() if row["split"] != "sft"]
        assert {row["split"] for row in verified} == {"rl", "bench"}
        asked = len(server.bodies)
        (waiting,) = runs_of(url, recipe)
        assert (waiting["state_type"], waiting["state"]["name"]) == (
            "COMPLETED",
            f"waiting for votes: 0 of {3 * len(verified)}",
        )
        assert schedules_of(url, "collect-votes") == [("quarter-hourly", "*/15 * * * *", True)]

        address = f"http://127.0.0.1:{port}"
        running(CLI, "annotate", "serve", recipe, "--port", port, env=client, cwd=ROOT)
        wait_for(lambda: healthy(address), 60, "the listening test")
        links = [
            unisrm(client, "annotate", "invite", recipe, name, "--level", "en=proficient", "--base-url", address).stdout.strip()
            for name in ("Ada", "Ben", "Cleo")
        ]
        contradicted = min(row["item_id"] for row in verified if row["split"] == "rl")
        other = {"A": "B", "B": "A"}

        def say(assignment):
            with open_store(build) as store:
                who = next(one.annotator_id for one in store.annotators() if _has(store, assignment, one.annotator_id))
                given = store.assignment(assignment, who)
            pair = given.item.subject_id
            value = other[truth[pair]] if pair == contradicted else truth[pair]
            return value if given.order == "ab" else other[value]

        def session(link):
            listener = Listener(link)
            listener.sign_in()
            return len(listener.vote_on_all(say))

        with ThreadPoolExecutor() as pool:
            assert list(pool.map(session, links)) == [len(verified)] * 3
        run("collect-votes", recipe)
        assert len(server.bodies) == asked, "nothing was judged again"
    last = runs_of(url, recipe)[-1]
    assert (last["state_type"], last["state"]["name"]) == ("COMPLETED", "Completed")
    released = {}
    for path in Path(release_of(build)).glob("*/*.parquet"):
        split = path.name.partition("-")[0]
        released[split] = set(pq.read_table(path, columns=["pair_id"])["pair_id"].to_pylist())
    for split in ("rl", "bench"):
        confirmed = {row["item_id"] for row in verified if row["split"] == split} - {contradicted}
        assert released.get(split, set()) == confirmed
    assert "nothing to do" in unisrm(client, "build", recipe).stderr


def _has(store, assignment, annotator_id):
    try:
        return bool(store.assignment(assignment, annotator_id))
    except Refused:
        return False
