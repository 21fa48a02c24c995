"""BVCC: English TTS and voice conversion of 187 systems, main track of the VoiceMOS Challenge 2022 (Cooper and Yamagishi 2021).

Layout below the root::

    DATA/wav/sys64e2f-utt9c183cd.wav                    16 kHz; the Blizzard Challenge's clips are fetched separately
    DATA/sets/{TRAINSET,DEVSET,TESTSET}                 a line per rating, no header:
        sys64e2f,sys64e2f-utt9c183cd.wav,4,VDP1ovyrBzg8_1,{}_30-39_bZPQE7w4Zl3g_Female_Valid_1_No
    DATA/sets/{train,val,test}_mos_list.txt             a line per clip, no header: sys64e2f-utt9c183cd.wav,4.25

The last field of a rating is ``{}_AGE_LISTENER_SEX_x_x_IMPAIRED``; ``LISTENER`` is the rater. There are no transcripts, and
names do not say which clips speak one text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import Licence
from corpora.corpus_files import text_of
from corpora.links import FollowLinks
from corpora.reader import Style, Utterance, batches
from corpora.root import Root
from corpora.score_lists import MOS, ScoreLines, comma_lines, contents_of, rated_clips

_SETS: Final = {
    "train": ("TRAINSET", "train_mos_list.txt"),
    "dev": ("DEVSET", "val_mos_list.txt"),
    "test": ("TESTSET", "test_mos_list.txt"),
}
_NAME: Final = re.compile(r"((?P<system>sys[0-9a-f]{5})-utt[0-9a-f]{7})(?:\.wav)?")
_LISTENER: Final = re.compile(r"\{[^}]*\}_[^_]+_(?P<rater>.+)_[^_]*_[^_]*_[^_]*_[^_]*")


@dataclass(frozen=True, kw_only=True)
class Bvcc:
    """Reader of BVCC: ratings per listener on the scale ``mos``; the mean of a clip of which only the list of means tells.

    Splits are ``train``, ``dev`` and ``test``. Problems: see ``corpora.score_lists``.

    Attributes:
        name: name of the corpus in the recipe.
        contents: CSV file below the root with the columns ``id, content_id``: which clips speak one text.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row; the clips are under the terms of the challenges that they come from.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "bvcc"
    contents: str | None = None
    language: Language = "en"
    license: Licence = "LicenseRef-BVCC"
    style: Style = "regular"
    attribution: str = "BVCC (Cooper and Yamagishi 2021), after the Blizzard and Voice Conversion Challenges and ESPnet-TTS"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips by split, in the order of its lists (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        rows = rated_clips(opened, self._utterances(opened), ["DATA/wav"], self._row)
        return batches(self.name, rows, "optional")

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        contents = contents_of(root, self.contents)
        files = set(root.files("DATA/sets"))
        if not files & {name for names in _SETS.values() for name in names}:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has none of DATA/sets/TRAINSET, DEVSET and TESTSET and no list of means; "
                "point root at the folder that holds DATA"
            )
        for split, (ratings, means) in _SETS.items():
            clips = ScoreLines(self._row)
            self._take_ratings(root, f"DATA/sets/{ratings}", clips, split, contents)
            self._take_means(root, f"DATA/sets/{means}", clips, split, contents)
            yield from clips.rows()

    def _take_ratings(self, root: Root, file: str, clips: ScoreLines, split: str, contents: Mapping[str, str]) -> None:
        for number, fields in comma_lines(text_of(root, file) or ""):
            ref = f"{file}:{number}"
            if len(fields) != 5:
                clips.drop(ref, "malformed_row", f"{len(fields)} fields, not system, clip, rating, test and listener")
                continue
            system, clip_name, score, _, listener = fields
            named, rater = _NAME.fullmatch(clip_name), _LISTENER.fullmatch(listener)
            if named is None or named["system"] != system:
                clips.drop(ref, "malformed_name", f"{clip_name[:80]!r} of {system[:80]!r} is no sysXXXXX-uttYYYYYYY.wav")
            elif rater is None:
                clips.drop(ref, "malformed_rating", f"{listener[:80]!r} names no listener")
            else:
                if clips.clip(named[1]) is None:
                    clips.add(self._clip(named, ref, split, contents))
                clips.rate(named[1], ref, MOS, score, rater["rater"])

    def _take_means(self, root: Root, file: str, clips: ScoreLines, split: str, contents: Mapping[str, str]) -> None:
        for number, fields in comma_lines(text_of(root, file) or ""):
            ref = f"{file}:{number}"
            if len(fields) != 2:
                clips.drop(ref, "malformed_row", f"{len(fields)} fields, not clip and mean")
            elif (named := _NAME.fullmatch(fields[0])) is None:
                clips.drop(ref, "malformed_name", f"{fields[0][:80]!r} is no sysXXXXX-uttYYYYYYY.wav")
            else:
                clips.take_mean(self._clip(named, ref, split, contents), MOS, fields[1])

    def _clip(self, named: re.Match[str], ref: str, split: str, contents: Mapping[str, str]) -> Utterance:
        clip = self._row(named[1], source_ref=ref, audio_path=f"DATA/wav/{named[1]}.wav")
        clip.system, clip.split, clip.content_id = named["system"], split, contents.get(named[1])
        return clip

    def _row(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(source_id=source_id, language=self.language, license=self.license, style=self.style, **found)


PLUGIN = Bvcc
