"""Audio blobs: mono 16-bit FLAC files named by the hash of what they decode to."""

import io

import numpy as np
import numpy.typing as npt
import soundfile

from contracts.errors import DamagedPart
from contracts.ids import audio_id
from storage.workspace import Workspace


class BlobStore:
    """The content-addressed clips of a workspace. Writing the same clip twice writes nothing."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    @staticmethod
    def name(blob: str) -> str:
        """Return where a blob lies, relative to the workspace."""
        return f"blobs/{blob[:2]}/{blob}.flac"

    def put(self, pcm: npt.NDArray[np.int16], sample_rate_hz: int) -> str:
        """Store mono int16 samples of shape (n,) and return their audio id; durable when it returns."""
        blob = audio_id(pcm, sample_rate_hz)
        if not self.workspace.exists(self.name(blob)):
            buffer = io.BytesIO()
            soundfile.write(buffer, pcm, sample_rate_hz, format="FLAC", subtype="PCM_16")
            self.workspace.write(self.name(blob), buffer.getvalue())
        return blob

    def encoded(self, blob: str) -> bytes:
        """Return the FLAC file of a blob.

        Raises:
            DamagedPart: it is not there.
        """
        try:
            return self.workspace.read(self.name(blob))
        except FileNotFoundError:
            raise DamagedPart(
                f"audio {blob} is missing from {self.workspace.url}/{self.name(blob)}: restore the file from a backup"
            ) from None

    def pcm(self, blob: str) -> tuple[npt.NDArray[np.int16], int]:
        """Return a blob's samples, shape (n,), and rate in Hz.

        Raises:
            DamagedPart: it is missing, does not decode, or decodes to something else than its name says.
        """
        try:
            pcm, rate = soundfile.read(io.BytesIO(self.encoded(blob)), dtype="int16")
        except soundfile.LibsndfileError as error:
            raise DamagedPart(f"audio {self.name(blob)} does not decode ({error}): restore the file from a backup") from error
        if audio_id(pcm, rate) != blob:
            raise DamagedPart(f"audio {self.name(blob)} was changed since it was stored: restore the file from a backup")
        return pcm, int(rate)

    def waveform(self, blob: str) -> tuple[npt.NDArray[np.float32], int]:
        """Return a blob as float32 in [-1, 1), shape (n,), and its rate in Hz."""
        pcm, rate = self.pcm(blob)
        return pcm.astype(np.float32) / 32768.0, rate
