"""Column mappings: the meaning of the columns and of the words of a vendor's file.

A mapping is a small YAML file or a dict::

    subject: pair              # column of the pair id (or sample id)
    annotator: rater
    answers:                   # question of the protocol -> column
      value: verdict
      errors_a: errors in A    # several words in a cell, with separators
      errors_b: {omission: B omits, insertion: B adds, substitution: B alters}   # or a yes/no column for each
    seconds: time
    words:                     # the vendor's words -> the protocol's
      value: {"A much better": A+2, "same": T}

In a ``wide`` file one row holds several annotators. ``{n}`` in a column's name is the part that differs between them: ``value:
"vote {n}"`` matches ``vote 1`` and ``vote 2``, and ``annotator: rater {n}`` the columns with their names. ``annotator: "{n}"``
takes that part as the name itself. The part must be a number; otherwise ``wide: [ann, bob]`` lists the annotators, as ``vote
ann`` looks no different from ``vote majority``. With ``lists`` a cell of a JSONL file holds one entry per annotator, as in
SpeechJudge's published rows. For a file without annotators, ``annotators`` says what its rows are.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from annotate.people.exchange.cells import as_text
from annotate.people.store.protocol import FormQuestion, ListeningProtocol
from contracts.errors import DataError, RecipeError
from contracts.yaml_mapping import read_yaml

MARK: Final = "{n}"
"""Mark for the part of a column's name that differs between the annotators of a wide file."""


@dataclass(frozen=True, kw_only=True)
class ColumnMap:
    """Columns of a file by their meaning.

    Attributes:
        subject: column of the pair id or sample id; either this or ``task`` is needed.
        task: column of the task id of an export of tasks, which stands for pair and order played.
        annotator: column of the annotator's name.
        answers: question of the protocol -> its column, or for flags option -> yes/no column. Missing flags = not asked.
        text_accurate_a: yes/no column: A speaks the text without error; for files without kinds of errors.
        text_accurate_b: likewise B.
        order: column of the clip played first: ab or ba, A and B in the stored order.
        sides: meaning of A in the answers: ``stored`` = A of the pair; ``played`` = the clip played first.
        seconds: column of the seconds from the item's showing to the vote.
        plays_a: column of how often A was played, A as in the answers.
        plays_b: likewise B.
        words: question or column's role -> the vendor's word -> the protocol's; a list of them for flags.
        separator: between several words of a cell.
        delimiter: of a CSV file; None = the one of comma, semicolon and tab that gives most columns.
        sheet: sheet of a workbook; None = the only one that is not empty.
        wide: one row holds the columns of several annotators: true = a number at the mark; a list = these names at the mark.
        lists: one row holds several annotators, as lists in its cells.
        annotators: ``hash`` = names become pseudonyms and are not stored; ``keep`` = they are pseudonyms already; ``unnamed``
            = each row is the vote of one unknown person; ``aggregated`` = each row is a label aggregated from votes that the
            file does not have, and no vote of a person.
        repeated: which of several answers of one annotator on one subject counts: the ``first``, the ``last``, or the
            ``mean`` of the ratings; None = different answers are an error.
        vendor: separates people of the same name from different vendors.
    """

    subject: str | None = None
    task: str | None = None
    annotator: str = "annotator"
    answers: Mapping[str, str | Mapping[str, str]]
    text_accurate_a: str | None = None
    text_accurate_b: str | None = None
    order: str | None = None
    sides: Literal["stored", "played"] = "stored"
    seconds: str | None = None
    plays_a: str | None = None
    plays_b: str | None = None
    words: Mapping[str, Mapping[str, str | tuple[str, ...]]] = field(default_factory=dict)
    separator: str = ";"
    delimiter: str | None = None
    sheet: str | None = None
    wide: bool | tuple[str, ...] = False
    lists: bool = False
    annotators: Literal["hash", "keep", "unnamed", "aggregated"] = "hash"
    repeated: Literal["first", "last", "mean"] | None = None
    vendor: str = ""

    def __post_init__(self) -> None:
        if (self.subject is None) == (self.task is None):
            raise ValueError("exactly one of subject and task must name a column")
        if not self.separator or (self.delimiter is not None and len(self.delimiter) != 1):
            raise ValueError("separator must not be empty, and delimiter must be one character")
        if self.wide and self.lists:
            raise ValueError("a file is wide or has lists, not both")
        if self.task is not None and self.order is not None:
            raise ValueError("order: the task says which clip was played first; leave the column out")
        if self.sides == "played" and self.order is None and self.task is None:
            raise ValueError("sides: played needs the column that says the order")
        if self.repeated is not None and self.annotators == "unnamed":
            raise ValueError("repeated: with annotators: unnamed each row is another person's, and nobody answers again")
        marked = any(MARK in column for column in self._columns())
        if self.wide == ():
            raise ValueError("wide: name at least one annotator, or write true")
        if marked != bool(self.wide):
            raise ValueError(f"a column's name has {MARK} in it if and only if the file is wide")
        if self.wide and self.names_annotators and MARK not in self.annotator:
            raise ValueError(f"annotator: in a wide file it must have {MARK} in it, or be {MARK}")

    @property
    def names_annotators(self) -> bool:
        """Whether a column has the annotators' names."""
        return self.annotators in ("hash", "keep")

    def _columns(self) -> Iterator[str]:
        """Yield every column of the mapping."""
        annotator = self.annotator if self.names_annotators else None
        for name in (self.subject, self.task, annotator, self.order, self.seconds, self.plays_a, self.plays_b):
            if name is not None:
                yield name
        for name in (self.text_accurate_a, self.text_accurate_b):
            if name is not None:
                yield name
        for columns in self.answers.values():
            yield from [columns] if isinstance(columns, str) else columns.values()

    def columns(self) -> list[str]:
        """Return the required columns, each once; for a wide file the names with the mark."""
        return list(dict.fromkeys(column for column in self._columns() if column != MARK))

    def check(self, questions: Sequence[FormQuestion]) -> None:
        """Check that the mapping fits a protocol.

        Raises:
            RecipeError: a choice has no column, or a question, an option or a role of ``words`` is unknown.
        """
        by_name = {question.name: question for question in questions}
        for name, columns in self.answers.items():
            question = by_name.get(name)
            if question is None:
                raise RecipeError(f"mapping: answers: {_unknown(name, 'question of the protocol', by_name)}")
            if isinstance(columns, str):
                continue
            if question.kind != "flags":
                raise RecipeError(f"mapping: answers.{name}: one column is needed, a choice has one answer")
            for option in columns:
                if option not in question.options:
                    raise RecipeError(f"mapping: answers.{name}: {_unknown(option, 'option', question.options)}")
        for question in questions:
            if question.kind == "choice" and question.name not in self.answers:
                raise RecipeError(f"mapping: answers: the protocol asks for {question.name!r}: name its column")
        if self.annotators == "aggregated" and "value" not in by_name:
            raise RecipeError("mapping: annotators: aggregated is for labels of pairs: a mean rating is no rating of a person")
        if self.repeated == "mean" and "value" in by_name:
            raise RecipeError("mapping: repeated: mean is for ratings: preferences have none, take first or last")
        roles = [*by_name, "order", "text_accurate_a", "text_accurate_b"]
        for role in self.words:
            if role not in roles:
                raise RecipeError(f"mapping: words: {_unknown(role, 'question or role', roles)}")


