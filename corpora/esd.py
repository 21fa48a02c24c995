"""ESD: the same 350 sentences in five emotions, by ten Mandarin and ten English speakers (Zhou et al. 2022, arXiv:2105.14762).

Layout below the root::

    [Emotion Speech Dataset/]<speaker>/          0001 to 0010 speak Mandarin, 0011 to 0020 English
        <speaker>.txt                            id, text, emotion; tab separated, no header
        <Emotion>/[<split>/]<id>.wav             16 kHz: Angry/train/0011_000351.wav; some copies have no folders of splits

``id`` is ``<speaker>_<number>``: 350 numbers of each emotion, in the order Neutral, Angry, Happy, Sad, Surprise, and the same
place in two emotions is the same sentence. The encoding of the transcripts differs by speaker: UTF-8, UTF-16 with and without
a byte order mark, GB 2312, Latin-1. A few lines lack their tabs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import pyarrow as pa

from contracts.errors import DataError
from contracts.licences import Licence
from corpora.corpus_files import with_audio
from corpora.links import FollowLinks
from corpora.reader import Category, Style, Utterance, batches, decode, lines
from corpora.root import Root

EMOTIONS: Final = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
"""In the order of their numbers."""

SENTENCES: Final = 350
_WORDS: Final = dict(zip(("中立", "生气", "快乐", "伤心", "惊喜"), EMOTIONS, strict=True)) | {name: name for name in EMOTIONS}
"""Word that a transcript ends with -> emotion."""

_SPLITS: Final = ("train", "evaluation", "test")
_SPEAKER: Final = re.compile(r"00(?:0[1-9]|1[0-9]|20)")
_ID: Final = re.compile(r"(?P<speaker>[0-9]{4})_(?P<number>[0-9]{6})")
_LINE: Final = re.compile(rf"({_ID.pattern})\s+(\S.*?)\s*({'|'.join(_WORDS)})\s*")
_FIRST_ENGLISH: Final = 11
_OUTER: Final = "Emotion Speech Dataset"


@dataclass(frozen=True, kw_only=True)
class Esd:
    """Reader of ESD: emotional speech, of which each sentence (``content_id``) exists in five emotions by each speaker.

    Emotions are named as their folders are. Splits are the folders ``train``, ``evaluation`` and ``test``, where the copy has
    them. Problems of its own: ``malformed_name`` for a recording that is named otherwise or whose speaker or number is not
    that of its folder, and ``contradicting_row`` where the transcript states another emotion than the folder.

    Attributes:
        name: name of the corpus in the recipe.
        languages: which of its halves to read.
        license: SPDX expression of every row; the corpus is given out for research against a signed form.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "esd"
    languages: Sequence[Literal["en", "zh"]] = ("en", "zh")
    license: Licence = "LicenseRef-ESD"
    style: Style = "expressive"
    category: Category = "emotional"
    attribution: str = "Emotional Speech Dataset (Zhou et al. 2022)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield all recordings and lines by speaker and id (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        return batches(self.name, with_audio(opened, self._utterances(opened)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        folders = root.folders()
        outer = f"{_OUTER}/" if _OUTER in folders else ""
        there = [name for name in (root.folders(_OUTER) if outer else folders) if _SPEAKER.fullmatch(name)]
        if not there:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has no folder of a speaker, 0001 to 0020: "
                f"point root at the folder that holds them, or at the one that holds {_OUTER!r}"
            )
        speakers = [name for name in there if _language(name) in self.languages]
        if not speakers:
            raise DataError(
                f"corpus {self.name!r}: {root.url} has speakers {', '.join(there)}, none of whom speaks "
                f"{', '.join(self.languages) or 'no language'}: correct the option languages"
            )
        for speaker in speakers:
            yield from self._speaker(root, f"{outer}{speaker}", speaker)

    def _speaker(self, root: Root, folder: str, speaker: str) -> Iterator[Utterance]:
        said, broken = self._transcript(root, f"{folder}/{speaker}.txt", speaker)
        spoken = set[str]()
        for clip in self._clips(root, folder, speaker):
            spoken.add(clip.source_id)
            if (line := said.get(clip.source_id)) is not None:
                clip.source_ref, clip.text = line.source_ref, line.text
                if clip.problem is None and line.emotion not in {None, clip.emotion}:
                    clip.problem = "contradicting_row"
                    clip.problem_detail = f"lies in {clip.emotion}, its transcript says {line.emotion}"
            yield clip
        for source_id, line in said.items():
            if source_id not in spoken:
                line.problem = "missing_audio"
                yield line
        yield from broken

    def _clips(self, root: Root, folder: str, speaker: str) -> Iterator[Utterance]:
        found = [
            (name.removesuffix(".wav"), emotion, split, f"{where}/{name}")
            for emotion in EMOTIONS
            for split in (None, *_SPLITS)
            for where in [f"{folder}/{emotion}" + (f"/{split}" if split else "")]
            for name in root.files(where)
            if name.endswith(".wav")
        ]
        in_place = {path: _is_in_place(stem, speaker, emotion) for stem, emotion, _, path in found}
        # Of two files of one name the first counts: the one that lies where it belongs.
        for stem, emotion, split, path in sorted(found, key=lambda clip: (clip[0], not in_place[clip[3]], clip[3])):
            clip = self._row(stem, speaker, audio_path=path, emotion=emotion, split=split)
            if not in_place[path]:
                clip.problem, clip.problem_detail = "malformed_name", f"{path[-80:]!r} is no {emotion} recording of {speaker}"
            else:
                clip.content_id = f"{_language(speaker)}-{(int(stem.partition('_')[2]) - 1) % SENTENCES + 1:03}"
            yield clip

    def _transcript(self, root: Root, file: str, speaker: str) -> tuple[Mapping[str, Utterance], list[Utterance]]:
        """Return the lines by id, and those that are none or repeat an id.

        Raises:
            DataError: there is no transcript.
        """
        try:
            text = _decoded(root.read(file), file, speaker)
        except FileNotFoundError:
            raise DataError(f"corpus {self.name!r}: {root.url}/{file} is missing: restore it from the archive") from None
        said, broken = dict[str, Utterance](), list[Utterance]()
        for number, line in enumerate(lines(text), start=1):
            if not line.strip():
                continue
            ref, found = f"{file}:{number}", _fields(line)
            if found is None:
                broken.append(self._row(ref, speaker, source_ref=ref, problem="malformed_row"))
                continue
            source_id, words, emotion = found
            row = self._row(source_id, speaker, source_ref=ref, text=words, emotion=emotion)
            if said.setdefault(source_id, row) is not row:
                row.problem = "duplicate_id"
                broken.append(row)
        return said, broken

    def _row(self, source_id: str, speaker: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id,
            speaker_id=speaker,
            language=_language(speaker),
            license=self.license,
            style=self.style,
            category=self.category,
            **found,
        )


