"""What a build reads of its corpora."""

from types import SimpleNamespace

import pytest

from contracts.errors import DataError
from contracts.schemas import UTTERANCES
from flows.recipe.sections import CorpusSection
from flows.stages.utterances import read_corpora
from storage.tables import TableStore
from storage.workspace import Workspace
from tests.corpora import dummies


def build(tmp_path, *names):
    """Stand in for a build of as many manifests."""
    given = {"language": "en", "license": "MIT"}
    corpora = [CorpusSection(name=name, reader="manifest", root=str(tmp_path / name), options=given) for name in names]
    return SimpleNamespace(recipe=SimpleNamespace(corpora=corpora))


def test_a_corpus_of_which_nothing_can_be_used_is_an_error_that_says_why(tmp_path):
    """Another corpus beside it, which is fine, does not hide it."""
    for name in ("good", "bad"):
        dummies.put(tmp_path / name / "manifest.csv", "audio,text\na.wav,Hello\nb.wav,There\n")
    dummies.put(tmp_path / "good/a.wav", dummies.encode("WAV"))
    usable, broken = read_corpora(build(tmp_path, "good"))
    assert (usable.num_rows, broken["problem"].to_pylist()) == (1, ["missing_audio"])
    message = r"corpus 'bad': none of its 2 rows .* \(missing_audio 2\); see manifest\.csv:2: missing_audio: a\.wav"
    with pytest.raises(DataError, match=message):
        read_corpora(build(tmp_path, "good", "bad"))


def test_a_workspace_from_before_a_column_still_opens(tmp_path, monkeypatch):
    """Utterances that were read before rows had details of their problems; new rows go beside them."""
    dummies.put(tmp_path / "good/manifest.csv", "audio,text\na.wav,Hello\n")
    dummies.put(tmp_path / "good/a.wav", dummies.encode("WAV"))
    usable, _ = read_corpora(build(tmp_path, "good"))
    store = TableStore(Workspace(str(tmp_path / "workspace")))
    with monkeypatch.context() as before:
        before.setattr("storage.tables.conform", lambda rows, name: rows)
        store.append("utterances", usable.drop_columns(["problem_detail"]))
    store.append("utterances", usable)
    assert store.read("utterances").schema.names == UTTERANCES.names
    assert store.read("utterances", ["source_id", "problem_detail"])["problem_detail"].null_count == 2


def test_links_alone_name_the_option(tmp_path):
    """A corpus that lies behind links altogether: the one line says what to set."""
    dummies.put(tmp_path / "elsewhere.wav", dummies.encode("WAV"))
    dummies.put(tmp_path / "linked/manifest.csv", "audio,text\na.wav,Hello\n")
    (tmp_path / "linked/a.wav").symlink_to(tmp_path / "elsewhere.wav")
    with pytest.raises(DataError, match=r"link_outside_corpus 1.*manifest\.csv:2: a\.wav is a link.*follow_links to anywhere"):
        read_corpora(build(tmp_path, "linked"))
