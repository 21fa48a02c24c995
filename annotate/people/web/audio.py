"""Clips as they are sent to listeners: FLAC files at the common loudness, without metadata."""

import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

from annotate.people.store.item import ItemClip
from storage.blobs import BlobStore

if TYPE_CHECKING:
    import numpy.typing as npt

CACHE_BYTES: Final = 64 * 2**20


class ClipFiles:
    """Callable that encodes a clip as a FLAC file, with a cache of recent files. Thread-safe."""

    def __init__(self, blobs: BlobStore, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._blobs = blobs
        self._room = cache_bytes
        self._lock = threading.Lock()
        self._files: OrderedDict[tuple[str, float], bytes] = OrderedDict()
        self._held = 0

    def __call__(self, clip: ItemClip) -> bytes:
        """Return the file.

        Raises:
            DamagedPart: the blob is missing, or not what its name says.
        """
        key = (clip.audio_id, clip.gain_db)
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)
                return self._files[key]
        pcm, rate = self._blobs.pcm(clip.audio_id)
        made = encoded(amplified(pcm, clip.gain_db), rate)
        with self._lock:
            if key not in self._files:
                self._files[key] = made
                self._held += len(made)
            while self._held > self._room and self._files:
                self._held -= len(self._files.popitem(last=False)[1])
        return made


def amplified(pcm: "npt.NDArray[np.int16]", gain_db: float) -> "npt.NDArray[np.int16]":
    """Return int16 samples at another gain in dB; values beyond full scale are clipped."""
    if gain_db == 0:
        return pcm
    louder: npt.NDArray[np.int16] = np.clip(np.rint(pcm * 10 ** (gain_db / 20)), -32768, 32767).astype(np.int16)
    return louder


def encoded(pcm: "npt.NDArray[np.int16]", rate: int) -> bytes:
    """Return samples of shape (n,) or (n, channels) as a FLAC file without tags."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def media_type(file: bytes) -> str:
    """Return the media type of a WAV or FLAC file."""
    return "audio/flac" if file.startswith(b"fLaC") else "audio/wav"
