"""Pushes that meet a busy Hub, are killed, or end between two commits."""

import os
import signal
import subprocess
import sys
import threading

import huggingface_hub._upload_pipeline
import huggingface_hub.constants
import huggingface_hub.utils._http
import pytest

from contracts.errors import StorageError
from flows.exports.hub import HubRepository
from flows.exports.named_release import NamedRelease
from flows.exports.push import Push, push_release
from storage import release_manifest
from storage.release_manifest import MANIFEST
from tests.flows.exports.hub_memory import Fault, Hub
from tests.flows.exports.pushing import CANARY, NAME, push, released, require_equal


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"^/api/datasets/{NAME}$"),
        ("POST", "^/api/repos/create$"),
        ("POST", "^/api/validate-yaml$"),
        ("POST", "/commit/main$"),
        ("GET", "/tree/"),
        ("POST", "/tag/"),
        ("PUT", "/settings$"),
        ("POST", "/preupload/"),
        ("POST", "/objects/batch$"),
        ("PUT", "^/lfs/"),
        ("HEAD", "/resolve/"),
        ("GET", "/resolve/"),
    ],
)
def test_a_busy_hub_is_asked_again(hub, release, method, path, status):
    """Whichever request fails once, the push ends as it would have; nothing is uploaded or committed twice."""
    hub.faults = [Fault(method, path, status, headers={"Retry-After": "2"} if status == 429 else {})]
    _, said = push(hub, release, public=True)
    assert not hub.faults
    assert CANARY not in "".join(said)
    assert hub.repositories[NAME].messages == ["initial commit", "Release v0.1.0"]
    assert set(hub.puts.values()) == {1}
    require_equal(hub, release, "v0.1.0")


@pytest.mark.parametrize("path", ["/commit/main$", "/tag/", "^/api/repos/create$"])
def test_an_answer_that_is_lost_repeats_nothing(hub, release, path):
    """A gateway gives up although the Hub did it: with a page that is no JSON."""
    hub.faults = [Fault("POST", path, 502, body=b"<html>Bad gateway</html>", after=True)]
    push(hub, release)
    assert not hub.faults
    assert hub.repositories[NAME].messages == ["initial commit", "Release v0.1.0"]
    require_equal(hub, release, "v0.1.0")


def test_a_page_in_place_of_json_is_tried_again(hub, release):
    """The client reads the check of the card as JSON whatever its status is."""
    hub.faults = [Fault("POST", "validate-yaml", 503, body=b"<html>Service unavailable</html>")]
    push(hub, release)
    require_equal(hub, release, "v0.1.0")


