"""Every kind of file of a real workspace, damaged in every way: the build's result is right, or one line says what to do."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from contracts.errors import UnisrmError
from flows.entry.preflight import check_machine
from flows.entry.reannotation import reannotate, requested_judge
from flows.kinds.preference_plan import plan_of
from flows.listening.secret import secret_of
from flows.run.kind import stages_of
from flows.run.marks import execute
from flows.run.pipeline import open_build
from flows.run.questions import lost_ledger
from flows.stages.release import release_of
from flows.views.explain import story_of
from flows.views.report import write_report
from flows.views.status import drift_rows, status_of
from tests.annotate import gemini_server
from tests.annotate.replies import answer
from tests.flows.listeners import listen
from tests.flows.small import corpus, recipe, run, without_ray

VERIFIED = {"protocol": "unisrm", "of": "splits", "languages": {"en": "proficient"}, "qualification": 0, "gold_every": 0}
OTHERS = ("blobs/", "releases/", "cache/")
"""Audio and finished releases have checks and tests of their own, except for the note which of them is the build's."""

DAMAGE = {
    "gone": None,
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "binary": lambda data: bytes(range(256)) * 3,
    "folder": None,
}
JSON_DAMAGE = {
    "list": b"[1, 2]",
    "object": b'{"parts": [{"name": "../x", "rows": true}], "inputs": 2, "books": {}, "folder": "../../etc", "next": -1}',
    "nested": b"[" * 3000,
}
EVERY_TIME = ["gone", "empty", "cut", "folder", "object"]
"""The others are read by the same code as these: no JSON at all, or another one."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished workspace with judgments, a re-annotation, votes and a release; engines run in this process."""
    folder = tmp_path_factory.mktemp("whole")
    corpus(folder / "corpus", [])
    with gemini_server.serving(text=answer) as server, pytest.MonkeyPatch.context() as patch, without_ray():
        patch.setenv("GEMINI_API_KEY", "canary-key-7431")
        path = recipe(folder, judge={"options": {"base_url": server.url, "backoff_s": 0.01}}, listening=VERIFIED)
        build = open_build(path, str(folder / "ws"))
        run(build, "release")
        known = dict(zip(*(build.tables.read("labels")[name].to_pylist() for name in ("item_id", "label")), strict=True))
        for name in ("Ann", "Ben", "Cyd"):
            listen(build, name, lambda pair: known[pair].upper())
        reannotate(build, requested_judge(build, None, None, None, None), 2)
        (folder / "ws/listening.url").write_text("http://127.0.0.1:8000")
        secret_of(build)
        assert finish(path, folder / "ws")
        (folder / "ws").rename(folder / "backup")
        yield path, folder / "ws", server


def restored(workspace):
    """Put back what is damaged. All but the databases are replaced when they are written, so links will do."""
    shutil.rmtree(workspace, ignore_errors=True)
    copy = lambda old, new: shutil.copy(old, new) if ".sqlite" in old else os.link(old, new)  # noqa: E731
    shutil.copytree(workspace.with_name("backup"), workspace, copy_function=copy)
    return workspace


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
            kind = re.sub(r"^(tables|stages|reannotations|known)/(.*/)?[^/]*\.", r"\1/*.", name)
            found.setdefault(kind, []).append(file)
    return found


def hurt(file, damage):
    data = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
        (file / "stray").write_text("stray")
    elif damage != "gone":
        file.write_bytes(JSON_DAMAGE[damage] if damage in JSON_DAMAGE else DAMAGE[damage](data))


