"""Corpora laid out by links: followed inside what the user named, refused with the option that allows them elsewhere."""

import hashlib
import json

import pyarrow as pa
import pytest

from contracts import plugins
from contracts.errors import DataError
from corpora.corpus_state import state
from synth.dsp import AudioFormat
from synth.record import RecordJob
from tests.corpora import dummies

GIVEN = {"language": "en", "license": "MIT"}


def read(root, reader="manifest", **options):
    return pa.Table.from_batches(plugins.configure("corpus", reader, options).read(str(root))).to_pylist()


def record(root, path, *, anywhere=False):
    """Bring one recording in; return the reason of its failure, or None."""
    schema = pa.schema(
        [(name, pa.string()) for name in ("row_id", "subject_id", "corpus", "audio_path", "text")]
        + [("is_reference", pa.bool_())]
    )
    row = {"row_id": "r", "subject_id": "u", "corpus": "c", "audio_path": path, "text": None, "is_reference": True}
    job = RecordJob(
        roots=json.dumps({"c": str(root)}),
        audio=AudioFormat(),
        workspace_url=str(root.parent / "workspace"),
        linked_anywhere=("c",) if anywhere else (),
    )
    failures = job.open().run(pa.Table.from_pylist([row], schema=schema)).failures.to_pylist()
    return failures[0]["reason"] if failures else None


@pytest.fixture
def snapshot(tmp_path):
    """A data set as the cache of a model hub holds it: all files are links to blobs named by their hash."""
    repository = tmp_path / "hub" / "datasets--org--name"
    root = repository / "snapshots" / "0123abcd"
    (repository / "blobs").mkdir(parents=True)
    manifest = json.dumps({"audio": "wavs/a.wav", "text": "Hello there."}).encode()
    for name, data in {"manifest.jsonl": manifest, "wavs/a.wav": dummies.encode("WAV")}.items():
        blob = repository / "blobs" / hashlib.sha256(data).hexdigest()
        blob.write_bytes(data)
        link = root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("/".join([".."] * (2 + name.count("/"))) + f"/blobs/{blob.name}")
    return root


def test_a_snapshot_of_a_hub_is_read_as_if_it_were_files(snapshot):
    """Manifest and audio are links to blobs beside the snapshots: inside what the user named."""
    (row,) = read(snapshot, **GIVEN)
    assert (row["problem"], row["audio_path"], row["duration_s"]) == (None, "wavs/a.wav", 0.5)
    assert record(snapshot, "wavs/a.wav") is None


def test_only_the_blobs_of_the_snapshot_are_inside(snapshot):
    """What else lies in the cache, and the blobs of a folder that is no snapshot, are not."""
    other = snapshot.parents[3] / "private.wav"
    other.write_bytes(dummies.encode("WAV"))
    (snapshot / "wavs/a.wav").unlink()
    (snapshot / "wavs/a.wav").symlink_to(other)
    assert [row["problem"] for row in read(snapshot, **GIVEN)] == ["link_outside_corpus"]


def linked_corpus(tmp_path, *, folder):
    """A manifest whose audio is a link out of the corpus: the file itself, or the folder that it lies in."""
    dummies.put(tmp_path / "elsewhere/a.wav", dummies.encode("WAV"))
    root = tmp_path / "corpus"
    dummies.put(root / "manifest.csv", "audio,text\nwavs/a.wav,Hello\nb.wav,Here\n")
    dummies.put(root / "b.wav", dummies.encode("WAV"))
    if folder:
        (root / "wavs").symlink_to(tmp_path / "elsewhere")
    else:
        (root / "wavs").mkdir()
        (root / "wavs/a.wav").symlink_to(tmp_path / "elsewhere/a.wav")
    return root


@pytest.mark.parametrize("folder", [False, True])
def test_a_link_out_of_the_corpus_is_a_drop_that_names_the_option(tmp_path, folder):
    """A private file must not slip into a release; with the option it is read, by both who read audio."""
    root = linked_corpus(tmp_path, folder=folder)
    refused, good = read(root, **GIVEN)
    assert (refused["problem"], good["problem"]) == ("link_outside_corpus", None)
    assert "follow_links" in refused["problem_detail"]
    assert str(tmp_path) not in refused["problem_detail"]
    assert record(root, "wavs/a.wav") == "link_outside_corpus"
    assert [row["problem"] for row in read(root, follow_links="anywhere", **GIVEN)] == [None, None]
    assert record(root, "wavs/a.wav", anywhere=True) is None


