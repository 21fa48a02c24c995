"""KeSpeech: Mandarin and eight of its subdialects, read by people of 34 cities (Tang et al., NeurIPS Datasets 2021).

Layout below the root, in Kaldi's form::

    Tasks/ASR/<part>/wav.scp             id and audio path, relative to the root
    Tasks/ASR/<part>/text                id and transcript; <SPOKEN_NOISE> stands for a noise of the speaker
    Tasks/ASR/<part>/utt2spk             id and speaker
    Tasks/ASR/<part>/utt2subdialect      id and subdialect

Parts are train_phase1, train_phase2, dev_phase1, dev_phase2 and test.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.corpus_files import text_of, with_audio
from corpora.links import FollowLinks
from corpora.noise_tags import NoiseTags
from corpora.reader import Category, Style, Utterance, batches, lines
from corpora.root import Root, is_outside

PARTS: Final = ("train_phase1", "train_phase2", "dev_phase1", "dev_phase2", "test")
_FOLDER: Final = "Tasks/ASR"
_NOISE: Final = ("<SPOKEN_NOISE>",)


@dataclass(frozen=True, kw_only=True)
class KeSpeech:
    """Reader of KeSpeech: the condition is the subdialect, the split the part.

    Attributes:
        name: name of the corpus in the recipe.
        parts: which parts to read; empty = all that are there.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row; the corpus is given out for non-commercial research.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "kespeech"
    parts: Sequence[str] = ()
    language: Language = "zh"
    license: Licence = "LicenseRef-KeSpeech"
    style: Style = "expressive"
    category: Category = "accented"
    attribution: str = "KeSpeech (Tang et al. 2021)"
    follow_links: FollowLinks = "inside"

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.parts) - set(PARTS)):
            raise ValueError(f"parts: KeSpeech has no {unknown[0]!r}: it has {', '.join(PARTS)}")

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the recordings by part, in the order of its transcripts (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, with_audio(opened, self._utterances(opened)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        present = root.folders(_FOLDER)
        wanted = [part for part in PARTS if part in (self.parts or present)]
        if missing := sorted(set(wanted) - set(present)):
            raise DataError(f"corpus {self.name!r}: {root.url}/{_FOLDER} has no part {missing[0]}: correct root or parts")
        if not wanted:
            raise DataError(f"corpus {self.name!r}: {root.url} has no {_FOLDER} with {', '.join(PARTS)}: correct root")
        for part in wanted:
            yield from self._part(root, part)

    def _part(self, root: Root, part: str) -> Iterator[Utterance]:
        folder, tags = f"{_FOLDER}/{part}", NoiseTags(_NOISE)
        files, speakers, dialects = (_table(root, f"{folder}/{name}") for name in ("wav.scp", "utt2spk", "utt2subdialect"))
        if (said := text_of(root, f"{folder}/text")) is None:
            raise DataError(f"corpus {self.name!r}: {root.url}/{folder}/text is missing: restore it from the archive")
        spoken = set[str]()
        for number, line in enumerate(lines(said), start=1):
            if not line.strip():
                continue
            ref, (source_id, *words) = f"{folder}/text:{number}", line.split(maxsplit=1)
            row = self._row(source_id, part, source_ref=ref, audio_path=files.get(source_id))
            row.speaker_id, row.condition = speakers.get(source_id), dialects.get(source_id)
            row.text = tags.removed("".join(words), ref)
            if row.audio_path is None:
                row.problem = "missing_audio"
            spoken.add(source_id)
            yield _inside(row)
        for source_id, path in files.items():
            if source_id not in spoken:
                yield _inside(self._row(source_id, part, audio_path=path))

    def _row(self, source_id: str, part: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id,
            split=part,
            language=self.language,
            license=self.license,
            style=self.style,
            category=self.category,
            **found,
        )


def _table(root: Root, file: str) -> dict[str, str]:
    """Return id -> value of a table of Kaldi's; the first of two lines counts, and a table that is not there says nothing."""
    found = dict[str, str]()
    for line in lines(text_of(root, file) or ""):
        if len(parts := line.split(maxsplit=1)) == 2:
            found.setdefault(parts[0], parts[1].strip())
    return found


def _inside(row: Utterance) -> Utterance:
    """Refuse a path that leads out of the corpus."""
    if row.audio_path is not None and is_outside(row.audio_path):
        row.audio_path, row.problem = None, "path_outside_corpus"
    return row


PLUGIN = KeSpeech
