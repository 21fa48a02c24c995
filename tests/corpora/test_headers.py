"""Headers, against what soundfile says of the same files."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from corpora.headers import HEAD_BYTES, Header, probe


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("FLAC", "PCM_16")])
@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_length_agrees_with_soundfile(kind, subtype, rate):
    """The stated length is the one that libsndfile reads."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros((rate // 3, 2)), rate, format=kind, subtype=subtype)
    data = buffer.getvalue()
    expected = soundfile.info(io.BytesIO(data)).duration
    assert probe(data[:HEAD_BYTES], len(data)) == Header(duration_s=pytest.approx(expected))


def test_truncated_wav_is_seen():
    """A decoder reads a cut WAV without complaint; its header gives it away."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(16000), 16000, format="WAV")
    data = buffer.getvalue()[:-100]
    assert soundfile.read(io.BytesIO(data))[0].size < 16000
    assert probe(data[:HEAD_BYTES], len(data)).problem == "truncated_audio"


def test_mp3_states_no_length():
    """An MP3, whatever its name, has an unknown length and no problem."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(16000), 16000, format="MP3")
    assert probe(buffer.getvalue()[:HEAD_BYTES], len(buffer.getvalue())) == Header()


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"RIFF\x00\x00\x00\x00WAVE", b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00", b"fLaC"]),
)
def test_any_bytes_are_survived(tail, start):
    """Damaged headers are unknown lengths, never an exception."""
    data = start + tail
    header = probe(data, len(data))
    assert header.duration_s is None or header.duration_s >= 0
