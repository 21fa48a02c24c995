"""Genshin Voice: lines of a video game's characters in four languages (simon3000/genshin-voice on the Hub, 2024).

The Hub's Parquet files hold the audio themselves, which no worker could read one by one. The reader takes what ``datasets``
calls an audio folder, to which docs/corpora.md unpacks them: a table (layouts: ``corpora.table_files``) with the columns
``file_name``, the path of the audio relative to the root, and those of the Hub, ``transcription, language, speaker,
speaker_type, type, inGameFilename``. One line in twenty has no speaker or no transcript.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import UNKNOWN
from contracts.licences import Licence
from corpora.corpus_files import with_audio
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches
from corpora.root import Root, is_outside
from corpora.table_files import split_files, table_rows, text_field

LANGUAGES: Final = {"English": "en", "Chinese": "zh", "Japanese": "ja", "Korean": "ko"}
"""Language as the corpus names it, English(US) without what is in brackets -> BCP 47 tag."""

_REQUIRED: Final = ("file_name", "transcription", "language", "speaker")
_OPTIONAL: Final = ("type", "speaker_type")


@dataclass(frozen=True, kw_only=True)
class GenshinVoice:
    """Reader of Genshin Voice: the speaker is the character in a language, the condition the type of line.

    Problems of its own: ``malformed_row`` where a row names no file, ``missing_speaker``, ``other_language`` (none of
    ``languages``), and ``bracketed_note`` for a transcript with a placeholder such as ``{NICKNAME}``, which nobody says.

    Attributes:
        name: name of the corpus in the recipe.
        languages: which of its languages to read.
        license: SPDX expression of every row; nobody has licensed the recordings.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "genshin_voice"
    languages: Sequence[Literal["en", "zh", "ja", "ko"]] = ("en", "zh")
    license: Licence = "LicenseRef-Genshin-Impact"
    style: Style = "expressive"
    category: Category = "game"
    attribution: str = "Genshin Impact (HoYoverse), collected by simon3000"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows by file and line (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, with_audio(opened, self._utterances(opened)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        found = [(split, file) for split, files in split_files(root).items() for file in files]
        if not found:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has no table such as metadata.jsonl: point root at the unpacked corpus "
                "(docs/corpora.md)"
            )
        for split, file in found:
            for place, fields in table_rows(root, file, _REQUIRED, _OPTIONAL):
                yield self._utterance(place, split, fields or {})

    def _utterance(self, place: str, split: str, fields: Mapping[str, Any]) -> Utterance:
        path = text_field(fields, "file_name") or ""
        if not path.strip():
            return self._row(place, split, UNKNOWN, source_ref=place, problem="malformed_row")
        named = (text_field(fields, "language") or "").partition("(")[0].strip()
        language, outside = LANGUAGES.get(named, UNKNOWN), is_outside(path)
        speaker, text = (text_field(fields, "speaker") or "").strip(), text_field(fields, "transcription")
        row = self._row(place if outside else path, split, language, source_ref=place, text=text)
        row.audio_path = None if outside else path
        row.speaker_id = f"{speaker} ({language})" if speaker else None  # each language has an actor of its own
        row.condition = text_field(fields, "type") or None
        for problem, holds in (
            ("path_outside_corpus", outside),
            ("other_language", language not in self.languages),
            ("missing_speaker", not speaker),
            ("bracketed_note", "{" in (text or "")),
        ):
            if holds:
                row.problem = problem
                break
        return row

    def _row(self, source_id: str, split: str, language: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id,
            split=split,
            language=language,
            license=self.license,
            style=self.style,
            category=self.category,
            **found,
        )


PLUGIN = GenshinVoice
