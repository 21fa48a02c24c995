"""The English telephone prompts of Asterisk, spoken by Allison Smith: real human speech that a Debian package carries.

Packages ``asterisk-core-sounds-en`` (transcripts) and ``asterisk-core-sounds-en-g722`` (568 recordings, G.722 at 64 kbit/s,
16 kHz). Copyright 2003-2010 Allison Smith, CC-BY-SA-3.0 (the package's copyright file). Layout below the root ``/usr/share``::

    doc/asterisk-core-sounds-en/core-sounds-en.txt.gz     name: text;  lines with ; are comments
    asterisk/sounds/en_US_f_Allison/<name>.g722           raw G.722; a name may hold one folder: letters/at
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError, SetupError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.headers import Header
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches, decode, lines
from corpora.root import Root

_TRANSCRIPTS: Final = "doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
_RECORDINGS: Final = "asterisk/sounds/en_US_f_Allison"
_BYTES_PER_SECOND: Final = 8000  # ITU-T G.722 at 64 kbit/s, no header

_INSTALL_RECORDINGS: Final = "apt-get install asterisk-core-sounds-en asterisk-core-sounds-en-g722"
_INSTALL_TRANSCRIPTS: Final = (
    'apt-get install --reinstall -o Dpkg::Options::="--path-include=/usr/share/doc/asterisk-core-sounds-en*/*" '
    "asterisk-core-sounds-en"
)


@dataclass(frozen=True, kw_only=True)
class AsteriskPrompts:
    """Reader of the Asterisk prompts.

    Problem of its own: ``bracketed_note`` where the text describes a sound (``[ascending tones]``, ``(1 second of silence)``)
    or how to read it (``at [@]``).

    Attributes:
        name: name of the corpus in the recipe.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = "/usr/share"
    SPEAKER: ClassVar[str] = "allison_smith"

    name: str = "asterisk_prompts"
    language: Language = "en"
    license: Licence = "CC-BY-SA-3.0"
    style: Style = "regular"
    category: Category = "regular"
    attribution: str = "Asterisk core sounds, recorded by Allison Smith (theivrvoice.com)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield all prompts, sorted by name (see ``corpora.reader.Corpus``)."""
        return batches(self.name, self.utterances(Root(self.name, root, self.follow_links)))

    def utterances(self, root: Root) -> Iterator[Utterance]:
        """Yield the rows before the checks that all readers share."""
        recordings = _recordings(root)
        rows = list(self._transcripts(root))
        known = {row.source_id for row in rows}
        rows += [self._row(source_id) for source_id in recordings if source_id not in known]
        for row in sorted(rows, key=lambda row: row.source_id):
            if row.problem != "malformed_row":
                file = root.find(f"{_RECORDINGS}/{row.source_id}.g722")
                header = Header(duration_s=file.size / _BYTES_PER_SECOND, problem=None if file.size else "empty_audio")
                row.take_audio(file, {} if file.problem else {file.path: header})
            yield row

    def _transcripts(self, root: Root) -> Iterator[Utterance]:
        file = f"{root.url}/{_TRANSCRIPTS}"
        try:
            text = decode(gzip.decompress(root.read(_TRANSCRIPTS)), file)
        except FileNotFoundError:
            raise SetupError(
                f"{file} is missing: {_INSTALL_RECORDINGS}; on minimal Debian images, which leave out /usr/share/doc: "
                f"{_INSTALL_TRANSCRIPTS}"
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{file}: no readable gzip file ({error}); restore it with: {_INSTALL_TRANSCRIPTS}") from error
        for number, line in enumerate(lines(text), start=1):
            if not line.strip() or line.startswith(";"):
                continue
            ref = f"{_TRANSCRIPTS}:{number}"
            source_id, colon, spoken = line.partition(":")
            if not colon:
                yield self._row(ref, source_ref=ref, problem="malformed_row")
            else:
                note = any(bracket in spoken for bracket in "[(")
                yield self._row(source_id.strip(), source_ref=ref, text=spoken, problem="bracketed_note" if note else None)

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


def _recordings(root: Root) -> list[str]:
    """Return the names of all recordings.

    Raises:
        SetupError: there are none.
    """
    folders = ["", *(f"{name}/" for name in root.folders(_RECORDINGS))]
    found = [folder + name for folder in folders for name in root.files(f"{_RECORDINGS}/{folder}".rstrip("/"))]
    found = [name.removesuffix(".g722") for name in found if name.endswith(".g722")]
    if not found:
        raise SetupError(f"{root.url}/{_RECORDINGS} holds no recordings: {_INSTALL_RECORDINGS}")
    return found


PLUGIN = AsteriskPrompts