def test_how_long_to_wait_is_the_hubs_to_say(hub, release):
    """By its window of requests or ``Retry-After``; otherwise it is asked after growing pauses."""
    hub.faults = [
        Fault(
            "GET",
            f"^/api/datasets/{NAME}$",
            429,
            headers={"RateLimit": '"api";r=0;t=55', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'},
        ),
        Fault("GET", f"^/api/datasets/{NAME}$", 503, headers={"Retry-After": "7"}),
        Fault("GET", f"^/api/datasets/{NAME}$", 503),
    ]
    slept: list[float] = []
    repository = HubRepository(NAME, endpoint=hub.url)
    push_release(release, Push(repository=repository, sleep=slept.append, pauses_s=(1, 2, 3), say=lambda _: None))
    assert [round(seconds) for seconds in slept] == [56, 8, 3]


def test_a_hub_that_stays_busy_is_an_error(hub, release):
    """After the last attempt, and it says that the same command carries on."""
    hub.faults = [Fault("GET", f"^/api/datasets/{NAME}$", 503) for _ in range(50)]
    with pytest.raises(StorageError, match=r"looking for it: .*503.*; run the same command again") as raised:
        push(hub, release, pauses_s=(1, 2))
    assert CANARY not in str(raised.value)


def test_a_hub_that_nobody_serves_is_an_error(hub, release):
    """Of one line."""
    repository = HubRepository(NAME, endpoint="http://127.0.0.1:9")
    with pytest.raises(StorageError, match=rf"{NAME} on the Hub: looking for it: .*; run the same command again"):
        push_release(release, Push(repository=repository, pauses_s=(), say=lambda _: None))


def test_a_push_that_is_killed_is_carried_on(hub, release):
    """The command is killed when all is uploaded and nothing committed; the same command commits without another upload."""
    arrived, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        go_on.wait(60)

    # The killed client's commit is refused afterwards, as one is that did not arrive whole.
    hub.faults = [Fault("POST", "/commit/main$", 400, before=hold)]
    command = [sys.executable, "-m", "flows.entry.program", "release", release.workspace.path(release.folder), "--push", NAME]
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": CANARY, "HF_HUB_OFFLINE": "0"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        assert arrived.wait(60)
        os.kill(first.pid, signal.SIGKILL)
        said, _ = first.communicate()
    go_on.set()
    files = release_manifest.read(release.workspace.filesystem, release.workspace.path(release.folder))
    assert set(hub.puts) == {file.sha256 for file in files if file.path.endswith(".parquet")}
    assert hub.repositories[NAME].messages == ["initial commit"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"pushed: {hub.url}/datasets/{NAME}/tree/v0.1.0\n"
    assert CANARY not in said + done.stdout + done.stderr
    assert set(hub.puts.values()) == {1}
    require_equal(hub, release, "v0.1.0")


@pytest.fixture
def xet_hub(hub, monkeypatch, tmp_path):
    """The Hub with its own store of large files, and two files a commit."""
    hub.xet = tmp_path / "xet"
    hub.xet.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.setattr(huggingface_hub._upload_pipeline, "COMMIT_SIZE_SCALE", [2])
    monkeypatch.setattr(huggingface_hub._upload_pipeline, "INITIAL_COMMIT_SIZE_INDEX", 0)
    return hub


def shas(hub: Hub) -> dict[str, str]:
    """Return path -> sha256 of the main branch."""
    repository = hub.repositories[NAME]
    files = repository.commits[repository.refs["main"]]
    return {path: stored.sha256 for path, stored in files.items() if path != ".gitattributes"}


def listed(release: NamedRelease) -> dict[str, str]:
    """Return path -> sha256 of the files that a release's manifest lists."""
    files = release_manifest.read(release.workspace.filesystem, release.workspace.path(release.folder))
    return {file.path: file.sha256 for file in files}


def test_a_push_to_the_store_of_large_files(xet_hub, release):
    """As the client does it by default: in several commits, the manifest in the first; the second push does nothing."""
    push(xet_hub, release)
    repository = xet_hub.repositories[NAME]
    assert repository.messages == ["initial commit", "Release v0.1.0", "Release v0.1.0 (part 2)"]
    assert MANIFEST in list(repository.commits.values())[1]
    assert {path: sha for path, sha in shas(xet_hub).items() if path != MANIFEST} == listed(release)
    assert sum(path.stat().st_size for path in xet_hub.xet.rglob("*") if path.is_file()) > 0
    xet_hub.log.clear()
    push(xet_hub, release)
    assert {line.split()[0] for line in xet_hub.log} <= {"GET", "HEAD"}


@pytest.mark.parametrize("is_other", [False, True], ids=["the same release", "another version"])
def test_a_push_that_ends_between_commits(xet_hub, release, tmp_path, is_other):
    """The same command commits the rest alone; another version may follow, too, since the manifest is there."""
    xet_hub.faults = [Fault("POST", "/commit/main$"), Fault("POST", "/commit/main$", 400)]
    with pytest.raises(StorageError, match="uploading: "):
        push(xet_hub, release)
    repository = xet_hub.repositories[NAME]
    assert (repository.messages, repository.tags) == (["initial commit", "Release v0.1.0"], {})
    following = released(tmp_path / "other", "0.2.0", count=6) if is_other else release
    push(xet_hub, following)
    assert {path: sha for path, sha in shas(xet_hub).items() if path != MANIFEST} == listed(following)
    assert list(repository.tags) == ["v0.2.0" if is_other else "v0.1.0"]
    assert len(repository.messages) == (4 if is_other else 3)
