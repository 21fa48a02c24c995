"""From an annotator's cells to a ballot: each one checked, the vendor's words put into the protocol's, sides turned back."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from annotate.people.exchange.annotator_cells import Role, Voice
from annotate.people.exchange.cells import as_count, as_number, as_text, as_truth, as_words
from annotate.people.exchange.column_mapping import ColumnMap
from annotate.people.exchange.exported_tasks import subjects_of_tasks
from annotate.people.exchange.file_annotators import Annotators
from annotate.people.exchange.vote_rows import Ballot
from annotate.people.store.item import Order
from annotate.people.store.protocol import ListeningProtocol, Question
from contracts.errors import DataError

T = TypeVar("T")
Note = Callable[[str | None, str], None]
"""Takes a column (None = the whole row) and what is wrong there."""

_ACCURATE: Final = ("text_accurate_a", "text_accurate_b")
_ORDERS: Final[Mapping[str, Order]] = {"ab": "ab", "ba": "ba"}


class _Cells:
    """A voice's cells while they are read; remembers what was wrong."""

    def __init__(self, voice: Voice, note: Note) -> None:
        self._voice = voice
        self._note = note
        self.wrong = False

    def read(self, role: Role, convert: Callable[[Any], T]) -> T | None:
        """Return what a cell means; None where the mapping has no such role, or where it is wrong."""
        if role not in self._voice.cells:
            return None
        try:
            return convert(self._voice.cells[role])
        except DataError as error:
            self._note(self._voice.columns[role], str(error))
            self.wrong = True
            return None


