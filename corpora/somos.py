"""SOMOS: English sentences by 200 neural TTS systems with one vocoder, and natural (Maniati et al. 2022, arXiv:2204.03040).

Layout below the root (of version 2, with ``audios.zip`` unpacked)::

    audios/<sentence>_<system>.wav                      24 kHz: novel_2007_0098_015.wav
    training_files/split1/{clean,full}/                 clean = pages of the test that passed all four checks
        {TRAINSET,VALIDSET,TESTSET}                     a line per rating: systemId,utteranceId,choice,listenerId
                                                        015,novel_2007_0098_015.wav,4,KEXM49572020611127
        {train,valid,test}_mos_list.txt                 a line per clip: utteranceId,mean

``utteranceId`` is ``<sentence>_<system>``, in some files with ``.wav`` and in others without. System 000 is natural speech.
Transcripts are no part of the corpus: a script in it gathers them from the Blizzard Challenges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.corpus_files import is_file_name, text_of
from corpora.links import FollowLinks
from corpora.reader import Style, Utterance, batches, lines
from corpora.root import Root
from corpora.score_lists import MOS, ScoreLines, comma_lines, rated_clips, stated_once

_SETS: Final = {
    "train": ("TRAINSET", "train_mos_list.txt"),
    "valid": ("VALIDSET", "valid_mos_list.txt"),
    "test": ("TESTSET", "test_mos_list.txt"),
}
_RATINGS: Final = ["systemId", "utteranceId", "choice", "listenerId"]
_NATURAL: Final = "000"


@dataclass(frozen=True, kw_only=True)
class Somos:
    """Reader of SOMOS: ratings of naturalness per listener on the scale ``mos``.

    A clip that only the list of means names has its mean. Splits are ``train``, ``valid`` and ``test``, contents the sentences.
    Natural speech has no system. Problems: see ``corpora.score_lists``.

    Attributes:
        name: name of the corpus in the recipe.
        version: ``clean`` has only ratings that passed the corpus's checks of listeners, ``full`` all.
        transcripts: file below the root with a clip's id, a tab and its text per line, such as ``all_transcripts.txt``.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "somos"
    version: Literal["clean", "full"] = "clean"
    transcripts: str | None = None
    language: Language = "en"
    license: Licence = "CC-BY-NC-SA-4.0"
    style: Style = "regular"
    attribution: str = "SOMOS (Maniati et al. 2022), voice of LJ Speech"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips by split, in the order of its lists (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        folders = ["audios"] if self.version == "full" else []  # clips without a clean rating are no part of clean
        return batches(self.name, rated_clips(opened, self._utterances(opened), folders, self._row), "optional")

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        folder = f"training_files/split1/{self.version}"
        if not set(root.files(folder)) & {name for names in _SETS.values() for name in names}:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has neither TRAINSET, VALIDSET and TESTSET nor lists of means in {folder}; "
                "point root at the folder that holds audios and training_files"
            )
        texts = self._texts(root)
        for split, (ratings, means) in _SETS.items():
            clips = ScoreLines(self._row)
            self._take_ratings(root, f"{folder}/{ratings}", clips, split, texts)
            self._take_means(root, f"{folder}/{means}", clips, split, texts)
            yield from clips.rows()

    def _take_ratings(self, root: Root, file: str, clips: ScoreLines, split: str, texts: Mapping[str, str]) -> None:
        for ref, (system, utterance, score, listener) in _rows(root, file, _RATINGS, clips):
            stem = utterance.removesuffix(".wav")
            if not _is_name(stem, system):
                clips.drop(ref, "malformed_name", f"{utterance[:80]!r} of system {system[:80]!r} is no <sentence>_<system>")
            elif not listener:
                clips.drop(ref, "malformed_rating", "no listenerId")
            else:
                if clips.clip(stem) is None:
                    clips.add(self._clip(stem, ref, split, texts))
                clips.rate(stem, ref, MOS, score, listener)

    def _take_means(self, root: Root, file: str, clips: ScoreLines, split: str, texts: Mapping[str, str]) -> None:
        for ref, (utterance, mean) in _rows(root, file, ["utteranceId", "mean"], clips):
            stem = utterance.removesuffix(".wav")
            if not _is_name(stem, stem.rpartition("_")[2]):
                clips.drop(ref, "malformed_name", f"{utterance[:80]!r} is no <sentence>_<system>")
            else:
                clips.take_mean(self._clip(stem, ref, split, texts), MOS, mean)

    def _clip(self, stem: str, ref: str, split: str, texts: Mapping[str, str]) -> Utterance:
        clip = self._row(stem, source_ref=ref, audio_path=f"audios/{stem}.wav")
        sentence, _, system = stem.rpartition("_")
        clip.system = None if system == _NATURAL else system
        clip.content_id, clip.split, clip.text = sentence, split, texts.get(stem)
        return clip

    def _texts(self, root: Root) -> Mapping[str, str]:
        if self.transcripts is None:
            return {}
        where = f"{root.url}/{self.transcripts}"
        if (text := text_of(root, self.transcripts)) is None:
            raise DataError(f"{where} is missing; correct the option transcripts, or leave it out")
        found = list[tuple[int, str, str]]()
        for number, line in enumerate(lines(text), start=1):
            utterance, tab, spoken = line.partition("\t")
            if tab:
                found.append((number, utterance, spoken))
            elif line.strip():
                raise DataError(f"{where}, row {number}: wants an id, a tab and a text, found {line[:60]!r}")
        return stated_once(found, where, "text")

    def _row(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(source_id=source_id, language=self.language, license=self.license, style=self.style, **found)


def _is_name(stem: str, system: str) -> bool:
    """Tell whether a name is ``<sentence>_<system>`` with this system, which is three digits."""
    sentence, _, suffix = stem.rpartition("_")
    is_system = len(system) == 3 and system.isascii() and system.isdigit()
    return is_system and suffix == system and bool(sentence) and is_file_name(stem)


def _rows(root: Root, file: str, header: list[str], clips: ScoreLines) -> Iterator[tuple[str, list[str]]]:
    """Yield place and fields of each row below a header; none where there is no such file.

    Raises:
        DataError: it has another header.
    """
    rows = comma_lines(text_of(root, file) or "")
    for number, fields in rows:
        ref = f"{file}:{number}"
        if number == 1:
            if fields != header:
                raise DataError(f"{root.url}/{file}, header: wants {','.join(header)}, found {','.join(fields)[:80]!r}")
        elif len(fields) != len(header):
            clips.drop(ref, "malformed_row", f"{len(fields)} fields, not {', '.join(header)}")
        else:
            yield ref, fields


PLUGIN = Somos
