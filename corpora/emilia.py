"""Emilia: speech of the web in six languages, cut and transcribed by machine (He et al. 2024, arXiv:2407.05361).

Layout below the root, as the archives unpack::

    [raw/]<LANGUAGE>/<batch>.jsonl     EN/EN_B00000.jsonl: {id, wav, text, duration, speaker, language, dnsmos, ...} a line
    [raw/]<LANGUAGE>/<wav>             paths of a line are relative to the folder of its language

Transcripts are Whisper's and begin with a blank. Some recordings of a line are missing, and some speakers are wrong.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import pyarrow as pa
from pydantic import Field

from contracts.errors import DataError
from contracts.licences import Licence
from corpora.corpus_files import text_of, with_audio
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches, lines
from corpora.root import Root, is_outside

LANGUAGES: Final = ("de", "en", "fr", "ja", "ko", "zh")
_RAW: Final = "raw"


@dataclass(frozen=True, kw_only=True)
class Emilia:
    """Reader of Emilia and Emilia-Large.

    Problems of its own: ``malformed_row`` where a line is no object with an id, and ``poor_quality`` below ``min_dnsmos``.

    Attributes:
        name: name of the corpus in the recipe.
        languages: which of its languages to read.
        min_dnsmos: lowest DNSMOS (P.835 overall, as the corpus states it) of a usable recording; None = any.
        license: SPDX expression of every row.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "emilia"
    languages: Sequence[str] = ("en", "zh")
    min_dnsmos: Annotated[float, Field(ge=1, le=5)] | None = None
    license: Licence = "CC-BY-NC-4.0"
    style: Style = "regular"
    category: Category = "regular"
    attribution: str = "Emilia (He et al. 2024)"
    follow_links: FollowLinks = "inside"

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.languages) - set(LANGUAGES)):
            raise ValueError(f"languages: Emilia has no {unknown[0]!r}: it has {', '.join(LANGUAGES)}")

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the lines by language, batch and line (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, with_audio(opened, self._utterances(opened)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        outer = f"{_RAW}/" if _RAW in root.folders() else ""
        present = root.folders(outer.rstrip("/"))
        folders = [language.upper() for language in sorted(self.languages) if language.upper() in present]
        if not folders:
            wanted = ", ".join(language.upper() for language in sorted(self.languages))
            raise DataError(f"corpus {self.name!r}: {root.url} has none of the folders {wanted}: correct root or languages")
        for folder in (f"{outer}{name}" for name in folders):
            for name in root.files(folder):
                if name.endswith(".jsonl"):
                    yield from self._batch(root, folder, name)

    def _batch(self, root: Root, folder: str, name: str) -> Iterator[Utterance]:
        file = f"{folder}/{name}"
        for number, line in enumerate(lines(text_of(root, file) or ""), start=1):
            if line.strip():
                yield self._utterance(f"{file}:{number}", folder, _fields(line))

    def _utterance(self, ref: str, folder: str, fields: dict[str, Any] | None) -> Utterance:
        language = folder.rpartition("/")[2].lower()
        if fields is None:
            return self._row(ref, language, source_ref=ref, problem="malformed_row")
        row = self._row(fields["id"], language, source_ref=ref, text=fields["text"])
        if is_outside(fields["wav"]):
            row.problem = "path_outside_corpus"
        else:
            row.audio_path = f"{folder}/{fields['wav']}"
        row.speaker_id = fields.get("speaker") if isinstance(fields.get("speaker"), str) else None
        if row.problem is None and fields.get("language") not in {None, language}:
            row.problem, row.problem_detail = (
                "contradicting_row",
                f"lies in {language}, its line says {fields['language']!r:.20}",
            )
        measured = fields.get("dnsmos")
        if self.min_dnsmos is not None and not (isinstance(measured, int | float) and measured >= self.min_dnsmos):
            row.problem, row.problem_detail = row.problem or "poor_quality", f"DNSMOS {measured!r:.20}"
        return row

    def _row(self, source_id: str, language: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id, language=language, license=self.license, style=self.style, category=self.category, **found
        )


def _fields(line: str) -> dict[str, Any] | None:
    """Return the fields of a line; None if it is no object with an id, a file and a text."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not all(isinstance(fields.get(name), str) for name in ("id", "wav", "text")):
        return None
    return fields if fields["id"].strip() and fields["wav"].strip() else None


PLUGIN = Emilia
