"""Files of corpora: named wrongly, cut short, or no audio at all."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from contracts.jobs import Failure
from synth.engine import Waveform
from synth.recording import decode

RATE = 16000
TONE = (0.4 * np.sin(2 * np.pi * 300 * np.arange(2 * RATE) / RATE)).astype(np.float32)
G722 = Path("/usr/share/asterisk/sounds/en_US_f_Allison/vm-intro.g722")


def encoded(container: str, subtype: str | None = None, samples: np.ndarray = TONE) -> bytes:
    """The tone as a file of some format."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format=container, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("container", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", None), ("OGG", None), ("MP3", None)]
)
def test_content_decides_whatever_the_name_says(container, subtype):
    """Every format decodes under the name of a WAV file, an MP3 too."""
    answer = decode(encoded(container, subtype), "clip.wav")
    assert isinstance(answer, Waveform)
    assert answer.sample_rate_hz == RATE
    assert answer.samples.dtype == np.float32
    assert len(answer.samples) == pytest.approx(len(TONE), abs=2500)
    assert np.abs(np.fft.rfft(answer.samples)).argmax() * RATE / len(answer.samples) == pytest.approx(300, abs=2)


def test_channels_are_averaged():
    """Left and right become their mean."""
    stereo = np.stack([TONE, np.zeros_like(TONE)], axis=1)
    answer = decode(encoded("WAV", "FLOAT", stereo), "stereo.wav")
    assert isinstance(answer, Waveform)
    assert np.allclose(answer.samples, TONE / 2, atol=1e-6)


@pytest.mark.parametrize("container", ["WAV", "FLAC"])
@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_file_cut_short_is_truncated_not_shortened(container, share):
    """The header promises more than is there."""
    data = encoded(container, "PCM_16")
    answer = decode(data[: int(len(data) * share)], "cut.wav")
    assert isinstance(answer, Failure)
    assert answer.reason in ({"truncated"} if container == "WAV" else {"truncated", "undecodable"})
    assert "cut.wav" in answer.message


def test_a_wav_with_chunks_after_and_before_its_data_is_whole():
    """Lists of tags around the data do not look like missing audio."""
    data = encoded("WAV", "PCM_16")
    tags = b"LIST" + (5).to_bytes(4, "little") + b"INFOx\0"
    chunked = data[:12] + tags + data[12:] + tags
    chunked = chunked[:4] + (len(chunked) - 8).to_bytes(4, "little") + chunked[8:]
    answer = decode(chunked, "tagged.wav")
    assert isinstance(answer, Waveform)
    assert len(answer.samples) == len(TONE)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_from_a_pipe_is_whole(size):
    """Programs that cannot seek back leave a placeholder as length; that is no promise."""
    data = bytearray(encoded("WAV", "PCM_16"))
    at = data.index(b"data") + 4
    data[at : at + 4] = size.to_bytes(4, "little")
    answer = decode(bytes(data), "piped.wav")
    assert isinstance(answer, Waveform)
    assert len(answer.samples) == len(TONE)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"not audio at all" * 100, b"\0" * 5000])
def test_what_is_no_audio_is_undecodable(data):
    """The message names the file."""
    answer = decode(data, "odd.wav")
    assert isinstance(answer, Failure)
    assert answer.reason == "undecodable"
    assert "odd.wav" in answer.message


def test_raw_g722_is_known_by_its_name_only():
    """Asterisk's prompts are G.722 without a header: 64 kbit/s, so two samples of 16 kHz per byte."""
    pytest.importorskip("av")
    if not G722.exists():
        pytest.skip("apt-get install asterisk-core-sounds-en-g722")
    data = G722.read_bytes()
    answer = decode(data, G722.name)
    assert isinstance(answer, Waveform)
    assert answer.sample_rate_hz == 16000
    assert len(answer.samples) == pytest.approx(2 * len(data), rel=0.01)
    assert np.abs(answer.samples).max() > 0.05
    assert isinstance(decode(data, "vm-intro.wav"), Failure)
