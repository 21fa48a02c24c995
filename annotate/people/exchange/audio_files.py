"""Audio files of exported tasks: at their gain, with names that tell nothing of system or pair."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from annotate.people.exchange.exported_tasks import ExportedTask
from annotate.people.store.item import ItemClip
from contracts.errors import DataError
from storage.local_files import atomic_path

Audio = Callable[[str], tuple[npt.NDArray[np.int16], int]]
"""Audio id -> mono samples and rate in Hz, as ``BlobStore.pcm`` returns them."""

FOLDER: Final = "audio"


def write_clips(tasks: Sequence[ExportedTask], folder: Path, audio: Audio, url: str) -> list[dict[str, str]]:
    """Write every clip of every task to ``folder/audio``, and return for each task: name of the clip -> link.

    Args:
        tasks: the exported tasks.
        folder: folder of the export.
        audio: returns the samples of a clip.
        url: prefix of links, before ``audio/...``.

    Raises:
        DataError: a clip's gain would make it clip.
    """
    links = []
    for task in tasks:
        found = {}
        for name, clip in task.audio().items():
            file = f"{task.task_id}_{name.removeprefix('audio_')}.flac"
            with atomic_path(folder / FOLDER / file) as part:
                part.write_bytes(_encoded(clip, audio))
            found[name] = f"{url}{quote(f'{FOLDER}/{file}')}"
        links.append(found)
    return links


def _encoded(clip: ItemClip, audio: Audio) -> bytes:
    import soundfile

    pcm, rate = audio(clip.audio_id)
    if clip.gain_db:
        louder = np.rint(pcm.astype(np.float64) * 10 ** (clip.gain_db / 20))
        if np.abs(louder).max(initial=0) > np.iinfo(np.int16).max:
            raise DataError(f"audio {clip.audio_id}: {clip.gain_db:+.1f} dB would make it clip: lower the loudness of the test")
        pcm = louder.astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