def _language(speaker: str) -> Literal["en", "zh"]:
    return "en" if int(speaker) >= _FIRST_ENGLISH else "zh"


def _is_in_place(stem: str, speaker: str, emotion: str) -> bool:
    """Tell whether a recording is named after its speaker, and with a number of its emotion."""
    named = _ID.fullmatch(stem)
    if named is None or named["speaker"] != speaker:
        return False
    return (int(named["number"]) - 1) // SENTENCES == EMOTIONS.index(emotion)


def _fields(line: str) -> tuple[str, str, str | None] | None:
    """Return id, text and emotion of a line; None if it has no id, or no text.

    An emotion that no folder is named after is unknown. A line without its tabs is taken if it ends with a known one.
    """
    parts = [part.strip() for part in line.split("\t")]
    if len(parts) == 3 and _ID.fullmatch(parts[0]):
        return parts[0], parts[1], _WORDS.get(parts[2])
    if (found := _LINE.fullmatch(line.strip())) is None:
        return None
    return found[1], found[4], _WORDS[found[5]]


def _decoded(data: bytes, file: str, speaker: str) -> str:
    """Decode a transcript: whichever encoding its bytes allow, in the order in which they can be told apart.

    A NUL byte is half of an ASCII character in UTF-16; bytes that are UTF-8 are nothing else by chance. What cannot be decoded
    becomes lone surrogates (see ``corpora.reader.decode``).
    """
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return decode(data, file)
    if 0 <= (place := data.find(b"\0")) < 2:
        order = b"\xfe\xff" if place == 0 else b"\xff\xfe"
        return decode(order + data, file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030" if _language(speaker) == "zh" else "cp1252", errors="surrogateescape")


PLUGIN = Esd
