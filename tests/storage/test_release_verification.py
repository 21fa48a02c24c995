"""What ``verify`` finds in a release, made by hand with one fault each."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from typer.testing import CliRunner

from contracts.errors import StorageError
from contracts.ids import audio_id
from flows.entry.cli import app
from storage import release_manifest
from storage.columns import TASK1
from storage.release_verification import verify_release
from storage.release_writer import ReleaseSplit
from tests.storage.release_rows import RATE, rows
from tests.storage.test_release_writer import release_to

CLIPS: dict[str, bytes] = {}


def clip(number: int) -> str:
    """Make a clip and return its true audio id."""
    pcm = np.random.default_rng(number).integers(-3000, 3000, RATE // 20).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, RATE, format="FLAC", subtype="PCM_16")
    name = audio_id(pcm, RATE)
    CLIPS[name] = buffer.getvalue()
    return name


def true_rows(count: int, start: int) -> pa.Table:
    """Return release rows whose audio columns hold the ids of real clips."""
    table = rows(count, start)
    for side in "ab":
        place = table.column_names.index(f"audio_{side}")
        table = table.set_column(place, table.schema.field(place), [[clip(start + row) for row in range(count)]])
    place = table.column_names.index("prompt_audio")
    return table.set_column(place, table.schema.field(place), [pa.nulls(count, pa.string())])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    splits = [
        ReleaseSplit(config="task1", split=name, rows=[true_rows(count, start)], schema=TASK1)
        for name, count, start in (("sft", 12, 0), ("rl", 6, 12), ("bench", 6, 18))
    ]
    workspace, name = release_to(tmp_path_factory.mktemp("whole"), splits=splits, audio=CLIPS.__getitem__)
    return workspace.local_path(name)


@pytest.fixture
def release(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "release"))  # a name without a digest: as somebody downloaded it


def rewrite(release: Path, split: str, change) -> None:
    """Change the rows of a shard and list it in the manifest as it is now: only its content is wrong."""
    (path,) = (release / "task1").glob(f"{split}-*")
    pq.write_table(change(pq.read_table(path)), path)
    files = release_manifest.read(fsspec.filesystem("file"), str(release))
    data = path.read_bytes()
    lines = [vars(file) for file in files]
    for line in lines:
        if line["path"].endswith(path.name):
            line |= {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    (release / "MANIFEST.json").write_text(json.dumps({"format": 1, "version": "1", "files": lines}))


def with_column(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    values = table[name].to_pylist()
    values[row] = value
    place = table.column_names.index(name)
    return table.set_column(place, table.schema.field(place), [values])


def of(release: Path) -> list[str]:
    return [str(problem) for problem in verify_release(str(release)).problems]


def test_a_whole_release_has_no_problem(release):
    """All rows and both clips of each are looked at."""
    found = verify_release(str(release))
    assert (found.problems, found.rows, found.clips, found.files) == ([], 24, 48, 4)


def test_an_id_that_occurs_twice(release):
    rewrite(release, "rl", lambda table: with_column(table, "pair_id", 2, "pair-00003"))
    assert of(release) == [
        "task1/sft-00000-of-00001.parquet row 3 pair_id: pair-00003 is the id of row 2 of task1/rl-00000-of-00001.parquet, too"
    ]


def test_a_group_in_two_splits(release):
    rewrite(release, "bench", lambda table: with_column(table, "leakage_group", 5, "g0"))
    (problem,) = {line.split(" row ")[0] + line.split(": ", 1)[1] for line in of(release)}
    assert problem.endswith("g0 lies in the split bench, too: the splits leak")


def test_a_clip_in_two_splits_of_two_configurations(release):
    """The rows of one split once more, as another configuration's other split, without the groups that would tell."""
    (path,) = (release / "task1").glob("bench-*")
    table = pq.read_table(path).slice(0, 1).drop_columns(["leakage_group"])
    (release / "again").mkdir()
    pq.write_table(table, release / "again" / path.name.replace("bench", "sft"))
    (release / "MANIFEST.json").unlink()
    clips = {table[f"audio_{side}"][0].as_py()["path"] for side in "ab"}
    assert {line.split(": ", 1)[1] for line in of(release) if "leak" in line} == {
        f"audio {clip} lies in the split sft, too: the splits leak" for clip in clips
    }


def test_a_clip_under_another_ones_name(release):
    def swapped(table):
        one, other = table["audio_a"][0].as_py(), table["audio_a"][1].as_py()
        return with_column(table, "audio_a", 0, {"bytes": other["bytes"], "path": one["path"]})

    rewrite(release, "sft", swapped)
    (problem,) = of(release)
    assert problem.startswith("task1/sft-00000-of-00001.parquet row 0 audio_a: audio ")
    assert problem.endswith(".flac is another clip, or was changed")