class BallotReader:
    """What one import knows of every row.

    Attributes:
        annotators: who voted so far.
        unanswered: how many voices said nothing so far.
    """

    def __init__(self, mapping: ColumnMap, protocol: ListeningProtocol, known_subjects: Collection[str], seed: int) -> None:
        self._mapping = mapping
        self._protocol = protocol
        self._known = frozenset(known_subjects)
        self._tasks = subjects_of_tasks(self._known) if mapping.task is not None else {}
        self._played = mapping.sides == "played" or mapping.task is not None
        self.annotators = Annotators(seed, mapping.vendor, mapping.annotators)
        self._choices = [("answers", question.name) for question in protocol.questions if question.kind == "choice"]
        # Flags that were not asked about must not look like flags that nobody ticked.
        unasked = {q.about for q in protocol.questions if q.kind == "flags" and q.name not in mapping.answers}
        self._unasked: dict[str, Any] = {name: None for about, name in ((0, "errors_a"), (1, "errors_b")) if about in unasked}
        self.unanswered = 0

    def ballot(self, voice: Voice, note: Note) -> Ballot | None:
        """Return what a voice says; None where it says nothing, or where something is wrong, which is noted."""
        if all(_empty(voice.cells[role]) for role in self._choices):
            if any(not _empty(value) for role, value in voice.cells.items() if role[0] == "answers"):
                note(None, "something is ticked here, but the question itself is not answered: answer it or empty the cells")
            else:
                self.unanswered += 1
            return None
        cells = _Cells(voice, note)
        annotator = cells.read(("annotator",), self._annotator)
        subject = cells.read(("subject",), self._subject)
        order = cells.read(("order",), self._order)
        if self._mapping.task is not None:
            subject, order = cells.read(("task",), self._task) or (None, None)
        form = {question.name: self._words(cells, question) for question in self._protocol.questions}
        accurate = [cells.read((role,), partial(self._truth, role)) for role in _ACCURATE]
        seconds = cells.read(("seconds",), lambda cell: _optional(as_text(cell), as_number))
        plays = [cells.read((role,), lambda cell: _optional(as_text(cell), as_count)) for role in ("plays_a", "plays_b")]
        if cells.wrong or subject is None:
            return None
        if self._mapping.annotators == "unnamed":
            annotator = self.annotators.unnamed()
        elif self._mapping.annotators == "aggregated":
            annotator = self.annotators.aggregate()
        if annotator is None:
            return None
        try:
            answer = replace(self._protocol.read(form), **self._unasked)
            accurate = [_agreed(accurate[0], answer.errors_a), _agreed(accurate[1], answer.errors_b)]
        except DataError as error:
            note(None, str(error))
            return None
        if self._played and order == "ba":
            answer, accurate, plays = self._protocol.turned(answer), accurate[::-1], plays[::-1]
        return Ballot(
            subject_id=subject,
            annotator_id=annotator,
            answer=answer,
            accurate_a=accurate[0],
            accurate_b=accurate[1],
            order=order if self._protocol.clips == 2 else None,
            time_s=seconds,
            plays_a=plays[0],
            plays_b=plays[1],
            aggregated=True if self._mapping.annotators == "aggregated" else None,
        )

    def _annotator(self, cell: Any) -> str:
        return self.annotators.pseudonym(as_text(cell))

    def _subject(self, cell: Any) -> str:
        subject = as_text(cell)
        if subject not in self._known:
            what = "pair" if self._protocol.clips == 2 else "sample"
            raise DataError(
                f"{subject!r} is no {what} of this data set: correct the id" if subject else f"the {what} is missing"
            )
        return subject

    def _task(self, cell: Any) -> tuple[str, Order]:
        task = as_text(cell)
        if task not in self._tasks:
            raise DataError(f"{task!r} is no task of this data set: it was changed, or exported for another one")
        return self._tasks[task]

    def _order(self, cell: Any) -> Order | None:
        word = self._meant("order", as_text(cell))
        if word == "" and not self._played:
            return None
        if word not in _ORDERS:
            raise DataError(f"{word!r} is neither ab nor ba: correct it, or map it under 'words'")
        return _ORDERS[word]

    def _truth(self, role: str, cell: Any) -> bool | None:
        return _optional(self._meant(role, as_text(cell)), as_truth)

    def _meant(self, role: str, word: str) -> str:
        meaning = self._mapping.words.get(role, {}).get(word, word)
        if not isinstance(meaning, str):
            raise DataError(f"{word!r} means several words, one is needed: correct 'words' in the mapping")
        return meaning

    def _words(self, cells: _Cells, question: Question) -> list[str]:
        """Return the protocol's words for a question; none where it was not asked."""
        columns = self._mapping.answers.get(question.name)
        if isinstance(columns, Mapping):
            ticked = {
                option: cells.read(("answers", question.name, option), lambda cell: _optional(as_text(cell), as_truth))
                for option in columns
            }
            return [option for option in question.options if ticked.get(option)]
        return cells.read(("answers", question.name), lambda cell: self._options(question, cell)) or []

    def _options(self, question: Question, cell: Any) -> list[str]:
        meanings = self._mapping.words.get(question.name, {})
        words: list[str] = []
        several = question.kind == "flags" and (isinstance(cell, list) or as_text(cell) not in meanings)
        for word in as_words(cell, self._mapping.separator) if several else [as_text(cell)]:
            meaning = meanings.get(word, word)
            words.extend([meaning] if isinstance(meaning, str) else meaning)
        if question.kind == "choice" and not any(words):
            raise DataError("this question is not answered, though others of the row are: answer it, or empty the row")
        for word in words:
            if word and word not in question.options:
                raise DataError(f"{word!r} is none of {', '.join(question.options)}: correct it, or map it under 'words'")
        return [option for option in question.options if option in words] if question.kind == "flags" else words


def _empty(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _optional(text: str, convert: Callable[[str], T]) -> T | None:
    return convert(text) if text else None


def _agreed(accurate: bool | None, errors: tuple[str, ...] | None) -> bool | None:
    """Return whether a clip speaks its text, of two ways to say so.

    Raises:
        DataError: they contradict each other.
    """
    if errors is None:
        return accurate
    if accurate is not None and accurate != (errors == ()):
        raise DataError(
            f"a clip is called {'accurate' if accurate else 'inaccurate'}, but its errors are {list(errors)}: correct one"
        )
    return errors == ()
