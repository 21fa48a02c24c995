"""Interface of corpus readers, and the checks that all of them share.

A reader yields one row of ``contracts.schemas.UTTERANCES`` for everything that its corpus lists or holds. What cannot be
used stays a row whose ``problem`` says why; only a corpus that cannot be understood at all is an error. The problems:

==========================  ==========================================================================================
missing_audio               the metadata names a recording that is not there
missing_transcript          a recording (or row) without a transcript, unless the reader says that it needs none
empty_audio                 a file without a byte of audio
truncated_audio             a file shorter than its header promises (WAV, W64, AIFF, AU, CAF, NIST)
empty_text                  a transcript of white space and invisible characters only
text_too_long               more than ``LONGEST_TEXT`` characters
duplicate_id                an id that an earlier row has; the first one counts
duplicate_turn              a place in a dialogue that an earlier row has; the first one counts
undecodable_metadata        bytes that are not in the encoding of the metadata file, or half a surrogate pair
nul_character               a NUL in any field: programs take it for the end of a text
malformed_row               too few or too many fields, a quote out of place, or no flat JSON object
path_outside_corpus         an absolute path or one with ``..``
link_outside_corpus         a link to a file outside of the corpus; the reader's option ``follow_links: anywhere`` follows it
ambiguous_audio             several files whose names differ from the one in the metadata only in Unicode form or case
unknown_language            a language that ``contracts.languages`` does not know
unknown_license             a licence that is no SPDX expression
malformed_rating            a rating that is no finite number, or of nobody, or lacks its scale
duplicate_rating            two ratings of a clip by one rater on one scale, or two means
missing_rating, rating_out_of_range, malformed_name, contradicting_row, duplicate_audio
                            see ``corpora.score_lists``
malformed_reference         reference answers that are no texts
unknown_clip                ratings of a clip that the metadata do not list
poor_quality, missing_license, missing_language, unknown_style, unknown_category, malformed_turn, unknown_speaker,
missing_speaker, other_language, bracketed_note, known_bad_file, missing_bvcc_clip, foreign_clip, missing_question,
missing_reference
                            see the reader that gives them
==========================  ==========================================================================================
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Final, Literal, Protocol

import pyarrow as pa

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.languages import language_of
from contracts.licences import licence_of
from contracts.schemas import UTTERANCES
from contracts.text_forms import keyed
from contracts.text_identity import LONGEST_TEXT
from corpora.clip_ratings import ClipRating
from corpora.headers import Header
from corpora.links import FollowLinks
from corpora.root import Found

_BATCH_ROWS: Final = 1000


Style = Literal["regular", "expressive"]
"""How a text is read out."""

Category = Literal["regular", "emotional", "accented", "whisper", "game"]
"""The sort of speech of a recording (SpeechJudge, section 3.1); game = a character of a video game."""

NeedsText = Literal["required", "optional"]
"""Whether a recording without a transcript can be used."""

_NAMES: Final = ("speaker_id", "dialogue_id", "emotion", "system", "content_id", "condition", "split")


class Corpus(Protocol):
    """A source corpus: a frozen dataclass of options with one method. ``corpora/<name>.py`` holds ``PLUGIN = ClassName``.

    Attributes:
        DEFAULT_ROOT: where the corpus lies if the recipe does not say; None = it must say.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    @property
    def name(self) -> str:
        """Name of the corpus as the recipe calls it; part of every utterance id."""
        ...

    @property
    def attribution(self) -> str:
        """Who made the recordings, as the card of a release credits them."""
        ...

    @property
    def follow_links(self) -> FollowLinks:
        """Which links in the corpus are followed: an option of every reader."""
        ...

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the corpus as rows of ``UTTERANCES``, always in the same order.

        Args:
            root: folder of the corpus: a local path or any fsspec URL.

        Raises:
            DataError: the corpus or its metadata cannot be read at all, or there is nothing in it; names file, row and field.
            SetupError: the package that carries the corpus is not installed; says how to install it.
        """
        ...


@dataclass(kw_only=True)
class Utterance:
    """One recording before the shared checks. Columns as in ``UTTERANCES``.

    Names of speakers, dialogues, emotions, systems, contents, conditions and splits are one whatever blanks stand around them
    and whatever Unicode form they have. Raters are named as the corpus names them.

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
    system: str | None = None
    content_id: str | None = None
    condition: str | None = None
    split: str | None = None
    references: tuple[str, ...] | None = None
    ratings: tuple[ClipRating, ...] | None = None
    problem: str | None = None
    problem_detail: str | None = None
    question: str | None = None
    descriptions: tuple[tuple[str, str], ...] | None = None
    category: str | None = None

    def take_audio(self, file: Found, headers: Mapping[str, Header]) -> None:
        """Set path, length and problem from the recording's file; a problem of the row itself is kept."""
        self.audio_path = file.path
        header = headers.get(file.path, Header())
        self.duration_s = header.duration_s
        if self.problem is None:
            self.problem, self.problem_detail = file.problem or header.problem, file.detail