def column_map(raw: Mapping[str, Any]) -> ColumnMap:
    """Return the mapping of a dict.

    Raises:
        RecipeError: a key is unknown, or its value is bad; names the key.
    """
    known = [item.name for item in fields(ColumnMap)]
    for key in raw:
        if key not in known:
            raise RecipeError(f"mapping: {_unknown(str(key), 'key', known)}")
    literal = dict(raw)
    if isinstance(literal.get("wide"), list | tuple):
        try:
            literal["wide"] = tuple(map(as_text, literal["wide"]))
        except DataError as error:
            raise RecipeError(f"mapping: wide: {error}") from None
    if isinstance(literal.get("words"), Mapping):
        literal["words"] = {str(role): _words(str(role), words) for role, words in literal["words"].items()}
    try:
        return TypeAdapter(ColumnMap).validate_python(literal)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'keys'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        ]
        raise RecipeError(f"mapping: {'; '.join(problems)}") from None


def read_mapping(path: str | os.PathLike[str]) -> ColumnMap:
    """Return the mapping of a YAML file.

    Raises:
        RecipeError: the file cannot be read, is no YAML mapping, or is wrong; names file and key.
    """
    file = Path(path)
    raw = read_yaml(file, "a mapping of columns")
    try:
        return column_map(raw)
    except RecipeError as error:
        raise RecipeError(f"{file}: {error}") from None


def export_map(protocol: ListeningProtocol, vendor: str = "") -> ColumnMap:
    """Return the mapping of the files that ``export_tasks`` writes."""
    answers = {question.name: question.name for question in protocol.questions}
    return ColumnMap(task="task", answers=answers, seconds="seconds", vendor=vendor)


def _words(role: str, words: Any) -> Any:
    if not isinstance(words, Mapping):
        return words
    clean: dict[str, str | tuple[str, ...]] = {}
    for word, meaning in words.items():
        if isinstance(word, bool):  # the original word is unknown
            raise RecipeError(f"mapping: words.{role}: YAML reads true and false as booleans: put them in quotes")
        try:
            key = as_text(word)
            clean[key] = tuple(map(as_text, meaning)) if isinstance(meaning, list | tuple) else as_text(meaning)
        except DataError as error:
            raise RecipeError(f"mapping: words.{role}: {word!r}: {error}") from None
    return clean


def _unknown(name: str, what: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(known), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{name!r} is no {what}.{hint} Known: {', '.join(known)}"
