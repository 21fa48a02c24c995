"""Damage of clips and of released files, kind by kind: it is seen, said in one line, never released, and ends when mended."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contracts.errors import DamagedPart
from flows.entry.cli import app
from flows.kinds.preference import STAGES
from flows.run.damage import has_damaged, retry_damaged
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages import released
from flows.stages.release import release_faults, release_of
from flows.views.explain import story_of
from flows.views.report import write_report
from tests.annotate.gemini_server import serving
from tests.flows.small import recipe, run, without_ray

RELEASE = STAGES[-1]
NOBODY = 65534


def flip(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def swap(path: Path) -> None:
    """Put another clip of the workspace in a clip's place."""
    other = next(blob for blob in sorted(path.parents[1].rglob("*.flac")) if blob.name != path.name)
    path.write_bytes(other.read_bytes())


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


@contextlib.contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Read as a user who may enter every folder above, and is not root, to whom permissions mean nothing."""
    if os.geteuid():
        yield
        return
    opened = {parent: parent.stat().st_mode for parent in [folder, *folder.parents] if parent.stat().st_uid == 0}
    for parent, mode in opened.items():
        parent.chmod(mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for parent, mode in opened.items():
            parent.chmod(mode)


BLOB_DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped": (flip, "restore the file from a backup"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:2000]), "restore the file from a backup"),
    "swapped": (swap, "was changed since it was stored: restore the file from a backup"),
    "empty": (lambda path: path.write_bytes(b""), "is empty: restore the file from a backup"),
    "folder": (folder_instead, "is a folder: remove it and restore the file from a backup"),
    "gone": (Path.unlink, "is missing from .*: restore the file from a backup"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A workspace up to the pairs, a copy of it up to the splits, and one with the release; and the judge's server."""
    folder = tmp_path_factory.mktemp("built")
    with serving() as server, pytest.MonkeyPatch.context() as patch, without_ray():
        patch.setenv("GEMINI_API_KEY", "canary")
        recipe(
            folder,
            corpora=[{"name": "asterisk", "reader": "asterisk_prompts"}],
            prompts={
                "texts": 4,
                "reference": "same_speaker",
                "min_duration_s": 3.0,
                "max_duration_s": 6.0,
                "reference_min_duration_s": 2.0,
            },
            judge={"task": "task1", "options": {"base_url": server.url, "backoff_s": 0.01}},
        )
        for name, until in (("paired", "pairs"), ("split", "splits"), ("released", "release")):
            run(opened(folder, folder / "ws"), until)
            shutil.copytree(folder / "ws", folder / name)
        yield folder, server


def opened(folder: Path, workspace: Path):
    return open_build(folder / "small.yaml", str(workspace))


@pytest.fixture
def copy(built, tmp_path):
    """Open a copy of the workspace at a stage."""

    def make(name: str):
        shutil.copytree(built[0] / name, tmp_path / "ws")
        return opened(built[0], tmp_path / "ws")

    return make