def decode(data: bytes, file: str) -> str:
    """Decode a metadata file: UTF-8 with or without byte order mark, or UTF-16 with one; several marks are one.

    Bytes that are no UTF-8, and halves of surrogate pairs in UTF-16, become lone surrogates, so that the rows they stand in,
    and only those, are marked ``undecodable_metadata`` (one corpus may mix encodings).

    Raises:
        DataError: a UTF-16 file is damaged.
    """
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        try:
            return data.decode("utf-16", errors="surrogatepass").lstrip("\ufeff")
        except UnicodeDecodeError as error:
            raise DataError(f"{file}: starts as UTF-16 but does not decode ({error}); save it as UTF-8") from error
    return data.decode("utf-8", errors="surrogateescape").lstrip("\ufeff")


def lines(text: str) -> list[str]:
    """Split at line ends only: ``str.splitlines`` also splits at characters that occur inside transcripts (U+2028, U+0085)."""
    rows = text.replace("\r\n", "\n").split("\n")
    return rows[:-1] if rows[-1] == "" else rows


def batches(corpus: str, utterances: Iterable[Utterance], text: NeedsText = "required") -> Iterator[pa.RecordBatch]:
    """Run the shared checks and assign ids: the last step of every reader.

    ``utterance_id`` is ``row_id("utterance", corpus, source_id)``. A repeated ``source_id`` keeps its row, with the problem
    ``duplicate_id`` and an id that counts its occurrence, so that keys stay unique. A repeated turn of a
    dialogue has the problem ``duplicate_turn``.

    Args:
        corpus: the corpus's name in the recipe.
        utterances: rows in a fixed order; the first problem that a reader found is kept.
        text: whether a row without a transcript has a problem; an optional one that is blank is null.

    Yields:
        Batches of at most 1000 rows of ``UTTERANCES``.

    Raises:
        DataError: there is not one row.
    """
    rows, seen = (_row(corpus, utterance, text) for utterance in utterances), dict[str, int]()
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
    if not seen:
        raise DataError(
            f"corpus {corpus!r} holds no recording and no line of metadata: correct its root, or its reader's options"
        )


def _row(corpus: str, utterance: Utterance, text: NeedsText) -> dict[str, Any]:
    row: dict[str, Any] = dict(vars(utterance))
    row["ratings"] = None if utterance.ratings is None else tuple(map(_rating, utterance.ratings))
    undecodable = nul = False
    for column, value in row.items():
        if isinstance(value, str | tuple):
            row[column] = _readable(value)
            undecodable |= row[column] != value
            nul |= _has_nul(value)
    if row["text"] is not None:
        row["text"] = row["text"].strip()
        if text == "optional" and not keyed(row["text"]):
            row["text"] = None
    found = "undecodable_metadata" if undecodable else "nul_character" if nul else _text_problem(row["text"], text)
    row["problem"] = row["problem"] or found
    for name in _NAMES:
        row[name] = (unicodedata.normalize("NFC", keyed(row[name])) or None) if row[name] else None
    language, licence = language_of(row["language"]), licence_of(row["license"])
    row["problem"] = row["problem"] or ("unknown_language" if language is None else None)
    row["problem"] = row["problem"] or ("unknown_license" if licence is None else None)
    row |= {"language": language or row["language"], "license": licence or row["license"]}
    return row | {"corpus": corpus, "utterance_id": row_id("utterance", corpus, row["source_id"])}


def _rating(rating: ClipRating) -> dict[str, Any]:
    """Return a rating as Arrow takes it. ``dataclasses.asdict`` took 40 % of the time of reading 360,000 of them."""
    return {name: getattr(rating, name) for name in ("scale", "rater", "score", "raters", "std")}


def _readable(value: Any) -> Any:
    """Return a value with all its texts readable."""
    match value:
        case str():
            return value if value.isascii() else readable(value)
        case tuple():
            return tuple(map(_readable, value))
        case dict():
            return {name: _readable(part) for name, part in value.items()}
    return value


def _has_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case tuple():
            return any(map(_has_nul, value))
        case dict():
            return any(map(_has_nul, value.values()))
    return False


def readable(value: str) -> str:
    r"""Return ``value`` with undecodable bytes as ``\xNN`` and lone surrogates as ``\uNNNN``, which Arrow can store."""
    try:
        return value.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")
    except UnicodeEncodeError:
        return value.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _text_problem(text: str | None, needed: NeedsText) -> str | None:
    if text is None:
        return "missing_transcript" if needed == "required" else None
    if not keyed(text):
        return "empty_text"
    return "text_too_long" if len(text) > LONGEST_TEXT else None
