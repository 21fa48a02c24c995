"""The workspace: whole files or none, one build at a time, errors that say what to do."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from contracts.errors import StorageError, WorkspaceLocked
from storage import local_files
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

    monkeypatch.setattr(local_files, "sync", full)
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


def answering(monkeypatch, listing):
    """Return a workspace in a store that answers so."""
    opened = Workspace("memory://store/prefix")
    monkeypatch.setattr(type(opened.filesystem), "ls", listing)
    return opened


class StoreError(Exception):
    """What a store's own library raises."""


def test_a_store_that_refuses_is_one_line(monkeypatch):
    """No bucket, no credentials, no connection: the URL and what to do; an empty prefix is no trouble."""

    def no_bucket(*_, **__):
        raise FileNotFoundError("The specified bucket does not exist") from StoreError("NoSuchBucket")

    def raising(error):
        def listing(*_, **__):
            raise error

        return listing

    for listing, told in (
        (no_bucket, "The specified bucket does not exist"),
        (raising(PermissionError("The AWS Access Key Id you provided does not exist")), "The AWS Access Key Id"),
        (raising(StoreError("Could not connect to the endpoint URL:\n x")), "StoreError Could not connect to the endpoint"),
    ):
        opened = answering(monkeypatch, listing)
        with pytest.raises(StorageError, match=f"workspace memory://store/prefix: {told}.*right credentials") as caught:
            opened.reach()
        assert "\n" not in str(caught.value)
    answering(monkeypatch, raising(FileNotFoundError("prefix"))).reach()


def test_a_store_that_never_answers_is_given_up(monkeypatch):
    """Bounded, whatever the store's library does."""
    done = threading.Event()
    monkeypatch.setattr(module, "_REACH_S", 0.05)
    opened = answering(monkeypatch, lambda *_, **__: done.wait(30))
    with pytest.raises(StorageError, match=r"no answer within 0\.05 s"):
        opened.reach()
    done.set()


def test_what_a_store_raises_is_one_line(monkeypatch):
    """Reading, writing, listing and looking name the file; a file that is not there stays what it is."""
    opened = Workspace("memory://odd")

    def broken(*_, **__):
        raise StoreError("500")

    for name in ("cat_file", "pipe_file", "ls", "exists", "rm_file"):
        monkeypatch.setattr(type(opened.filesystem), name, broken)
    for action in (
        lambda: opened.read("f"),
        lambda: opened.write("f", b""),
        lambda: opened.listdir("f"),
        lambda: opened.sizes("f"),
        lambda: opened.exists("f"),
        lambda: opened.remove("f"),
    ):
        with pytest.raises(StorageError, match="/odd/f: StoreError 500; check that the store can be reached"):
            action()


def test_a_folder_and_a_file_in_each_others_place(tmp_path):
    """One line that says which stands where."""
    opened = Workspace(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for action in (lambda: opened.read("folder"), lambda: opened.write("folder", b"")):
        with pytest.raises(StorageError, match="a folder stands where a file should be"):
            action()
    for action in (lambda: opened.read("file/x"), lambda: opened.listdir("file"), lambda: opened.write("file/x", b"")):
        with pytest.raises(StorageError, match="file"):
            action()
    for url in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(StorageError, match=r"file is no folder: choose another one with --workspace"):
            Workspace(url).reach()
    Workspace(tmp_path / "new/one").reach()
    for url in ("", "a\0b"):
        with pytest.raises(StorageError, match="no folder or URL has that name"):
            Workspace(url)


@pytest.mark.parametrize("held", [b"[1]", b"\xff\xfe", b"[" * 3000, b'{"pid": "x", "host": []}', b""])
def test_a_damaged_lock_still_refuses(tmp_path, held):
    """Who holds it is not known then, but that somebody does is."""
    opened = Workspace(tmp_path)
    with opened.lock():
        (tmp_path / "lock").write_bytes(held)
        with pytest.raises(WorkspaceLocked, match="in use by another process"), Workspace(tmp_path).lock():
            pass


@pytest.mark.parametrize("noted", [999, 2, 0, "1", None])
def test_a_workspace_of_another_format_is_refused(tmp_path, noted):
    """It may hold what this version would misread; what is damaged says nothing and is written anew."""
    opened = Workspace(tmp_path)
    opened.note_format()
    opened.reach()
    opened.write(module.FORMAT_FILE, json.dumps({"format": noted}).encode())
    with pytest.raises(StorageError, match=rf"says format {noted!r}, and this version knows 1: install the unisrm-data that"):
        opened.reach()
    for damaged in (b"", b"[]", b"{}", b"[" * 9000, b"\xff"):
        opened.write(module.FORMAT_FILE, damaged)
        opened.reach()
