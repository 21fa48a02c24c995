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
from corpora.reader import Root, Utterance, batches, decode, lines

_LINE: Final = re.compile(r"<s>(?P<text>.*)</s> \((?P<id>[^()]+)\)")


@dataclass(frozen=True, kw_only=True)
class PocketsphinxLibrivox:
    """Reader of the LibriVox clips.

    Attributes:
        name: name of the corpus in the recipe.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
    """

    DEFAULT_ROOT: ClassVar[str | None] = "/usr/share/pocketsphinx/test/data/librivox"
    SPEAKER: ClassVar[str] = "sense_and_sensibility_reader"

    name: str = "pocketsphinx_librivox"
    language: Language = "en"
    license: Licence = "BSD-2-Clause"
    style: str = "regular"
    attribution: str = "LibriVox reading of Sense and Sensibility, from the test data of CMU PocketSphinx"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips in the order of the transcription (see ``corpora.reader.Corpus``)."""
        return batches(self.name, self._utterances(Root(self.name, root)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        try:
            text = decode(root.read("transcription"), f"{root.url}/transcription")
        except FileNotFoundError:
            raise SetupError(f"{root.url}/transcription is missing: apt-get install pocketsphinx-testdata") from None
        sizes = {name: size for name, size in root.files().items() if name.endswith(".wav")}
        headers, spoken = root.headers(sizes), set()
        for number, line in enumerate(lines(text), start=1):
            match, ref = _LINE.fullmatch(line.strip()), f"transcription:{number}"
            if match is None:
                yield self._row(ref, source_ref=ref, problem="malformed_row")
                continue
            row, name = self._row(match["id"], source_ref=ref, text=match["text"]), f"{match['id']}.wav"
            spoken.add(name)
            if name in headers:
                row.audio_path, row.duration_s, row.problem = name, headers[name].duration_s, headers[name].problem
            else:
                row.problem = "missing_audio"
            yield row
        for name in sorted(set(sizes) - spoken):
            row = self._row(name.removesuffix(".wav"))
            row.audio_path, row.duration_s = name, headers[name].duration_s
            yield row

    def _row(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id,
            speaker_id=self.SPEAKER,
            language=self.language,
            license=self.license,
            style=self.style,
            **found,
        )


PLUGIN = PocketsphinxLibrivox
