"""The folder of an export while it is written: clips, each once, JSON Lines, Parquet and texts, with deterministic bytes."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import DataError

PLACEHOLDER: Final = "<audio>"
"""Where a clip is heard in a text: trainers count these against the clips of a row."""

AUDIO_FOLDER: Final = "audio"
_NAME_DIGITS: Final = 32
_BATCH_ROWS: Final = 32


class ExportFolder:
    """Files below one folder that nobody reads yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clips = set[str]()

    def clip(self, data: bytes) -> str:
        """Write a clip, unless it is there, and return its path in the folder.

        It is named after its content: the names in a release come from elsewhere, and must not decide where a file goes.
        """
        name = clip_name(data)
        path = f"{AUDIO_FOLDER}/{name[:2]}/{name}"
        if name not in self._clips:
            target = self.path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            self._clips.add(name)
        return path

    def write_lines(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write JSON Lines; every row is compared with the folder first.

        Raises:
            DataError: see ``require_consistent``; a row with one of its faults is a defect of the export.
        """
        with (self.path / name).open("w", encoding="utf-8", newline="\n") as file:
            for number, row in enumerate(rows, start=1):
                require_consistent(row, self.path, f"{name}, line {number}")
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")

    def write_parquet(
        self,
        name: str,
        rows: Iterable[Mapping[str, Any]],
        schema: pa.Schema,
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Write Parquet, some rows in memory at a time.

        Files for trainers carry no ``huggingface`` metadata: their loaders would decode declared clips with libraries that they
        lack.
        """
        # Arrow's own copy of the schema is left out: it says which version of Arrow wrote it.
        with pq.ParquetWriter(self.path / name, schema, compression="zstd", store_schema=False) as writer:
            left = iter(rows)
            while some := [dict(row) for row in islice(left, _BATCH_ROWS)]:
                writer.write_table(pa.Table.from_pylist(some, schema=schema))
            writer.add_key_value_metadata(dict(metadata))

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        (self.path / name).write_text(text, encoding="utf-8", newline="\n")

    def digests(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield the name and sha256 of each file."""
        for name in names:
            with (self.path / name).open("rb") as file:
                yield name, hashlib.file_digest(file, "sha256").hexdigest()


def clip_name(data: bytes) -> str:
    """Return the file name of a clip: the hash of its bytes."""
    return f"{hashlib.sha256(data).hexdigest()[:_NAME_DIGITS]}.flac"


def require_consistent(row: Mapping[str, Any], folder: Path, where: str) -> None:
    """Compare the messages of a row with its clips, on both sides of a preference.

    Args:
        row: ``messages`` and ``audios``, perhaps ``rejected_messages`` and ``rejected_audios``.
        folder: what the paths of clips are relative to.
        where: file and line, for the error.

    Raises:
        DataError: a column of clips is no list, it has another number of clips than its messages have ``<audio>``, a clip is
            missing, or what is rejected is what is chosen.
    """
    sides = [("messages", "audios")]
    if "rejected_messages" in row or "rejected_audios" in row:
        sides.append(("rejected_messages", "rejected_audios"))
        if (row.get("rejected_messages"), row.get("rejected_audios")) == (row.get("messages"), row.get("audios")):
            raise DataError(f"{where}: what is rejected is what is chosen")
    for messages, audios in sides:
        clips = row.get(audios)
        if not isinstance(clips, list) or not all(isinstance(clip, str) for clip in clips):
            raise DataError(f"{where}: {audios} must be a list of paths, got {type(clips).__name__}")
        if not isinstance(row.get(messages), list):
            raise DataError(f"{where}: {messages} must be a list of messages")
        tags = sum(str(message["content"]).count(PLACEHOLDER) for message in row[messages])
        if tags != len(clips):
            raise DataError(f"{where}: {tags} {PLACEHOLDER} in {messages} and {len(clips)} clips in {audios}")
        if missing := [clip for clip in clips if not (folder / clip).is_file()]:
            raise DataError(f"{where}: {audios}: {missing[0]} is no file in {folder}")
    if "rejected_response" in row and row["rejected_response"] == row["messages"][-1]["content"]:
        raise DataError(f"{where}: the rejected answer is the chosen one")
