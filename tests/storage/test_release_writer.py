"""Releases: loaded with ``datasets`` as a user does, verified, atomic, byte-identical."""

import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import fsspec
import pytest
import soundfile
import yaml

from contracts.errors import DamagedPart, DataError, LeakageError, RecipeError, StorageError
from storage import release_writer
from storage.card_facts import Disjoint, Facts, Funnel
from storage.columns import RATED_PAIRS, TASK1
from storage.release_reader import rows_released
from storage.release_verification import verify_release
from storage.release_writer import ReleaseSplit, write
from storage.shards import ShardLayout
from storage.workspace import Workspace
from tests.storage.release_rows import RATE, clip, rated_rows, rows

LAYOUT = ShardLayout(sample_rate_hz=RATE, shard_bytes=200_000)
FACTS = Facts(
    pretty_name="Pairs | <script>alert(1)</script> of *people*",
    version="0.1.0",
    funnel=[Funnel(stage="filters", unit="pairs", rows_in=70, rows_out=66, dropped={"cycle": 3, "wer_gap": 1})],
    leakage=[Disjoint(key="text", left="sft", right="bench", shared=0)],
    judge_statement="A documented rule, not a person and not a language model.",
    attribution={"asterisk_prompts": "Allison Smith"},
    recipe_digest="f00d",
    seed=1,
)


def splits(sft: int = 48, bench: int = 6) -> list[ReleaseSplit]:
    return [
        ReleaseSplit(config="task1", split="sft", rows=[rows(sft)], schema=TASK1),
        ReleaseSplit(config="task1", split="rl", rows=[rows(12, 48)], schema=TASK1),
        ReleaseSplit(config="task1", split="bench", rows=[rows(bench, 60)], schema=TASK1),
    ]


def release_to(url, **changes) -> tuple[Workspace, str]:
    workspace = Workspace(url)
    wish = {"splits": splits(), "audio": clip, "facts": FACTS, "layout": LAYOUT} | changes
    return workspace, write(workspace, "0.1.0", **wish)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def flip(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def load(folder: Path, cache: Path, program: str, config: str = "task1") -> dict:
    """Run a program with ``datasets`` offline in a process of its own, as a user would, and return the JSON that it prints."""
    start = f"""
        import io, json, soundfile
        from datasets import Audio, load_dataset
        data = load_dataset({str(folder)!r}, {config!r}, cache_dir={str(cache)!r})
    """
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(cache), "TQDM_DISABLE": "1"}
    code = textwrap.dedent(start) + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_datasets_loads_it(tmp_path):
    """``load_dataset(folder, "task1")`` gives three splits with Audio features whose clips decode at the stated rate."""
    workspace, name = release_to(tmp_path / "ws")
    found = load(
        workspace.local_path(name),
        tmp_path / "cache",
        """
        raw = data["sft"].cast_column("audio_a", Audio(decode=False)).cast_column("prompt_audio", Audio(decode=False))
        row = raw.select_columns(["audio_a", "prompt_audio", "label", "scores_a", "seed_b", "votes"])[1]
        pcm, rate = soundfile.read(io.BytesIO(row["audio_a"]["bytes"]), dtype="int16")
        print(json.dumps({
            "rows": {split: len(data[split]) for split in data},
            "kinds": {name: type(data["bench"].features[name]).__name__ for name in ("prompt_audio", "audio_a", "audio_b")},
            "stated": data["bench"].features["audio_b"].sampling_rate, "rate": rate, "samples": len(pcm), "first": pcm[:5].tolist(),
            "path": row["audio_a"]["path"], "row": {name: row[name] for name in ("label", "scores_a", "seed_b", "votes")},
            "no_prompt": raw.select_columns(["prompt_audio"])[3]["prompt_audio"],
        }))
    """,
    )
    expected = soundfile.read(io.BytesIO(clip("a0")), dtype="int16")[0]
    assert found == {
        "rows": {"sft": 48, "rl": 12, "bench": 6},
        "kinds": {"prompt_audio": "Audio", "audio_a": "Audio", "audio_b": "Audio"},
        "stated": RATE,
        "rate": RATE,
        "samples": RATE // 10,
        "first": expected[:5].tolist(),
        "path": "a0.flac",
        "row": {"label": "b", "scores_a": [{"dimension": "naturalness", "score": 8.5}], "seed_b": 7, "votes": None},
        "no_prompt": None,
    }