def test_a_link_inside_the_corpus_is_followed_and_loops_end(tmp_path):
    """Links to files and folders of the corpus are as good as these; one that leads to itself or nowhere is missing audio."""
    root = tmp_path / "corpus"
    dummies.put(root / "data/a.wav", dummies.encode("WAV"))
    (root / "wavs").symlink_to("data")
    (root / "data/up").symlink_to("..")
    (root / "self.wav").symlink_to("self.wav")
    (root / "gone.wav").symlink_to("nowhere.wav")
    names = ["wavs/a.wav", "wavs/up/wavs/a.wav", "self.wav", "gone.wav"]
    dummies.put(root / "manifest.csv", "audio,text\n" + "".join(f"{name},Hello\n" for name in names))
    assert [row["problem"] for row in read(root, **GIVEN)] == [None, None, "missing_audio", "missing_audio"]
    assert state(str(root))


def test_linked_metadata_out_of_the_corpus_is_an_error_that_names_the_option(tmp_path):
    """A manifest, and a part of LibriTTS-R, behind a link."""
    dummies.put(tmp_path / "m.csv", "audio,text\nb.wav,Here\n")
    dummies.put(tmp_path / "corpus/b.wav", dummies.encode("WAV"))
    (tmp_path / "corpus/manifest.csv").symlink_to(tmp_path / "m.csv")
    with pytest.raises(DataError, match=r"manifest\.csv is a link out of the corpus: set .* follow_links to anywhere"):
        read(tmp_path / "corpus", **GIVEN)
    assert read(tmp_path / "corpus", follow_links="anywhere", **GIVEN)
    dummies.libritts_r(tmp_path / "archive")
    (tmp_path / "libri").mkdir()
    (tmp_path / "libri/dev-clean").symlink_to(tmp_path / "archive/dev-clean")
    with pytest.raises(DataError, match=r"dev-clean is a link out of the corpus: .*follow_links"):
        read(tmp_path / "libri", "libritts_r")
    assert len(read(tmp_path / "libri", "libritts_r", follow_links="anywhere")) == 2


@pytest.mark.parametrize("folder", [False, True])
def test_edits_behind_a_link_are_noticed(tmp_path, folder):
    """Of what the reader follows, and of nothing else; a link to other audio is a change, too."""
    root, elsewhere = tmp_path / "corpus", tmp_path / "elsewhere"
    dummies.put(elsewhere / "m/manifest.csv", "audio,text\n")
    root.mkdir()
    (root / "m").symlink_to(elsewhere / "m") if folder else (root / "manifest.csv").symlink_to(elsewhere / "m/manifest.csv")
    (root / "a.wav").symlink_to("one.wav")
    before, inside = state(str(root), follow_links="anywhere"), state(str(root))
    dummies.put(elsewhere / "m/manifest.csv", "audio,text\na.wav,Hello\n")
    after = state(str(root), follow_links="anywhere")
    assert after != before
    assert not folder or state(str(root)) == inside
    (root / "a.wav").unlink()
    (root / "a.wav").symlink_to("two.wav")
    assert state(str(root), follow_links="anywhere") != after


def test_many_links_across_are_looked_at_once(tmp_path):
    """Twelve folders that each link to all others are no endless tree."""
    for one in range(12):
        (tmp_path / str(one)).mkdir()
        for other in range(12):
            (tmp_path / str(one) / f"to{other}").symlink_to(f"../{other}")
    assert state(str(tmp_path))


def test_a_corpus_without_links_has_the_state_that_it_always_had(tmp_path):
    """Workspaces remember it: another hash would read every corpus again."""
    dummies.put(tmp_path / "b/c.wav", b"1")
    dummies.put(tmp_path / "a/d.flac", b"1")
    dummies.put(tmp_path / "z.wav", b"1")
    expected = hashlib.sha256(b"./z.wav\0a/d.flac\0b/c.wav\0").hexdigest()
    assert state(str(tmp_path)) == expected


EMPTY = {
    "libritts_r": ("train-clean-100/1/2/._x.wav", "no recording"),
    "manifest": ("manifest.csv", "no rows|no column"),
    "pocketsphinx_librivox": ("transcription", "no recording"),
}


@pytest.mark.parametrize("reader", sorted(EMPTY))
def test_a_corpus_without_a_row_is_an_error(tmp_path, reader):
    """A wrong root must not pass as a data set of nothing."""
    name, message = EMPTY[reader]
    dummies.put(tmp_path / name, "")
    with pytest.raises(DataError, match=message):
        read(tmp_path, reader)
