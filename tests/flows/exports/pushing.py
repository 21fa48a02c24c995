"""Releases to push, pushing them, and what the Hub must hold then."""

from pathlib import Path

from flows.exports.hub import HubRepository
from flows.exports.named_release import NamedRelease
from flows.exports.push import Push, push_release
from storage.columns import TASK1
from storage.release_writer import ReleaseSplit, write
from storage.shards import ShardLayout
from storage.workspace import Workspace
from tests.flows.exports.hub_memory import Hub
from tests.flows.exports.tiny_release import FACTS
from tests.storage.release_rows import RATE, clip, rows

CANARY = "hf_canaryCANARYcanary0123456789abcdef"
NAME = "tester/tiny"


def released(folder: Path, version: str = "0.1.0", *, count: int = 12, **columns) -> NamedRelease:
    """Write a release of two splits; ``columns`` are the same in all rows."""
    splits = [
        ReleaseSplit(config="task1", split=split, rows=[rows(count, start, **columns)], schema=TASK1)
        for split, start in (("sft", 0), ("bench", 60))
    ]
    workspace = Workspace(folder)
    place = write(workspace, version, splits=splits, audio=clip, facts=FACTS, layout=ShardLayout(sample_rate_hz=RATE))
    return NamedRelease(workspace=workspace, folder=place)


def push(hub: Hub, release: NamedRelease, **options) -> tuple[str, list[str]]:
    """Push; return the address and the lines that were said."""
    said: list[str] = []
    repository = HubRepository(NAME, endpoint=hub.url)
    done = push_release(release, Push(repository=repository, sleep=lambda _: None, say=said.append, **options))
    return done, said


def require_equal(hub: Hub, release: NamedRelease, tag: str) -> None:
    """Require a tag to hold the files of a release, byte for byte, and nothing else."""
    repository = hub.repositories[NAME]
    there = {path: hub.objects[file.sha256] for path, file in repository.commits[repository.tags[tag]].items()}
    there.pop(".gitattributes")
    folder = release.workspace.local_path(release.folder)
    assert there == {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