def test_datasets_loads_rated_pairs(tmp_path):
    """Likewise of clips that people rated; ``verify`` and the search for a row know the items of both."""
    parts = {"train": rated_rows(30), "test": rated_rows(6, 30)}
    rated = [ReleaseSplit(config="rated_pairs", split=split, rows=[part], schema=RATED_PAIRS) for split, part in parts.items()]
    workspace, name = release_to(tmp_path / "ws", splits=rated)
    found = load(
        workspace.local_path(name),
        tmp_path / "cache",
        """
        raw = data["train"].cast_column("audio_b", Audio(decode=False))
        row = raw.select_columns(["audio_b", "label", "rating_a", "raters_b", "text_a", "vote_ids"])[1]
        pcm, rate = soundfile.read(io.BytesIO(row["audio_b"]["bytes"]), dtype="int16")
        print(json.dumps({
            "rows": {split: len(data[split]) for split in data}, "rate": rate, "first": pcm[:5].tolist(),
            "row": {name: row[name] for name in ("label", "rating_a", "raters_b", "text_a", "vote_ids")},
        }))
    """,
        config="rated_pairs",
    )
    assert found == {
        "rows": {"train": 30, "test": 6},
        "rate": RATE,
        "first": soundfile.read(io.BytesIO(clip("tts1")), dtype="int16")[0][:5].tolist(),
        "row": {"label": "a", "rating_a": 4.7, "raters_b": None, "text_a": None, "vote_ids": None},
    }
    verified = verify_release(str(workspace.local_path(name)))
    assert (verified.rows, verified.clips, verified.problems) == (36, 72, [])
    place = {"release": name.split("/")[1], "file": "rated_pairs/test-00000-of-00001.parquet", "row": 2}
    assert rows_released(workspace, ["pair-00032"]) == [{"pair_id": "pair-00032", **place}]


def several(**columns) -> list[ReleaseSplit]:
    """Return a release of two configurations with other columns, the second without a row in one split."""
    rated = rated_rows(5, leakage_group="g0", **columns)
    parts = {"sft": [rated], "rl": [], "bench": []}
    return splits() + [
        ReleaseSplit(config="rated_pairs", split=name, rows=part, schema=RATED_PAIRS) for name, part in parts.items()
    ]


def test_datasets_loads_every_configuration(tmp_path):
    """Each with its own columns and splits; the card counts both, and the proof of the clips goes over both."""
    workspace, name = release_to(tmp_path / "ws", splits=several())
    folder = workspace.local_path(name)
    program = 'print(json.dumps({split: [len(rows), rows.column_names[0], "rating_gap" in rows.features] for split, rows in data.items()}))'
    assert load(folder, tmp_path / "cache", program) == {
        "sft": [48, "pair_id", False], "rl": [12, "pair_id", False], "bench": [6, "pair_id", False],
    }  # fmt: skip
    assert load(folder, tmp_path / "cache", program, config="rated_pairs") == {"sft": [5, "pair_id", True]}
    verified = verify_release(str(folder))
    assert (verified.rows, verified.problems) == (71, [])
    card = (folder / "README.md").read_text()
    assert "Without rows: rated\\_pairs rl, rated\\_pairs bench." in card
    assert "| clip, over all configurations | any split | any other | 0 |" in card


@pytest.mark.parametrize(
    ("columns", "what"),
    [({"audio_a": "a25"}, "clip a25"), ({"leakage_group": "g9"}, "leakage group g9"), ({"audio_b": "ref8"}, "clip ref8")],
)
def test_nothing_lies_in_two_splits_of_two_configurations(tmp_path, columns, what):
    """A clip of one configuration's ``rl`` in the other's ``sft`` is a leak, though no configuration leaks by itself."""
    workspace = Workspace(tmp_path)
    rated = ReleaseSplit(
        config="rated_pairs", split="sft", rows=[rated_rows(2, **({"leakage_group": "g0"} | columns))], schema=RATED_PAIRS
    )
    with pytest.raises(LeakageError, match=rf"splits rl and sft share the {what}, the latter in configuration rated_pairs"):
        release_to(tmp_path, splits=[*splits(), rated])
    assert not list(workspace.local_path("releases").iterdir())


def test_splits_of_one_compartment_may_share_and_the_manifest_says_so(tmp_path):
    """The halves of a train set hold one text; a reader of the files alone knows that they may, and a third split may not."""
    halves = [
        ReleaseSplit(config="task1", split="sft", rows=[rows(3)], schema=TASK1, compartment="train"),
        ReleaseSplit(config="task1", split="rl", rows=[rows(3, 3)], schema=TASK1, compartment="train"),
    ]
    apart = ReleaseSplit(config="task1", split="eval", rows=[rows(6, 6)], schema=TASK1)
    workspace, name = release_to(str(tmp_path / "ws"), splits=[*halves, apart])
    manifest = json.loads((workspace.local_path(name) / "MANIFEST.json").read_text())
    assert manifest["compartments"] == {"rl": "train", "sft": "train"}
    assert verify_release(str(workspace.local_path(name))).problems == []
    del manifest["compartments"]
    (workspace.local_path(name) / "MANIFEST.json").write_text(json.dumps(manifest))
    told = [str(problem) for problem in verify_release(str(workspace.local_path(name))).problems]
    assert "is not the one that the folder is named after" in told[0], "who takes the line out is found by the folder's name"
    assert any("g0 lies in the split" in problem for problem in told)
    halves = [ReleaseSplit(**{**vars(one), "rows": [rows(3, 3 * number)]}) for number, one in enumerate(halves)]
    with pytest.raises(LeakageError, match="share the"):
        release_to(str(tmp_path / "other"), splits=[*halves, ReleaseSplit(**{**vars(apart), "rows": [rows(6, 4)]})])


