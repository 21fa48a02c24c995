"""A collection through the command line: killed in its second part, continued, and built once more."""

from pathlib import Path

import pytest
from datasets import load_dataset

from corpora import miniatures
from storage.release_verification import verify_release
from tests.e2e.builds import kill_when, unisrm
from tests.flows.collections import write

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_killed_collection_goes_on_where_it_was(tmp_path, environment):
    """The first part is not touched again, both are released together, and a third build has nothing to do."""
    for folder, seed in (("old", 0), ("new", 5)):
        miniatures.qualispeech(tmp_path / folder, clips=4, seed=seed)
    command = ("build", write(tmp_path), "-w", tmp_path / "ws")
    first, second = (tmp_path / "ws/parts" / part for part in ("task2", "more"))
    assert kill_when(environment, (second / "stages/contents.json").exists, *command)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*") if path.is_file() and path.name != "lock"}
    assert (first / "stages/splits.json") in before
    done = unisrm(environment, *command)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    release = Path(done.stdout.strip().removeprefix("release: "))
    assert {part: sum(load_dataset(str(release), part).num_rows.values()) for part in ("task2", "more")} == {
        "task2": 15,
        "more": 30,
    }
    assert verify_release(str(release)).problems == []
    again = unisrm(environment, *command)
    assert again.stdout == done.stdout
    assert "nothing to do" in again.stderr
    status = unisrm(environment, "status", f"{command[1]}#more", "-w", tmp_path / "ws", "--json").stdout
    assert '"claims"' in status
