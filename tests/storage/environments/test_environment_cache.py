"""Environments are built once, are there whole or not at all, and say why they cannot be built."""

import os
import subprocess
import sys
import textwrap

import pytest

from contracts.errors import SetupError
from contracts.plugin_environment import Environment
from storage.environments import environment_cache
from storage.environments.environment_cache import all_built, build, built, download_size, key_here
from tests.excluding import UNSOLVABLE, require_index

SMALL = Environment(requirements=("six==1.17.0",))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Return an empty cache of environments; uv's own cache stays."""
    monkeypatch.setenv(environment_cache.FOLDER, str(tmp_path / "environments"))
    return tmp_path / "environments"


@pytest.fixture
def _index():
    require_index()


def test_the_name_says_what_went_in():
    """The order of requirements does not count; everything else does."""
    names = {
        key_here(Environment(requirements=requirements, overrides=overrides, python=python))
        for requirements in (("a", "b"), ("a",), ("a==1", "b"))
        for overrides in ((), ("c",))
        for python in (None, "3.12")
    }
    assert len(names) == 12
    assert key_here(Environment(requirements=("b", "a"))) == key_here(Environment(requirements=("a", "b")))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"requirements": ("a",), "image": "b"}, "one of requirements, interpreter and image"),
        ({"interpreter": "/p", "image": "b"}, "one of requirements, interpreter and image"),
        ({"python": "3.12"}, "python: is of an environment with requirements"),
        ({"interpreter": "/p", "python": "3.12"}, "python: is of an environment with requirements"),
        ({"requirements": ("a",), "mounts": ("/m",)}, "mounts: is of an environment with image"),
    ],
)
def test_an_environment_is_of_one_form(fields, problem):
    with pytest.raises(ValueError, match=problem):
        Environment(**fields)


@pytest.mark.usefixtures("_index")
def test_it_is_built_once_and_says_what_is_in_it(folder):
    """What every session needs comes along; a second build finds it."""
    assert built(SMALL) is None
    assert all_built() == []
    found = build(SMALL)
    assert build(SMALL) == found
    assert all_built() == [found]
    assert found.folder.parent == folder
    assert folder.stat().st_mode & 0o077 == 0
    assert "six==1.17.0" in found.packages
    assert {line.split("==")[0] for line in found.packages} >= {"numpy", "pydantic", "packaging", "soundfile"}
    listed = subprocess.run([found.python, "-c", "import six, numpy; print(six.__version__)"], capture_output=True, check=True)
    assert listed.stdout.strip() == b"1.17.0"
    assert found.made_of == {"requirements": ["six==1.17.0"]}
    assert found.size_mb > 10


@pytest.mark.usefixtures("_index")
def test_a_build_that_was_killed_leaves_nothing_that_counts(folder):
    """Without the record, which is written last, the folder is made anew; a record that was cut off is none."""
    found = build(SMALL)
    record = found.folder / "unisrm-environment.json"
    for damage in (record.unlink, lambda: record.write_bytes(b'{"made_of"')):
        damage()
        (found.folder / "left over").touch()
        assert built(SMALL) is None
        assert build(SMALL).packages == found.packages
        assert not (found.folder / "left over").exists()


@pytest.mark.usefixtures("_index")
def test_requirements_that_exclude_each_other_are_said_with_the_reason(folder):
    """In uv's words; nothing is left, and the next build tries again."""
    for _ in range(2):
        with pytest.raises(SetupError, match=r"cannot be built:.*numpy==1\.26\.4 and numpy>=2.*unsatisfiable"):
            build(Environment(requirements=tuple(UNSOLVABLE)))
    assert [entry.name for entry in folder.iterdir() if not entry.name.endswith(".lock")] == []
    assert download_size(Environment(requirements=tuple(UNSOLVABLE))) is None


@pytest.mark.usefixtures("_index")
def test_processes_that_need_it_at_once_share_one_build(tmp_path):
    """A node has many workers: one builds, the others wait for it."""
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    real = os.path.join(os.path.dirname(sys.executable), "uv")  # noqa: PTH118, PTH120 - not through the link of .venv
    uv.write_text(f'#!/bin/sh\necho "$2" >> {tmp_path}/calls\nexec {real} "$@"\n')
    uv.chmod(0o755)
    script = textwrap.dedent("""
        import shutil
        from contracts.plugin_environment import Environment
        from storage.environments import environment_cache
        found = shutil.which("uv")
        environment_cache.shutil.which = lambda *_, **__: found
        print(environment_cache.build(Environment(requirements=("six==1.17.0",))).key)
    """)
    path = f"{uv.parent}:{os.environ['PATH']}"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script], env=os.environ | {"PATH": path, "PYTHONPATH": "."}, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    keys = {process.communicate(timeout=200)[0] for process in started}
    assert len(keys) == 1
    assert (tmp_path / "calls").read_text().split() == ["venv", "pip", "pip"]


@pytest.mark.usefixtures("_index")
def test_its_size_is_known_before_it_is_built(folder):
    """As the index has it: numpy alone has more than ten megabytes."""
    packages, megabytes = download_size(SMALL)
    assert packages > 6
    assert 10 < megabytes < 200
    assert not folder.exists()


def test_without_an_index_the_size_is_unknown(tmp_path, monkeypatch):
    """And a build says what failed."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    assert download_size(SMALL) is None
    with pytest.raises(SetupError, match=r"environment \(six==1.17.0\) cannot be built:.*network"):
        build(SMALL)


def test_without_uv_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(environment_cache.shutil, "which", lambda *_, **__: None)
    with pytest.raises(SetupError, match="pip install uv"):
        build(SMALL)


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(environment_cache.FOLDER, str(tmp_path / "file" / "environments"))
    with pytest.raises(SetupError, match="UNISRM_ENVIRONMENTS"):
        build(SMALL)
