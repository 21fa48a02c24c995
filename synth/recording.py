"""Audio files of corpora: what is really in them, whatever they are called."""

import io
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from contracts.jobs import Failure
from corpora.headers import probe, without_false_length
from synth.engine import Waveform

_HEADERLESS: Final = (".g722",)
"""Formats that nothing but their name tells."""

_FORMATS: Final = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "SVX", "AU", "NIST", "CAF", "HTK", "FLAC", "OGG", "MP3"}
"""Of the formats that libsndfile knows, those of which ``probe`` or libsndfile itself sees that one is cut off."""

_BLOCK_VALUES: Final = 1 << 20
_UNKNOWN_FRAMES: Final = 2**63 - 1  # what libsndfile says of a FLAC from a pipe

_LEAST_LEFT: Final = 0.02
"""The least share of energy in the mean of the channels: 17 dB less than unrelated channels leave."""

_SILENCE: Final = 1e-12
"""Energy per frame (-120 dBFS) below which channels are silent, and not opposite."""

_RATES_HZ: Final = range(1, 384_001)
"""What audio is sampled at; resampling from a header's 2147483647 Hz would take all memory."""


class _Bytes(io.BytesIO):
    """A file in memory of which a damaged header may ask for what lies before its start."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()  # libsndfile sees that it is not where it wanted to be


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A file that is read from its start to its end: some formats (GSM 6.10, G.721, FLAC of unknown length) cannot do more."""

    def seekable(self) -> bool:
        return False


def decode(data: bytes, name: str) -> Waveform | Failure:
    """Decode a file to mono float32, averaging its channels.

    Args:
        data: the file's bytes. WAV, FLAC, OGG and MP3 are told apart by their content.
        name: the file's name, for messages and for raw G.722, which has no content to tell it by.

    Returns:
        The waveform, or a failure: ``undecodable``, ``truncated`` when the header promises more than the file holds, or
        ``channels_cancel`` when hardly anything of the channels is left in their mean. Its length is that of what decodes.
    """
    if not data:
        return Failure("undecodable", f"{name} is an empty file")
    header = probe(data, len(data))
    if header.problem == "truncated_audio":
        return Failure("truncated", f"{name}: its header promises more audio than the file holds")
    try:
        with _Forward(_Bytes(without_false_length(data))) as file:
            rate, promised = int(file.samplerate), int(file.frames)
            if file.format not in _FORMATS:
                advice = "nothing tells whether such a file is whole; convert it to WAV or FLAC"
                return Failure("undecodable", f"{name} is of the format {file.format}: {advice}")
            if rate not in _RATES_HZ:
                return Failure("undecodable", f"{name}: its header states {rate} Hz, more than {_RATES_HZ[-1]}")
            samples, left = _mono(file)
    except soundfile.LibsndfileError as error:
        if name.lower().endswith(_HEADERLESS):
            return _decode_g722(data, name)
        return Failure("undecodable", f"{name} is no audio file that libsndfile knows: {error.error_string}")
    if promised == _UNKNOWN_FRAMES:
        promised = round((header.duration_s or 0) * rate)
    if len(samples) < promised:
        return Failure("truncated", f"{name}: its header promises {promised} frames, {len(samples)} can be read")
    if left < _LEAST_LEFT:
        advice = "they are in opposite phase; keep one of them in the file"
        return Failure("channels_cancel", f"{name}: its channels cancel each other when they are mixed to mono: {advice}")
    return Waveform(samples, rate)


def _mono(file: soundfile.SoundFile) -> tuple[npt.NDArray[np.float32], float]:
    """Return all frames that decode, whatever the header says how many there are, and the energy that is left in their mean.

    That energy is without offsets, as a share of what unrelated channels would leave: 1 for these, 0 for opposite ones.
    """
    found, wanted = list[npt.NDArray[np.float32]](), _BLOCK_VALUES // file.channels
    sums, squares = np.zeros(file.channels + 1), np.zeros(file.channels + 1)
    while not found or len(found[-1]) == wanted:
        block = file.read(wanted, dtype="float32", always_2d=True)
        found.append(np.ascontiguousarray(block.mean(axis=1), dtype=np.float32))
        for place, channel in enumerate((*block.T, found[-1])) if file.channels > 1 else ():
            sums[place] += channel.sum(dtype=np.float64)
            squares[place] += np.square(channel, dtype=np.float64).sum()
    samples = np.concatenate(found)
    *channels, mean = squares - sums**2 / max(len(samples), 1)
    apart = sum(channels) / file.channels**2
    return samples, mean / apart if apart > _SILENCE * len(samples) else 1.0


def _decode_g722(data: bytes, name: str) -> Waveform | Failure:
    import av

    try:
        with av.open(io.BytesIO(data), mode="r", format="g722") as container:
            frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
            rate = int(container.streams.audio[0].rate)
    except av.error.FFmpegError as error:
        return Failure("undecodable", f"{name} does not decode as G.722: {error}")
    if not frames:
        return Failure("undecodable", f"{name} holds no G.722 audio")
    return Waveform(np.concatenate(frames).astype(np.float32) / np.float32(32768), rate)
