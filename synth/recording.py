"""Audio files of corpora: what is really in them, whatever they are called."""

import io
from typing import Final

import numpy as np
import soundfile

from contracts.jobs import Failure
from synth.engine import Waveform

_HEADERLESS: Final = (".g722",)
"""Formats that nothing but their name tells."""

# Programs that write to a pipe leave one of these, or a little less, for a length that they do not know.
_UNKNOWN_LENGTH: Final = 0x7FFF0000


def decode(data: bytes, name: str) -> Waveform | Failure:
    """Decode a file to mono float32, averaging its channels.

    Args:
        data: the file's bytes. WAV, FLAC, OGG and MP3 are told apart by their content.
        name: the file's name, for messages and for raw G.722, which has no content to tell it by.

    Returns:
        The waveform, or a failure: ``undecodable``, or ``truncated`` when the header promises more than the file holds.
    """
    if not data:
        return Failure("undecodable", f"{name} is an empty file")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate, promised = int(file.samplerate), int(file.frames)
            samples = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        if name.lower().endswith(_HEADERLESS):
            return _decode_g722(data, name)
        return Failure("undecodable", f"{name} is no audio file that libsndfile knows: {error}")
    if (shortfall := _wav_shortfall(data)) > 0:
        return Failure("truncated", f"{name}: its header promises {shortfall} bytes of audio more than the file holds")
    if len(samples) < promised:
        return Failure("truncated", f"{name}: its header promises {promised} frames, {len(samples)} can be read")
    return Waveform(np.ascontiguousarray(samples.mean(axis=1), dtype=np.float32), rate)


def _wav_shortfall(data: bytes) -> int:
    """Return how many bytes the data chunk of a RIFF file lacks; libsndfile silently returns what there is."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 0
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return 0 if size >= _UNKNOWN_LENGTH else max(0, position + 8 + size - len(data))
        position += 8 + size + size % 2
    return 0


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