def test_a_manifest_without_compartments_is_that_of_before(tmp_path):
    workspace, name = release_to(str(tmp_path / "ws"))
    assert set(json.loads((workspace.local_path(name) / "MANIFEST.json").read_text())) == {"format", "version", "files"}


def test_a_configuration_without_rows_is_an_error(tmp_path):
    empty = ReleaseSplit(config="rated_pairs", split="sft", rows=[], schema=RATED_PAIRS)
    with pytest.raises(DataError, match="every split of rated_pairs is empty"):
        release_to(tmp_path, splits=[*splits(), empty])


def test_empty_split_does_not_break_loading(tmp_path):
    """A split without rows has no file and no entry, and the card still counts it."""
    workspace, name = release_to(tmp_path / "ws", splits=splits(bench=0))
    found = load(workspace.local_path(name), tmp_path / "cache", "print(json.dumps(list(data)))")
    assert found == ["sft", "rl"]
    assert "| task1 | bench | 0 | 0 | 0 |" in (workspace.local_path(name) / "README.md").read_text()


def test_same_rows_same_bytes(tmp_path):
    """Two workspaces, differently cut tables: the same folder name and the same bytes."""
    first, name = release_to(tmp_path / "one")
    cut = [ReleaseSplit(config="task1", split="sft", rows=[rows(5), rows(43, 5)], schema=TASK1), *splits()[1:]]
    second, again = release_to(tmp_path / "two", splits=cut)
    assert again == name
    assert name.startswith("releases/0.1.0-")
    assert tree(first.local_path(name)) == tree(second.local_path(name))


def test_rewriting_is_a_no_op_and_changes_never_overwrite(tmp_path):
    """An identical release touches nothing; other rows become another folder beside the old one."""
    workspace, name = release_to(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in workspace.local_path(name).rglob("*")}
    assert release_to(tmp_path)[1] == name
    assert {path: path.stat().st_mtime_ns for path in workspace.local_path(name).rglob("*")} == before
    other = release_to(tmp_path, splits=splits(sft=42))[1]
    assert other != name
    assert workspace.listdir("releases") == sorted([name.split("/")[1], other.split("/")[1]])


def test_manifest_lists_every_file(tmp_path):
    """MANIFEST.json has path, size, rows and sha256 (as sha256sum prints it) of every other file."""
    workspace, name = release_to(tmp_path)
    folder = workspace.local_path(name)
    lines = json.loads((folder / "MANIFEST.json").read_text())["files"]
    listed = {line["path"]: line for line in lines}
    assert set(listed) == set(tree(folder)) - {"MANIFEST.json"}
    assert sum(line["rows"] or 0 for line in lines) == 66
    out = subprocess.run(["sha256sum", *listed], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1]: line.split()[0] for line in out.splitlines()} == {
        path: line["sha256"] for path, line in listed.items()
    }
    verified = verify_release(str(folder))
    assert (verified.files, verified.problems) == (len(lines), [])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "README.md").write_text("x"), "README.md: has 1 bytes, MANIFEST.json says"),
        (lambda folder: flip(folder / "README.md"), "README.md: is not what MANIFEST.json lists"),
        (lambda folder: next((folder / "task1").glob("rl-*")).unlink(), "task1/rl-00000-of-00001.parquet: is missing"),
        (lambda folder: (folder / "extra.txt").write_text("x"), "extra.txt: is in no line"),
        (lambda folder: (folder / "MANIFEST.json").unlink(), "no complete release"),
    ],
)
def test_damage_is_found(tmp_path, damage, message):
    """A changed, missing or added file and a missing manifest are named."""
    workspace, name = release_to(tmp_path)
    damage(workspace.local_path(name))
    assert message in str(verify_release(str(workspace.local_path(name))).problems[0])


def test_nothing_is_visible_after_an_error(tmp_path):
    """A clip that is missing half-way leaves neither a release nor a temporary folder."""

    def broken(audio_id: str) -> bytes:
        if audio_id == "a29":
            raise DamagedPart("audio a29 is missing")
        return clip(audio_id)

    with pytest.raises(DamagedPart):
        release_to(tmp_path, audio=broken)
    assert list((tmp_path / "releases").iterdir()) == []