def contents(release):
    files = sorted(Path(release).rglob("*.*"))
    return {path.relative_to(release): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def attempt(action):
    """Return a result, or the error's text; anything but an error made on purpose comes through."""
    try:
        return action(), None
    except UnisrmError as error:
        return None, str(error)


@pytest.mark.parametrize(
    "damage",
    [
        *EVERY_TIME,
        *(pytest.param(damage, marks=pytest.mark.slow) for damage in [*DAMAGE, *JSON_DAMAGE] if damage not in EVERY_TIME),
    ],
)
def test_each_kind_of_file(whole, damage):
    """Build, status and plan end well or in one line that names the place; nothing is bought or voted again."""
    path, workspace, server = whole
    expected = contents(release_of(open_build(path, str(restored(workspace)))))
    bought = len(server.bodies)
    for kind, files in kinds(workspace).items():
        if damage in JSON_DAMAGE and not kind.endswith(".json"):
            continue
        file = files[int(hashlib.sha256(f"{damage}{kind}".encode()).hexdigest(), 16) % len(files)]
        case = f"{file} {damage}"
        restored(workspace)
        if kind.startswith("tables/"):
            (workspace / "stages/release.json").unlink()  # so that the build reads the tables
        hurt(file, damage)
        seen = open_build(path, str(workspace)).as_read_only()
        drift_rows(seen)
        rows = status_of(seen)
        if kind.startswith(("tables/", "ledger", "listening.sqlite")):
            assert plan_of(open_build(path, str(workspace)).as_read_only()), case
        release, error = attempt(lambda: finish(path, workspace))
        if error is None:
            assert contents(release) == expected, case
        else:
            assert "\n" not in error, case
            assert str(workspace) in error, case
            # Only who builds opens the lock.
            assert kind == "lock" or any("damaged" in str(row["state"]) for row in rows), (
                f"{case}: status says nothing of: {error}"
            )
        assert len(server.bodies) == bought, f"{case}: replies were bought again"


@pytest.mark.parametrize("table", ["judgments", "samples", "prompts", "labels"])
def test_explain_and_report_go_on_with_the_rest(whole, tmp_path, table):
    """They say which table is damaged; the story of a row that is there is told without it."""
    path, workspace, _ = whole
    pair = open_build(path, str(restored(workspace))).tables.read("pairs")["pair_id"][0].as_py()
    hurt(workspace / f"tables/{table}/manifest.json", "cut")
    story = story_of(open_build(path, str(workspace)).as_read_only(), pair)
    assert f"tables/{table}/manifest.json is damaged" in story[f"damaged: {table}"]
    assert f"pair {pair}" in story
    write_report(open_build(path, str(workspace)).as_read_only(), tmp_path / "report.html")
    assert f"tables/{table}/manifest.json is damaged" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("name", ["tables", "stages", "known", "tables/judgments", "tables/pairs", "releases", "blobs", "."])
def test_a_file_where_a_folder_should_be(whole, name):
    """One line, or the right release; status and plan see it, too, unless the workspace itself is no folder."""
    path, workspace, _ = whole
    shutil.rmtree(restored(workspace) / name)
    (workspace / name).write_text("I am a file")
    for look in (status_of, plan_of):
        seen, error = attempt(lambda look=look: look(open_build(path, str(workspace)).as_read_only()))
        assert seen or (name == "." and "is no folder" in error)
    release, error = attempt(lambda: finish(path, workspace))
    assert release or (error and str(workspace) in error)
    (workspace / name).unlink()


def test_stray_files_stay(whole):
    """What is nobody's in a table's folder is neither read nor removed."""
    path, workspace, _ = whole
    strays = [restored(workspace) / "tables/pairs" / name for name in ("notes.txt", "pairs.parquet", ".hidden")]
    for stray in strays:
        stray.write_text("mine")
    (workspace / "tables/pairs/folder").mkdir()
    shutil.rmtree(workspace / "stages")
    assert finish(path, workspace)
    assert all(stray.read_text() == "mine" for stray in strays)


def test_a_damaged_mark_is_made_anew(whole):
    """A stage whose mark cannot be read is done again and marked again."""
    path, workspace, _ = whole
    mark = restored(workspace) / "stages/pairs.json"
    before = json.loads(mark.read_text())
    hurt(mark, "binary")
    finish(path, workspace)
    assert json.loads(mark.read_text()) == before
