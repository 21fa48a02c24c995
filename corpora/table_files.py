"""Metadata as tables: Parquet, Arrow and JSON Lines, as the Hub and its library ``datasets`` write them.

Layouts below a root, of which a corpus has one::

    data/<split>-00000-of-00002.parquet     a repository of the Hub
    <split>/data-00000-of-00002.arrow       a folder that ``Dataset.save_to_disk`` wrote
    <split>.jsonl, <split>.parquet          single files
"""

import io
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.errors import DataError
from corpora.reader import decode, lines
from corpora.root import Root

_PART: Final = r"(?:-\d{5}-of-\d{5})?"
_FILE: Final = re.compile(rf"(?P<split>\w[\w.]*?){_PART}\.(?:parquet|jsonl)")
_ARROW: Final = re.compile(rf"data{_PART}\.arrow")
_HUB_FOLDER: Final = "data"


def split_files(root: Root) -> dict[str, list[str]]:
    """Return split -> its files below the root, both sorted; empty where there is no such file."""
    found = dict[str, list[str]]()
    for folder in ("", _HUB_FOLDER):
        for name in root.files(folder):
            if (match := _FILE.fullmatch(name)) is not None:
                found.setdefault(match["split"], []).append(f"{folder}/{name}" if folder else name)
    for folder in root.folders():
        if saved := [f"{folder}/{name}" for name in root.files(folder) if _ARROW.fullmatch(name)]:
            found.setdefault(folder, []).extend(saved)
    return dict(sorted(found.items()))


def table_rows(
    root: Root, file: str, required: Sequence[str], optional: Collection[str] = ()
) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """Yield the place of each row (``file:number``, from 1 on) and its fields; None for a line that is no object.

    Args:
        root: the corpus.
        file: file below its root, with the ending of its format.
        required: columns that it must have.
        optional: columns that are read where they are.

    Raises:
        DataError: the file is not of the format that its name says, or lacks a column.
    """
    where = f"{root.url}/{file}"
    if file.endswith(".jsonl"):
        for number, line in enumerate(lines(decode(root.read(file), where)), start=1):
            if line.strip():
                yield f"{file}:{number}", _object(line)
        return
    number = 0
    for batch in _batches(root.read(file), file, where, required, optional):
        for row in batch.to_pylist():
            number += 1
            yield f"{file}:{number}", row


def _batches(
    data: bytes, file: str, where: str, required: Sequence[str], optional: Collection[str]
) -> Iterator[pa.RecordBatch]:
    try:
        if file.endswith(".parquet"):
            opened = pq.ParquetFile(io.BytesIO(data))
            columns = _present(opened.schema_arrow.names, where, required, optional)
            yield from opened.iter_batches(columns=columns)
        else:
            stream = pa.ipc.open_stream(data)
            columns = _present(stream.schema.names, where, required, optional)
            yield from (batch.select(columns) for batch in stream)
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"{where} cannot be read ({why}): fetch it again") from error


def _present(names: Sequence[str], where: str, required: Sequence[str], optional: Collection[str]) -> list[str]:
    if missing := [name for name in required if name not in names]:
        raise DataError(f"{where}: no column {missing[0]!r}; it has {', '.join(names[:20])}: point root at the corpus itself")
    return [name for name in names if name in {*required, *optional}]


def _object(line: str) -> Mapping[str, Any] | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def text_field(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a field that is a text; None where it is missing or anything else."""
    value = fields.get(name)
    return value if isinstance(value, str) else None


def text_list(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the texts of a field that is a list; empty where it is missing or anything else."""
    value = fields.get(name)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
