"""Pushing a release to a local server that speaks the Hub's wire form."""

import json
import os
import subprocess
import sys
from pathlib import Path

import huggingface_hub._upload_pipeline
import huggingface_hub.constants
import huggingface_hub.utils._http
import pytest
import yaml
from typer.testing import CliRunner

import flows
from contracts.errors import DamagedPart, DataError, RecipeError, SetupError, StorageError
from flows.entry.cli import app
from flows.exports.hub import HubRepository
from flows.exports.named_release import NamedRelease
from flows.exports.push import require_publishable
from flows.release import release as release_flow
from storage.columns import TASK1
from storage.release_manifest import MANIFEST
from storage.release_writer import ReleaseSplit, write
from storage.shards import ShardLayout
from storage.workspace import Workspace
from tests.flows.exports.hub_memory import Fault
from tests.flows.exports.pushing import CANARY, NAME, push, released, require_equal
from tests.flows.exports.tiny_release import FACTS
from tests.storage.release_rows import RATE, clip, rows


def test_a_first_push_is_private_and_tagged(hub, release):
    """One commit, whose files are the release's; nobody else sees it; the token came from the environment."""
    address, _ = push(hub, release)
    repository = hub.repositories[NAME]
    assert address == f"{hub.url}/datasets/{NAME}/tree/v0.1.0"
    assert repository.messages == ["initial commit", "Release v0.1.0"]
    assert (repository.visibility, repository.gated) == ("private", False)
    assert not [line for line in hub.log if "settings" in line]
    assert hub.tokens == {CANARY}
    require_equal(hub, release, "v0.1.0")


def test_a_second_push_does_nothing(hub, release):
    """No commit, no upload, and nothing is asked but what is there."""
    push(hub, release)
    before, hub.log = len(hub.repositories[NAME].commits), []
    push(hub, release)
    assert len(hub.repositories[NAME].commits) == before
    assert {line.split()[0] for line in hub.log} <= {"GET", "HEAD"}
    assert set(hub.puts.values()) == {1}


def test_a_later_version_replaces_the_earlier_one(hub, release, tmp_path):
    """Files that it does not have go, both tags stay, and what is the same is not uploaded again."""
    push(hub, release)
    later = released(tmp_path, "0.2.0", count=6)
    push(hub, later)
    require_equal(hub, release, "v0.1.0")
    require_equal(hub, later, "v0.2.0")
    _, said = push(hub, release)
    assert "v0.1.0 is there already, and equal to the release" in said
    assert hub.repositories[NAME].refs["main"] == hub.repositories[NAME].tags["v0.2.0"]
    assert set(hub.puts.values()) == {1}


def test_shards_that_a_later_version_lacks_are_deleted(hub, tmp_path, release):
    """Only what an earlier manifest lists; the card's patterns would load them as rows."""
    one = ReleaseSplit(config="task1", split="sft", rows=[rows(12)], schema=TASK1)
    workspace, layout = Workspace(tmp_path), ShardLayout(sample_rate_hz=RATE)
    push(hub, release)
    later = NamedRelease(
        workspace=workspace, folder=write(workspace, "0.2.0", splits=[one], audio=clip, facts=FACTS, layout=layout)
    )
    push(hub, later)
    require_equal(hub, later, "v0.2.0")


def test_a_tag_with_other_content_is_an_error(hub, release, tmp_path):
    """Before anything is uploaded; it says to raise the version."""
    push(hub, release)
    commits, puts = len(hub.repositories[NAME].commits), dict(hub.puts)
    with pytest.raises(DataError, match=r"has a tag v0\.1\.0 with other content .*raise the recipe's version"):
        push(hub, released(tmp_path, count=6), public=True)
    assert (len(hub.repositories[NAME].commits), hub.puts) == (commits, puts)
    assert hub.repositories[NAME].visibility == "private"


def test_another_data_set_is_not_replaced(hub, release):
    """A repository with files of no release is somebody's; none of them is deleted."""
    hub.repository(NAME, **{"notes.txt": b"mine"})
    with pytest.raises(DataError, match=r"has files of no release \(notes\.txt\)"):
        push(hub, release)
    assert not hub.puts


