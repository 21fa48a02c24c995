"""Votes of vendors' spreadsheets: CSV, XLSX and JSONL with a column mapping, checked cell by cell.

Nothing is imported unless every row is good, or what is wrong is set aside on purpose. A place where no question was answered
is no vote: vendors hand over whole lists, with what nobody got to. An empty cell of flags beside an answer means that none was
ticked.
"""

import csv
import json
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from annotate.people.exchange.annotator_cells import VoiceReader, check_columns
from annotate.people.exchange.cells import Unreadable, as_text, neutral
from annotate.people.exchange.column_mapping import ColumnMap
from annotate.people.exchange.file_problems import BadRows, Problem
from annotate.people.exchange.file_rows import Sheet, read_csv, read_jsonl
from annotate.people.exchange.vote_reader import BallotReader
from annotate.people.exchange.vote_rows import BallotBox, Cast, Imported, imported, of_unnamed
from annotate.people.store.protocol import ListeningProtocol
from contracts.errors import DataError
from storage.local_files import atomic_path, storage_errors
from storage.private_files import private

Kind = Literal["csv", "xlsx", "jsonl"]


def open_sheet(path: Path, kind: Kind, mapping: ColumnMap) -> Sheet:
    """Open the table of a file.

    Raises:
        DataError: the file cannot be read as what its kind says.
    """
    if kind == "csv":
        return read_csv(path, mapping.delimiter)
    if kind == "jsonl":
        return read_jsonl(path)
    from annotate.people.exchange.workbooks import read_xlsx

    return read_xlsx(path, mapping.sheet)


def import_sheet(
    path: Path,
    kind: Kind,
    mapping: ColumnMap,
    *,
    protocol: ListeningProtocol,
    protocol_name: str,
    known_subjects: Collection[str],
    seed: int,
    skip_bad: bool = False,
) -> Imported:
    """Read the votes of a file.

    Args:
        path: the file.
        kind: what it is.
        mapping: which column is what.
        protocol: what was asked.
        protocol_name: its name, as votes carry it.
        known_subjects: ids of all pairs or samples that may be voted on.
        seed: of the recipe; pseudonyms depend on it.
        skip_bad: import the good rows, and write the others to ``<file>.rejected.csv`` beside it.

    Raises:
        RecipeError: the mapping does not fit the protocol.
        DataError: the file as a whole is unusable: encoding, header, missing or doubled columns.
        BadRows: rows are wrong, and they are not to be skipped.
    """
    mapping.check(protocol.questions)
    sheet = open_sheet(path, kind, mapping)
    if sheet.header is not None:
        check_columns(path, sheet, mapping, sheet.header)
    voices, reader, box = (
        VoiceReader(mapping),
        BallotReader(mapping, protocol, known_subjects, seed),
        BallotBox(mapping.repeated),
    )
    problems: list[Problem] = []
    columns: dict[str, None] = {}

    def note(row: int, column: str | None, what: str) -> None:
        problems.append(Problem(row=row, sheet=sheet.name, column=column, what=what))

    for row in sheet.rows:
        if sheet.header is None:
            columns |= dict.fromkeys(row.cells)
        if row.problem is not None:
            note(row.number, None, row.problem)
            continue
        try:
            found = list(voices.voices(row))
        except DataError as error:
            note(row.number, None, str(error))
            continue
        for voice in found:
            ballot = reader.ballot(voice, partial(note, row.number))
            if ballot is None:
                continue
            for here, there in box.add(Cast(ballot=ballot, row=row.number, name=voice.name())):
                what = f"the annotator says something else of the same subject in row {there}: keep one of the two"
                note(here, voice.columns.get(("annotator",)), what)
    if sheet.header is None and columns:
        check_columns(path, sheet, mapping, tuple(columns))
    problems.sort(key=lambda problem: problem.row)
    if problems and not skip_bad:
        raise BadRows(str(path), problems)
    rejected = path.with_name(f"{path.name}.rejected.csv") if problems else None
    if rejected is not None:
        _set_aside(rejected, open_sheet(path, kind, mapping), tuple(columns), problems)
    casts, repeated = box.counted({problem.row for problem in problems})
    return imported(
        of_unnamed(casts, seed, mapping.vendor) if mapping.annotators == "unnamed" else casts,
        protocol,
        protocol_name,
        f"import:{path.name}",
        unanswered=reader.unanswered,
        repeated=repeated,
        problems=tuple(problems),
        rejected=rejected,
        aliases=reader.annotators.aliases(),
        notes=tuple(reader.annotators.notes()),
    )


def _set_aside(rejected: Path, sheet: Sheet, columns: Sequence[str], problems: Sequence[Problem]) -> None:
    """Write the bad rows as they were, with what is wrong behind them, so that they can be mended and imported."""
    header = sheet.header if sheet.header is not None else columns
    wrong: dict[int, list[str]] = {}
    for problem in problems:
        wrong.setdefault(problem.row, []).append(str(problem))
    with (
        storage_errors(f"writing {rejected}"),
        atomic_path(rejected) as part,
        private(part).open("w", encoding="utf-8-sig", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow([*map(neutral, header), "problem"])
        for row in sheet.rows:
            if row.number in wrong:
                writer.writerow(
                    [*(neutral(_shown(row.cells.get(name))) for name in header), neutral("; ".join(wrong[row.number]))]
                )


def _shown(value: Any) -> str:
    if isinstance(value, Unreadable):
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    try:
        return as_text(value)
    except DataError:
        return str(value)
