"""Five clips of a LibriVox reading of "Sense and Sensibility" from the Debian package ``pocketsphinx-testdata``.

Too few for a data set, enough for a second human voice in tests. LibriVox gives its readings to the public domain; the
package's copyright file puts all of its files under the two-clause BSD licence, which is what the rows state.

Layout below the root: ``transcription`` with lines ``<s> text </s> (id)``, and ``<id>.wav`` (16 kHz).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import SetupError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches, decode, lines
from corpora.root import Root

_LINE: Final = re.compile(r"<s>(?P<text>.*)</s> \((?P<id>[^()]+)\)")


@dataclass(frozen=True, kw_only=True)
class PocketsphinxLibrivox:
    """Reader of the LibriVox clips.

    Attributes:
        name: name of the corpus in the recipe.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = "/usr/share/pocketsphinx/test/data/librivox"
    SPEAKER: ClassVar[str] = "sense_and_sensibility_reader"

    name: str = "pocketsphinx_librivox"
    language: Language = "en"
    license: Licence = "BSD-2-Clause"
    style: Style = "regular"
    category: Category = "regular"
    attribution: str = "LibriVox reading of Sense and Sensibility, from the test data of CMU PocketSphinx"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips in the order of the transcription (see ``corpora.reader.Corpus``)."""
        return batches(self.name, self._utterances(Root(self.name, root, self.follow_links)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        try:
            text = decode(root.read("transcription"), f"{root.url}/transcription")
        except FileNotFoundError:
            raise SetupError(f"{root.url}/transcription is missing: apt-get install pocketsphinx-testdata") from None
        rows = [self._line(line, f"transcription:{number}") for number, line in enumerate(lines(text), start=1)]
        found = [root.find(f"{row.source_id}.wav") for row in rows]
        spoken = {file.path for file in found}
        for name in root.files():
            if name.lower().endswith(".wav") and name not in spoken:
                rows.append(self._row(name[: -len(".wav")]))
                found.append(root.find(name))
        headers = root.headers(found)
        for row, file in zip(rows, found, strict=True):
            if row.problem != "malformed_row":
                row.take_audio(file, headers)
            yield row

    def _line(self, line: str, ref: str) -> Utterance:
        match = _LINE.fullmatch(line.strip())
        if match is None:
            return self._row(ref, source_ref=ref, problem="malformed_row")
        return self._row(match["id"], source_ref=ref, text=match["text"])

    def _row(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id,
            speaker_id=self.SPEAKER,
            language=self.language,
            license=self.license,
            style=self.style,
            category=self.category,
            **found,
        )


PLUGIN = PocketsphinxLibrivox
