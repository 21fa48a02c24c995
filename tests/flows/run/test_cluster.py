"""The cluster: what cannot work is said at once, nobody gets in, and nobody in it has a key."""

import os
import shutil
import socket
import tomllib

import psutil
import pytest

from contracts.errors import SetupError
from flows.run import cluster
from flows.run.cluster import PACKAGES, PROJECT_ROOT, Cluster
from flows.run.linux_processes import session_members
from tests.flows.break_in import BROKEN_IN, connects, submits_a_job
from tests.flows.conftest import PLANTED
from tests.flows.process_tree import commands, environments, is_loopback, listening


def test_an_address_where_nothing_listens_is_refused_at_once():
    """Ray itself would try for minutes; the message says what to do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(SetupError, match=rf"no Ray cluster answers at '{address}'.*leave --ray out"):
            cluster._reach(address)
    cluster._reach("auto")  # Ray finds that one itself


@pytest.fixture
def members(ray_cluster):
    """The processes of the embedded cluster: Ray's own process, its daemons, its workers."""
    processes = [psutil.Process(pid) for pid in session_members(ray_cluster._process.pid)]
    assert len(processes) >= 3
    return processes


def test_everything_listens_on_loopback_only(members):
    """GCS, raylet with its object manager, driver, workers."""
    found = list(listening(members))
    assert {"gcs_server", "raylet"} <= {process.name() for process, _, _ in found}
    assert [(process.name(), address, port) for process, address, port in found if not is_loopback(address)] == []


def test_there_are_no_agents_and_no_job_api(members):
    """Whoever may post a job runs code as the builder; nothing of ours needs that, so nothing listens for it."""
    daemons = [process.info["name"] for process in psutil.process_iter(["name"]) if process in members]
    assert not any("Agent" in name or "dashboard" in name for name in daemons)
    python = [line for line in commands(members) if "raylet/raylet" not in line]
    assert not any(daemon in line for line in python for daemon in ("dashboard.py", "agent.py", "agent/main.py", "monitor.py"))
    answers = {submits_a_job(port) for _, _, port in listening(members)}
    assert not any(answer.isdigit() for answer in answers), "nobody in there speaks HTTP"


def test_a_stranger_cannot_connect(ray_cluster, members, tmp_path):
    """Neither without a token nor with another one; with the cluster's own the same script works."""
    gcs = next(port for process, _, port in listening(members) if process.name() == "gcs_server")
    wrong, own = tmp_path / "wrong", ray_cluster._folder / "token"
    wrong.write_text("0" * 64)
    home = {"HOME": str(tmp_path)}
    tries = [
        connects(gcs, **home, RAY_AUTH_MODE="disabled"),
        connects(gcs, **home, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(wrong)),
    ]
    refused = [(attempt.communicate(timeout=200)[1], attempt.returncode) for attempt in tries]
    assert all(code not in {0, BROKEN_IN} for _, code in refused)
    assert all("uthenticat" in text or "oken" in text for text, _ in refused)
    welcome = connects(gcs, **home, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(own))
    text = welcome.communicate(timeout=200)[1]
    assert welcome.returncode == BROKEN_IN, text[-2000:]


def test_the_token_is_in_nobodys_arguments(ray_cluster, members):
    """Everybody may read the arguments of a process; the file is for this user only."""
    token = ray_cluster._folder / "token"
    assert token.stat().st_mode & 0o077 == 0
    assert ray_cluster._folder.stat().st_mode & 0o077 == 0
    assert len(commands(members)) >= 3
    assert not any(token.read_text() in line for line in commands(members))
    assert not any(token.read_text() in environment.values() for _, environment in environments(members))


def test_no_process_of_the_cluster_has_a_key(members):
    """What judges, the Hub, the ledger and the listening test use stays in the build; what buckets use goes along."""
    seen = list(environments(members))
    assert len(seen) >= 3
    for process, environment in seen:
        assert [name for name, value in environment.items() if "planted" in value] == ["AWS_SECRET_ACCESS_KEY"], process
    assert len(PLANTED) > 5


def test_a_real_cluster_is_sent_code_and_nothing_else(tmp_path, monkeypatch):
    """A checkout may hold keys, workspaces and data beside and below its packages."""
    root = tmp_path / "project"
    for package in PACKAGES:
        (root / package).mkdir(parents=True)
        (root / package / "module.py").write_text("")
    for secret in (".env", "secrets.yaml", "workspaces/demo/ledger.sqlite", "flows/.env", ".git/config", "recipes/mine.yaml"):
        (root / secret).parent.mkdir(parents=True, exist_ok=True)
        (root / secret).write_text("key")
    monkeypatch.setattr(cluster, "PROJECT_ROOT", root)
    code = Cluster("ray://somewhere:10001", None, (), tmp_path)._code()
    sent = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert sent == {f"{package}/module.py" for package in PACKAGES}
    shutil.rmtree(code)


def test_what_is_sent_is_what_is_installed():
    """A new top-level package must reach the workers, too."""
    wheel = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(PACKAGES) == set(wheel["only-include"]) - {"recipes"}


def test_keys_stay_here_with_a_real_cluster_too(tmp_path, monkeypatch):
    """Ray's process gets none, so it cannot pass any on; what reaches that cluster goes along."""
    monkeypatch.setenv("GEMINI_API_KEY", "planted")
    monkeypatch.setenv("OUR_LLM", "planted")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "the cluster's")
    environment = Cluster("ray://somewhere:10001", None, {"OUR_LLM"}, tmp_path)._environment()
    assert "planted" not in environment.values()
    assert environment["RAY_AUTH_TOKEN"] == "the cluster's"
    assert environment["PATH"] == os.environ["PATH"]
