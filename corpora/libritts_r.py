"""LibriTTS-R: restored LibriTTS, read English with original and normalised text (Koizumi et al., 2023, arXiv:2305.18802).

Layout below the root (the folder that the archives unpack into)::

    SPEAKERS.txt                                   id | sex | subset | minutes | name;  lines with ; are comments
    <part>/<speaker>/<chapter>/
        <speaker>_<chapter>_<paragraph>_<sentence>.wav      24 kHz
        <speaker>_<chapter>.trans.tsv              id, original text, normalised text; tab separated, no header
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches, decode, lines
from corpora.root import Root

_KNOWN_BAD: Final = frozenset({"1092_134562_000013_000004"})
"""Recordings that are known to be broken in the published archive."""


@dataclass(frozen=True, kw_only=True)
class LibriTTSR:
    """Reader of LibriTTS-R.

    Problems of its own: ``known_bad_file``; ``unknown_speaker`` where ``SPEAKERS.txt`` is there but does not list a speaker.

    Attributes:
        name: name of the corpus in the recipe.
        parts: folders to read, such as ``train-clean-100`` and ``dev-clean``; empty = all that are there.
        text: which transcript is the text.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "libritts_r"
    parts: Sequence[str] = ()
    text: Literal["normalized", "original"] = "normalized"
    language: Language = "en"
    license: Licence = "CC-BY-4.0"
    style: Style = "regular"
    category: Category = "regular"
    attribution: str = "LibriTTS-R (Koizumi et al. 2023), after LibriVox readers"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield all utterances in the order part, speaker, chapter, id (see ``corpora.reader.Corpus``)."""
        return batches(self.name, self._utterances(Root(self.name, root, self.follow_links)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        speakers = _speakers(root)
        for part in self._parts(root):
            for speaker in root.folders(part):
                for chapter in root.folders(f"{part}/{speaker}"):
                    for utterance in self._chapter(root, f"{part}/{speaker}/{chapter}", speaker):
                        if speakers is not None and speaker not in speakers:
                            utterance.problem = utterance.problem or "unknown_speaker"
                        yield utterance

    def _parts(self, root: Root) -> list[str]:
        present = [part for part in root.folders() if not part.startswith(".")]
        missing = sorted(set(self.parts) - set(present))
        if missing or not present:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has no part {', '.join(missing) or 'at all'}; "
                f"it holds {', '.join(present) or 'no folders'}: point root at the folder that holds train-clean-100 etc."
            )
        return sorted(self.parts) if self.parts else present

    def _chapter(self, root: Root, folder: str, speaker: str) -> Iterator[Utterance]:
        names = root.files(folder)
        transcripts = [f"{folder}/{name}" for name in names if name.endswith(".trans.tsv")]
        rows = [row for file in transcripts for row in self._transcripts(root, file, speaker)]
        found = [root.find(f"{folder}/{row.source_id}.wav") for row in rows]
        spoken = {file.path for file in found}
        for name in names:
            path = f"{folder}/{name}"
            if name.lower().endswith(".wav") and path not in spoken:
                rows.append(self._row(name[: -len(".wav")], speaker))
                found.append(root.find(path))
        headers = root.headers(found)
        for row, file in zip(rows, found, strict=True):
            if row.problem != "malformed_row":
                row.take_audio(file, headers)
            if row.source_id in _KNOWN_BAD:
                row.problem = "known_bad_file"
        yield from sorted(rows, key=lambda row: row.source_id)

    def _transcripts(self, root: Root, file: str, speaker: str) -> Iterator[Utterance]:
        for number, line in enumerate(lines(decode(root.read(file), file)), start=1):
            fields, ref = line.split("\t"), f"{file}:{number}"
            if len(fields) == 3:
                yield self._row(fields[0], speaker, source_ref=ref, text=fields[2 if self.text == "normalized" else 1])
            elif line.strip():
                yield self._row(ref, speaker, source_ref=ref, problem="malformed_row")

    def _row(self, source_id: str, speaker: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id,
            speaker_id=speaker,
            language=self.language,
            license=self.license,
            style=self.style,
            category=self.category,
            **found,
        )


def _speakers(root: Root) -> set[str] | None:
    """Return the speakers that ``SPEAKERS.txt`` lists; None where there is no such file (partial downloads lack it)."""
    try:
        text = decode(root.read("SPEAKERS.txt"), "SPEAKERS.txt")
    except FileNotFoundError:
        return None
    found = set()
    for number, line in enumerate(lines(text), start=1):
        if line.strip() and not line.startswith(";"):
            fields = [field.strip() for field in line.split("|")]
            if len(fields) < 5 or not fields[0]:
                raise DataError(
                    f"{root.url}/SPEAKERS.txt, row {number}, field id: "
                    f"wants id | sex | subset | minutes | name, got {line[:60]!r}; "
                    "restore the file from the archive, or remove it to read the corpus without this check"
                )
            found.add(fields[0])
    return found


PLUGIN = LibriTTSR
