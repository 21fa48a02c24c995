"""NISQA Corpus: English and German speech behind simulated and live transmissions (Mittag et al. 2021, arXiv:2104.09494).

Layout below the root::

    NISQA_{TRAIN_SIM,TRAIN_LIVE,VAL_SIM,VAL_LIVE,TEST_FOR,TEST_P501,TEST_LIVETALK}/
        deg/<filename_deg>                              48 kHz: what was rated
        ref/<filename_ref>                              what was sent; live recordings have none
        <part>_file.csv                                 db,con,file,con_description,filename_deg,filename_ref,source,lang,votes,
                                                        mos,noi,col,dis,loud,noi_std,col_std,dis_std,loud_std,mos_std,
                                                        filepath_deg,filepath_ref, and in some parts more

The corpus has means over raters, and no ids of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.corpus_files import is_file_name, text_of
from corpora.delimited import separated_rows
from corpora.links import FollowLinks
from corpora.reader import Style, Utterance, batches
from corpora.root import Root
from corpora.score_lists import MOS, Scale, add_mean, is_empty, rated_clips

_SCALES: Final = {
    "mos": MOS,
    "noi": Scale(name="noisiness"),
    "col": Scale(name="coloration"),
    "dis": Scale(name="discontinuity"),
    "loud": Scale(name="loudness"),
}
_REQUIRED: Final = ("con", "filename_deg", "filename_ref", "lang", "votes", *_SCALES)
_PREFIX: Final = "NISQA_"


@dataclass(frozen=True, kw_only=True)
class Nisqa:
    """Reader of the NISQA Corpus: means, numbers of votes and deviations.

    Scales: ``mos``, ``noisiness``, ``coloration``, ``discontinuity`` and ``loudness``; on each a higher score is better. Splits
    are the parts: ``train_sim``, ``train_live``, ``val_sim``, ``val_live``, ``test_for``, ``test_p501``, ``test_livetalk``.
    People speak, so there is no system; the condition is the corpus's description of it, or its number. The content of a clip
    is the reference file, so live recordings have none. Problems: see ``corpora.score_lists``.

    Attributes:
        name: name of the corpus in the recipe.
        parts: parts to read, such as ``TRAIN_SIM``; empty = all that are there.
        language: of rows that state none; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row; each source of the corpus has terms of its own.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "nisqa"
    parts: Sequence[str] = ()
    language: Language = "en"
    license: Licence = "LicenseRef-NISQA-Corpus"
    style: Style = "regular"
    attribution: str = "NISQA Corpus (Mittag et al. 2021)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips by part, in the order of its table (see ``corpora.reader.Corpus``)."""
        return batches(self.name, self._utterances(Root(self.name, root, self.follow_links)), "optional")

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        for part in self._parts(root):
            yield from rated_clips(root, self._part(root, part), [f"{part}/deg"], self._row)

    def _parts(self, root: Root) -> list[str]:
        present = [folder for folder in root.folders() if folder.startswith(_PREFIX)]
        wanted = [part if part.startswith(_PREFIX) else f"{_PREFIX}{part}" for part in self.parts]
        missing = sorted(set(wanted) - set(present))
        if missing or not present:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has no part {', '.join(missing) or 'at all'}; it holds "
                f"{', '.join(present) or 'no folder NISQA_*'}: point root at the folder that holds NISQA_TRAIN_SIM etc."
            )
        return wanted or present

    def _part(self, root: Root, part: str) -> Iterator[Utterance]:
        file = f"{part}/{part}_file.csv"
        where = f"{root.url}/{file}"
        if (text := text_of(root, file)) is None:
            raise DataError(f"corpus {self.name!r}: {where} is missing; restore it, or leave this part out by the option parts")
        for number, fields in separated_rows(text, where, lambda _names, _where: None, _REQUIRED, tabs=False):
            ref = f"{file}:{number}"
            yield self._row(ref, source_ref=ref, problem="malformed_row") if fields is None else self._clip(part, fields, ref)

    def _clip(self, part: str, fields: Mapping[str, str], ref: str) -> Utterance:
        name, reference = fields["filename_deg"], fields["filename_ref"]
        if not is_file_name(name):
            return self._row(ref, source_ref=ref, problem="malformed_name", problem_detail=f"filename_deg: {name[:80]!r}")
        path = f"{part}/deg/{name}"
        clip = self._row(path, source_ref=ref, audio_path=path)
        description = fields.get("con_description", "")
        clip.condition = fields["con"] if is_empty(description) else description
        clip.split = part.removeprefix(_PREFIX).lower()
        if is_file_name(reference):
            clip.content_id = None if is_empty(reference) else f"{part}/ref/{reference}"
        elif not is_empty(reference):
            clip.problem, clip.problem_detail = "malformed_name", f"filename_ref: {reference[:80]!r}"
        clip.language = self.language if is_empty(fields["lang"]) else fields["lang"]
        for column, scale in _SCALES.items():
            if scale is MOS or not is_empty(fields[column]):
                add_mean(clip, scale, fields[column], fields["votes"], fields.get(f"{column}_std", ""))
        return clip

    def _row(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(source_id=source_id, language=self.language, license=self.license, style=self.style, **found)


PLUGIN = Nisqa
