"""Examples as chat messages with the paths of their clips: what ms-swift and LLaMA-Factory share."""

from typing import Any

from storage.export import Example
from storage.export_folder import ExportFolder

Message = dict[str, str]


def user(text: str) -> Message:
    """Return what is asked."""
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    """Return what is answered."""
    return {"role": "assistant", "content": text}


def turns(example: Example) -> list[Message]:
    """Return the question and its answer."""
    return [user(example.prompt), assistant(example.answer)]


def heard(clips: tuple[bytes, ...], folder: ExportFolder) -> list[str]:
    """Write clips and return their paths."""
    return [folder.clip(clip) for clip in clips]


def supervised(example: Example, folder: ExportFolder) -> dict[str, Any]:
    """Return a row for supervised fine-tuning."""
    return {"messages": turns(example), "audios": heard(example.clips, folder), "item_id": example.item_id}
