r"""CoVoST 2: English sentences of Common Voice 4 and their translations, here into German (Wang et al. 2021, arXiv:2007.10310).

Layout below the root::

    covost_v2.en_de.{train,dev,test}.tsv                as the corpus's script get_covost_splits.py writes them:
                                                        path, sentence, translation, client_id
    clips/<path>                                        common_voice_en_18540003.mp3

The tables have no quotes, but a backslash before a tab, a quote, a backslash or a line end that belongs to a text. A text may
be ``NA`` or ``null``.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from contracts.text_forms import keyed
from corpora.corpus_files import is_file_name, text_of, with_audio
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches, lines
from corpora.root import Root

_SPLITS: Final = ("train", "dev", "test")
_COLUMNS: Final = ["path", "sentence", "translation", "client_id"]

_MOST_LINES: Final = 20
"""Lines of a row: sentences have one, and a damaged table must not be read anew for each of its lines."""


@dataclass(frozen=True, kw_only=True)
class CoVoST2:
    """Reader of CoVoST 2: the sentence is the text, its translation the reference, the client the speaker.

    Splits are ``train``, ``dev`` and ``test``. Problems of its own: ``missing_reference`` where a translation is empty,
    ``malformed_name`` where ``path`` is no name of a file.

    Attributes:
        name: name of the corpus in the recipe.
        pair: source and target language, as the names of the tables have them.
        language: of every row, the source language; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "covost2"
    pair: str = "en_de"
    language: Language = "en"
    license: Licence = "CC0-1.0"
    style: Style = "regular"
    category: Category = "regular"
    attribution: str = "CoVoST 2 (Wang et al. 2021), after Common Voice"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the rows by split, in the order of its table (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, with_audio(opened, self._utterances(opened)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        names = {split: f"covost_v2.{self.pair}.{split}.tsv" for split in _SPLITS}
        present = {split: name for split, name in names.items() if name in root.files()}
        if not present:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has none of {', '.join(names.values())}; write them with the corpus's "
                "script get_covost_splits.py, from its translations and the validated.tsv of Common Voice 4"
            )
        for split, file in present.items():
            rows = _rows(text_of(root, file) or "")
            header = next(rows, (0, []))[1]
            if header != _COLUMNS:
                raise DataError(f"{root.url}/{file}, header: wants {', '.join(_COLUMNS)}, it has {header}")
            for number, fields in rows:
                yield self._utterance(f"{file}:{number}", fields, split)

    def _utterance(self, ref: str, fields: list[str] | None, split: str) -> Utterance:
        if fields is None or len(fields) != len(_COLUMNS):
            return self._row(ref, source_ref=ref, problem="malformed_row")
        path, sentence, translation, client = fields
        if not is_file_name(path):
            return self._row(ref, source_ref=ref, problem="malformed_name", problem_detail=f"path: {path[:80]!r}")
        row = self._row(path.removesuffix(".mp3"), source_ref=ref, audio_path=f"clips/{path}")
        row.text, row.speaker_id, row.split = sentence, client or None, split
        if keyed(translation):
            row.references = (translation.strip(),)
        else:
            row.problem, row.problem_detail = "missing_reference", "no translation"
        return row

    def _row(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id, language=self.language, license=self.license, style=self.style, category=self.category, **found
        )


def _rows(text: str) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the number of a row's last line and its fields; None for a row that no reader of such tables understands.

    A line that ends with a backslash goes on in the next one if that makes a whole row. If not, the backslash is the last
    character of the line, and the next one is a row of its own.
    """
    given = lines(text)
    start = 0
    while start < len(given):
        end = start + 1
        while end < min(len(given), start + _MOST_LINES) and _goes_on(given[end - 1]):
            end += 1
        fields = _fields(given[start:end])
        is_whole = fields is not None and len(fields) == len(_COLUMNS) and not _goes_on(given[end - 1])
        if _goes_on(given[start]) and not is_whole:
            end = start + 1
            fields = _fields([f"{given[start]}\\"])
        if fields is None or any(fields):
            yield end, fields
        start = end


def _goes_on(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _fields(row: list[str]) -> list[str] | None:
    try:
        return next(csv.reader((f"{line}\n" for line in row), delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\"), [])
    except csv.Error:
        return None


PLUGIN = CoVoST2
