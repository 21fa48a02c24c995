"""Names of files, as metadata and as disks spell them."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import plugins
from contracts.errors import DataError
from corpora.corpus_files import text_of
from corpora.root import Found, Names, Root
from tests.corpora import dummies

COMPOSED, DECOMPOSED = "caf\u00e9.wav", "cafe\u0301.wav"


@pytest.mark.parametrize(
    ("wanted", "there", "meant"),
    [
        (COMPOSED, [DECOMPOSED], [DECOMPOSED]),
        (DECOMPOSED, [COMPOSED], [COMPOSED]),
        (COMPOSED, [COMPOSED, DECOMPOSED], [COMPOSED]),
        ("A.WAV", ["a.wav"], ["a.wav"]),
        ("a.wav", ["A.WAV"], ["A.WAV"]),
        ("a.wav", ["A.WAV", "a.wav"], ["a.wav"]),
        ("A.wav", ["A.WAV", "a.wav"], ["A.WAV", "a.wav"]),
        ("CAF\u00c9.WAV", [DECOMPOSED], [DECOMPOSED]),
        (COMPOSED, [DECOMPOSED, "CAF\u00c9.wav"], [DECOMPOSED]),
        ("\uff41.wav", ["a.wav"], []),
        ("b.wav", ["a.wav"], []),
        ("..", ["a.wav"], []),
    ],
)
def test_which_name_is_meant(wanted, there, meant):
    """The name itself before another Unicode form of it, that before another case; compatibility forms are other names."""
    assert list(Names(there).like(wanted)) == meant


@given(st.text(min_size=1, max_size=8), st.sampled_from(["NFC", "NFD"]), st.sampled_from([str, str.upper, str.lower]))
def test_a_name_alone_is_found_in_any_form(name, form, case):
    """A disk that stores names in another form than they were written in loses none (HFS+ decomposes, SMB folds case)."""
    stored = case(unicodedata.normalize(form, name))
    if unicodedata.normalize("NFC", stored).casefold() == unicodedata.normalize("NFC", name).casefold():
        assert Names([stored]).like(name) == [stored]


def test_the_manifest_may_spell_otherwise_than_the_disk(tmp_path):
    """Folders, too; the row has the path that can be opened, its id stays the manifest's; what is not clear is dropped."""
    dummies.put(tmp_path / "Clips" / DECOMPOSED, dummies.encode("WAV"))
    for name in ("x.wav", "X.WAV"):
        dummies.put(tmp_path / name, dummies.encode("WAV"))
    dummies.put(tmp_path / "manifest.csv", f"audio,text\nclips/{COMPOSED},One\nx.wav,Two\nX.wav,Three\n")
    reader = plugins.configure("corpus", "manifest", {"language": "en", "license": "MIT"})
    found, exact, unclear = pa.Table.from_batches(reader.read(str(tmp_path))).to_pylist()
    assert (found["problem"], found["audio_path"], found["source_id"]) == (None, f"Clips/{DECOMPOSED}", f"clips/{COMPOSED}")
    assert (exact["problem"], exact["audio_path"]) == (None, "x.wav")
    assert unclear["problem"] == "ambiguous_audio"
    assert "X.WAV, x.wav" in unclear["problem_detail"]


def test_libritts_r_finds_files_by_the_same_rule(tmp_path):
    """A copy whose names a disk made upper case."""
    chapter = tmp_path / "dev-clean/84/121123"
    dummies.put(chapter / "84_121123.trans.tsv", "84_121123_000007_000001\tGo!\tGo!\n")
    dummies.put(chapter / "84_121123_000007_000001.WAV", dummies.encode("WAV"))
    (row,) = pa.Table.from_batches(plugins.configure("corpus", "libritts_r").read(str(tmp_path))).to_pylist()
    assert (row["problem"], row["audio_path"]) == (None, "dev-clean/84/121123/84_121123_000007_000001.WAV")


@pytest.mark.parametrize("url", ["foo://x/y", "http://127.0.0.1:1/x", "a\0b", "/nowhere"])
def test_a_root_that_cannot_be_reached_is_one_line(url):
    """Whatever its protocol's library raises; a closed port, an unknown protocol."""
    with pytest.raises(DataError, match=r"corpus 'austen': .* root in the recipe"):
        Root("austen", url)


def test_a_folder_where_a_file_should_be_is_one_line(tmp_path):
    (tmp_path / "list.csv").mkdir()
    with pytest.raises(DataError, match=r"list.csv is a folder where a file should be: correct the reader's options"):
        text_of(Root("c", str(tmp_path)), "list.csv")


def test_a_server_that_goes_while_a_corpus_is_read_is_one_line(tmp_path, monkeypatch):
    import fsspec

    fsspec.filesystem("memory").pipe("/gone/a.wav", b"x")
    root = Root("austen", "memory://gone")

    def refuse(*_args, **_more):
        raise ConnectionRefusedError(111, "refused")

    for name in ("ls", "cat_file", "cat_ranges"):
        monkeypatch.setattr(type(root._fs), name, refuse)
    for call in (root.files, lambda: root.read("a.wav"), lambda: root.headers([Found(path="a.wav", size=1)])):
        with pytest.raises(DataError, match=r"corpus 'austen': memory://gone cannot be read .*refused"):
            call()