def test_kill_in_the_middle(tmp_path):
    """After ``kill -9`` while shards are written no release is visible; the next run cleans up and gives the usual bytes."""
    program = f"""
        import os, signal
        from tests.storage.release_rows import clip
        from tests.storage import test_release_writer
        def deadly(audio_id):
            if audio_id == "a29":
                os.kill(os.getpid(), signal.SIGKILL)
            return clip(audio_id)
        test_release_writer.release_to({str(tmp_path / "killed")!r}, audio=deadly)
    """
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=root, check=False, env=os.environ | {"PYTHONPATH": str(root)}
    )
    assert done.returncode == -9
    left = [path.name for path in (tmp_path / "killed" / "releases").iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".tmp-")
    killed, name = release_to(tmp_path / "killed")
    whole, _ = release_to(tmp_path / "whole")
    assert tree(killed.local_path("releases")) == tree(whole.local_path("releases"))
    assert killed.exists(name)


def test_object_store(tmp_path):
    """On an object store the same files are there, the manifest came last, and ``verify`` reads them."""
    memory = fsspec.filesystem("memory")
    try:
        _, name = release_to("memory://release-test")
        local, _ = release_to(tmp_path)
        remote = {path.split(f"{name}/")[1]: memory.cat_file(path) for path in memory.find(f"/release-test/{name}")}
        assert remote == tree(local.local_path(name))
        verified = verify_release(f"memory://release-test/{name}")
        assert (verified.files, verified.problems) == (len(remote) - 1, [])
        created = {path: memory.created(path) for path in memory.find(f"/release-test/{name}")}
        assert max(created, key=created.__getitem__).endswith("MANIFEST.json")
        assert release_to("memory://release-test")[1] == name
    finally:
        memory.rm("/release-test", recursive=True)


def test_half_an_upload_is_completed(tmp_path):
    """Files without a manifest are no release: the next run uploads them again and the manifest after them."""
    memory = fsspec.filesystem("memory")
    try:
        _, name = release_to("memory://half-test")
        memory.rm_file(f"/half-test/{name}/MANIFEST.json")
        memory.pipe_file(f"/half-test/{name}/README.md", b"half")
        assert release_to("memory://half-test")[1] == name
        assert verify_release(f"memory://half-test/{name}").problems == []
    finally:
        memory.rm("/half-test", recursive=True)


def test_full_disk_is_a_storage_error(tmp_path, monkeypatch):
    """An operating-system error while writing says what to do, and nothing is left."""

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release_writer, "sync", full)
    with pytest.raises(StorageError, match="disk is full"):
        release_to(tmp_path)
    assert list((tmp_path / "releases").iterdir()) == []


def test_refusals(tmp_path):
    """A version that is no folder name, and a release without rows."""
    with pytest.raises(RecipeError, match="no folder name"):
        write(Workspace(tmp_path), "../x", splits=splits(), audio=clip, facts=FACTS, layout=LAYOUT)
    with pytest.raises(DataError, match="every split of task1 is empty"):
        release_to(tmp_path, splits=[ReleaseSplit(config="task1", split="sft", rows=[], schema=TASK1)])


def test_card(tmp_path):
    """The card has the Hub's header, counts, licences, provenance, funnel, leakage proof and notices."""
    workspace, name = release_to(tmp_path)
    card = (workspace.local_path(name) / "README.md").read_text()
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == ["cc-by-sa-3.0", "gpl-3.0"]
    assert header["language"] == ["en"]
    assert header["size_categories"] == ["n<1K"]
    assert header["pretty_name"] == FACTS.pretty_name
    assert header["annotations_creators"] == ["machine-generated"]
    files = [{"split": split, "path": f"task1/{split}-*.parquet"} for split in ("sft", "rl", "bench")]
    assert header["configs"] == [{"config_name": "task1", "data_files": files}]
    for line in (
        "| task1 | sft | 48 | 24 | 24 |",
        "| filters | pairs | 70 | 66 | 0 | cycle 3, wer\\_gap 1 |",
        "| text | sft | bench | 0 |",
        "| objective | 1 | rule | abc | 66 |",
        "| espeak | espeak | 1.51 | en-us | en-us | GPL-3.0-or-later | yes | algorithmicMedia | 66 |",
        "| human | none | - | - | - | CC-BY-SA-3.0 | no | digitalCapture | 66 |",
        "| asterisk\\_prompts | CC-BY-SA-3.0 AND GPL-3.0-or-later | 66 | Allison Smith |",
        "not a person and not a language model",
        "contains synthetic speech",
        "Recipe: f00d, seed 1.",
    ):
        assert line in card
    assert str(tmp_path) not in card
