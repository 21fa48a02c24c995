"""The private folder of an embedded cluster: nobody else's to open, and gone when its build is."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from contracts.errors import SetupError
from flows.run import ray_folder as module
from flows.run.ray_folder import ray_folder, write_token


@pytest.fixture
def parent(tmp_path, monkeypatch):
    """A folder for temporary files with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    for left in sorted(folder.rglob("*"), reverse=True):
        left.rmdir() if left.is_dir() else left.unlink()
    folder.rmdir()


def test_only_this_user_can_open_it_and_it_is_removed(parent):
    """Sockets, logs and the token lie in there."""
    with ray_folder() as folder:
        assert folder.parent == parent
        assert folder.stat().st_mode & 0o777 == 0o700
        token = write_token(folder)
        assert token.stat().st_mode & 0o777 == 0o600
        first = token.read_text()
        assert len(first) == 64
        assert write_token(folder).read_text() != first
    assert list(parent.iterdir()) == []


def test_what_a_killed_build_left_goes_and_what_lives_stays(parent):
    """The kernel lets go of a killed owner's lock; a folder that is just being made has none yet."""
    script = "import sys\nfrom flows.run.ray_folder import ray_folder\nwith ray_folder() as f:\n print(f, flush=True); sys.stdin.read()"
    start = [sys.executable, "-c", script]
    environment = os.environ | {"TMPDIR": str(parent)}
    owners = [
        subprocess.Popen(start, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    living, killed = (Path(owner.stdout.readline().strip()) for owner in owners)
    fresh, old = parent / "unisrm-ray-fresh", parent / "unisrm-ray-old"
    fresh.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - 3600,) * 2)
    stranger = parent / "something-else"
    stranger.mkdir()
    owners[1].kill()
    owners[1].wait()
    try:
        with ray_folder() as own:
            assert set(parent.iterdir()) == {own, living, fresh, stranger}
    finally:
        owners[0].communicate()
    assert not living.exists()
    assert not killed.exists()


def test_a_long_path_is_not_used(parent, monkeypatch):
    """A Unix socket's path ends at 107 bytes: Ray would not start below such a folder."""
    long = parent / ("x" * 60)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with ray_folder() as folder:
        assert folder.parent == Path("/tmp")
    monkeypatch.setattr(module, "_LONGEST", 5)
    with pytest.raises(SetupError, match="set TMPDIR"), ray_folder():
        pass
