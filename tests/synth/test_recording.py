"""Files of corpora: named wrongly, cut short, or no audio at all."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from contracts.jobs import Failure
from corpora.headers import HEAD_BYTES, probe
from synth.engine import Waveform
from synth.recording import decode

RATE = 16000
TONE = (0.4 * np.sin(2 * np.pi * 300 * np.arange(2 * RATE) / RATE)).astype(np.float32)
G722 = Path("/usr/share/asterisk/sounds/en_US_f_Allison/vm-intro.g722")


def encoded(container: str, subtype: str | None = None, samples: np.ndarray = TONE) -> bytes:
    """The tone as a file of some format."""
    buffer = io.BytesIO()
    rate = 8000 if subtype == "GSM610" and container.startswith("W") else RATE
    soundfile.write(buffer, samples, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def put(data: bytes, at: int, form: str, value: int) -> bytes:
    """Overwrite a number in a file."""
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


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


NOISE = (0.1 * np.random.default_rng(7).standard_normal((2 * RATE, 2))).astype(np.float32)


@pytest.mark.parametrize(
    "channels",
    [
        [TONE, -TONE],
        [TONE, -0.9 * TONE],
        [TONE + 0.2, 0.2 - TONE],
        [TONE, -TONE, TONE, -TONE],
        [TONE, -TONE + 0.001 * NOISE[:, 0]],
    ],
)
@pytest.mark.parametrize(("container", "subtype"), [("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_channels_that_cancel_are_a_failure_not_silence(channels, container, subtype):
    """Opposite ones, also beside an equal offset or with some noise: the mean would be a quiet clip of what is left over."""
    answer = decode(encoded(container, subtype, np.stack(channels, axis=1)), "clip.wav")
    assert isinstance(answer, Failure)
    assert answer.reason == "channels_cancel"
    assert answer.message.startswith("clip.wav: its channels cancel each other when they are mixed to mono")


@pytest.mark.parametrize(
    "channels",
    [
        [TONE, TONE],
        [TONE, 0 * TONE],
        [TONE, -0.5 * TONE],
        [NOISE[:, 0], NOISE[:, 1]],
        [TONE + 0.4, TONE - 0.4],
        [0 * TONE, 0 * TONE],
        [0 * TONE + 0.3, 0 * TONE - 0.3],
        [TONE, *[0 * TONE] * 7],
        [NOISE[:, 0], np.roll(NOISE[:, 0], RATE // 600)],
    ],
)
def test_channels_that_do_not_cancel_are_averaged(channels):
    """One alone, unrelated or late ones, opposite offsets; silence stays silence."""
    stereo = np.stack(channels, axis=1)
    answer = decode(encoded("WAV", "FLOAT", stereo), "clip.wav")
    assert isinstance(answer, Waveform)
    assert np.allclose(answer.samples, stereo.mean(axis=1), atol=1e-6)


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


@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "ULAW", "G721_32", "MS_ADPCM"])
@pytest.mark.parametrize("riff_too", [False, True])
def test_a_wav_from_a_pipe_is_whole(size, subtype, riff_too):
    """Programs that cannot seek back leave a placeholder as length; that is no promise."""
    whole = encoded("WAV", subtype)
    piped = put(whole, whole.index(b"data") + 4, "<I", size)
    answer = decode(put(piped, 4, "<I", size) if riff_too else piped, "piped.wav")
    expected = decode(whole, "whole.wav")
    assert isinstance(answer, Waveform)
    assert isinstance(expected, Waveform)
    assert np.array_equal(answer.samples, expected.samples)


@pytest.mark.parametrize("rate", [0, 384_001, 2**31 - 1, 2**32 - 1])
def test_a_rate_that_nothing_is_sampled_at_is_refused(rate):
    """Resampling from it would take all memory."""
    answer = decode(put(encoded("WAV", "PCM_16"), 24, "<I", rate), "x.wav")
    assert isinstance(answer, Failure)
    assert answer.reason == "undecodable"


def flac_with_total(total: int) -> bytes:
    """The tone as FLAC that states some number of samples (RFC 9639, section 8.2)."""
    whole = encoded("FLAC")
    return put(whole, 18, ">Q", int.from_bytes(whole[18:26], "big") >> 36 << 36 | total)


@pytest.mark.parametrize(
    ("total", "decoded"), [(0, True), (1, True), (len(TONE) // 2, True), (len(TONE) + 1, False), (1 << 35, False)]
)
def test_the_length_of_a_flac_is_what_decodes(total, decoded):
    """Without a total, as from a pipe, or with too small a one all is read; with one that is not there the file is cut off."""
    answer = decode(flac_with_total(total), "x.flac")
    if decoded:
        assert isinstance(answer, Waveform)
        assert np.allclose(answer.samples, TONE, atol=1e-4)
    else:
        assert isinstance(answer, Failure)
        assert answer.reason == "truncated"


FORMATS = [
    (container, subtype)
    for container in soundfile.available_formats()
    if container not in {"RAW", "SD2"}  # no file of its own tells what is in it: libsndfile wants a second one
    for subtype in soundfile.available_subtypes(container)
    if (container, subtype)
    not in {("AIFF", "DWVW_12"), ("WAV", "MPEG_LAYER_III"), ("MP3", "MPEG_LAYER_I"), ("MP3", "MPEG_LAYER_II")}
]
REFUSED = {"AVR", "IRCAM", "MAT4", "MAT5", "MPC2K", "PAF", "PVF", "SDS", "VOC", "WVE", "XI"}


@pytest.mark.parametrize(("container", "subtype"), FORMATS)
def test_every_format_is_read_whole_or_refused_with_a_reason(container, subtype):
    """Whole: its length. Cut off: never a shorter clip. Lying in one field: what decodes or a reason. Both readers agree."""
    data = encoded(container, subtype, TONE[:4000])
    whole = decode(data, "x.wav")
    if container in REFUSED:
        assert isinstance(whole, Failure)
        assert whole.reason == "undecodable"
        assert f"is of the format {container}" in whole.message
    else:
        assert isinstance(whole, Waveform), whole
        assert 4000 <= len(whole.samples) <= 4500  # a format of blocks fills the last one, a lossy one has a delay
    for size in (len(data) // 2, len(data) - 600):
        cut = decode(data[:size], "cut.wav")
        assert isinstance(cut, Failure)
        assert cut.reason in {"truncated", "undecodable"}
        assert "0x" not in cut.message
    for at in range(0, 80, 4):
        for value in (0, 0xFFFF):
            lying = put(data, at, "<H", value)
            answer, header = decode(lying, "lying.wav"), probe(lying[:HEAD_BYTES], len(lying))
            assert not isinstance(answer, Failure) or answer.reason in {"truncated", "undecodable"}
            if isinstance(answer, Waveform) and header.duration_s is not None and container != "FLAC":
                assert int(header.duration_s * answer.sample_rate_hz) == pytest.approx(len(answer.samples), abs=1)


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
