"""Every kind of file of a real workspace, damaged in every way: the build's result is right, or one line says what to do."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from contracts.errors import UnisrmError
from flows.explain import story_of
from flows.listening_secret import secret_of
from flows.pipeline import execute, open_build
from flows.planning import plan_of
from flows.publish import release_of
from flows.questions import lost_ledger
from flows.reannotation import reannotate, wish_of
from flows.report import write_report
from flows.stages import check_machine, stages_of
from flows.status import drift_rows, status_of
from tests.annotate import gemini_server
from tests.annotate.replies import answer
from tests.flows.listeners import listen
from tests.flows.small import recipe, run

VERIFIED = {"protocol": "unisrm", "of": "splits", "languages": {"en": "proficient"}, "qualification": 0, "gold_every": 0}
OTHERS = ("blobs/", "releases/", "cache/")
"""Audio and finished releases have checks and tests of their own, except for the note which of them is the build's."""

DAMAGE = {
    "gone": None,
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "binary": lambda data: bytes(range(256)) * 3,
    "nul": lambda data: bytes(len(data) or 1),
    "list": lambda data: b"[1, 2]",
    "object": lambda data: b'{"parts": 1, "inputs": 2, "books": {}, "folder": "../../etc", "next": -1, "identity": []}',
    "nested": lambda data: b"[" * 3000,
    "folder": None,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, paired):
    """A finished workspace with judgments, a re-annotation, votes and a release, and what a build of it releases."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copytree(paired, folder, dirs_exist_ok=True)
    with gemini_server.serving(text=answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_API_KEY", "canary-key-7431")
        path = recipe(folder, judge={"options": {"base_url": server.url, "backoff_s": 0.01}}, listening=VERIFIED)
        build = open_build(path, str(folder / "ws"))
        run(build, "release")
        known = dict(zip(*(build.tables.read("labels")[name].to_pylist() for name in ("pair_id", "label")), strict=True))
        for name in ("Ann", "Ben", "Cyd"):
            listen(build, name, lambda pair: known[pair].upper())
        reannotate(build, wish_of(build, None, None, None, None), 2)
        (folder / "ws/listening.url").write_text("http://127.0.0.1:8000")
        secret_of(build)
        outcome = finish(path, folder / "ws")
        assert outcome is not None
        yield path, folder / "ws", server


def finish(path, workspace):
    """Do what ``unisrm-data build`` does, without Prefect, and return the release."""
    build = open_build(path, str(workspace))
    check_machine(build, stages_of(build))
    lost_ledger(build)
    with build.workspace.lock():
        for stage in stages_of(build):
            execute(stage, build)
    return release_of(build)


def kinds(workspace):
    """Return kind of file -> the files of that kind; a new kind of file is a new entry."""
    found = {}
    for file in sorted(workspace.rglob("*")):
        name = file.relative_to(workspace).as_posix()
        if file.is_file() and (not name.startswith(OTHERS) or name == "releases/current.json"):
            kind = re.sub(r"^(tables|stages|reannotations)/(.*/)?[^/]*\.", r"\1/*.", name)
            found.setdefault(kind, []).append(file)
    return found


def hurt(file, damage):
    data = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
        (file / "stray").write_text("stray")
    elif damage != "gone":
        file.write_bytes(DAMAGE[damage](data))


def contents(release):
    return {path.relative_to(release): hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(release).rglob("*.*")}


def attempt(action):
    """Return a result, or the error's text; anything but an error made on purpose comes through."""
    try:
        return action(), None
    except UnisrmError as error:
        return None, str(error)


@pytest.mark.parametrize("damage", DAMAGE)
def test_each_kind_of_file(whole, tmp_path, damage):
    """Build, status, plan, explain and report end well or in one line that names a place; nothing is bought or voted again."""
    path, origin, server = whole
    expected = contents(release_of(open_build(path, str(origin))))
    bought = len(server.bodies)
    pair = open_build(path, str(origin)).tables.read("labels")["pair_id"][0].as_py()
    for kind, files in kinds(origin).items():
        file = files[int(hashlib.sha256(f"{damage}{kind}".encode()).hexdigest(), 16) % len(files)].relative_to(origin)
        case, workspace = f"{file} {damage}", tmp_path / "ws"
        shutil.copytree(origin, workspace, symlinks=True)
        hurt(workspace / file, damage)

        seen = open_build(path, str(workspace)).looked_at()
        drift_rows(seen)
        rows = status_of(seen)
        assert rows, case
        assert plan_of(open_build(path, str(workspace)).looked_at()), case
        attempt(lambda workspace=workspace: story_of(open_build(path, str(workspace)).looked_at(), pair))
        write_report(open_build(path, str(workspace)).looked_at(), tmp_path / "report.html")

        release, error = attempt(lambda workspace=workspace: finish(path, workspace))
        if error is None:
            assert contents(release) == expected, case
        else:
            assert "\n" not in error, case
            assert str(workspace) in error, case
            assert any("damaged" in str(row["state"]) for row in rows), f"{case}: status says nothing of: {error}"
        assert len(server.bodies) == bought, f"{case}: replies were bought again"
        shutil.rmtree(workspace)


@pytest.mark.parametrize("name", ["tables", "stages", "known", "tables/judgments", "tables/pairs", "releases", "blobs", "."])
def test_a_file_where_a_folder_should_be(whole, tmp_path, name):
    """One line, or the right release; status says it, too, unless the workspace itself is no folder."""
    path, origin, _ = whole
    workspace = tmp_path / "ws"
    shutil.copytree(origin, workspace)
    shutil.rmtree(workspace / name)
    (workspace / name).write_text("I am a file")
    release, error = attempt(lambda: finish(path, workspace))
    assert release or (error and str(workspace) in error)
    attempt(lambda: status_of(open_build(path, str(workspace)).looked_at()))
    attempt(lambda: plan_of(open_build(path, str(workspace)).looked_at()))


def test_stray_files_stay(whole, tmp_path):
    """What is nobody's in a table's folder is neither read nor removed."""
    path, origin, _ = whole
    workspace = tmp_path / "ws"
    shutil.copytree(origin, workspace)
    strays = [workspace / "tables/pairs" / name for name in ("notes.txt", "pairs.parquet", ".hidden")]
    for stray in strays:
        stray.write_text("mine")
    (workspace / "tables/pairs/folder").mkdir()
    shutil.rmtree(workspace / "stages")
    assert finish(path, workspace)
    assert all(stray.read_text() == "mine" for stray in strays)


def test_a_damaged_mark_is_made_anew(whole, tmp_path):
    """A stage whose mark cannot be read is done again and marked again."""
    path, origin, _ = whole
    workspace = tmp_path / "ws"
    shutil.copytree(origin, workspace)
    mark = workspace / "stages/pairs.json"
    before = json.loads(mark.read_text())
    mark.write_bytes(b"\xff\x00")
    finish(path, workspace)
    assert json.loads(mark.read_text()) == before
