"""The files that metadata are and name."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from contracts.errors import DataError
from corpora.reader import Utterance, decode
from corpora.root import Root

_CHUNK_ROWS: Final = 500


def with_audio(root: Root, rows: Iterable[Utterance]) -> Iterator[Utterance]:
    """Yield rows with what is known of the recordings that they name; headers are read by the chunk."""
    rest = iter(rows)
    while chunk := list(islice(rest, _CHUNK_ROWS)):
        found = {row.audio_path: root.find(row.audio_path) for row in chunk if row.audio_path is not None}
        headers = root.headers(found.values())
        for row in chunk:
            if row.audio_path is not None:
                row.take_audio(found[row.audio_path], headers)
            yield row


def is_file_name(name: str) -> bool:
    """Tell whether a name is one of a file in a folder: no path, and nothing that no file is named."""
    return name.isprintable() and not name.startswith(".") and not set(name) & set('/\\"') and bool(name.strip())


def text_of(root: Root, file: str) -> str | None:
    """Return the text of a metadata file; None where it is not there.

    Raises:
        DataError: it is a folder, or no text.
    """
    try:
        return decode(root.read(file), f"{root.url}/{file}")
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        raise DataError(f"{root.url}/{file} is a folder where a file should be: correct the reader's options") from None
