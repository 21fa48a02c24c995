"""The audio of replies, in every container that services send, whole or not."""

import io
import json
import struct
import wave

import numpy as np
import pytest
import soundfile

from annotate.models.speech_replies import described, media_type_of, raw_pcm, speech_in
from tests.annotate.spoken_audio import TYPES, audio_of, pcm_of

PCM = pcm_of("A whole sentence.", "nova")


def wav(channels: np.ndarray, rate: int = 24000) -> bytes:
    """A WAV file by the standard library, of int16 samples with shape (n, channels)."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(channels.astype("<i2").tobytes())
    return buffer.getvalue()


@pytest.mark.parametrize("container", ["wav", "flac", "pcm"])
def test_exact_containers_come_back_exactly(container):
    """The samples are those that were encoded, over 32768."""
    samples, rate = speech_in(audio_of("A whole sentence.", "nova", container), raw_pcm(24000) if container == "pcm" else "")
    assert rate == 24000
    assert samples.dtype == np.float32
    assert np.array_equal(samples * 32768, PCM)


@pytest.mark.parametrize("container", ["mp3", "opus"])
def test_lossy_containers_come_back_alike(container):
    """Length and loudness are kept."""
    samples, rate = speech_in(audio_of("A whole sentence.", "nova", container), TYPES[container])
    assert rate == 24000
    assert len(samples) == pytest.approx(len(PCM), rel=0.05)
    assert np.std(samples) == pytest.approx(np.std(PCM / 32768), rel=0.1)


@pytest.mark.parametrize(
    "media_type",
    ["audio/L16;codec=pcm;rate=16000", "audio/l16; rate=16000; channels=1", "audio/pcm;rate=16000"],
)
def test_raw_samples_are_little_endian_whatever_rfc_2586_says(media_type):
    """As the services send them: 0x0100 is the bytes 00 01."""
    samples, rate = speech_in(struct.pack("<4h", 0, 256, -32768, 16384), media_type)
    assert rate == 16000
    assert samples.tolist() == [0.0, 256 / 32768, -1.0, 0.5]


def test_a_wav_file_is_one_whatever_the_server_calls_it():
    """A head says more than a media type."""
    samples, rate = speech_in(wav(PCM[:, None], 22050), "audio/pcm;rate=24000")
    assert (len(samples), rate) == (len(PCM), 22050)


def test_channels_are_averaged():
    """Raw or with a head."""
    two = np.stack([np.full(500, 1000), np.full(500, 3000)], axis=1).astype(np.int16)
    for data, media_type in ((wav(two), "audio/wav"), (two.astype("<i2").tobytes(), "audio/L16;rate=24000;channels=2")):
        samples, _ = speech_in(data, media_type)
        assert samples.shape == (500,)
        assert np.allclose(samples, 2000 / 32768)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_streamed_head_without_a_length_is_taken(size):
    """A server that streams does not know it yet."""
    data = bytearray(wav(PCM[:, None]))
    struct.pack_into("<I", data, 40, size)
    samples, _ = speech_in(bytes(data), "audio/wav")
    assert len(samples) == len(PCM)


WHOLE = {container: audio_of("A whole sentence.", "nova", container) for container in ("wav", "flac", "mp3", "opus")}


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        *((data[: len(data) // 2], TYPES[container]) for container, data in WHOLE.items()),
        (WHOLE["wav"][:36], "audio/wav"),
        (b"\0\0\0", "audio/L16;rate=24000"),
        (b"\0\0", "audio/L16"),
        (b"\0\0", "audio/L16;rate=24000;channels=0"),
        (b"<html>Bad gateway</html>", "audio/wav"),
        (b'{"error": "x"}', "audio/mpeg"),
        (b"", "audio/wav"),
    ],
)
def test_a_part_of_a_file_is_none(data, media_type):
    """Half a reply must not become a short clip."""
    with pytest.raises(ValueError, match=r"it |its |bytes"):
        speech_in(data, media_type)


def test_days_of_silence_in_a_small_file_are_refused():
    """What a server sends is untrusted: this file is some kilobytes, its samples would take a gigabyte."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 8000, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(61):
            file.write(np.zeros(60 * 8000, np.int16))
    assert len(buffer.getvalue()) < 200_000
    with pytest.raises(ValueError, match="it holds 3660 s, where a reply has at most 3600"):
        speech_in(buffer.getvalue(), "audio/flac")


def test_the_text_of_a_reply_says_what_its_audio_is():
    """The sha256 is that of the bytes."""
    text = described(b"abc", "audio/wav")
    # FIPS 180-2, appendix B.1: the digest of "abc".
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert json.loads(text) == {"media_type": "audio/wav", "bytes": 3, "sha256": digest}
    assert media_type_of(text) == "audio/wav"


def test_soundfile_alone_would_take_half_a_wav_file():
    """Why the head is looked at."""
    assert soundfile.info(io.BytesIO(WHOLE["wav"][: len(WHOLE["wav"]) // 2])).frames > 0
