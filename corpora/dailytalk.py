"""DailyTalk: 2,541 dialogues of DailyDialog, spoken by a man and a woman (Lee et al. 2023, arXiv:2207.01063).

Layout below the root::

    metadata.json                                    dialogue -> turn -> {text, speaker, emotion, act, ...}; both count from 0
    data/<dialogue>/<turn>_<speaker>_d<dialogue>.wav

Keys are numbers in quotes, in the order of strings ("0", "1", "10", "11", ..., "2"). Speaker 1 is the woman.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.corpus_files import text_of, with_audio
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches
from corpora.root import Root

_METADATA: Final = "metadata.json"
_FOLDER: Final = "data"
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_CLIP: Final = re.compile(r"(?P<turn>[0-9]+)_(?P<speaker>[0-9]+)_d(?P<dialogue>[0-9]+)")
_SPEAKERS: Final = ("0", "1")
_DECODER: Final = json.JSONDecoder()
_BLANKS: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, kw_only=True)
class DailyTalk:
    """Reader of DailyTalk: turns of dialogues with emotions, ``none`` among them; act and topic are not kept.

    Problems of its own: ``malformed_turn`` where a dialogue or turn is no number, a turn no object, or a speaker neither 0
    nor 1.

    Attributes:
        name: name of the corpus in the recipe.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "dailytalk"
    language: Language = "en"
    license: Licence = "CC-BY-SA-4.0"
    style: Style = "expressive"
    category: Category = "emotional"
    attribution: str = "DailyTalk (Lee et al. 2023), after DailyDialog (Li et al. 2017)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the turns by dialogue and turn, in the order of their numbers (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, with_audio(opened, self._utterances(opened)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        if (text := text_of(root, _METADATA)) is None:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has no {_METADATA}; point root at the folder that holds it and data"
            )
        metadata = _Document(text, f"{root.url}/{_METADATA}")
        rows = [
            self._turn(metadata, dialogue, turn, start)
            for dialogue, place in metadata.members(0)
            for turn, start in metadata.members(place)
        ]
        yield from sorted(rows, key=lambda row: (-1 if row.dialogue_id is None else int(row.dialogue_id), row.turn or 0))
        listed = {row.audio_path for row in rows}
        for dialogue in sorted(root.folders(_FOLDER), key=lambda name: (len(name), name)):
            for name in root.files(f"{_FOLDER}/{dialogue}"):
                path = f"{_FOLDER}/{dialogue}/{name}"
                if name.endswith(".wav") and path not in listed:
                    yield self._row(name.removesuffix(".wav"), audio_path=path, problem=_unlisted(name, dialogue))

    def _turn(self, metadata: "_Document", dialogue: str, turn: str, start: int) -> Utterance:
        fields, line, twice = dict[str, Any](), metadata.line(start), False
        if not metadata.is_object(start):
            ref = f"{_METADATA}:{line}"
            return self._row(ref, source_ref=ref, problem="malformed_turn", problem_detail="the turn is no object")
        for key, place in metadata.members(start):
            twice |= key in fields
            fields.setdefault(key, metadata.value(place))
            line = metadata.line(place) if key == "text" else line
        ref, speaker = f"{_METADATA}:{line}", str(fields.get("speaker"))
        if twice or not (_NUMBER.fullmatch(dialogue) and _NUMBER.fullmatch(turn) and speaker in _SPEAKERS):
            detail = "a key stands twice" if twice else f"turn {turn[:20]!r} of dialogue {dialogue[:20]!r} by {speaker[:20]!r}"
            return self._row(ref, source_ref=ref, problem="malformed_turn", problem_detail=detail)
        name, words, emotion = f"{turn}_{speaker}_d{dialogue}", fields.get("text"), fields.get("emotion")
        row = self._row(name, source_ref=ref, audio_path=f"{_FOLDER}/{dialogue}/{name}.wav")
        row.dialogue_id, row.turn, row.speaker_id = dialogue, int(turn) + 1, speaker
        row.text = words if isinstance(words, str) else None
        row.emotion = emotion if isinstance(emotion, str) else None
        return row

    def _row(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id, language=self.language, license=self.license, style=self.style, category=self.category, **found
        )


def _unlisted(name: str, dialogue: str) -> str:
    """Return the problem of a recording that the metadata do not list."""
    named = _CLIP.fullmatch(name.removesuffix(".wav"))
    return "missing_transcript" if named is not None and named["dialogue"] == dialogue else "malformed_name"


class _Document:
    """A JSON file whose objects are walked with their places, so that rows name their lines and repeated keys are seen."""

    def __init__(self, text: str, where: str) -> None:
        """Take the text, and the file's name for messages.

        Raises:
            DataError: it is no JSON.
        """
        self._text, self._where = text, where
        self._ends = [found.start() for found in re.finditer("\n", text)]
        try:
            _DECODER.decode(text)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}, row {error.lineno}: {error.msg}; restore the file from the archive") from None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: {error}; restore the file from the archive") from None

    def line(self, place: int) -> int:
        """Return the number of the line, from 1, in which a place lies."""
        return bisect_left(self._ends, place) + 1

    def value(self, place: int) -> Any:
        """Return the value that begins at a place where ``members`` found one."""
        return _DECODER.raw_decode(self._text, place)[0]

    def is_object(self, place: int) -> bool:
        """Tell whether the value that begins at a place is an object."""
        return self._text[self._after_blanks(place)] == "{"

    def members(self, place: int) -> Iterator[tuple[str, int]]:
        """Yield each key of the object that begins at a place, and the place of its value.

        Raises:
            DataError: it is no object.
        """
        place = self._after_blanks(place)
        if not self.is_object(place):
            found = self._text[place : place + 20]
            raise DataError(f"{self._where}, row {self.line(place)}: wants an object, found {found!r}; restore the file")
        while self._text[place] != "}":
            start = self._after_blanks(place + 1)
            if self._text[start] == "}":
                return
            key, colon = _DECODER.raw_decode(self._text, start)
            start = self._after_blanks(self._after_blanks(colon) + 1)
            yield key, start
            place = self._after_blanks(_DECODER.raw_decode(self._text, start)[1])

    def _after_blanks(self, place: int) -> int:
        found = _BLANKS.match(self._text, place)
        return found.end() if found else place


PLUGIN = DailyTalk