@pytest.mark.parametrize(
    ("damage", "what"),
    [(lambda data: data[:300], "audio {}"), (lambda _: b"", "audio {} is empty"), (lambda _: None, "has a path and no audio")],
)
def test_a_clip_that_does_not_decode(release, damage, what):
    def torn(table):
        cell = table["audio_b"][4].as_py()
        return with_column(table, "audio_b", 4, cell | {"bytes": damage(cell["bytes"])})

    rewrite(release, "rl", torn)
    (problem,) = of(release)
    path = pq.read_table(next((release / "task1").glob("rl-*")))["audio_b"][4].as_py()["path"]
    assert problem.startswith(f"task1/rl-00000-of-00001.parquet row 4 audio_b: {what.format(path)}")


def test_fewer_rows_than_listed(release):
    rewrite(release, "sft", lambda table: table[:7])
    assert of(release) == ["task1/sft-00000-of-00001.parquet: has 7 rows, MANIFEST.json says 12"]


def test_a_shard_that_is_no_parquet_and_others_that_are(release):
    """One line for the hash, one for the reading; the other shards are still read."""
    path = next((release / "task1").glob("bench-*"))
    path.write_bytes(b"x" * path.stat().st_size)
    found = verify_release(str(release))
    assert [problem.file for problem in found.problems] == ["task1/bench-00000-of-00001.parquet"] * 2
    assert found.rows == 18


def test_without_card_or_manifest_the_rows_are_still_read(release):
    (release / "README.md").unlink()
    (release / "MANIFEST.json").unlink()
    found = verify_release(str(release))
    assert [problem.file for problem in found.problems] == ["MANIFEST.json", "README.md"]
    assert "without it no file's size and hash can be checked" in str(found.problems[0])
    assert (found.rows, found.clips) == (24, 48)


def test_a_card_that_names_what_is_not_there(release):
    """The split cannot be loaded, although no listed file is missing."""
    card = release / "README.md"
    card.write_text(card.read_text().replace("task1/rl-*.parquet", "task1/dev-*.parquet"))
    assert "README.md: it names task1/dev-*.parquet, and there is no such file" in of(release)


def test_a_manifest_that_the_folder_is_not_named_after(whole, tmp_path):
    """Somebody replaced rows and manifest together: the folder's name tells."""
    release = Path(shutil.copytree(whole, tmp_path / whole.name))
    assert of(release) == []
    rewrite(release, "sft", lambda table: with_column(table, "label", 0, "b"))
    (problem,) = of(release)
    assert "is not the one that the folder is named after" in problem


def test_a_release_in_a_bucket(release):
    memory = fsspec.filesystem("memory")
    try:
        memory.put(str(release), "/verify-test/release", recursive=True)
        assert verify_release("memory://verify-test/release").problems == []
        memory.rm_file("/verify-test/release/README.md")
        assert {problem.file for problem in verify_release("memory://verify-test/release").problems} == {"README.md"}
    finally:
        memory.rm("/verify-test", recursive=True)


def test_the_command_says_one_line_a_problem_and_ends_with_1(release):
    runner = CliRunner()
    assert runner.invoke(app, ["verify", str(release)]).exit_code == 0
    (release / "README.md").open("a").write("x")
    (release / "notes.txt").write_text("x")
    said = runner.invoke(app, ["verify", str(release)])
    assert said.exit_code == 1
    assert [line.split(":")[0] for line in said.stdout.splitlines()] == ["README.md", "notes.txt"]
    as_json = runner.invoke(app, ["verify", "--json", str(release)])
    assert as_json.exit_code == 1
    assert [problem["file"] for problem in json.loads(as_json.stdout)["problems"]] == ["README.md", "notes.txt"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_nothing_to_check_ends_with_2(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match="no such folder, or nothing in it"):
        verify_release(str(tmp_path / name))
    program = [str(Path(sys.executable).with_name("unisrm-data")), "verify", str(tmp_path / name)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_store_that_refuses_is_one_line(monkeypatch):
    """Each protocol has errors of its own, such as that of missing credentials."""

    class NoCredentials(Exception):
        pass

    def refuse(_url):
        raise NoCredentials("Unable to locate credentials")

    monkeypatch.setattr("fsspec.core.url_to_fs", refuse)
    with pytest.raises(StorageError, match="release s3://no/x cannot be read: Unable to locate credentials"):
        verify_release("s3://no/x")
