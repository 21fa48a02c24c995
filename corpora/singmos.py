"""SingMOS: Chinese and Japanese singing of people and of 33 systems (Tang et al. 2024, arXiv:2406.10911).

Layout below the root, as track 2 of the VoiceMOS Challenge 2024 has it::

    wav/voicemos2024-track2-sys0001-utt0001.wav         16 kHz
    sets/{train,val,eval}_mos_list.txt                  a line per clip, no header: voicemos2024-track2-sys0001-utt0001,4.0

The lists say neither the language of a clip, nor which clips sing one song, nor which of the systems are people.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import UNKNOWN, Language
from contracts.licences import Licence
from corpora.corpus_files import text_of
from corpora.links import FollowLinks
from corpora.reader import Style, Utterance, batches
from corpora.root import Root
from corpora.score_lists import MOS, add_mean, comma_lines, contents_of, rated_clips

_SPLITS: Final = ("train", "val", "eval")
_NAME: Final = re.compile(r"(voicemos2024-track2-(?P<system>sys[0-9]+)-utt[0-9]+)(?:\.wav)?")


@dataclass(frozen=True, kw_only=True)
class SingMos:
    """Reader of SingMOS: means on the scale ``mos``.

    Splits are ``train``, ``val`` and ``eval``. A clip whose language no option states has the problem ``missing_language``.
    Other problems: see ``corpora.score_lists``.

    Attributes:
        name: name of the corpus in the recipe.
        contents: CSV file below the root with the columns ``id, content_id``: which clips sing one song.
        language: of rows whose system ``languages`` does not have; any tag that ``contracts.languages`` knows.
        languages: language of the clips of a system: ``{sys0001: ja}``.
        license: SPDX expression of every row.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "singmos"
    contents: str | None = None
    language: Language | None = None
    languages: Mapping[str, Language] = field(default_factory=dict)
    license: Licence = "CC-BY-4.0"
    style: Style = "expressive"
    attribution: str = "SingMOS (Tang et al. 2024)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips by split, in the order of its list (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, rated_clips(opened, self._utterances(opened), ["wav"], self._row), "optional")

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        contents = contents_of(root, self.contents)
        lists = {split: text_of(root, f"sets/{split}_mos_list.txt") for split in _SPLITS}
        if all(text is None for text in lists.values()):
            raise DataError(
                f"corpus {self.name!r}: {root.url}/sets has none of {', '.join(f'{split}_mos_list.txt' for split in _SPLITS)}; "
                "point root at the folder that holds wav and sets"
            )
        for split, text in lists.items():
            for number, fields in comma_lines(text or ""):
                yield self._clip(f"sets/{split}_mos_list.txt:{number}", fields, split, contents)

    def _clip(self, ref: str, fields: list[str], split: str, contents: Mapping[str, str]) -> Utterance:
        if len(fields) != 2:
            return self._row(ref, source_ref=ref, problem="malformed_row", problem_detail=f"{len(fields)} fields, not 2")
        name, mean = fields
        if (named := _NAME.fullmatch(name)) is None:
            detail = f"{name[:80]!r} is no voicemos2024-track2-sysXXXX-uttXXXX"
            return self._row(ref, source_ref=ref, problem="malformed_name", problem_detail=detail)
        clip = self._row(named[1], source_ref=ref, audio_path=f"wav/{named[1]}.wav")
        clip.system, clip.split, clip.content_id = named["system"], split, contents.get(named[1])
        clip.language = self.languages.get(named["system"], clip.language)
        add_mean(clip, MOS, mean)
        return clip

    def _row(self, source_id: str, **found: Any) -> Utterance:
        language = self.language or UNKNOWN
        return Utterance(source_id=source_id, language=language, license=self.license, style=self.style, **found)


PLUGIN = SingMos
