"""VMC'23: the test sets of the VoiceMOS Challenge 2023 (Cooper et al. 2023, arXiv:2310.02640).

Layout below the root::

    track{1,2,3}/<clip>.wav                             as the organisers' archives unpack; also in a folder of its own below
    track{1,2,3}_answer.txt, or in answers/             a line per clip, no header: <clip>,<mean>

==========  =====================================================================================================
track 1     French TTS of the Blizzard Challenge 2023: ``VoiceMOS2023Track1-A-AD_test_0026``; system A-AD, voice AD
track 2     Singing voice conversion: ``VoiceMOS2023Track2-B01-SF1-CDF1-30001``; system B01, singer SF1, target CDF1
track 3     Noisy and enhanced Mandarin: ``VoiceMOS2023Track3-Noisy_snr5_white_TMHINT_g4_32_03``, ``...-clean_TMHINT_b1_01_03``
==========  =====================================================================================================

Track 3's answers also have 255 clips of other recordings, ``VoiceMOS2023Track3-TMHINT_b3_19_01``, which name no system.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import pyarrow as pa

from contracts.errors import DataError
from contracts.languages import Language
from contracts.licences import UNSTATED, Licence
from corpora.corpus_files import text_of
from corpora.links import FollowLinks
from corpora.reader import Style, Utterance, batches
from corpora.root import Root
from corpora.score_lists import MOS, add_mean, comma_lines, rated_clips
from corpora.tmhint_names import speaker_and_content

Track = Literal[1, 2, 3]

_LANGUAGES: Final[dict[int, str]] = {1: "fr", 2: "en", 3: "zh"}
_TTS: Final = re.compile(r"VoiceMOS2023Track1-(?P<system>[A-Z]+)-(?P<voice>[A-Z]+)_test_(?P<sentence>[0-9]{4})")
_SINGING: Final = re.compile(
    r"VoiceMOS2023Track2-(?P<system>[A-Z]+[0-9]*)-(?P<singer>[A-Z]+[0-9])-(?P<target>[A-Z]+[0-9])-(?P<song>[0-9]{5})"
)
_NOISY: Final = re.compile(
    r"VoiceMOS2023Track3-(?:(?P<method>[A-Za-z]+)_(?:(?P<snr>snr-?[0-9]+)_(?P<noise>[a-z]+)_)?)?(?P<recording>TMHINT_.+)"
)
_SINGERS_OWN: Final = frozenset({"SOU", "TAR"})
_UNPROCESSED: Final = frozenset({"clean", "noisy"})


@dataclass(frozen=True, kw_only=True)
class Vmc23:
    """Reader of VMC'23: means on the scale ``mos``, without numbers of raters. The only split is ``test``.

    Recordings of singers themselves (``SOU``, ``TAR``), and clean and noisy ones, are a person's and have no system. Contents
    are the sentence of a voice (``AD_test_0026``), the song (``30001``), and the sentence of TMHINT; the names do not say that
    a target's own recording (``TAR``) is of the song, so it has none. The problem ``foreign_clip`` marks the rows of track 3
    that name no system. Other problems: see ``corpora.score_lists``.

    Attributes:
        name: name of the corpus in the recipe.
        tracks: tracks to read; empty = all whose answers are there.
        license: SPDX expression of every row.
        style: style of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "vmc23"
    tracks: Sequence[Track] = ()
    license: Licence | None = None
    style: Style = "regular"
    attribution: str = "VoiceMOS Challenge 2023 (Cooper et al. 2023)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the clips by track, in the order of its answers (see ``corpora.reader.Corpus``)."""
        return batches(self.name, self._utterances(Root(self.name, root, self.follow_links)), "optional")

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        answers = {track: file for track in _LANGUAGES if (file := _answers(root, track))}
        wanted = [int(track) for track in self.tracks] or list(answers)
        missing = [track for track in wanted if track not in answers]
        if missing or not wanted:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has no track{missing[0] if missing else 1}_answer.txt, and none in answers: "
                "put the answers of the challenge there, or choose others by the option tracks"
            )
        for track in wanted:
            yield from rated_clips(root, self._track(root, track, answers[track]), _folders(root, track), self._make(track))

    def _track(self, root: Root, track: int, file: str) -> Iterator[Utterance]:
        make = self._make(track)
        folders = _folders(root, track)
        for number, fields in comma_lines(text_of(root, file) or ""):
            ref = f"{file}:{number}"
            if len(fields) != 2:
                yield make(ref, source_ref=ref, problem="malformed_row", problem_detail=f"{len(fields)} fields, not 2")
                continue
            name = fields[0].removesuffix(".wav")
            clip = make(name, source_ref=ref)
            clip.split = "test"
            if not _NAMERS[track](clip):
                detail = f"{name[:80]!r} is no name of track {track}"
                yield make(ref, source_ref=ref, problem="malformed_name", problem_detail=detail)
                continue
            there = (f"{folder}/{name}.wav" for folder in folders)
            clip.audio_path = next((path for path in there if not root.find(path).problem), f"track{track}/{name}.wav")
            add_mean(clip, MOS, fields[1])
            yield clip

    def _make(self, track: int) -> "_Make":
        return _Make(language=_LANGUAGES[track], license=self.license or UNSTATED, style=self.style)


@dataclass(frozen=True, kw_only=True)
class _Make:
    language: Language
    license: str
    style: Style

    def __call__(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(source_id=source_id, language=self.language, license=self.license, style=self.style, **found)


def _answers(root: Root, track: int) -> str | None:
    name = f"track{track}_answer.txt"
    return next((f"{folder}{name}" for folder in ("", "answers/") if name in root.files(folder.rstrip("/"))), None)


def _folders(root: Root, track: int) -> list[str]:
    """Return the folders of a track that hold clips: its own, and those directly below."""
    own = f"track{track}"
    return [own, *(f"{own}/{folder}" for folder in root.folders(own) if not folder.startswith((".", "__")))]


def _name_tts(clip: Utterance) -> bool:
    if named := _TTS.fullmatch(clip.source_id):
        clip.system, clip.speaker_id = f"{named['system']}-{named['voice']}", named["voice"]
        clip.content_id = f"{named['voice']}_test_{named['sentence']}"
    return named is not None


def _name_singing(clip: Utterance) -> bool:
    if named := _SINGING.fullmatch(clip.source_id):
        clip.system = None if named["system"] in _SINGERS_OWN else named["system"]
        clip.speaker_id = named["target"]
        clip.content_id = None if named["system"] == "TAR" else named["song"]
    return named is not None


def _name_noisy(clip: Utterance) -> bool:
    named = _NOISY.fullmatch(clip.source_id)
    known = named and speaker_and_content(named["recording"])
    if named and known:
        clip.speaker_id, clip.content_id = known
        if named["method"] is None:
            clip.problem, clip.problem_detail = "foreign_clip", "its name has no system: it is none of the track's clips"
        else:
            clip.system = None if named["method"].lower() in _UNPROCESSED else named["method"]
            clip.condition = named["snr"] and f"{named['noise']} {named['snr'].removeprefix('snr')} dB"
    return bool(known)


_NAMERS: Final = {1: _name_tts, 2: _name_singing, 3: _name_noisy}
"""Of each track: takes speaker, system, content and condition from a clip's name, and tells whether it is one of the track."""


PLUGIN = Vmc23
