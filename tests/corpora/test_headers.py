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


def wav(subtype: str = "PCM_16") -> bytes:
    """A second of silence."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(16000), 16000, format="WAV", subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "ALAW"])
def test_the_length_of_a_wav_from_a_pipe_is_that_of_its_bytes(size, subtype):
    """A placeholder for a length is no promise."""
    data = wav(subtype)
    at = data.index(b"data") + 4
    data = data[:at] + size.to_bytes(4, "little") + data[at + 4 :]
    assert probe(data[:HEAD_BYTES], len(data)) == Header(duration_s=1.0)
    assert probe(data[: at + 4], at + 4) == Header(problem="empty_audio")


@pytest.mark.parametrize("byte_rate", [0, 1, 16000, 64000, 0xFFFFFFFF])
def test_a_wrong_byte_rate_changes_nothing(byte_rate):
    """Rate, channels and bits say how long a byte lasts; the field for it is redundant and often wrong."""
    data = wav()
    data = data[:28] + byte_rate.to_bytes(4, "little") + data[32:]
    assert probe(data[:HEAD_BYTES], len(data)) == Header(duration_s=1.0)


def test_a_wav_without_audio_is_empty():
    """A header alone is no recording."""
    data = wav()
    data = data[: data.index(b"data") + 4] + bytes(4)
    assert probe(data, len(data)).problem == "empty_audio"


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
