"""The workspace: whole files or none, one build at a time, errors that say what to do."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contracts.errors import StorageError, WorkspaceLocked
from storage import workspace as module
from storage.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def test_names_are_below_the_root(tmp_path):
    """A relative path becomes absolute, because workers run elsewhere."""
    opened = Workspace(os.path.relpath(tmp_path))
    assert opened.url == str(tmp_path)
    assert pickle.loads(pickle.dumps(opened)).url == opened.url


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    """When the disk refuses, neither the file nor a leftover is there, and the message says what to do."""
    opened = Workspace(tmp_path)
    opened.write("a/b", b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "sync", full)
    with pytest.raises(StorageError, match="the disk is full: free some space or move the workspace"):
        opened.write("a/b", b"new")
    assert opened.read("a/b") == b"old"
    assert opened.listdir("a") == ["b"]


def test_readers_never_see_half_a_file(tmp_path):
    """While a file is rewritten a thousand times, every read finds one whole version."""
    opened = Workspace(tmp_path)
    opened.write("f", b"0" * 5000)
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            data = opened.read("f")
            seen.add((len(data), len(set(data))))

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(200):
        opened.write("f", bytes([48 + number % 10]) * 5000)
    done.set()
    thread.join()
    assert seen == {(5000, 1)}


def test_a_second_build_is_refused(tmp_path):
    """The message names who holds the workspace; afterwards it is free again."""
    opened = Workspace(tmp_path)
    with (
        opened.lock(),
        pytest.raises(WorkspaceLocked, match=rf"in use by process {os.getpid()} on"),
        Workspace(tmp_path).lock(),
    ):
        pass
    with opened.lock():
        pass


def test_a_killed_build_frees_the_lock(tmp_path):
    """The operating system lets go of it, even after kill -9."""
    code = f"import time; from storage.workspace import Workspace\nwith Workspace({str(tmp_path)!r}).lock():\n print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(WorkspaceLocked, match=f"process {holder.pid}"), Workspace(tmp_path).lock():
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Workspace(tmp_path).lock():
        pass


@pytest.mark.parametrize(("url", "message"), [("foo://x/y", "foo"), ("ftp://user:secret@host/a", "must not hold a login")])
def test_a_url_that_cannot_be_opened(url, message):
    """One line; a login in it is refused and not repeated."""
    with pytest.raises(StorageError, match=message) as caught:
        Workspace(url)
    assert "secret" not in str(caught.value)


def test_a_file_where_the_folder_should_be(tmp_path):
    """A workspace that cannot be made is a one-line error."""
    (tmp_path / "f").write_text("")
    with pytest.raises(StorageError, match="opening the workspace"), Workspace(tmp_path / "f" / "ws").lock():
        pass
