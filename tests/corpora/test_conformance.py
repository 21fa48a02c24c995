"""What every corpus plug-in must do, on a dummy corpus in its real layout."""

from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from contracts import plugins
from contracts.conformance import conform
from contracts.ids import row_id
from contracts.schemas import UTTERANCES
from tests.corpora import damaged, dummies, prompt_dummies

NAMES = plugins.names("corpus")
UNRECORDED = {"mandarin_sentences"}
"""Readers of texts that nobody has recorded."""
BUILDERS = {**dummies.BUILDERS, **damaged.BUILDERS, **prompt_dummies.BUILDERS}


def read(name: str, root: str, options=None) -> pa.Table:
    corpus = plugins.configure("corpus", name, {"name": "my_corpus", **(options or {})})
    return pa.Table.from_batches(corpus.read(root), schema=UTTERANCES)


@pytest.mark.parametrize("name", NAMES)
def test_each_defect_is_a_row_with_its_problem(name, tmp_path):
    """Every recording and every line of the metadata is a row, in a fixed order, with the problem that it has."""
    assert name in BUILDERS, f"tests/corpora/dummies.py needs a builder for the corpus plug-in {name}"
    dummy = BUILDERS[name](tmp_path)
    table = conform(read(name, str(tmp_path), dummy.options), "utterances")
    assert list(zip(table["source_id"].to_pylist(), table["problem"].to_pylist(), strict=True)) == dummy.problems


@pytest.mark.parametrize("name", NAMES)
def test_turns_have_a_dialogue_and_a_place_of_their_own(name, tmp_path):
    """A usable row has both or neither, turns count from 1, and no two usable rows are the same turn."""
    dummy = BUILDERS[name](tmp_path)
    usable = [row for row in read(name, str(tmp_path), dummy.options).to_pylist() if row["problem"] is None]
    assert all((row["dialogue_id"] is None) == (row["turn"] is None) for row in usable)
    turns = [(row["dialogue_id"], row["turn"]) for row in usable if row["turn"] is not None]
    assert len(set(turns)) == len(turns)
    assert all(turn >= 1 for _, turn in turns)


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_derived(name, tmp_path):
    """Keys are unique, and those of usable rows follow from the corpus's name and the source id."""
    dummy = BUILDERS[name](tmp_path)
    rows = read(name, str(tmp_path), dummy.options).to_pylist()
    assert len({row["utterance_id"] for row in rows}) == len(rows)
    usable = [row for row in rows if row["problem"] is None]
    assert usable
    assert all(row["utterance_id"] == row_id("utterance", "my_corpus", row["source_id"]) for row in usable)
    assert {row["corpus"] for row in rows} == {"my_corpus"}


@pytest.mark.parametrize("name", NAMES)
def test_rows_hold_no_private_path(name, tmp_path):
    """Paths are relative, exist where the row is usable, and no value names the place where the corpus lies."""
    dummy = BUILDERS[name](tmp_path)
    rows = read(name, str(tmp_path), dummy.options).to_pylist()
    unrecorded = {row["source_id"] for row in rows if row["audio_path"] is None and row["problem"] is None}
    assert (unrecorded == set()) == (name not in UNRECORDED)
    for row in rows:
        assert row["problem"] is not None or row["source_id"] in unrecorded or (tmp_path / row["audio_path"]).is_file()
        for value in row.values():
            assert not isinstance(value, str) or (str(tmp_path) not in value and not value.startswith("/"))


@pytest.mark.parametrize("name", NAMES)
def test_rows_point_at_their_line(name, tmp_path):
    """``source_ref`` is file and line below the root, and the line holds what the row says, or the id of its clip."""
    dummy = BUILDERS[name](tmp_path)
    rows = [row for row in read(name, str(tmp_path), dummy.options).to_pylist() if row["source_ref"] and row["problem"] is None]
    assert rows
    for row in rows:
        file, _, line = row["source_ref"].rpartition(":")
        data = (tmp_path / file).read_bytes()
        if file.endswith(".gz"):
            import gzip

            data = gzip.decompress(data)
        named = [value for value in (row["text"], row["source_id"]) if value is not None]
        assert any(value.encode() in data.split(b"\n")[int(line) - 1] for value in named)


