"""Import of votes from spreadsheets of vendors: CSV, XLSX and JSONL with a column mapping.

Nothing is imported if any row is bad, unless ``skip_bad`` is set. A row without any answer is no vote: vendors return whole
lists, with items that no annotator reached. An empty cell of flags beside an answer means that none was ticked.
"""

import csv
import json
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from annotate.people.exchange.annotator_cells import RowSplitter, check_columns
from annotate.people.exchange.cells import UnreadableCell, as_text, escape_formula
from annotate.people.exchange.column_mapping import ColumnMap
from annotate.people.exchange.file_problems import BadRows, RowProblem
from annotate.people.exchange.file_rows import FileTable, read_csv, read_jsonl
from annotate.people.exchange.vote_reader import VoteReader
from annotate.people.exchange.vote_rows import LocatedVote, VoteCollection, VoteFile, vote_file, with_unnamed_pseudonyms
from annotate.people.store.protocol import ListeningProtocol
from contracts.errors import DataError
from storage.local_files import atomic_path, storage_errors
from storage.private_files import private

Kind = Literal["csv", "xlsx", "jsonl"]


def open_table(path: Path, kind: Kind, mapping: ColumnMap) -> FileTable:
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
) -> VoteFile:
    """Read the votes of a file.

    Args:
        path: the file.
        kind: of the file.
        mapping: meaning of the columns.
        protocol: protocol of the votes.
        protocol_name: its name, as votes carry it.
        known_subjects: ids of all pairs or samples that may be voted on.
        seed: of the recipe; pseudonyms depend on it.
        skip_bad: import the good rows, and write the others to ``<file>.rejected.csv`` beside it.

    Raises:
        RecipeError: the mapping does not fit the protocol.
        DataError: the file as a whole is unusable: encoding, header, missing or doubled columns.
        BadRows: rows are bad, and ``skip_bad`` is not set.
    """
    mapping.check(protocol.questions)
    sheet = open_table(path, kind, mapping)
    if sheet.header is not None:
        check_columns(path, sheet, mapping, sheet.header)
    splitter, reader, collection = (
        RowSplitter(mapping),
        VoteReader(mapping, protocol, known_subjects, seed),
        VoteCollection(mapping.repeated),
    )
    problems: list[RowProblem] = []
    columns: dict[str, None] = {}

    def note(row: int, column: str | None, what: str) -> None:
        problems.append(RowProblem(row=row, sheet=sheet.name, column=column, what=what))

    for row in sheet.rows:
        if sheet.header is None:
            columns |= dict.fromkeys(row.cells)
        if row.problem is not None:
            note(row.number, None, row.problem)
            continue
        try:
            found = list(splitter.split(row))
        except DataError as error:
            note(row.number, None, str(error))
            continue
        for cells in found:
            vote = reader.read(cells, partial(note, row.number))
            if vote is None:
                continue
            for here, there in collection.add(LocatedVote(vote=vote, row=row.number, name=cells.name())):
                what = f"the annotator says something else of the same subject in row {there}: keep one of the two"
                note(here, cells.columns.get(("annotator",)), what)
    if sheet.header is None and columns:
        check_columns(path, sheet, mapping, tuple(columns))
    problems.sort(key=lambda problem: problem.row)
    if problems and not skip_bad:
        raise BadRows(str(path), problems)
    rejected = path.with_name(f"{path.name}.rejected.csv") if problems else None
    if rejected is not None:
        _write_rejected(rejected, open_table(path, kind, mapping), tuple(columns), problems)
    located, repeated = collection.selected({problem.row for problem in problems})
    return vote_file(
        with_unnamed_pseudonyms(located, seed, mapping.vendor) if mapping.annotators == "unnamed" else located,
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


def _write_rejected(rejected: Path, sheet: FileTable, columns: Sequence[str], problems: Sequence[RowProblem]) -> None:
    """Write the bad rows unchanged, with a column of their problems, so that they can be corrected and imported."""
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
        writer.writerow([*map(escape_formula, header), "problem"])
        for row in sheet.rows:
            if row.number in wrong:
                writer.writerow(
                    [
                        *(escape_formula(_shown(row.cells.get(name))) for name in header),
                        escape_formula("; ".join(wrong[row.number])),
                    ]
                )


def _shown(value: Any) -> str:
    if isinstance(value, UnreadableCell):
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    try:
        return as_text(value)
    except DataError:
        return str(value)
