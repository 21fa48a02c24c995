"""The Asterisk prompts beyond the conformance suite."""

import pyarrow as pa
import pytest

from contracts import plugins
from contracts.errors import DataError, SetupError
from tests.corpora import dummies


def read(root):
    return pa.Table.from_batches(plugins.configure("corpus", "asterisk_prompts").read(str(root))).to_pylist()


def test_length_and_text(tmp_path):
    """64 kbit/s are 8,000 bytes a second (ITU-T G.722); a text may hold a colon."""
    dummies.asterisk_prompts(tmp_path)
    rows = {row["source_id"]: row for row in reversed(read(tmp_path))}
    assert rows["vm-intro"]["duration_s"] == 2.5
    assert rows["vm-intro"]["text"] == "Please leave: your message."
    assert rows["activated"]["text"] == "Activated."


def test_length_agrees_with_a_decoder(tmp_path):
    """PyAV decodes as many samples as the size says."""
    av = pytest.importorskip("av")
    dummies.asterisk_prompts(tmp_path)
    row = next(row for row in read(tmp_path) if row["source_id"] == "vm-intro")
    with av.open(str(tmp_path / row["audio_path"]), format="g722") as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 16000 == pytest.approx(row["duration_s"], abs=0.01)


def test_missing_packages_say_how_to_install(tmp_path):
    """No recordings, no transcripts (minimal images leave out /usr/share/doc) and a damaged file: what to type."""
    with pytest.raises(SetupError, match="apt-get install asterisk-core-sounds-en asterisk-core-sounds-en-g722"):
        read(tmp_path)
    dummies.asterisk_prompts(tmp_path)
    file = tmp_path / "doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    file.write_bytes(file.read_bytes()[:30])
    with pytest.raises(DataError, match=r"no readable gzip.*--reinstall"):
        read(tmp_path)
    file.unlink()
    with pytest.raises(SetupError, match=r"apt-get install --reinstall -o Dpkg::Options::=.*path-include"):
        read(tmp_path)
