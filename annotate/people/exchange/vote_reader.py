"""Reads a vote from the cells of an annotator: checks values, translates the vendor's words, and restores the stored order."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from annotate.people.exchange.annotator_cells import AnnotatorCells, Role
from annotate.people.exchange.cells import as_bool, as_count, as_number, as_text, as_words
from annotate.people.exchange.column_mapping import ColumnMap
from annotate.people.exchange.exported_tasks import subjects_of_tasks
from annotate.people.exchange.file_annotators import Annotators
from annotate.people.exchange.vote_rows import ImportedVote
from annotate.people.store.item import Order
from annotate.people.store.protocol import FormQuestion, ListeningProtocol, asks_about_critiques
from contracts.errors import DataError

T = TypeVar("T")
Note = Callable[[str | None, str], None]
"""Takes a column (None = the whole row) and a problem to report there."""

_ACCURATE: Final = ("text_accurate_a", "text_accurate_b")
_ORDERS: Final[Mapping[str, Order]] = {"ab": "ab", "ba": "ba"}


class _CellReader:
    """A annotator_cells's cells while they are read; remembers what was wrong."""

    def __init__(self, annotator_cells: AnnotatorCells, note: Note) -> None:
        self._annotator_cells = annotator_cells
        self._note = note
        self.wrong = False

    def read(self, role: Role, convert: Callable[[Any], T]) -> T | None:
        """Return the converted value of a cell; None where the mapping has no such role, or the value is bad."""
        if role not in self._annotator_cells.cells:
            return None
        try:
            return convert(self._annotator_cells.cells[role])
        except DataError as error:
            self._note(self._annotator_cells.columns[role], str(error))
            self.wrong = True
            return None


class VoteReader:
    """Reads the votes of one file.

    Attributes:
        annotators: annotators found so far.
        unanswered: number of places without any answer so far.
    """

    def __init__(self, mapping: ColumnMap, protocol: ListeningProtocol, known_subjects: Collection[str], seed: int) -> None:
        self._mapping = mapping
        self._protocol = protocol
        self._known = frozenset(known_subjects)
        self._tasks = subjects_of_tasks(self._known) if mapping.task is not None else {}
        self._played = mapping.sides == "played" or mapping.task is not None
        self.annotators = Annotators(seed, mapping.vendor, mapping.annotators)
        self._choices = [("answers", question.name) for question in protocol.questions if question.kind == "choice"]
        # Flags without a column must not look like flags without a tick.
        unasked = {q.about for q in protocol.questions if q.kind == "flags" and q.name not in mapping.answers}
        self._unasked: dict[str, Any] = {name: None for about, name in ((0, "errors_a"), (1, "errors_b")) if about in unasked}
        self.unanswered = 0

    def read(self, annotator_cells: AnnotatorCells, note: Note) -> ImportedVote | None:
        """Return the vote; None where there is no answer, or where there is a problem, which is reported to ``note``."""
        if all(_empty(annotator_cells.cells[role]) for role in self._choices):
            if any(not _empty(value) for role, value in annotator_cells.cells.items() if role[0] == "answers"):
                note(None, "something is ticked here, but the question itself is not answered: answer it or empty the cells")
            else:
                self.unanswered += 1
            return None
        cells = _CellReader(annotator_cells, note)
        annotator = cells.read(("annotator",), self._annotator)
        subject = cells.read(("subject",), self._subject)
        order = cells.read(("order",), self._order)
        if self._mapping.task is not None:
            subject, order = cells.read(("task",), self._task) or (None, None)
        form = {question.name: self._words(cells, question) for question in self._protocol.questions}
        accurate = [cells.read((role,), partial(self._bool, role)) for role in _ACCURATE]
        seconds = cells.read(("seconds",), lambda cell: _optional(as_text(cell), as_number))
        plays = [cells.read((role,), lambda cell: _optional(as_text(cell), as_count)) for role in ("plays_a", "plays_b")]
        if cells.wrong or subject is None:
            return None
        if self._mapping.annotators == "unnamed":
            annotator = self.annotators.unnamed_placeholder()
        elif self._mapping.annotators == "aggregated":
            annotator = self.annotators.aggregate_id()
        if annotator is None:
            return None
        try:
            answer = replace(self._protocol.read(form), **self._unasked)
            accurate = [_accuracy(accurate[0], answer.errors_a), _accuracy(accurate[1], answer.errors_b)]
        except DataError as error:
            note(None, str(error))
            return None
        if self._played and order == "ba":
            answer, accurate, plays = self._protocol.swapped(answer), accurate[::-1], plays[::-1]
        return ImportedVote(
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
            what = "sample" if self._protocol.clips == 1 else "critique" if asks_about_critiques(self._protocol) else "pair"
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
        word = self._translated("order", as_text(cell))
        if word == "" and not self._played:
            return None
        if word not in _ORDERS:
            raise DataError(f"{word!r} is neither ab nor ba: correct it, or map it under 'words'")
        return _ORDERS[word]

    def _bool(self, role: str, cell: Any) -> bool | None:
        return _optional(self._translated(role, as_text(cell)), as_bool)

    def _translated(self, role: str, word: str) -> str:
        meaning = self._mapping.words.get(role, {}).get(word, word)
        if not isinstance(meaning, str):
            raise DataError(f"{word!r} means several words, one is needed: correct 'words' in the mapping")
        return meaning

    def _words(self, cells: _CellReader, question: FormQuestion) -> list[str]:
        """Return the protocol's options chosen for a question; none where the file has no column for it."""
        columns = self._mapping.answers.get(question.name)
        if isinstance(columns, Mapping):
            ticked = {
                option: cells.read(("answers", question.name, option), lambda cell: _optional(as_text(cell), as_bool))
                for option in columns
            }
            return [option for option in question.options if ticked.get(option)]
        return cells.read(("answers", question.name), lambda cell: self._options(question, cell)) or []

    def _options(self, question: FormQuestion, cell: Any) -> list[str]:
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


def _accuracy(accurate: bool | None, errors: tuple[str, ...] | None) -> bool | None:
    """Return whether a clip speaks its text without error, from a yes/no column and from the errors.

    Raises:
        DataError: the two contradict each other.
    """
    if errors is None:
        return accurate
    if accurate is not None and accurate != (errors == ()):
        raise DataError(
            f"a clip is called {'accurate' if accurate else 'inaccurate'}, but its errors are {list(errors)}: correct one"
        )
    return errors == ()
