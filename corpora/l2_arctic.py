"""L2-ARCTIC: CMU ARCTIC's sentences read in English by 24 speakers of six other languages (Zhao et al., Interspeech 2018).

Layout below the root::

    <SPEAKER>/wav/arctic_a0001.wav                44.1 kHz
    <SPEAKER>/transcript/arctic_a0001.txt         one line
    suitcase_corpus/{wav,transcript}/<speaker>.*  spontaneous stories, minutes long; not read
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.corpus_files import text_of, with_audio
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches, lines
from corpora.root import Root

FIRST_LANGUAGES: Final = {
    "Arabic": ("ABA", "SKA", "YBAA", "ZHAA"),
    "Mandarin": ("BWC", "LXC", "NCC", "TXHC"),
    "Hindi": ("ASI", "RRBI", "SVBI", "TNI"),
    "Korean": ("HJK", "HKK", "YDCK", "YKWK"),
    "Spanish": ("EBVS", "ERMS", "MBMPS", "NJS"),
    "Vietnamese": ("HQTV", "PNV", "THV", "TLV"),
}
"""First language -> speakers, as the corpus's README lists them."""

_SPEAKERS: Final = {speaker: language for language, speakers in FIRST_LANGUAGES.items() for speaker in speakers}


@dataclass(frozen=True, kw_only=True)
class L2Arctic:
    """Reader of L2-ARCTIC: the condition is the speaker's first language, the content ARCTIC's number of the sentence.

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

    name: str = "l2_arctic"
    language: Language = "en"
    license: Licence = "CC-BY-NC-4.0"
    style: Style = "expressive"
    category: Category = "accented"
    attribution: str = "L2-ARCTIC (Zhao et al. 2018)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the recordings by speaker and sentence (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, with_audio(opened, self._utterances(opened)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        speakers = [folder for folder in root.folders() if folder in _SPEAKERS]
        if not speakers:
            raise DataError(f"corpus {self.name!r}: {root.url} has no folder of a speaker, such as ABA: point root at them")
        for speaker in speakers:
            recorded = _stems(root, f"{speaker}/wav", ".wav")
            written = _stems(root, f"{speaker}/transcript", ".txt")
            for stem in sorted({*recorded, *written}):
                row = self._row(f"{speaker}_{stem}", speaker, content_id=stem, audio_path=f"{speaker}/wav/{stem}.wav")
                if stem in written:
                    row.text, row.source_ref = _first_line(root, f"{speaker}/transcript/{stem}.txt")
                yield row

    def _row(self, source_id: str, speaker: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id,
            speaker_id=speaker,
            condition=_SPEAKERS[speaker],
            language=self.language,
            license=self.license,
            style=self.style,
            category=self.category,
            **found,
        )


def _stems(root: Root, folder: str, ending: str) -> set[str]:
    return {name.removesuffix(ending) for name in root.files(folder) if name.endswith(ending) and not name.startswith(".")}


def _first_line(root: Root, file: str) -> tuple[str, str]:
    """Return the first line that says something, and where it stands; an empty file says nothing in its line 1."""
    said = lines(text_of(root, file) or "")
    number = next((number for number, line in enumerate(said, start=1) if line.strip()), 1)
    return (said[number - 1] if said else ""), f"{file}:{number}"


PLUGIN = L2Arctic
