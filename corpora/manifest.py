"""Any corpus as one table of files: ``manifest.csv``, ``manifest.tsv`` or ``manifest.jsonl`` beside an audio folder.

Columns: ``audio`` (path relative to the root, ``/`` as separator) and ``text``; optional ``id`` (default: the audio path),
``speaker``, ``language``, ``style`` (regular or expressive), ``emotion``, ``license`` (SPDX), and for a turn of a dialogue
both ``dialogue`` (its name) and ``turn`` (1 for the first, then 2, 3, ...: a turn after a gap has no complete history).

UTF-8, with or without byte order mark. CSV has a header and double quotes; TSV has a header and no quoting at all; JSON Lines
has one flat object per line, in which ``id``, ``speaker``, ``dialogue`` and ``turn`` may be numbers.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import ClassVar, Final, get_args

import pyarrow as pa

from contracts.errors import DataError
from contracts.json_text import DuplicateKey, json_value
from contracts.languages import UNKNOWN, Language
from contracts.licences import UNSTATED, Licence
from corpora.links import FollowLinks
from corpora.noise_tags import NoiseTags
from corpora.reader import Style, Utterance, batches, decode, lines
from corpora.root import Root

_REQUIRED: Final = ("audio", "text")
_COLUMNS: Final = (*_REQUIRED, "id", "speaker", "language", "style", "emotion", "license", "dialogue", "turn")
_FILES: Final = ("manifest.csv", "manifest.tsv", "manifest.jsonl")
_STYLES: Final = get_args(Style)
_CHUNK_ROWS: Final = 500
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_TURN: Final = re.compile(r"[0-9]{1,9}")  # as text, for all three formats; nine digits fit any integer column

_Fields = Mapping[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Reader of a manifest.

    Problems of its own: ``missing_license`` and ``missing_language`` where neither the row nor the option says one (the row
    then carries SPDX's ``NOASSERTION`` or BCP 47's ``und``), ``unknown_style``, ``malformed_turn`` (no whole number from 1
    on, or only one of dialogue and turn).

    Attributes:
        name: name of the corpus in the recipe.
        file: name of the manifest below the root; None = the one that is there.
        language: language of rows that state none; any tag that ``contracts.languages`` knows.
        license: SPDX expression of rows that state none.
        style: style of rows that state none.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
        noise_tags: what its transcripts write for sounds that are no words, as it stands there: ``["[noise]", "<laugh>"]``. It
            is taken out of every text where it is a whole word (``um`` of ``um, well``, not of ``umbrella``) in the same case;
            without this option, all that stands in brackets is text to be spoken.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "manifest"
    file: str | None = None
    language: Language | None = None
    license: Licence | None = None
    style: Style = "regular"
    attribution: str = ""
    follow_links: FollowLinks = "inside"
    noise_tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(tag.strip() for tag in self.noise_tags):
            raise ValueError("noise_tags must not hold an empty tag")

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows in the order of the manifest (see ``corpora.reader.Corpus``)."""
        return batches(self.name, self._utterances(Root(self.name, root, self.follow_links)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        file = self._find(root)
        where = f"{root.url}/{file}"
        try:
            text = decode(root.read(file), where)
        except FileNotFoundError:
            raise DataError(f"corpus {self.name!r}: {where} is missing; set the option file, or leave it out") from None
        rows = _json_rows(text, where) if file.endswith(".jsonl") else _separated_rows(text, where, tabs=file.endswith(".tsv"))
        tags = NoiseTags(self.noise_tags)
        chunk = list[tuple[int, _Fields | None]]()
        empty = True
        for row in rows:
            empty = False
            chunk.append(row)
            if len(chunk) == _CHUNK_ROWS:
                yield from self._chunk(root, file, chunk, tags)
                chunk.clear()
        yield from self._chunk(root, file, chunk, tags)
        if otherwise := tags.in_another_case():
            tag, place = otherwise
            raise DataError(f"{where}: noise_tags: {tag!r} stands in no text, but in another case at {place}: write that")
        if empty:
            raise DataError(f"{where}: no rows; write one per recording, with the columns {', '.join(_COLUMNS)}")

    def _find(self, root: Root) -> str:
        if self.file is not None:
            return self.file
        found = [name for name in _FILES if name in root.files()]
        if len(found) != 1:
            raise DataError(
                f"corpus {self.name!r}: {root.url} holds {' and '.join(found) or 'no manifest'}; "
                f"it wants one of {', '.join(_FILES)}; set the option file to the one to read"
            )
        return found[0]

    def _chunk(self, root: Root, file: str, rows: list[tuple[int, _Fields | None]], tags: NoiseTags) -> Iterator[Utterance]:
        utterances = [self._row(f"{file}:{number}", fields, tags) for number, fields in rows]
        found = {row.audio_path: root.find(row.audio_path) for row in utterances if row.audio_path is not None}
        headers = root.headers(found.values())
        for row in utterances:
            if row.audio_path is not None:
                row.heard_in(found[row.audio_path], headers)
            yield row

    def _row(self, place: str, fields: _Fields | None, tags: NoiseTags) -> Utterance:
        """Make a row; ``place`` (file and row number) is its id where it has none that is safe to publish."""
        if fields is None:
            return Utterance(
                source_id=place,
                source_ref=place,
                language=self.language or UNKNOWN,
                license=self.license or UNSTATED,
                style=self.style,
                problem="malformed_row",
            )
        audio, outside = fields.get("audio"), False
        if audio:
            outside = _is_outside(audio)
            audio = None if outside else str(PurePosixPath(audio))
        dialogue, turn = (fields.get("dialogue") or "").strip() or None, _turn(fields.get("turn"))
        row = Utterance(
            source_id=fields.get("id") or audio or place,
            source_ref=place,
            audio_path=audio or None,
            text=tags.removed(fields.get("text"), place),
            speaker_id=fields.get("speaker") or None,
            language=fields.get("language") or self.language or UNKNOWN,
            license=fields.get("license") or self.license or UNSTATED,
            style=fields.get("style") or self.style,
            emotion=fields.get("emotion") or None,
            dialogue_id=dialogue,
            turn=turn,
        )
        for problem, holds in (
            ("path_outside_corpus", outside),
            ("missing_audio", not audio),
            ("missing_license", row.license == UNSTATED),
            ("missing_language", row.language == UNKNOWN),
            ("unknown_style", row.style not in _STYLES),
            ("malformed_turn", (dialogue is None) != (turn is None) or (turn is None and bool(fields.get("turn")))),
        ):
            if holds:
                row.problem = problem
                break
        return row


def _turn(value: str | None) -> int | None:
    """Return the number of a turn; None where there is none or it is no whole number from 1 on."""
    return int(value) or None if value and _TURN.fullmatch(value) else None


def _is_outside(path: str) -> bool:
    """Tell whether a path is absolute, a URL, written the Windows way, or climbs out of its folder."""
    return (
        path.startswith(("/", "~"))
        or "\\" in path
        or ".." in path.split("/")
        or not path.isprintable()
        or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path) is not None
    )


def _separated_rows(text: str, where: str, *, tabs: bool) -> Iterator[tuple[int, _Fields | None]]:
    """Yield row number (of its last line) and fields; None for a row with too few, too many or badly quoted fields."""
    rows = _tab_separated(text) if tabs else _comma_separated(text, where)
    header = [name.strip() for name in next(rows, (0, []))[1] or []]
    _check_columns(header, f"{where}, header")
    missing = [column for column in _REQUIRED if column not in header]
    if missing:
        raise DataError(f"{where}, header: no column {missing[0]!r}, it has {header}; the first line must name the columns")
    if len(set(header)) != len(header):
        raise DataError(f"{where}, header: a column occurs twice in {header}; name each once")
    for number, values in rows:
        if values is None or len(values) != len(header):
            yield number, None
        else:
            yield number, dict(zip(header, values, strict=True))


def _tab_separated(text: str) -> Iterator[tuple[int, list[str] | None]]:
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if line:
            yield number, line.split("\t")


def _comma_separated(text: str, where: str) -> Iterator[tuple[int, list[str] | None]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        before = reader.line_num
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > before + 1:  # nobody knows at which of these lines the next row begins
                advice = "look for a double quote that is not closed or not doubled"
                raise DataError(f"{where}, row {reader.line_num}: {error}; {advice}") from error
            yield reader.line_num, None
            continue
        if values:
            yield reader.line_num, values


def _json_rows(text: str, where: str) -> Iterator[tuple[int, _Fields | None]]:
    """Yield line number and fields; None for a line that is no flat JSON object of strings."""
    for number, line in enumerate(lines(text), start=1):
        if not line.strip():
            continue
        try:
            fields = json_value(line)
        except DuplicateKey as error:
            raise DataError(f"{where}, row {number}: {error}; name each once") from None
        except ValueError:
            yield number, None
            continue
        if not isinstance(fields, dict):
            yield number, None
            continue
        _check_columns(list(fields), f"{where}, row {number}")
        for name, value in fields.items():
            kinds = (int, float) if name == "turn" else (int,) if name in {"id", "speaker", "dialogue"} else ()
            if isinstance(value, kinds) and not isinstance(value, bool):
                fields[name] = str(value)
        yield number, fields if all(value is None or isinstance(value, str) for value in fields.values()) else None


def _check_columns(names: list[str], where: str) -> None:
    for name in names:
        if name not in _COLUMNS:
            close = get_close_matches(name, _COLUMNS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise DataError(f"{where}: unknown column {name[:80]!r}.{hint} Known: {', '.join(_COLUMNS)}")


PLUGIN = Manifest
