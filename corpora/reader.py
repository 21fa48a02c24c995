"""Reading source corpora: what every reader promises, and the checks that all of them share.

A reader yields one row of ``contracts.schemas.UTTERANCES`` for everything that its corpus lists or holds. What cannot be
used stays a row whose ``problem`` says why; only a corpus that cannot be understood at all is an error. The problems:

==========================  ==========================================================================================
missing_audio               the metadata names a recording that is not there
missing_transcript          a recording (or row) without a transcript
empty_audio                 a file of no bytes
truncated_audio             a WAV shorter than its header promises
empty_text                  a transcript of white space and invisible characters only
text_too_long               more than ``LONGEST_TEXT`` characters
duplicate_id                an id that an earlier row has; the first one counts
duplicate_turn              a place in a dialogue that an earlier row has; the first one counts
undecodable_metadata        bytes that are not in the encoding of the metadata file
malformed_row               too few or too many fields, or no JSON object
path_outside_corpus         an absolute path or one with ``..``
unknown_language            a language that ``contracts.languages`` does not know
unknown_license             a licence that is no SPDX expression
missing_license, missing_language, unknown_style, malformed_turn, unknown_speaker, bracketed_note, known_bad_file
                            see the reader that gives them
==========================  ==========================================================================================
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Final, Protocol

import fsspec
import pyarrow as pa

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.languages import language_of
from contracts.licences import licence_of
from contracts.schemas import UTTERANCES
from contracts.text_forms import keyed
from contracts.texts import LONGEST_TEXT
from corpora.headers import HEAD_BYTES, Header, probe

_BATCH_ROWS: Final = 1000


class Corpus(Protocol):
    """A source corpus: a frozen dataclass of options with one method. ``corpora/<name>.py`` holds ``PLUGIN = ClassName``."""

    @property
    def name(self) -> str:
        """Name of the corpus as the recipe calls it; part of every utterance id."""
        ...

    @property
    def attribution(self) -> str:
        """Who made the recordings, as the card of a release credits them."""
        ...

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the corpus as rows of ``UTTERANCES``, always in the same order.

        Args:
            root: folder of the corpus: a local path or any fsspec URL.

        Raises:
            DataError: the corpus or its metadata cannot be read at all; names file, row and field.
            SetupError: the package that carries the corpus is not installed; says how to install it.
        """
        ...


@dataclass(kw_only=True)
class Utterance:
    """One recording as a reader found it, before the checks that all corpora share. Columns as in ``UTTERANCES``.

    A turn of a dialogue has both ``dialogue_id`` and ``turn``; turns count 1, 2, 3, ..., so that a missing one is seen.
    """

    source_id: str
    language: str
    license: str
    source_ref: str | None = None
    audio_path: str | None = None
    text: str | None = None
    speaker_id: str | None = None
    style: str = "regular"
    emotion: str | None = None
    dialogue_id: str | None = None
    turn: int | None = None
    duration_s: float | None = None
    problem: str | None = None