def test_a_repository_with_a_card_alone_is_taken(hub, release):
    """As one has that was made on the Hub's own page."""
    hub.repository(NAME, **{"README.md": b"---\n---\n"})
    push(hub, release)
    require_equal(hub, release, "v0.1.0")


def test_a_commit_by_somebody_else_in_between(hub, release):
    """The branch has moved when the commit arrives: the push looks again, and refuses what it must not replace."""
    repository = hub.repository(NAME)
    files = {"notes.txt": hub.store(b"theirs")}
    hub.faults = [Fault("POST", "/commit/main$", before=lambda: repository.commit(files, "theirs") and None)]
    with pytest.raises(DataError, match="has files of no release"):
        push(hub, release)
    assert repository.messages[-1] == "theirs"


def test_a_hub_that_stores_something_else_gets_no_tag(hub, release):
    """The comparison after the upload is by sha256; large files by what the Hub states, the others by what it returns."""
    for path in ("README.md", MANIFEST, "task1/sft-00000-of-00001.parquet"):
        hub.repositories.clear()

        def damage(path: str = path) -> None:
            repository = hub.repositories[NAME]
            files = repository.commits[repository.refs["main"]]
            if path in files:
                data = hub.objects[files[path].sha256]
                files[path] = hub.store(data[:-1] + b"#", is_large=files[path].is_large)

        hub.faults = [Fault("GET", "/tree/"), Fault("GET", "/tree/"), Fault("GET", "/tree/", before=damage)]
        with pytest.raises(StorageError, match=f"differs from the release after the upload \\({path}\\)"):
            push(hub, release, public=True)
        assert not hub.repositories[NAME].tags
        assert hub.repositories[NAME].visibility == "private"


def test_public_comes_last(hub, release):
    """After tag and comparison, in one request with the gate."""
    push(hub, release, public=True, gate="manual")
    assert (hub.repositories[NAME].visibility, hub.repositories[NAME].gated) == ("public", "manual")
    changes = [line for line in hub.log if line.split()[0] in {"POST", "PUT"}]
    assert changes[-1] == f"PUT /api/datasets/{NAME}/settings"
    assert "/tag/" in changes[-2]
    hub.log.clear()
    push(hub, release, public=True)
    assert {line.split()[0] for line in hub.log} <= {"GET", "HEAD"}
    assert hub.repositories[NAME].gated == "manual"


def test_a_gate_is_put_up_before_a_public_repository_gets_files(hub, release):
    """Nobody loads them in between."""
    hub.repository(NAME, "public")
    push(hub, release, public=True, gate="auto")
    changes = [line.rpartition("/")[2] for line in hub.log if line.split()[0] in {"POST", "PUT"}]
    assert changes.index("settings") < changes.index("main")


def test_a_public_repository_takes_public_pushes_only(hub, release):
    """A push without the word would publish."""
    hub.repository(NAME, "public")
    with pytest.raises(RecipeError, match="is public: add --public"):
        push(hub, release)
    assert not hub.puts


@pytest.mark.parametrize(
    ("licence", "why"),
    [
        ("CC0-1.0 AND CC-BY-NC-4.0", r"CC-BY-NC-4.0 forbids commercial use \(24 rows\)"),
        ("NOASSERTION", r"NOASSERTION nobody stated a licence \(24 rows\)"),
        ("LicenseRef-ESD", r"LicenseRef-ESD has terms that only people can read \(24 rows\)"),
    ],
)
def test_licences_that_forbid_it(hub, tmp_path, licence, why):
    """Nothing is asked of the Hub then; private it may go."""
    restricted = released(tmp_path, license=licence)
    with pytest.raises(DataError, match=f"--public: {why}: leave --public out"):
        push(hub, restricted, public=True)
    assert not hub.log
    push(hub, restricted)
    require_equal(hub, restricted, "v0.1.0")


