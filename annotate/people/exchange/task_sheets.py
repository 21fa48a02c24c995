"""Spreadsheets for annotators to fill in: one row per task, links to its clips, an empty column per question.

For a second annotator of a task, vendors copy the row and fill in the annotator's name.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from annotate.people.exchange.cells import escape_formula
from annotate.people.exchange.exported_tasks import ExportedTask
from annotate.people.exchange.protocol_wording import guidance_of, option_texts, question_text
from annotate.people.store.protocol import CRITIQUE, FormQuestion, ListeningProtocol
from storage.local_files import atomic_path


def write_sheet(
    path: Path,
    kind: str,
    tasks: Sequence[ExportedTask],
    links: Sequence[Mapping[str, str]],
    protocol: ListeningProtocol,
    *,
    guidance: str | None = None,
) -> None:
    """Write the tasks to a CSV, XLSX or JSONL file, and the questions in plain words to ``form.txt`` beside it.

    Args:
        path: the file of tasks.
        kind: of that file.
        tasks: a row each.
        links: link of each clip, by column, per task.
        protocol: its questions.
        guidance: how to answer; None = as the protocol says it.
    """
    questions = protocol.questions
    with atomic_path(path.with_name("form.txt")) as part:
        part.write_text(_form(protocol, guidance), encoding="utf-8")
    shown = _shown(tasks, links)
    with atomic_path(path) as part:
        if kind == "csv":
            _write_csv(part, shown, questions)
        elif kind == "xlsx":
            _write_xlsx(part, shown, questions)
        else:
            _write_jsonl(part, shown, questions)


def _shown(tasks: Sequence[ExportedTask], links: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the filled columns of each row; every row has every column."""
    clips = list(dict.fromkeys(name for found in links for name in found))
    rows = []
    for task, found in zip(tasks, links, strict=True):
        row = {"task": task.task_id, "text": task.item.text or "", "note": task.item.note or ""}
        if task.item.critique is not None:
            row["critique"] = task.item.critique
        rows.append(row | {name: found.get(name, "") for name in clips})
    return rows


def _header(shown: Sequence[Mapping[str, str]], questions: Sequence[FormQuestion]) -> list[str]:
    return [*shown[0], "annotator", *(question.name for question in questions), "seconds"]


def _write_csv(path: Path, shown: Sequence[Mapping[str, str]], questions: Sequence[FormQuestion]) -> None:
    header = _header(shown, questions)
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # without the mark, Excel takes it for a code page
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([escape_formula(row.get(name, "")) for name in header] for row in shown)


def _write_xlsx(path: Path, shown: Sequence[Mapping[str, str]], questions: Sequence[FormQuestion]) -> None:
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    header = _header(shown, questions)
    book = openpyxl.Workbook(write_only=True)
    sheet: Any = book.create_sheet("tasks")
    sheet.freeze_panes = "A2"
    for question in questions:
        if question.kind == "choice":
            letter = get_column_letter(header.index(question.name) + 1)
            choice = DataValidation(type="list", formula1=f'"{",".join(question.options)}"', allow_blank=True)
            choice.add(f"{letter}2:{letter}1048576")
            sheet.data_validations.append(choice)
    sheet.append(header)
    for row in shown:
        cells = []
        for name in header:
            cell = WriteOnlyCell(sheet, value=escape_formula(row[name]) if name in row else None)
            cell.number_format = "@"  # as text: a spreadsheet program makes dates of answers such as 1-2
            cells.append(cell)
        sheet.append(cells)
    book.save(path)


def _write_jsonl(path: Path, shown: Sequence[Mapping[str, str]], questions: Sequence[FormQuestion]) -> None:
    empty: dict[str, list[str] | None] = {question.name: [] if question.kind == "flags" else None for question in questions}
    with path.open("w", encoding="utf-8") as file:
        for row in shown:
            whole = {**row, "annotator": None, **empty, "seconds": None}
            file.write(json.dumps(whole, ensure_ascii=False) + "\n")


def _form(protocol: ListeningProtocol, guidance: str | None) -> str:
    questions = protocol.questions
    lines = [
        "One row per vote. Listen to every clip to its end before you answer. For a second annotator copy the row.",
        "task: leave as it is. annotator: who answers. seconds: time taken, may stay empty.",
    ]
    if any(question.about == CRITIQUE for question in questions):
        lines.append("critique: what the questions are about; its Audio 1 is the clip audio_1, its Audio 2 the clip audio_2.")
    for paragraph in guidance_of(protocol, guidance):
        lines += ["", paragraph]
    for question in questions:
        several = "exactly one of these"
        if question.kind == "flags":
            several = "any number of these, with ; between them, or nothing where there are none"
        lines += ["", f"{question.name}: {question_text(question)} - write {several}:"]
        lines += [
            f"  {option}" + (f" = {words}" if words != option else "") for option, words in option_texts(question).items()
        ]
    return "\n".join(lines) + "\n"