class Root:
    """The folder of a corpus, local or remote, seen through paths relative to it. macOS ``._*`` files do not exist here."""

    def __init__(self, corpus: str, url: str) -> None:
        """Open the folder.

        Raises:
            DataError: there is no such folder.
        """
        self._fs, path = fsspec.core.url_to_fs(url)
        self._path = path.rstrip("/")
        self.url = url.rstrip("/")
        if not self._fs.isdir(self._path):
            raise DataError(f"corpus {corpus!r}: there is no folder {url}; set its root in the recipe")

    def _full(self, path: str) -> str:
        return f"{self._path}/{path}" if path else self._path

    def _list(self, path: str, kind: str) -> Iterator[tuple[str, int]]:
        try:
            entries = self._fs.ls(self._full(path), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = entry["name"].rstrip("/").rsplit("/", 1)[-1]
            if entry["type"] == kind and not name.startswith("._"):
                yield name, int(entry["size"] or 0)

    def folders(self, path: str = "") -> list[str]:
        """Return the names of the folders directly below ``path``, sorted."""
        return sorted(name for name, _ in self._list(path, "directory"))

    def files(self, path: str = "") -> dict[str, int]:
        """Return name and size in bytes of the files directly below ``path``, sorted; empty where there is no such folder."""
        return dict(sorted(self._list(path, "file")))

    def read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises:
            FileNotFoundError: it is not there.
        """
        return bytes(self._fs.cat_file(self._full(path)))

    def headers(self, sizes: dict[str, int]) -> dict[str, Header]:
        """Return the header of each file, given path -> size in bytes: one small ranged read per file."""
        paths = [self._full(path) for path in sizes]
        ends = [min(size, HEAD_BYTES) for size in sizes.values()]
        heads = self._fs.cat_ranges(paths, 0, ends, on_error="raise") if paths else []
        return {path: probe(bytes(head), size) for (path, size), head in zip(sizes.items(), heads, strict=True)}


def decode(data: bytes, file: str) -> str:
    """Decode a metadata file: UTF-8 with or without byte order mark, or UTF-16 with one.

    Bytes that are no UTF-8 become lone surrogates, so that the rows they stand in, and only those, are marked
    ``undecodable_metadata`` (one corpus may mix encodings).

    Raises:
        DataError: a UTF-16 file is damaged.
    """
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise DataError(f"{file}: starts as UTF-16 but does not decode ({error}); save it as UTF-8") from error
    return data.decode("utf-8-sig", errors="surrogateescape")


def lines(text: str) -> list[str]:
    """Split at line ends only: ``str.splitlines`` also splits at characters that occur inside transcripts (U+2028, U+0085)."""
    rows = text.replace("\r\n", "\n").split("\n")
    return rows[:-1] if rows[-1] == "" else rows


def batches(corpus: str, utterances: Iterable[Utterance]) -> Iterator[pa.RecordBatch]:
    """Run the shared checks and give ids: the last step of every reader.

    ``utterance_id`` is ``row_id("utterance", corpus, source_id)``. A repeated ``source_id`` keeps its row, with the problem
    ``duplicate_id`` and an id that counts its occurrence, so that keys stay unique. A repeated turn of a
    dialogue has the problem ``duplicate_turn``.

    Args:
        corpus: the corpus's name in the recipe.
        utterances: rows in a fixed order; the first problem that a reader found is kept.

    Yields:
        Batches of at most 1000 rows of ``UTTERANCES``.
    """
    rows, seen = (_row(corpus, utterance) for utterance in utterances), dict[str, int]()
    turns = set[tuple[str, int]]()
    while chunk := list(islice(rows, _BATCH_ROWS)):
        for row in chunk:
            count = seen[row["source_id"]] = seen.get(row["source_id"], 0) + 1
            if count > 1:
                row["problem"] = row["problem"] or "duplicate_id"
                row["utterance_id"] = row_id("utterance", corpus, row["source_id"], count)
            if row["dialogue_id"] is not None and row["turn"] is not None:
                turn = row["dialogue_id"], row["turn"]
                if turn in turns:
                    row["problem"] = row["problem"] or "duplicate_turn"
                turns.add(turn)
        yield pa.RecordBatch.from_pylist(chunk, schema=UTTERANCES)


def _row(corpus: str, utterance: Utterance) -> dict[str, Any]:
    row = asdict(utterance)
    undecodable = False
    for column, value in row.items():
        if isinstance(value, str) and not value.isascii():
            row[column] = readable(value)
            undecodable |= row[column] != value
    if row["text"] is not None:
        row["text"] = row["text"].strip()
    row["problem"] = row["problem"] or ("undecodable_metadata" if undecodable else _text_problem(row["text"]))
    language, licence = language_of(row["language"]), licence_of(row["license"])
    row["problem"] = row["problem"] or ("unknown_language" if language is None else None)
    row["problem"] = row["problem"] or ("unknown_license" if licence is None else None)
    row |= {"language": language or row["language"], "license": licence or row["license"]}
    return row | {"corpus": corpus, "utterance_id": row_id("utterance", corpus, row["source_id"])}


def readable(value: str) -> str:
    r"""Return ``value`` with undecodable bytes written as ``\xNN``, which Arrow can store and a person can read."""
    return value.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")


def _text_problem(text: str | None) -> str | None:
    if text is None:
        return "missing_transcript"
    if not keyed(text):
        return "empty_text"
    return "text_too_long" if len(text) > LONGEST_TEXT else None
