"""LibriSQA: questions about recordings of LibriSpeech, and their answers (Zhao et al. 2023, arXiv:2308.10390).

Layout below the root, which holds both LibriSQA and LibriSpeech::

    LibriSQA-PartI/LibriSQA-PartI-{train,test}.json     speech_path, question, answer, text, duration
    LibriSQA-PartII/LibriSQA-PartII-{train,test}.json   speech_path, question_and_option, answer, answer_and_analysis
    [LibriSpeech/]train-clean-360/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac

Each table is a list of objects, or an object per line. ``speech_path`` ends with the last four parts of the recording's path,
with ``.wav`` or ``.flac``, whatever stands before them. In part II, ``answer`` is the letter of an option.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import pyarrow as pa

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.json_text import DECODER
from contracts.languages import Language
from contracts.licences import Licence
from contracts.text_forms import keyed
from corpora.corpus_files import text_of, with_audio
from corpora.links import FollowLinks
from corpora.reader import Category, NeedsText, Style, Utterance, batches, readable
from corpora.root import Root

_SPLITS: Final = ("train", "test")
_PATH: Final = re.compile(
    r"(?:.*/)?(?P<folder>[a-z]+-[a-z]+(?:-[0-9]+)?/(?P<speaker>[0-9]+)/(?P<chapter>[0-9]+))"
    r"/(?P<stem>(?P=speaker)-(?P=chapter)-[0-9]+)\.(?:flac|wav)"
)
_OPENING, _BETWEEN, _END = re.compile(r"\s*\[\s*"), re.compile(r"[\s,]*"), re.compile(r"\]\s*")
_COLUMNS: Final = {1: ("question", "answer"), 2: ("question_and_option", "answer_and_analysis")}
_ID_DIGITS: Final = 8  # one recording has few questions
_NUMERALS: Final = {1: "I", 2: "II"}


@dataclass(frozen=True, kw_only=True)
class LibriSqa:
    """Reader of one part of LibriSQA: a row per question, with the answer as its reference and the transcript as its text.

    The id is that of the recording and a hash of the question, whatever other rows there are; a recording's second row with one
    question is a ``duplicate_id``. The content is the recording's id, for all questions about one are of the same words.
    Splits are ``train`` and ``test``. Problems of its own: ``malformed_name`` where ``speech_path`` names no recording of
    LibriSpeech, ``missing_question`` and ``missing_reference``.

    Attributes:
        name: name of the corpus in the recipe.
        part: 1 = open questions; 2 = questions with four options.
        answer: the reference answer of part 2: the letter with its analysis, or the letter alone.
        language: of every row; any tag that ``contracts.languages`` knows.
        license: SPDX expression of every row: that of LibriSpeech's recordings.
        style: style of every row.
        category: category of every row.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = None

    name: str = "librisqa"
    part: Literal[1, 2] = 1
    answer: Literal["analysis", "letter"] = "analysis"
    language: Language = "en"
    license: Licence = "CC-BY-4.0"
    style: Style = "regular"
    category: Category = "regular"
    attribution: str = "LibriSQA (Zhao et al. 2023), after LibriSpeech (Panayotov et al. 2015)"
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the questions by split, in the order of its table (see ``corpora.reader.Corpus``)."""
        opened = Root(self.name, root, self.follow_links)
        needed: NeedsText = "required" if self.part == 1 else "optional"  # part II is not known to have transcripts
        return batches(self.name, with_audio(opened, self._utterances(opened)), needed)

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        title = f"LibriSQA-Part{_NUMERALS[self.part]}"
        tables = {split: f"{title}/{title}-{split}.json" for split in _SPLITS}
        texts = {split: text for split, file in tables.items() if (text := text_of(root, file)) is not None}
        if not texts:
            raise DataError(f"corpus {self.name!r}: {root.url} has none of {', '.join(tables.values())}; correct root or part")
        for split, text in texts.items():
            for number, item in _items(text, f"{root.url}/{tables[split]}"):
                yield self._utterance(root, f"{tables[split]}:{number}", item, split)

    def _utterance(self, root: Root, ref: str, item: Any, split: str) -> Utterance:
        if not isinstance(item, dict):
            return self._row(ref, source_ref=ref, problem="malformed_row")
        question, answer = (_text(item, column) for column in _COLUMNS[self.part])
        if self.part == 2 and self.answer == "letter":
            answer = _text(item, "answer")
        path = _text(item, "speech_path") or ""
        if (named := _PATH.fullmatch(path)) is None:
            detail = f"speech_path: {path[-80:]!r} is no recording of LibriSpeech"
            return self._row(ref, source_ref=ref, problem="malformed_name", problem_detail=detail)
        stem = named["stem"]
        source_id = ref if question is None else f"{stem}-{row_id('question', readable(question))[:_ID_DIGITS]}"
        row = self._row(source_id, source_ref=ref, audio_path=_recording(root, named["folder"], stem))
        row.text, row.question, row.references = _text(item, "text"), question, None if answer is None else (answer,)
        row.speaker_id, row.content_id, row.split = named["speaker"], stem, split
        if question is None or answer is None:
            row.problem = "missing_reference" if question else "missing_question"
        return row

    def _row(self, source_id: str, **found: Any) -> Utterance:
        return Utterance(
            source_id=source_id, language=self.language, license=self.license, style=self.style, category=self.category, **found
        )


def _text(item: Mapping[str, Any], key: str) -> str | None:
    value = item.get(key)
    return value.strip() if isinstance(value, str) and keyed(value) else None


def _recording(root: Root, folder: str, stem: str) -> str:
    """Return the path of a recording: LibriSpeech's archives unpack into a folder ``LibriSpeech``; some copies are WAV."""
    paths = [f"{above}{folder}/{stem}.{kind}" for kind in ("flac", "wav") for above in ("LibriSpeech/", "")]
    return next((path for path in paths if not root.find(path).problem), paths[0])


def _items(text: str, where: str) -> Iterator[tuple[int, Any]]:
    """Yield the number of the line on which each value of a JSON list, or of JSON Lines, begins, and the value.

    Raises:
        DataError: there is something else between them, or the list has no end.
    """
    line, place = 1, 0
    is_list = text.lstrip().startswith("[")
    between = _OPENING if is_list else _BETWEEN
    while True:
        found = between.match(text, place)
        begin = found.end() if found else place
        line += text.count("\n", place, begin)
        if not is_list and begin == len(text):
            return
        if is_list and _END.fullmatch(text, begin):
            return
        try:
            item, end = DECODER.raw_decode(text, begin)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}, row {line}: no JSON value ({error}); restore the file") from None
        yield line, item
        line, place, between = line + text.count("\n", begin, end), end, _BETWEEN


PLUGIN = LibriSqa