def contents(folder: str | Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def released_sample(build) -> tuple[str, Path]:
    """Return a sample that every release of the build has, and its file."""
    pair = build.tables.read("labels")["item_id"][0].as_py()
    row = next(row for row in build.tables.read("pairs").to_pylist() if row["pair_id"] == pair)
    return row["sample_a"], blob_of(build, row["sample_a"])


def blob_of(build, sample: str) -> Path:
    row = next(row for row in build.tables.read("samples").to_pylist() if row["sample_id"] == sample)
    return build.workspace.local_path(build.blobs.name(row["audio_id"]))


@pytest.mark.parametrize("kind", BLOB_DAMAGE)
def test_a_damaged_clip_is_never_released(built, copy, kind):
    """The error names sample, file and remedy; nothing is released; with the file restored the release is the usual one."""
    build = copy("split")
    sample, blob = released_sample(build)
    whole = blob.read_bytes()
    damage, advice = BLOB_DAMAGE[kind]
    damage(blob)
    with pytest.raises(DamagedPart, match=rf"(?s)sample {sample}: audio .*{blob.stem}.*{advice}") as raised:
        run(build, "release")
    assert "\n" not in str(raised.value)
    assert release_of(build) is None
    assert not list((build.workspace.local_path("releases")).glob("*"))
    if blob.is_dir():
        blob.rmdir()
    blob.write_bytes(whole)
    run(build, "release")
    assert contents(release_of(build)) == contents(release_of(opened(built[0], built[0] / "released")))


def test_a_clip_that_may_not_be_read_is_damaged_for_now(copy, tmp_path):
    """Permissions are corrected, nothing is restored."""
    build = copy("split")
    _sample, blob = released_sample(build)
    blob.chmod(0)
    with as_nobody(blob.parent):
        assert "may not be read: correct its permissions" in build.blobs.damage(blob.stem)
    blob.chmod(0o644)
    assert build.blobs.damage(blob.stem) is None


def test_the_story_and_the_report_show_the_damage(copy, tmp_path):
    """They are what a person looks at to find out: a line in place of the clip, and no error."""
    build = copy("split")
    sample, blob = released_sample(build)
    flip(blob)
    assert "restore the file" in story_of(build, sample)["audio damage"]
    write_report(build, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert f"sample {sample}: audio " in page
    assert page.count("<audio") > page.count("restore the file") > 0


def test_a_sample_that_could_not_be_measured_is_measured_when_it_is_restored(paired_copy, tmp_path, in_this_process):
    """The failure names sample and file; the next build tries again without being told to, and the books balance."""
    build = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    whole_table = build.tables.read("metrics")
    sample = whole_table["sample_id"][0].as_py()
    shutil.rmtree(tmp_path / "ws/tables/metrics")
    (tmp_path / "ws/stages/metrics.json").unlink()
    blob = blob_of(build, sample)
    whole = blob.read_bytes()
    flip(blob)

    assert run(build, "metrics")["metrics"].failed == {"damaged_audio": 1}
    (lost,) = build.tables.read("failures@metrics").to_pylist()
    assert lost["subject_id"] == sample
    assert f"sample {sample}" in lost["message"]
    assert blob.name in lost["message"]
    assert "restore the file" in lost["message"]
    assert has_damaged(build, stages_of(build))

    blob.write_bytes(whole)
    retry_damaged(build, stages_of(build))
    assert run(build, "metrics")["metrics"].failed == {}
    assert not has_damaged(build, stages_of(build))
    key = [("metric_key", "ascending")]
    assert build.tables.read("metrics").sort_by(key).equals(whole_table.sort_by(key))


def test_a_judge_hears_no_damaged_clip(built, copy):
    """Its pairs fail unasked and unpaid, all others are judged; restored, they are asked without being told to."""
    _folder, server = built
    build = copy("paired")
    shutil.rmtree(build.workspace.path("cache"), ignore_errors=True)
    sample = build.tables.read("pairs")["sample_a"][0].as_py()
    blob = blob_of(build, sample)
    whole = blob.read_bytes()
    swap(blob)
    about = [row["pair_id"] for row in build.tables.read("pairs").to_pylist() if sample in (row["sample_a"], row["sample_b"])]

    before = len(server.bodies)
    books = run(build, "judgments")["judgments"]
    assert books.failed == {"damaged_audio": len(about)}
    assert books.rows_out == books.rows_in - len(about) == len(server.bodies) - before
    lost = build.tables.read("failures@judgments").to_pylist()
    assert sorted(row["subject_id"] for row in lost) == sorted(about)
    assert all(blob.name in row["message"] and "restore the file" in row["message"] for row in lost)

    blob.write_bytes(whole)
    retry_damaged(build, stages_of(build))
    books = run(build, "judgments")["judgments"]
    assert (books.failed, books.rows_out) == ({}, books.rows_in)
    assert len(server.bodies) - before == books.rows_in, "what was judged is not asked again"


def shard(folder: Path) -> Path:
    return min(folder.glob("*/*.parquet"))


def edit_manifest(folder: Path) -> None:
    path = folder / "MANIFEST.json"
    path.write_text(path.read_text().replace('"rows": ', '"rows": 1', 1))


def shard_is_a_folder(folder: Path) -> None:
    folder_instead(shard(folder))


def configuration_is_a_file(folder: Path) -> None:
    name = shard(folder).parent
    shutil.rmtree(name)
    name.write_text("x")


RELEASE_DAMAGE: dict[str, Callable[[Path], object]] = {
    "shard flipped": lambda folder: flip(shard(folder)),
    "shard cut": lambda folder: shard(folder).write_bytes(shard(folder).read_bytes()[:2000]),
    "shard empty": lambda folder: shard(folder).write_bytes(b""),
    "shard missing": lambda folder: shard(folder).unlink(),
    "shard a folder": shard_is_a_folder,
    "shards' folder a file": configuration_is_a_file,
    "shard added": lambda folder: shutil.copy(shard(folder), shard(folder).with_name("sft-00007-of-00008.parquet")),
    "card edited": lambda folder: (folder / "README.md").open("a").write("x"),
    "card flipped": lambda folder: flip(folder / "README.md"),
    "card missing": lambda folder: (folder / "README.md").unlink(),
    "manifest edited": edit_manifest,
    "manifest empty": lambda folder: (folder / "MANIFEST.json").write_text(""),
    "manifest odd": lambda folder: (folder / "MANIFEST.json").write_text('{"format": 1, "files": [{"path": 3}]}'),
    "manifest missing": lambda folder: (folder / "MANIFEST.json").unlink(),
    "all missing": shutil.rmtree,
}


@pytest.mark.parametrize("kind", RELEASE_DAMAGE)
def test_a_damaged_release_is_not_finished(copy, kind):
    """The next build writes anew what differs, byte for byte, and nothing else."""
    build = copy("released")
    folder = Path(run(build, "release") and release_of(build))
    expected, times = contents(folder), {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert finished(RELEASE, build) is not None
    RELEASE_DAMAGE[kind](folder)
    assert finished(RELEASE, build) is None
    if "all" not in kind:
        found = CliRunner().invoke(app, ["verify", str(folder)])
        assert (found.exit_code, bool(found.stdout)) == (1, True), found.output
    run(build, "release")
    assert contents(folder) == expected
    assert finished(RELEASE, build) is not None
    assert CliRunner().invoke(app, ["verify", str(folder)]).exit_code == 0
    if kind in {"shard flipped", "card edited"}:
        mended = shard(folder) if kind == "shard flipped" else folder / "README.md"
        assert {path for path, time in times.items() if path.stat().st_mtime_ns != time} == {mended}


def test_a_file_that_is_no_shard_is_reported_and_left_alone(copy):
    """Nobody loads it as rows, and it may be somebody's."""
    build = copy("released")
    run(build, "release")
    notes = Path(release_of(build)) / "notes.txt"
    notes.write_text("mine")
    assert [str(fault) for fault in release_faults(build)] == ["notes.txt is in no line of MANIFEST.json: remove it"]
    assert finished(RELEASE, build) is not None
    assert notes.read_text() == "mine"


def test_an_untouched_release_is_hashed_once(copy, monkeypatch):
    """Looking again reads no shard; a change is seen even if size and time of change are as before."""
    build = copy("released")
    hashed: list[str] = []
    plain = released.release_manifest._hashed
    monkeypatch.setattr(
        released.release_manifest, "_hashed", lambda fs, root, file: hashed.append(file.path) or plain(fs, root, file)
    )
    monkeypatch.setattr(released, "_HASHED", {})
    assert release_faults(build) == []
    assert len(hashed) == len(contents(release_of(build))) - 1, "a copied workspace is in no known state"
    released.seal_release(build)
    released._HASHED.clear()
    hashed.clear()
    assert release_faults(build) == []
    assert hashed == []
    target = shard(Path(release_of(build)))
    facts = target.stat()
    flip(target)
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert [fault.kind for fault in release_faults(build)] == ["changed"]
    assert len(hashed) == 1
