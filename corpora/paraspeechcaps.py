"""ParaSpeechCaps: English speech of four corpora, tagged by how it is spoken (Diwan et al. 2025, arXiv:2503.04713).

Its rows are tables (layouts: ``corpora.table_files``) of the splits train_scaled, train_base, dev and holdout, with the columns
``source, relative_audio_path, transcription, intrinsic_tags, situational_tags, speakerid, accent`` and others. They hold no
audio: ``relative_audio_path`` lies below the folder of its source, which is a folder below the root, or a link to one::

    voxceleb/voxceleb2/dev/aac/id00012/..._voxceleb.wav      as the corpus's scripts leave them
    expresso/audio_48khz/...
    ears/p001/...
    emilia/EN/EN_B00000/...
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.corpus_files import with_audio
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches
from corpora.root import Root, is_outside
from corpora.table_files import split_files, table_rows, text_field, text_list

SPLITS: Final = ("train_scaled", "train_base", "dev", "holdout")
WHISPER: Final = frozenset({"whispered", "whisper", "whispering"})
"""Situational tags of whispered speech."""

_REQUIRED: Final = ("source", "relative_audio_path", "transcription")
_OPTIONAL: Final = ("speakerid", "situational_tags", "intrinsic_tags", "accent")


@dataclass(frozen=True, kw_only=True)
class ParaSpeechCaps:
    """Reader of ParaSpeechCaps: the condition is the accent, the split the corpus's own.

    A row's category is ``whisper`` by its tag, else ``emotional`` where it has a tag of the utterance (a situational one), else
    ``accented`` where it has an accent, else ``emotional``, which the corpus as a whole is (SpeechJudge, section 3.1).

    Problems of its own: ``malformed_row`` where a row names no source or path, and ``missing_speaker``.

    Attributes:
        name: name of the corpus in the recipe.
        splits: which splits to read; empty = all that are there.
        sources: source -> folder of its audio, below the root, where it has another name than the source.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "paraspeechcaps"
    splits: Sequence[str] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    language: Language = "en"
    license: Licence = "CC-BY-NC-SA-4.0"
    style: Style = "expressive"
    attribution: str = "ParaSpeechCaps (Diwan et al. 2025), after VoxCeleb, Expresso, EARS and Emilia"
    follow_links: FollowLinks = "inside"

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.splits) - set(SPLITS)):
            raise ValueError(f"splits: ParaSpeechCaps has no {unknown[0]!r}: it has {', '.join(SPLITS)}")
        if outside := sorted(folder for folder in self.sources.values() if is_outside(folder)):
            raise ValueError(f"sources: {outside[0]!r} is no folder below the root: put a link there, and set follow_links")

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows by split, file and line (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, with_audio(opened, self._utterances(opened)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        files = split_files(root)
        wanted = [split for split in SPLITS if split in (self.splits or files)]
        if missing := [split for split in wanted if split not in files]:
            raise DataError(f"corpus {self.name!r}: {root.url} has no table of {missing[0]}: correct root or splits")
        if not wanted:
            raise DataError(f"corpus {self.name!r}: {root.url} has no table of {', '.join(SPLITS)}: correct root")
        for split in wanted:
            for file in files[split]:
                for place, fields in table_rows(root, file, _REQUIRED, _OPTIONAL):
                    yield self._utterance(place, split, fields or {})

    def _utterance(self, place: str, split: str, fields: Mapping[str, Any]) -> Utterance:
        source, path = (text_field(fields, name) or "" for name in ("source", "relative_audio_path"))
        if not (source.strip() and path.strip()):
            return self._row(place, split, source_ref=place, problem="malformed_row")
        audio = "/".join(part for part in (self.sources.get(source, source), path) if part)
        outside = is_outside(audio)
        row = self._row(
            place if is_outside(path) else f"{source}/{path}",
            split,
            source_ref=place,
            audio_path=None if outside else audio,
            text=text_field(fields, "transcription"),
            speaker_id=text_field(fields, "speakerid"),
            condition=text_field(fields, "accent"),
            problem="path_outside_corpus" if outside else None,
        )
        situational = text_list(fields, "situational_tags")
        row.category = _category(situational, row.condition)
        if tags := (*situational, *text_list(fields, "intrinsic_tags")):
            row.descriptions = (("tags", ", ".join(tags)),)
        if not (row.speaker_id or "").strip():
            row.problem = row.problem or "missing_speaker"
        return row

    def _row(self, source_id: str, split: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id, split=split, language=self.language, license=self.license, style=self.style, **found
        )


def _category(situational: Sequence[str], accent: str | None) -> Category:
    if WHISPER & {tag.strip().lower() for tag in situational}:
        return "whisper"
    return "accented" if accent and not situational else "emotional"


PLUGIN = ParaSpeechCaps