@pytest.mark.parametrize("name", NAMES)
def test_place_does_not_matter(name, tmp_path):
    """A copy in another file system gives the very same rows."""
    dummy = BUILDERS[name](tmp_path)
    memory = fsspec.filesystem("memory")
    root = f"/{name}-copy"
    for path in sorted(path for path in tmp_path.rglob("*") if path.is_file()):
        memory.pipe_file(f"{root}/{path.relative_to(tmp_path).as_posix()}", path.read_bytes())
    try:
        assert read(name, f"memory://{root}", dummy.options).equals(read(name, str(tmp_path), dummy.options))
    finally:
        memory.rm(root, recursive=True)


@pytest.mark.parametrize("name", NAMES)
def test_missing_root_says_what_to_do(name, tmp_path):
    """A root that is not there is an error that names it."""
    from contracts.errors import DataError

    with pytest.raises(DataError, match=r"no folder .*/absent; set its root"):
        read(name, str(tmp_path / "absent"))


@pytest.mark.parametrize("name", NAMES)
def test_packages_own_copy_can_be_read(name):
    """A corpus that a system package carries is read from its default root where the package is installed."""
    root = plugins.load("corpus", name).DEFAULT_ROOT
    needed = {"asterisk_prompts": "asterisk", "mandarin_sentences": "asterisk", "pocketsphinx_librivox": "."}
    if root is None or not (Path(root) / needed[name]).exists():
        pytest.skip("no system package carries this corpus here")
    table = read(name, root)
    usable = [row for row in table.to_pylist() if row["problem"] is None]
    # Counted in the Debian packages: 569 lines, 14 with square and 12 with round brackets, one without recording.
    # Of these, 500 and 474 have ten words or fewer; 50 sentences are this project's own.
    expected = {"asterisk_prompts": (569, 542), "mandarin_sentences": (550, 524), "pocketsphinx_librivox": (5, 5)}[name]
    assert (table.num_rows, len(usable)) == expected
    assert all(row["duration_s"] > 0.1 for row in usable if row["audio_path"] is not None)


@pytest.mark.parametrize("name", NAMES)
def test_links_are_followed_inside_unless_told_otherwise(name):
    """Every reader has the option, for those who read the audio and watch for changes ask for it."""
    assert plugins.configure("corpus", name).follow_links == "inside"
    assert plugins.configure("corpus", name, {"follow_links": "anywhere"}).follow_links == "anywhere"


TRANSCRIPTS = {
    "libritts_r": ("train-clean-100/1092/134562/1092_134562.trans.tsv", b"1092_134562_000013_000009\t%b\t%b"),
    "pocketsphinx_librivox": ("transcription", b"<s> %b </s> (sense-09)"),
    "asterisk_prompts": ("doc/asterisk-core-sounds-en/core-sounds-en.txt.gz", b"zzz: %b"),
    "bvcc": ("DATA/sets/TESTSET", b"sys64e2f,%b,4,VDP1_1,{}_30-39_bZPQE7w4Zl3g_Female_Valid_1_No"),
    "covost2": ("covost_v2.en_de.train.tsv", b"zzz.mp3\t%b\t%b\tc1"),
    "emilia": ("raw/EN/EN_B00000.jsonl", b'{"id": "EN_9", "wav": "EN_B00000/mp3/EN_1.mp3", "text": "%b"}'),
    "kespeech": ("Tasks/ASR/test/text", b"9_z %b"),
    "singmos": ("sets/eval_mos_list.txt", b"%b,4.0"),
    "somos": ("training_files/split1/clean/TRAINSET", b"001,%b,4,A1"),
    "vmc23": ("track2_answer.txt", b"%b,4.0"),
}


@pytest.mark.parametrize("bad", [b"caf\xe9", b"a\xed\xa0\x80b", b"a\0b", b"[" * 100_000, b"\xff" * 9000, b"a\rb\x85\x1c"])
@pytest.mark.parametrize("name", sorted(TRANSCRIPTS.keys() & set(NAMES)))
def test_a_bad_line_of_a_transcript_is_one_dropped_row(name, bad, tmp_path):
    """All other rows are as they were without it."""
    import gzip

    dummy = BUILDERS[name](tmp_path)
    before = read(name, str(tmp_path), dummy.options).to_pylist()
    file, line = TRANSCRIPTS[name]
    data = (tmp_path / file).read_bytes()
    packed = file.endswith(".gz")
    data = (gzip.decompress(data) if packed else data) + line.replace(b"%b", bad) + b"\n"
    (tmp_path / file).write_bytes(gzip.compress(data) if packed else data)
    after = read(name, str(tmp_path), dummy.options).to_pylist()
    (added,) = [row for row in after if row not in before]
    assert [row for row in after if row in before] == before
    assert added["problem"] is not None
    assert added["source_ref"].startswith(f"{file}:")
