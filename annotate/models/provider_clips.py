"""Clips in the containers that providers take: encoded from the blobs once, and cached on the local disk up to a bound.

The blob store holds FLAC. A provider that takes WAV or MP3 gets the same samples in that container: WAV is exact (16-bit
PCM), MP3 is lossy and a fifth to a third of the size. A judge sends each clip many times (every pair of a sample is one
request), so an encoded clip is cached below the workspace, or, where that is no local disk, in the user's cache
folder (``XDG_CACHE_HOME``, else ``~/.cache``), under its audio id. It never has to be cleared for correctness.

A cached file starts with the hash of the rest, so that a file torn by a power cut is encoded again and never sent. It appears
by a rename. Several processes may share a folder: each adds, touches what it reads, and removes what was used longest ago.
"""

import asyncio
import hashlib
import io
import os
import secrets
import struct
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from contracts.errors import DataError
from storage.blobs import BlobStore
from storage.local_files import storage_errors

Container = Literal["wav", "mp3", "flac"]

MOST_BYTES: Final = 4 * 2**30
"""Bound of a folder: about 35 hours of 16 kHz WAV."""

_REVISION: Final = 1  # of the encodings; part of the file names
_DIGEST_BYTES: Final = 32
_DURATION: Final = struct.Struct("<d")
_REMEMBERED: Final = 65_536
_PART_STALE_S: Final = 3600.0
_PART: Final = ".part"


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedClip:
    """One clip in a provider's container."""

    data: bytes
    duration_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSize:
    """Size and length of a clip.

    Attributes:
        size: bytes of the file.
        duration_s: length.
    """

    size: int
    duration_s: float


class ClipCache:
    """The clips of a blob store in other containers. Used inside one event loop, which it never blocks."""

    def __init__(self, blobs: BlobStore, *, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        workspace = blobs.workspace
        self._blobs = blobs
        self._is_local = workspace.is_local
        self._folder = folder or (workspace.local_path("cache/clips") if workspace.is_local else user_folder())
        self._most_bytes = most_bytes
        self._sizes: OrderedDict[tuple[str, Container], ClipSize] = OrderedDict()
        self._making: WeakValueDictionary[tuple[str, Container], asyncio.Lock] = WeakValueDictionary()
        self._sweeping = threading.Lock()
        self._unswept = most_bytes  # so that the first clip that is cached sweeps what is there already

    async def clip(self, audio_id: str, container: Container) -> EncodedClip:
        """Return a clip in a container.

        Raises:
            DamagedPart: the blob is missing or is not what its name says.
            DataError: the container cannot hold its sampling rate.
            StorageError: the cache folder cannot be used.
        """
        key = audio_id, container
        lock = self._making.setdefault(key, asyncio.Lock())
        async with lock:
            found = await asyncio.to_thread(self._clip, audio_id, container)
        self._sizes[key] = ClipSize(size=len(found.data), duration_s=found.duration_s)
        self._sizes.move_to_end(key)
        if len(self._sizes) > _REMEMBERED:
            self._sizes.popitem(last=False)
        return found

    async def measure(self, audio_id: str, container: Container) -> ClipSize:
        """Return size and length of a clip in a container; raises as ``clip`` does."""
        if (audio_id, container) not in self._sizes:
            await self.clip(audio_id, container)
        return self._sizes[audio_id, container]

    def _clip(self, audio_id: str, container: Container) -> EncodedClip:
        if container == "flac" and self._is_local:
            return _flac(self._blobs.encoded(audio_id))
        path = self._folder / audio_id[:2] / f"{audio_id}-{_REVISION}.{container}.clip"
        with storage_errors(f"clip cache {self._folder}"):
            kept = _kept(path)
        if kept is not None:
            return kept
        if container == "flac":
            made = _flac(self._blobs.encoded(audio_id))
        else:
            pcm, rate = self._blobs.pcm(audio_id)
            made = EncodedClip(data=transcode(pcm, rate, container, name=audio_id), duration_s=len(pcm) / rate)
        self._keep(path, made)
        return made

    def _keep(self, path: Path, clip: EncodedClip) -> None:
        rest = _DURATION.pack(clip.duration_s) + clip.data
        if len(rest) > self._most_bytes // 16:
            return  # it would displace too many others
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_PART}")
        with storage_errors(f"clip cache {self._folder}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                part.write_bytes(hashlib.sha256(rest).digest() + rest)
                part.replace(path)
            except FileNotFoundError:
                return  # another process swept the part as stale, as after a step of the clock
            except OSError:
                part.unlink(missing_ok=True)
                raise
            with self._sweeping:
                self._unswept += len(rest) + _DIGEST_BYTES
                if self._unswept >= self._most_bytes // 16:
                    self._unswept = 0
                    sweep(self._folder, self._most_bytes * 3 // 4)


def user_folder() -> Path:
    """Return the folder of this user's clips whose workspace is not on a local disk."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unisrm-data" / "clips"


def transcode(pcm: npt.NDArray[np.int16], sample_rate_hz: int, container: Literal["wav", "mp3"], *, name: str = "") -> bytes:
    """Return samples of shape (n,) as a file.

    Args:
        pcm: the samples.
        sample_rate_hz: their rate.
        container: ``wav``: 16-bit PCM; ``mp3``: constant bit rate, half of what LAME offers at that rate.
        name: what to call them in an error.

    Raises:
        DataError: the container cannot hold that rate.
    """
    import soundfile

    buffer = io.BytesIO()
    try:
        if container == "wav":
            soundfile.write(buffer, pcm, sample_rate_hz, format="WAV", subtype="PCM_16")
        else:
            soundfile.write(
                buffer,
                pcm,
                sample_rate_hz,
                format="MP3",
                subtype="MPEG_LAYER_III",
                bitrate_mode="CONSTANT",
                compression_level=0.5,
            )
    except soundfile.LibsndfileError as error:
        raise DataError(f"audio {name} at {sample_rate_hz} Hz does not fit into {container} ({error}): send wav") from error
    return buffer.getvalue()


def sweep(folder: Path, most_bytes: int) -> None:
    """Remove the files that were used longest ago until the others fit, and what killed processes left half-written."""
    found: list[tuple[float, int, Path]] = []
    for path in folder.glob("??/*"):
        try:
            facts = path.stat()
        except FileNotFoundError:
            continue  # another process was faster
        if not path.name.endswith(_PART):
            found.append((facts.st_mtime, facts.st_size, path))
        elif time.time() - facts.st_mtime > _PART_STALE_S:
            path.unlink(missing_ok=True)
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most_bytes:
            break
        path.unlink(missing_ok=True)
        total -= size


def _kept(path: Path) -> EncodedClip | None:
    try:
        data = path.read_bytes()
        os.utime(path)  # what is used stays
    except FileNotFoundError:
        return None
    digest, rest = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if len(rest) < _DURATION.size or hashlib.sha256(rest).digest() != digest:
        return None
    (duration_s,) = _DURATION.unpack_from(rest)
    return EncodedClip(data=rest[_DURATION.size :], duration_s=duration_s)


def _flac(data: bytes) -> EncodedClip:
    import soundfile

    return EncodedClip(data=data, duration_s=soundfile.info(io.BytesIO(data)).duration)