def test_a_person_vouches_for_a_licence():
    """But not for one that nobody stated."""
    licences = {"MIT AND CC-BY-NC-4.0": 3, "LicenseRef-ESD": 2}
    require_publishable(licences, ["CC-BY-NC-4.0", "LicenseRef-ESD"])
    with pytest.raises(DataError, match=r"^--public: LicenseRef-ESD .*\(2 rows\): leave"):
        require_publishable(licences, ["CC-BY-NC-4.0"])
    with pytest.raises(DataError, match="NOASSERTION"):
        require_publishable({None: 1}, ["NOASSERTION"])


def test_a_damaged_release_stays_here(hub, tmp_path):
    """It is verified as a whole before the Hub is asked anything."""
    damaged = released(tmp_path)
    shard = next(damaged.workspace.local_path(damaged.folder).rglob("sft-*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"#")
    with pytest.raises(DamagedPart, match=r"sft-.*is not what MANIFEST\.json lists.*build the release again"):
        push(hub, damaged)
    assert not hub.log


def test_a_release_in_a_bucket(hub, release):
    """Its files are copied first, and verified as a copy."""
    import fsspec

    filesystem = fsspec.filesystem("memory")
    filesystem.put(str(release.workspace.local_path(release.folder)), f"/bucket/{release.name}", recursive=True)
    try:
        push(hub, NamedRelease(workspace=Workspace("memory://bucket"), folder=release.name))
    finally:
        filesystem.rm("/bucket", recursive=True)
    require_equal(hub, release, "v0.1.0")


def test_a_token_that_may_not_write(hub, release):
    """What the server says is passed on, without the token that it repeats."""
    hub.denied = True
    with pytest.raises(SetupError, match=r"looking for it: .*Invalid token \*\*\*; use a token that may write there") as raised:
        push(hub, release)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_without_a_token(hub, monkeypatch, tmp_path):
    """It says where one comes from."""
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "tokens"))
    with pytest.raises(SetupError, match=r"set HF_TOKEN, or log in once by `hf auth login`"):
        HubRepository(NAME)


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "/tiny", "tester/", "tester/..", "https://hub/tester/tiny"])
def test_names_of_no_repository(hub, name):
    """Are refused before anything is asked."""
    with pytest.raises(RecipeError, match="ORG/NAME"):
        HubRepository(name)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--public"], "add --push"),
        (["--gated", "auto"], "add --push"),
        (["--push", NAME, "--export", "trl"], "leave --export"),
        (["--push", NAME, "--gated", "auto"], "add --public"),
    ],
)
def test_options_that_do_not_go_together(hub, release, options, why):
    """Say what is missing."""
    with pytest.raises(RecipeError, match=why):
        CliRunner().invoke(app, ["release", release.workspace.path(release.folder), *options], catch_exceptions=False)


def test_the_deployment_pushes(hub, release, monkeypatch):
    """Its flow takes a recipe or a release, and the Hub and token of its environment."""
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    address = release_flow.fn(push=NAME, recipe=release.workspace.path(release.folder), public=True, gated="auto")
    assert address == f"{hub.url}/datasets/{NAME}/tree/v0.1.0"
    assert (hub.repositories[NAME].visibility, hub.repositories[NAME].gated) == ("public", "auto")
    entries = yaml.safe_load((Path(flows.__file__).parents[1] / "prefect.yaml").read_text())["deployments"]
    assert "flows/release.py:release" in {entry["entrypoint"] for entry in entries}
    require_equal(hub, release, "v0.1.0")


@pytest.mark.slow
def test_datasets_loads_what_was_pushed(hub, release, tmp_path):
    """By the tag, from the Hub's own address: as a whole, and streamed."""
    push(hub, release)
    program = f"""
import json
from datasets import Audio, load_dataset
data = load_dataset({NAME!r}, "task1", revision="v0.1.0")
streamed = load_dataset({NAME!r}, "task1", revision="v0.1.0", split="bench", streaming=True)
clip = next(iter(streamed.cast_column("audio_a", Audio(decode=False)).select_columns(["pair_id", "audio_a"])))
told = {{"rows": {{split: len(data[split]) for split in data}}, "first": clip["pair_id"], "clip": clip["audio_a"]["bytes"].hex()}}
print(json.dumps(told))
"""
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"rows": {"sft": 12, "bench": 12}, "first": "pair-00060", "clip": clip("a30").hex()}
