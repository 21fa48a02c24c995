"""QualiSpeech: English clips with scores of seven aspects and descriptions in words (Wang et al. 2025, arXiv:2503.20290).

Layout below the root::

    {train,val,test}.csv            id,Speed,Naturalness,Background noise,Distortion,Listening effort,Continuity,
                                    Overall quality,Feeling of voice,Noise Description,Distortion description,
                                    Unnatural pause,Natural language description
    wav/{train,val,test}/<id>       sys01tts-0000000.wav

3617, 789 and 718 of the clips are BVCC's, which the corpus does not bring along: its users merge them in by its script.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import UNSTATED, Licence
from contracts.text_forms import keyed
from corpora.corpus_files import is_file_name, text_of
from corpora.delimited import separated_rows
from corpora.links import FollowLinks
from corpora.reader import Style, Utterance, batches
from corpora.root import Root
from corpora.score_lists import Scale, add_mean, is_empty, rated_clips

_SPLITS: Final = ("train", "val", "test")
_SCALES: Final = {
    name: Scale(name=name.lower().replace(" ", "_"))
    for name in ("Speed", "Naturalness", "Background noise", "Distortion", "Listening effort", "Continuity", "Overall quality")
}
_PARAGRAPH: Final = "natural language desc"
"""How the last column's name begins; copies have it cut off."""

_DESCRIPTIONS: Final = {
    "noise description": "noise_description",
    "distortion description": "distortion_description",
    "unnatural pause": "unnatural_pause",
    "feeling of voice": "feeling_of_voice",
    _PARAGRAPH: "natural_language_description",
}
"""How a column's name begins, in lower case -> name of the description."""

_OF_BVCC: Final = re.compile(r"sys[0-9a-f]{5}-utt[0-9a-f]{7}\.wav")


@dataclass(frozen=True, kw_only=True)
class QualiSpeech:
    """Reader of QualiSpeech: one score per clip and aspect, and what is said of it in words.

    Scales, each from 1 to 5: ``speed``, ``naturalness``, ``background_noise``, ``distortion``, ``listening_effort``,
    ``continuity`` and ``overall_quality``. Splits are ``train``, ``val`` and ``test``. The system is what stands before the
    hyphen of an id. Descriptions: ``noise_description``, ``distortion_description``, ``unnatural_pause``, ``feeling_of_voice``
    and ``natural_language_description``, which is the reference answer, too; a field that is empty or says ``None`` is left
    out. Problems of its own: ``missing_bvcc_clip`` where BVCC's clips were not merged in, ``missing_reference`` for a row
    without the paragraph. Others: see ``corpora.score_lists``.

    Attributes:
        name: name of the corpus in the recipe.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "qualispeech"
    language: Language = "en"
    license: Licence | None = None
    style: Style = "regular"
    attribution: str = "QualiSpeech (Wang et al. 2025), with clips of BVCC"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips by split, in the order of its table (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        folders = [f"wav/{split}" for split in _SPLITS]
        rows = rated_clips(opened, self._utterances(opened), folders, self._row)
        return batches(self.name, map(_explained, rows), "optional")

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        tables = {split: text_of(root, f"{split}.csv") for split in _SPLITS}
        if all(text is None for text in tables.values()):
            raise DataError(
                f"corpus {self.name!r}: {root.url} has none of train.csv, val.csv and test.csv; "
                "point root at the folder that holds them and wav"
            )
        for split, text in tables.items():
            if text is not None:
                yield from self._table(root, split, text)

    def _table(self, root: Root, split: str, text: str) -> Iterator[Utterance]:
        file = f"{split}.csv"
        for number, fields in separated_rows(text, f"{root.url}/{file}", _check_columns, ("id", *_SCALES), tabs=False):
            ref = f"{file}:{number}"
            if fields is None:
                yield self._row(ref, source_ref=ref, problem="malformed_row")
            else:
                yield self._clip(split, fields, ref)

    def _clip(self, split: str, fields: Mapping[str, str], ref: str) -> Utterance:
        stem = fields["id"].strip().removesuffix(".wav")
        system, hyphen, _ = stem.partition("-")
        if not is_file_name(stem) or not hyphen or not system:
            detail = f"{fields['id'][:80]!r} is no <system>-<clip>.wav"
            return self._row(ref, source_ref=ref, problem="malformed_name", problem_detail=detail)
        clip = self._row(stem, source_ref=ref, audio_path=f"wav/{split}/{stem}.wav")
        clip.system, clip.split = system, split
        for column, scale in _SCALES.items():
            add_mean(clip, scale, fields[column])
        clip.descriptions = tuple(_described(fields))
        if paragraph := dict(clip.descriptions).get(_DESCRIPTIONS[_PARAGRAPH]):
            clip.references = (paragraph,)
        elif clip.problem is None:
            clip.problem, clip.problem_detail = "missing_reference", "no natural language description"
        return clip

    def _row(self, source_id: str, **found: Any) -> Utterance:
        licence = self.license or UNSTATED
        return Utterance(source_id=source_id, language=self.language, license=licence, style=self.style, **found)


def _described(fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the descriptions of a row that say something, by name."""
    for begin, name in _DESCRIPTIONS.items():
        (text,) = (value for column, value in fields.items() if column.lower().startswith(begin))
        if keyed(text) and not is_empty(text):
            yield name, text.strip()


def _check_columns(names: list[str], where: str) -> None:
    for begin in _DESCRIPTIONS:
        if sum(name.lower().startswith(begin) for name in names) != 1:
            raise DataError(f"{where}: wants one column whose name begins with {begin!r}, it has {names}")


def _explained(row: Utterance) -> Utterance:
    """Say of a missing clip of BVCC where it comes from."""
    name = (row.audio_path or "").rpartition("/")[2]
    if row.problem == "missing_audio" and _OF_BVCC.fullmatch(name):
        row.problem = "missing_bvcc_clip"
        row.problem_detail = f"{name} is BVCC's and must be merged in: copy it from BVCC's DATA/wav to {row.audio_path}"
    return row


PLUGIN = QualiSpeech
