"""A store that does not answer is one error of this project, wherever it is noticed; other errors stay what they are."""

import socket

import fsspec
import pytest

from contracts.errors import DamagedPart, StorageError
from storage import release_manifest, release_reader
from storage.release_manifest import File
from storage.store_errors import store_errors
from storage.workspace import Workspace
from tests.storage.object_stores import BUCKET, leading_to

SHARD = File(path="task1/sft-00000-of-00001.parquet", sha256="0" * 64, size_bytes=1, rows=1)


@pytest.fixture
def unreachable(monkeypatch):
    """A workspace in a bucket of a server that is not there."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with leading_to(f"http://127.0.0.1:{free.getsockname()[1]}"):
            yield Workspace(f"s3://{BUCKET}/w")


@pytest.mark.parametrize(
    "use",
    [
        lambda workspace: workspace.read("a"),
        lambda workspace: workspace.write("a", b"1"),
        lambda workspace: workspace.put_file(__file__, "a"),
        lambda workspace: workspace.remove("a"),
        lambda workspace: workspace.listdir("a"),
        lambda workspace: workspace.sizes("a"),
        lambda workspace: workspace.exists("a"),
        lambda workspace: workspace.lock().__enter__(),
        lambda workspace: release_manifest.read(workspace.filesystem, workspace.path("releases/r")),
        lambda workspace: release_manifest.states(workspace.filesystem, workspace.path("releases/r")),
        lambda workspace: release_manifest.faults(workspace.filesystem, workspace.path("releases/r"), []),
        lambda workspace: release_reader.require_intact(workspace, "releases/r", SHARD),
        lambda workspace: release_reader.read_shard(workspace, "releases/r", SHARD),
    ],
)
def test_a_store_that_does_not_answer_is_no_damage(unreachable, use):
    """It says what was done and what to do; nobody is told to restore a file or to build again."""
    with pytest.raises(StorageError, match=r"bucket/w.*Could not connect.*check that the store can be reached") as raised:
        use(unreachable)
    assert not isinstance(raised.value, DamagedPart)


def test_what_is_no_error_of_the_store_passes():
    """A missing file has a meaning of its own, this project's errors have been put into words, and a local disk has no library."""
    remote, local = fsspec.filesystem("memory"), fsspec.filesystem("file")
    for filesystem, error in (
        (remote, FileNotFoundError("a")),
        (remote, DamagedPart("a is gone")),
        (local, ZeroDivisionError("a defect")),
    ):
        with pytest.raises(type(error)) as raised, store_errors(filesystem, "reading a"):
            raise error
        assert raised.value is error
    with (
        pytest.raises(StorageError, match="reading a: TimeoutException no answer; check that"),
        store_errors(remote, "reading a"),
    ):
        raise type("TimeoutException", (Exception,), {})("no answer")
