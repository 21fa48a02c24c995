"""Export of tasks for annotators who do not use the app, and import of their votes.

Export::

    file = export_tasks(items, folder, kind="xlsx", audio=blobs.pcm, seed=recipe.seed, protocol=protocol)

Import of the same file, filled in, or of a vendor's own file with a mapping of its columns::

    found = read_vote_file("tasks.xlsx", protocol=protocol, protocol_name="unisrm", known_subjects=pair_ids, seed=recipe.seed)
    found = read_vote_file("votes.csv", mapping=read_mapping("columns.yaml"), protocol=protocol, ...)
"""

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from annotate.people.exchange.audio_files import Audio, write_clips
from annotate.people.exchange.column_mapping import ColumnMap, column_map, export_map
from annotate.people.exchange.exported_tasks import tasks_of
from annotate.people.exchange.label_studio import import_annotations
from annotate.people.exchange.label_studio_tasks import LOCAL_FILES, write_tasks
from annotate.people.exchange.spreadsheets import import_sheet
from annotate.people.exchange.task_sheets import write_sheet
from annotate.people.exchange.vote_rows import VoteFile
from annotate.people.store.item import Item
from annotate.people.store.protocol import ListeningProtocol
from contracts.errors import DataError, RecipeError
from storage.local_files import atomic_path, storage_errors

Kind = Literal["csv", "xlsx", "jsonl", "label_studio"]

_NAMES: Final[Mapping[Kind, str]] = {
    "csv": "tasks.csv",
    "xlsx": "tasks.xlsx",
    "jsonl": "tasks.jsonl",
    "label_studio": "tasks.json",
}
_ENDINGS: Final[Mapping[str, Kind]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "label_studio",
}


def export_tasks(
    items: Iterable[Item],
    folder: str | os.PathLike[str],
    *,
    kind: Kind,
    audio: Audio,
    seed: int,
    protocol: ListeningProtocol,
    url: str | None = None,
    instructions: str = "",
    guidance: str | None = None,
) -> Path:
    """Write tasks and their audio to a folder that is complete in itself.

    The folder holds the file of tasks, its explanation (``form.txt``, or ``label_config.xml``) and ``audio/``, FLAC files whose
    names tell nothing. The seed fixes the order of the tasks, and which clip of each is played first and shown as A.

    Args:
        items: one per pair or sample.
        folder: created if it does not exist.
        kind: of the file of tasks.
        audio: audio id -> samples and rate, such as ``BlobStore.pcm``.
        seed: of the recipe.
        protocol: protocol of the votes.
        url: prefix of links to clips, before ``audio/...``, such as ``https://host/folder/``; None = relative links, or for
            Label Studio its local files, with the parent folder as document root.
        instructions: what annotators read first, for ``instructions.txt``; empty = there is no such file.
        guidance: how to answer, for ``form.txt`` or Label Studio's page; None = as the protocol says it.

    Returns:
        The file of tasks.

    Raises:
        DataError: there is nothing to export, two items are of one subject, a gain would clip, or the file of tasks exists.
        RecipeError: the kind is unknown.
        StorageError: the folder cannot be written.
    """
    if kind not in _NAMES:
        raise RecipeError(f"unknown kind {kind!r} of task file. Known: {', '.join(_NAMES)}")
    place = Path(folder)
    file = place / _NAMES[kind]
    for other in (place, *place.parents):
        if other.exists() and not other.is_dir():
            raise DataError(f"{place}: {other} is a file: name a folder")
    if file.exists():
        raise DataError(f"{file} is there already and may hold answers: name another folder, or move it away")
    tasks = tasks_of(items, protocol.clips, seed)
    if url is None:
        url = f"{LOCAL_FILES}{quote(place.resolve().name)}/" if kind == "label_studio" else ""
    with storage_errors(f"writing {place}"):
        if instructions:
            with atomic_path(place / "instructions.txt") as part:
                part.write_text(instructions, encoding="utf-8")
        links = write_clips(tasks, place, audio, url)
        if kind == "label_studio":
            write_tasks(file, tasks, links, protocol, guidance=guidance)
        else:
            write_sheet(file, kind, tasks, links, protocol, guidance=guidance)
    return file


def read_vote_file(
    path: str | os.PathLike[str],
    *,
    mapping: ColumnMap | Mapping[str, Any] | None = None,
    kind: Kind | None = None,
    protocol: ListeningProtocol,
    protocol_name: str,
    known_subjects: Collection[str],
    seed: int,
    skip_bad: bool = False,
) -> VoteFile:
    """Read the votes or ratings of a file; the same file gives the same ids.

    Args:
        path: the file.
        mapping: columns of a vendor's file; None = a file of ``export_tasks``, filled in.
        kind: of the file; None = by its ending, ``.json`` being Label Studio's.
        protocol: protocol of the votes.
        protocol_name: its name, as votes carry it.
        known_subjects: ids of all pairs or samples that may be voted on.
        seed: of the recipe; pseudonyms depend on it.
        skip_bad: import what is good, and write the rest beside the file as ``<file>.rejected.csv`` (Label Studio: ``.json``).

    Raises:
        RecipeError: the kind is unknown, or the mapping does not fit.
        DataError: the file as a whole is unusable.
        BadRows: rows are bad; says which, why and what to do.
    """
    file = Path(path)
    found = kind if kind is not None else _ENDINGS.get(file.suffix.lower())
    if found is None or found not in _NAMES:
        if found:
            raise RecipeError(f"{file}: unknown kind {found!r}, known: {', '.join(_NAMES)}")
        raise RecipeError(
            f"{file}: the ending {file.suffix!r} does not say what it is: rename it to end in one of {', '.join(_ENDINGS)} "
            "(.json = Label Studio's export)"
        )
    if found == "label_studio":
        if mapping is not None:
            raise RecipeError(f"{file}: Label Studio's export needs no mapping of columns: leave it out")
        return import_annotations(
            file, protocol=protocol, protocol_name=protocol_name, known_subjects=known_subjects, seed=seed, skip_bad=skip_bad
        )
    if mapping is None:
        mapping = export_map(protocol)
    return import_sheet(
        file,
        found,
        mapping if isinstance(mapping, ColumnMap) else column_map(mapping),
        protocol=protocol,
        protocol_name=protocol_name,
        known_subjects=known_subjects,
        seed=seed,
        skip_bad=skip_bad,
    )
