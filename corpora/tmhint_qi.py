"""TMHINT-QI: Mandarin sentences in noise and behind speech enhancement (Chen and Tsao 2021, arXiv:2111.02585).

Layout below the root::

    train/<file_name>.wav, test/<file_name>.wav         16 kHz, 32-bit float
    raw_data.csv                                        a line per rating: idx,method,uttr,snr,noise,quality_score,
                                                        intelligibility_score,file_name

A line does not say who rated. A few lines have no quality score, and in some it is 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import UNSTATED, Licence
from corpora.corpus_files import is_file_name, text_of
from corpora.delimited import separated_rows
from corpora.links import FollowLinks
from corpora.reader import Style, Utterance, batches
from corpora.root import Root
from corpora.score_lists import MOS, Scale, ScoreLines, is_empty, rated_clips
from corpora.tmhint_names import speaker_and_content

_FILE: Final = "raw_data.csv"
_SCALES: Final = {"quality_score": MOS, "intelligibility_score": Scale(name="intelligibility", lowest=0, highest=10)}
_FACTS: Final = ("method", "uttr", "snr", "noise")
_REQUIRED: Final = (*_FACTS, *_SCALES, "file_name")
_SPLITS: Final = ("train", "test")
_UNPROCESSED: Final = frozenset({"clean", "noisy"})


@dataclass(frozen=True, kw_only=True)
class TmhintQi:
    """Reader of TMHINT-QI: the mean over a clip's lines, with their number, for the corpus does not name its raters.

    Scales: ``mos`` (``quality_score``, 1 to 5) and ``intelligibility`` (``intelligibility_score``, 0 to 10, how many of the ten
    characters were understood). Splits are the folders ``train`` and ``test``. The system is the method of enhancement; clean
    and noisy recordings are a person's and have none. The content is the sentence. A line without a usable score, or that says
    something else of a clip than its first line, is a row of its own with its problem. Other problems: see
    ``corpora.score_lists``.

    Attributes:
        name: name of the corpus in the recipe.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "tmhint_qi"
    language: Language = "zh"
    license: Licence | None = None
    style: Style = "regular"
    attribution: str = "TMHINT-QI (Chen and Tsao 2021)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips in the order in which the table first names them (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, rated_clips(opened, self._utterances(opened), _SPLITS, self._row), "optional")

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        where = f"{root.url}/{_FILE}"
        if (text := text_of(root, _FILE)) is None:
            raise DataError(f"corpus {self.name!r}: {where} is missing; point root at the folder that holds it, train and test")
        clips, facts = ScoreLines(self._row), dict[str, tuple[str, tuple[str, ...]]]()
        for number, fields in separated_rows(text, where, lambda _names, _where: None, _REQUIRED, tabs=False):
            ref = f"{_FILE}:{number}"
            if fields is None:
                clips.drop(ref, "malformed_row")
                continue
            name = fields["file_name"].strip().removesuffix(".wav")
            if not is_file_name(name):
                clips.drop(ref, "malformed_name", f"file_name: {fields['file_name'][:80]!r}")
                continue
            said = tuple(fields[column].strip() for column in _FACTS)
            first, known = facts.setdefault(name, (ref, said))
            if said != known:
                column, value = next(
                    pair for pair in zip(_FACTS, said, strict=True) if pair not in zip(_FACTS, known, strict=True)
                )
                clips.drop(ref, "contradicting_row", f"{name}: {column} is {value[:60]!r}, and another one in {first}")
                continue
            if first == ref:
                clips.add(self._clip(root, name, fields, ref))
            for column, scale in _SCALES.items():
                if scale is MOS or not is_empty(fields[column]):
                    clips.rate(name, ref, scale, fields[column])
        yield from clips.rows()

    def _clip(self, root: Root, name: str, fields: Mapping[str, str], ref: str) -> Utterance:
        folders = [split for split in _SPLITS if root.find(f"{split}/{name}.wav").problem != "missing_audio"]
        clip = self._row(name, source_ref=ref, audio_path=f"{folders[0]}/{name}.wav" if folders else None)
        if len(folders) != 1:
            clip.problem = "ambiguous_audio" if folders else "missing_audio"
            clip.problem_detail = f"{name}.wav lies in {'both train and test' if folders else 'neither train nor test'}"
        method = fields["method"].strip()
        if is_empty(method):
            clip.problem, clip.problem_detail = clip.problem or "malformed_name", "no method"
        clip.system = None if method.lower() in _UNPROCESSED else method
        clip.split = folders[0] if folders else None
        if known := speaker_and_content(fields["uttr"].strip()):
            clip.speaker_id, clip.content_id = known
        noise, snr = fields["noise"], fields["snr"]
        clip.condition = None if is_empty(noise) or is_empty(snr) else f"{noise} {snr} dB"
        return clip

    def _row(self, source_id: str, **found: Any) -> Utterance:
        licence = self.license or UNSTATED
        return Utterance(source_id=source_id, language=self.language, license=licence, style=self.style, **found)


PLUGIN = TmhintQi
