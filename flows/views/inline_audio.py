"""Clips in a page, as data URLs."""

import base64
from collections.abc import Callable

from contracts.errors import DamagedPart


def inline(read: Callable[[str], bytes], audio_id: str | None) -> tuple[str | None, str | None]:
    """Return a clip as a data URL, or what is wrong with it.

    Args:
        read: audio id -> FLAC file.
        audio_id: the clip; None = the table that names it is damaged.
    """
    if audio_id is None:
        return None, "the table of samples, which names this clip, is damaged"
    try:
        return f"data:audio/flac;base64,{base64.b64encode(read(audio_id)).decode()}", None
    except DamagedPart as error:
        return None, str(error)
