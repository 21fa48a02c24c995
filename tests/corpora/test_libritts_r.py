"""LibriTTS-R beyond the conformance suite."""

import pyarrow as pa
import pytest

from contracts import plugins
from contracts.errors import DataError, RecipeError
from tests.corpora import dummies


def read(root, **options):
    return pa.Table.from_batches(plugins.configure("corpus", "libritts_r", options).read(str(root))).to_pylist()


def test_text_and_parts(tmp_path):
    """The text is the normalised one unless the recipe says otherwise, and parts can be chosen."""
    dummies.libritts_r(tmp_path)
    rows = {row["source_id"]: row for row in reversed(read(tmp_path, parts=["train-clean-100"]))}
    assert rows["1092_134562_000013_000000"]["text"] == "Mister Holt said no."
    assert {row["audio_path"].split("/")[0] for row in rows.values() if row["audio_path"]} == {"train-clean-100"}
    assert rows["1092_134562_000013_000000"]["duration_s"] == 0.5
    original = {row["source_id"]: row for row in reversed(read(tmp_path, text="original"))}
    assert original["1092_134562_000013_000000"]["text"] == "Mr. Holt said no."
    assert rows["1092_134562_000013_000000"]["speaker_id"] == "1092"


def test_speakers_file_is_optional_but_not_ignored(tmp_path):
    """Without SPEAKERS.txt every speaker is known; a damaged one is an error with its row."""
    dummies.libritts_r(tmp_path)
    (tmp_path / "SPEAKERS.txt").unlink()
    assert "unknown_speaker" not in {row["problem"] for row in read(tmp_path)}
    dummies.put(tmp_path / "SPEAKERS.txt", ";comment\n1092 F train\n")
    with pytest.raises(DataError, match=r"SPEAKERS\.txt, row 2, field id"):
        read(tmp_path)


def test_wrong_parts(tmp_path):
    """A part that is not there, an empty root and a string in place of a list are errors that say what to do."""
    dummies.libritts_r(tmp_path)
    with pytest.raises(DataError, match="no part train-clean-360; it holds dev-clean, train-clean-100"):
        read(tmp_path, parts=["train-clean-360"])
    with pytest.raises(RecipeError, match=r"parts: .*not allowed as a Sequence"):
        read(tmp_path, parts="dev-clean")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="point root at"):
        read(tmp_path / "empty")
    with pytest.raises(RecipeError, match="'normalized' or 'original'"):
        read(tmp_path, text="raw")
