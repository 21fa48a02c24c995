"""Any corpus as one table of files: ``manifest.csv``, ``manifest.tsv`` or ``manifest.jsonl`` beside an audio folder.

Columns: ``audio`` (path relative to the root, ``/`` as separator) and ``text``; optional ``id`` (default: the audio path),
``speaker``, ``language``, ``style`` (regular or expressive), ``category`` (regular, emotional, accented, whisper or game),
``emotion``, ``license`` (SPDX), and for a turn of a dialogue both ``dialogue`` (its name) and ``turn`` (1 for the first, then
2, 3, ...: a turn after a gap has no complete history).

A corpus of rated clips also has ``system`` (what spoke; empty = a person), ``content_id`` (clips of one content say the same),
``condition`` (such as ``noise 10 dB``), ``split`` (the corpus's own), ``references`` (answers or translations: one text, in
JSON Lines also a list of them), and ratings, which may stand in three places:

- means in columns: ``rating.<scale>``, with ``rating.<scale>.raters`` (how many it rests on) and ``rating.<scale>.std``;
- in JSON Lines, ``ratings``: ``[{"scale": "mos", "rater": "r1", "score": 4}]``; without ``rater`` it is a mean, which may have
  ``raters`` and ``std``;
- one per line in ``ratings.csv`` beside the manifest, with the columns ``id`` (that of the manifest), ``rater``, ``scale`` and
  ``score``.

UTF-8, with or without byte order mark. CSV has a header and double quotes; TSV has a header and no quoting at all; JSON Lines
has one object per line, in which names and ``turn`` may be numbers.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final, get_args

import pyarrow as pa

from contracts.errors import DataError
from contracts.json_text import DuplicateKey, json_value
from contracts.languages import UNKNOWN, Language
from contracts.licences import UNSTATED, Licence
from contracts.text_forms import keyed
from corpora import clip_ratings
from corpora.clip_ratings import BadRating, DuplicateRating, RatingsFile
from corpora.corpus_files import text_of
from corpora.delimited import separated_rows, unknown
from corpora.links import FollowLinks
from corpora.noise_tags import NoiseTags
from corpora.rating_scales import Bounds, check_bounds, within
from corpora.reader import Category, NeedsText, Style, Utterance, batches, decode, lines
from corpora.root import Root, is_outside

_REQUIRED: Final = ("audio", "text")
_NAMES: Final = ("id", "speaker", "dialogue", "system", "content_id", "condition", "split")
_COLUMNS: Final = (*_REQUIRED, *_NAMES, "turn", "language", "style", "category", "emotion", "license", "references")
_RATING_COLUMNS: Final = ("rating.<scale>", "rating.<scale>.raters", "rating.<scale>.std")
_FILES: Final = ("manifest.csv", "manifest.tsv", "manifest.jsonl")
_STYLES: Final = get_args(Style)
_CATEGORIES: Final = get_args(Category)
_CHUNK_ROWS: Final = 500
_TURN: Final = re.compile(r"[0-9]{1,9}")  # as text, for all three formats; nine digits fit any integer column

_Fields = Mapping[str, Any]
"""Texts or nulls, but for ``references`` and ``ratings``, and numbers under ratings: what JSON has there."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Reader of a manifest.

    Problems of its own: ``missing_license`` and ``missing_language`` where neither the row nor the option says one (the row
    then carries SPDX's ``NOASSERTION`` or BCP 47's ``und``), ``unknown_style``, ``unknown_category``, ``malformed_turn`` (no
    whole number from 1 on, or only one of dialogue and turn).

    Attributes:
        name: name of the corpus in the recipe.
        file: name of the manifest below the root; None = the only one there.
        language: language of rows that state none; any tag that ``contracts.languages`` knows.
        license: SPDX expression of rows that state none.
        style: style of rows that state none.
        category: category of rows that state none; None = unknown.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
        noise_tags: what its transcripts write for sounds that are no words: ``["[noise]", "<laugh>"]``. Whole words in the same
            case are removed from every text (``um`` of ``um, well``, not of ``umbrella``). Without this option, text in
            brackets is spoken.
        scales: scale -> lowest and highest rating: ``{mos: [1, 5]}``; a row with another is not used (``rating_out_of_range``).
        text: whether a row needs a text; ``optional`` for clips of which only the content's id or the ratings matter.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "manifest"
    file: str | None = None
    language: Language | None = None
    license: Licence | None = None
    style: Style = "regular"
    category: Category | None = None
    attribution: str = ""
    follow_links: FollowLinks = "inside"
    noise_tags: tuple[str, ...] = ()
    scales: Bounds = field(default_factory=dict)
    text: NeedsText = "required"

    def __post_init__(self) -> None:
        if not all(tag.strip() for tag in self.noise_tags):
            raise ValueError("noise_tags must not hold an empty tag")
        check_bounds(self.scales)

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows in the order of the manifest (see ``corpora.reader.Corpus``)."""
        found = within(self._utterances(Root(self.name, root, self.follow_links)), self.scales, f"corpus {self.name!r}")
        return batches(self.name, found, self.text)

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        file = self._find(root)
        where = f"{root.url}/{file}"
        if (text := text_of(root, file)) is None:
            raise DataError(f"corpus {self.name!r}: {where} is missing; set the option file, or leave it out")
        if file.endswith(".jsonl"):
            rows = _json_rows(text, where)
        else:
            required = _REQUIRED if self.text == "required" else _REQUIRED[:1]
            rows = separated_rows(text, where, _check_columns, required, tabs=file.endswith(".tsv"))
        tags, rated = NoiseTags(self.noise_tags), _ratings_beside(root, file)
        chunk = list[tuple[int, _Fields | None]]()
        empty = True
        for row in rows:
            empty = False
            chunk.append(row)
            if len(chunk) == _CHUNK_ROWS:
                yield from self._chunk(root, file, chunk, tags, rated)
                chunk.clear()
        yield from self._chunk(root, file, chunk, tags, rated)
        if otherwise := tags.in_another_case():
            tag, place = otherwise
            raise DataError(f"{where}: noise_tags: {tag!r} stands in no text, but in another case at {place}: write that")
        if empty:
            raise DataError(f"{where}: no rows; write one per recording, with the columns {', '.join(_COLUMNS)}")
        if rated is not None:
            yield from self._unread(rated)

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

    def _chunk(
        self, root: Root, file: str, rows: list[tuple[int, _Fields | None]], tags: NoiseTags, rated: RatingsFile | None
    ) -> Iterator[Utterance]:
        utterances = [self._row(f"{file}:{number}", fields, tags, rated) for number, fields in rows]
        found = {row.audio_path: root.find(row.audio_path) for row in utterances if row.audio_path is not None}
        headers = root.headers(found.values())
        for row in utterances:
            if row.audio_path is not None:
                row.take_audio(found[row.audio_path], headers)
            yield row

    def _row(self, place: str, fields: _Fields | None, tags: NoiseTags, rated: RatingsFile | None) -> Utterance:
        """Make a row; ``place`` (file and row number) is its id where it has none that is safe to publish."""
        if fields is None:
            return self._unusable(place, "malformed_row")
        audio, outside = fields.get("audio"), False
        if audio:
            outside = is_outside(audio)
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
            category=fields.get("category") or self.category,
            emotion=fields.get("emotion") or None,
            dialogue_id=dialogue,
            turn=turn,
            system=fields.get("system") or None,
            content_id=fields.get("content_id") or None,
            condition=fields.get("condition") or None,
            split=fields.get("split") or None,
        )
        for problem, holds in (
            ("path_outside_corpus", outside),
            ("missing_audio", not audio),
            ("missing_license", row.license == UNSTATED),
            ("missing_language", row.language == UNKNOWN),
            ("unknown_style", row.style not in _STYLES),
            ("unknown_category", row.category not in {None, *_CATEGORIES}),
            ("malformed_turn", (dialogue is None) != (turn is None) or (turn is None and bool(fields.get("turn")))),
        ):
            if holds:
                row.problem = problem
                break
        _add_lists(row, fields, rated)
        return row

    def _unread(self, rated: RatingsFile) -> Iterator[Utterance]:
        """Yield a problem for each bad row of ``ratings.csv``, and for each of its clips that the manifest does not have."""
        for number in rated.malformed:
            yield self._unusable(f"{rated.name}:{number}", "malformed_row")
        for number, source_id, count in rated.of_others():
            detail = f"{count} ratings from here on are of {source_id[:200]!r}, which is no id of the manifest"
            yield self._unusable(f"{rated.name}:{number}", "unknown_clip", detail)

    def _unusable(self, place: str, problem: str, detail: str | None = None) -> Utterance:
        return Utterance(
            source_id=place,
            source_ref=place,
            language=self.language or UNKNOWN,
            license=self.license or UNSTATED,
            style=self.style,
            problem=problem,
            problem_detail=detail,
        )


def _ratings_beside(root: Root, file: str) -> RatingsFile | None:
    beside = PurePosixPath(file).with_name(clip_ratings.FILE)
    folder = "" if beside.parent == PurePosixPath() else str(beside.parent)
    if str(beside) == file or clip_ratings.FILE not in root.files(folder):
        return None
    where = f"{root.url}/{beside}"
    return RatingsFile(decode(root.read(str(beside)), where), where, str(beside))


def _add_lists(row: Utterance, fields: _Fields, rated: RatingsFile | None) -> None:
    """Read the references and ratings of a row into it; the first problem of the row is kept."""
    of_file = rated.of_clip(row.source_id) if rated else ()
    try:
        row.references = _references(fields.get("references"))
        found = [*clip_ratings.of_columns(fields), *clip_ratings.of_list(fields.get("ratings"), row.source_ref or "")]
        row.ratings = clip_ratings.once_each([*found, *of_file]) or None
    except DuplicateRating as error:
        problem, detail = "duplicate_rating", str(error)
    except BadRating as error:
        problem, detail = "malformed_rating", str(error)
    except ValueError as error:
        problem, detail = "malformed_reference", str(error)
    else:
        return
    if row.problem is None:
        row.problem, row.problem_detail = problem, detail


def _turn(value: str | None) -> int | None:
    """Return the number of a turn; None where there is none or it is no whole number from 1 on."""
    return int(value) or None if value and _TURN.fullmatch(value) else None


def _json_rows(text: str, where: str) -> Iterator[tuple[int, _Fields | None]]:
    """Yield line number and fields; None for a line that is no JSON object, or has a value of a wrong type."""
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
        _check_columns(list(fields), f"{where}, row {number}", extra=("ratings",))
        for name, value in fields.items():
            kinds = (int, float) if name == "turn" else (int,) if name in _NAMES else ()
            if isinstance(value, kinds) and not isinstance(value, bool):
                fields[name] = str(value)
        yield number, fields if all(_has_type(name, value) for name, value in fields.items()) else None


def _has_type(name: str, value: Any) -> bool:
    """Return whether a value is a text or null; ratings and references are checked when they are read."""
    return value is None or isinstance(value, str) or name in {"references", "ratings"} or clip_ratings.is_rating_column(name)


def _check_columns(names: list[str], where: str, extra: tuple[str, ...] = ()) -> None:
    for name in names:
        if name not in (*_COLUMNS, *extra) and not clip_ratings.is_rating_column(name):
            raise unknown(name, (*_COLUMNS, *extra, *_RATING_COLUMNS), where)


def _references(value: Any) -> tuple[str, ...] | None:
    """Return the reference answers of a row: one text, or a list of them.

    Raises:
        ValueError: it holds what is no text.
    """
    found = [value] if isinstance(value, str) else value or ()
    if not isinstance(found, list | tuple) or not all(isinstance(text, str) for text in found):
        raise ValueError("references: neither a text nor a list of texts")
    if isinstance(value, list) and not all(map(keyed, found)):
        raise ValueError("references: one of them is empty")
    return tuple(text.strip() for text in found if keyed(text)) or None


PLUGIN = Manifest
