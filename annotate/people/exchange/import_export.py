"""The two doors: tasks out to people elsewhere, their votes in.

Out::

    file = export_tasks(items, folder, kind="xlsx", audio=blobs.pcm, seed=recipe.seed, protocol=protocol)

In, what came back of it, or a vendor's own file with a mapping of its columns::

    found = read_file("tasks.xlsx", protocol=protocol, protocol_name="unisrm", known_subjects=pair_ids, seed=recipe.seed)
    found = read_file("votes.csv", mapping=read_mapping("columns.yaml"), protocol=protocol, ...)
"""

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from annotate.people.exchange.audio_files import Audio, write_clips
from annotate.people.exchange.column_mapping import ColumnMap, column_map, export_map
from annotate.people.exchange.exported_tasks import tasks_of
from annotate.people.exchange.label_studio import LOCAL_FILES, import_annotations, write_tasks
from annotate.people.exchange.spreadsheets import import_sheet
from annotate.people.exchange.task_sheets import write_sheet
from annotate.people.exchange.vote_rows import Imported
from annotate.people.store.item import Item
from annotate.people.store.protocol import ListeningProtocol
from contracts.errors import DataError, RecipeError
from storage.local_files import storage_errors

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
) -> Path:
    """Write tasks and their audio to a folder that can be handed over as it is.

    It holds the file of tasks, what explains it (``form.txt``, or ``label_config.xml``) and ``audio/``, FLAC files whose names
    say nothing. The order of the tasks, and which clip of each is played first and called A, come from the seed.

    Args:
        items: what to ask, one per pair or sample.
        folder: made if it is not there.
        kind: of the file of tasks.
        audio: audio id -> samples and rate, such as ``BlobStore.pcm``.
        seed: of the recipe.
        protocol: what is asked.
        url: what links to clips begin with, before ``audio/...``, such as ``https://host/folder/``; None = relative links, or
            for Label Studio its local files, the document root being the folder above.

    Returns:
        The file of tasks.

    Raises:
        DataError: nothing to export, two items of one subject, a gain that clips, or a file of tasks that is there already.
        RecipeError: unknown kind.
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
        links = write_clips(tasks, place, audio, url)
        if kind == "label_studio":
            write_tasks(file, tasks, links, protocol)
        else:
            write_sheet(file, kind, tasks, links, protocol)
    return file


def read_file(
    path: str | os.PathLike[str],
    *,
    mapping: ColumnMap | Mapping[str, Any] | None = None,
    kind: Kind | None = None,
    protocol: ListeningProtocol,
    protocol_name: str,
    known_subjects: Collection[str],
    seed: int,
    skip_bad: bool = False,
) -> Imported:
    """Read the votes or ratings of a file, and what else is to be known of it; the same file gives the same ids.

    Args:
        path: the file.
        mapping: columns of a vendor's file; None = a file of ``export_tasks``, filled in.
        kind: what the file is; None = what its ending says, ``.json`` being Label Studio's.
        protocol: what was asked.
        protocol_name: its name, as votes carry it.
        known_subjects: ids of all pairs or samples that may be voted on.
        seed: of the recipe; pseudonyms depend on it.
        skip_bad: import what is good, and write the rest beside the file as ``<file>.rejected.csv`` (Label Studio: ``.json``).

    Raises:
        RecipeError: unknown kind, or a mapping that does not fit.
        DataError: the file as a whole is unusable.
        BadRows: rows are wrong; says which, why and what to do.
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
