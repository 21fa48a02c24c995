"""Workbooks as spreadsheet programs write them: numbers, formulas, dates, merged cells, several sheets."""

import datetime as dt
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from annotate.people.exchange.file_problems import BadRows
from annotate.people.exchange.import_export import read_vote_file
from annotate.people.exchange.workbooks import read_xlsx
from annotate.people.protocols.rating import Rating
from annotate.people.protocols.unisrm import UniSRM
from contracts.errors import DataError

MAP = {"subject": "pair", "annotator": "rater", "answers": {"value": "verdict"}, "annotators": "keep"}


def workbook(path: Path, *sheets: list[list], names: tuple[str, ...] = ("Sheet1", "Sheet2")) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in zip(names, sheets, strict=False):
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def votes(path: Path, mapping: dict | None = None, known=("1", "2", "p1", "p2")) -> set[tuple[str, str, str]]:
    found = read_vote_file(
        path, mapping=mapping or MAP, protocol=UniSRM(), protocol_name="unisrm", known_subjects=known, seed=0
    ).table
    return {(row["pair_id"], row["annotator_id"], row["value"]) for row in found.to_pylist()}


def problems(path: Path, mapping: dict | None = None) -> list[str]:
    with pytest.raises(BadRows) as caught:
        votes(path, mapping)
    return [str(problem) for problem in caught.value.problems]


def with_results(path: Path, results: dict[str, str]) -> Path:
    """Store the results of formulas in a workbook, as a program does that calculates: cell -> result."""
    changed = path.with_name("calculated.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.namelist():
            content = old.read(part)
            if part == "xl/worksheets/sheet1.xml":
                for cell, result in results.items():
                    mark = re.compile(rf'<c r="{cell}"([^>]*)><f>(.*?)</f><v ?/?>(</v>)?</c>'.encode())
                    assert mark.search(content), content
                    content = mark.sub(rf'<c r="{cell}" t="str"><f>\2</f><v>{result}</v></c>'.encode(), content)
            new.writestr(part, content)
    return changed


HEAD = ["pair", "rater", "verdict"]


def test_numbers_are_words_without_a_decimal_point(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD, [1, 7, "A"], [2.0, 7.5, "B"]])
    assert votes(path) == {("1", "7", "A"), ("2", "7.5", "B")}


def test_ratings_may_be_numbers(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [["clip", "rater", "o"], ["s1", "Ann", 4], ["s1", "Bob", 5.0]])
    mapping = {"subject": "clip", "annotator": "rater", "answers": {"overall": "o"}}
    found = read_vote_file(
        path, mapping=mapping, protocol=Rating(scales=("overall",)), protocol_name="rating", known_subjects=["s1"], seed=0
    )
    assert sorted(dict(row)["overall"] for row in found.table["scores"].to_pylist()) == [4.0, 5.0]


def test_a_calculated_formula_counts_by_its_result(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "Ann", '=IF(1=1,"A","B")'], ["p2", "Ann", "B"]])
    assert votes(with_results(path, {"C2": "A"})) == {("p1", "Ann", "A"), ("p2", "Ann", "B")}


def test_a_formula_without_a_result_is_not_taken_for_an_empty_cell(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "Ann", '=IF(1=1,"A","B")'], ["p2", "Ann", "B"]])
    (problem,) = problems(path)
    assert problem.startswith("sheet 'Sheet1', row 2, column 'verdict': a formula stands here whose result is not stored")


def test_an_error_value_is_no_name(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "#N/A", "A"]])
    assert problems(path) == ["sheet 'Sheet1', row 2, column 'rater': the error #N/A stands here: type the answer"]


@pytest.mark.parametrize("value", [dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4), dt.time(0, 1)])  # noqa: DTZ001
def test_an_answer_that_became_a_date_is_told(tmp_path, value):
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "Ann", value]])
    (problem,) = problems(path)
    assert "row 2, column 'verdict': a date or time stands where a word or number belongs" in problem


def test_dates_in_other_columns_do_not_matter(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [[*HEAD, "when"], ["p1", "Ann", "A", dt.date(2026, 1, 2)]])
    assert votes(path) == {("p1", "Ann", "A")}


def test_a_merged_cell_stands_in_each_of_its_rows(tmp_path):
    """A vendor merged the pair over the rows of its annotators, and the annotator over two rows."""
    path = tmp_path / "v.xlsx"
    book = openpyxl.Workbook()
    for row in [HEAD, ["p1", "Ann", "A"], [None, "Bob", "B"], [None, "Cid", "A"], ["p2", "Ann", "invalid"], ["p1", None, "A"]]:
        book.active.append(row)
    book.active.merge_cells("A2:A4")
    book.active.merge_cells("B5:B6")
    book.active.cell(6, 1, "p1")
    book.active.cell(6, 3, "A")
    book.save(path)
    assert votes(path) == {("p1", "Ann", "A"), ("p1", "Bob", "B"), ("p1", "Cid", "A"), ("p2", "Ann", "invalid")}


def test_cells_that_are_empty_and_not_merged_stay_empty(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "Ann", "A"], [None, "Bob", "B"]])
    assert problems(path) == ["sheet 'Sheet1', row 3, column 'pair': the pair is missing"]


def test_empty_rows_and_columns_are_passed_over_and_rows_keep_their_numbers(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "Ann", "A", None, ""], [], [None, None], ["p9", "Ann", "A"]])
    (problem,) = problems(path)
    assert problem.startswith("sheet 'Sheet1', row 5, ")


def test_a_cell_beyond_the_header_is_told(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "Ann", "A", "what is this"]])
    assert problems(path) == ["sheet 'Sheet1', row 2: 4 cells stand under a header of 3: mend the row"]


def test_the_sheet_with_the_votes_is_found_or_named(tmp_path):
    rows = [HEAD, ["p1", "Ann", "A"]]
    assert votes(workbook(tmp_path / "one.xlsx", rows, [])) == {("p1", "Ann", "A")}
    both = workbook(tmp_path / "two.xlsx", [["other"]], rows)
    with pytest.raises(DataError, match="several sheets \\('Sheet1', 'Sheet2'\\): name one as 'sheet' in the mapping"):
        votes(both)
    assert votes(both, MAP | {"sheet": "Sheet2"}) == {("p1", "Ann", "A")}
    with pytest.raises(DataError, match="there is no sheet 'Votes': it has 'Sheet1', 'Sheet2'"):
        votes(both, MAP | {"sheet": "Votes"})


def test_a_wrong_dimension_in_the_file_does_not_end_it_early(tmp_path):
    """Some exporters write <dimension ref="A1"/> whatever follows; the streaming reader trusts it unless told not to."""
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "Ann", "A"], ["p2", "Ann", "B"]])
    changed = tmp_path / "wrong.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.namelist():
            new.writestr(part, re.sub(rb'<dimension ref="[^"]+"', b'<dimension ref="A1"', old.read(part)))
    assert len(votes(changed)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"pair,rater,verdict\n", "no XLSX workbook"),
        (b"PK\x03\x04 cut off", "no XLSX workbook"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_is_no_workbook_is_said(tmp_path, content, message):
    path = tmp_path / "v.xlsx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        votes(path)


def test_an_empty_workbook_is_said(tmp_path):
    with pytest.raises(DataError, match="all sheets are empty"):
        read_xlsx(workbook(tmp_path / "v.xlsx", []))


def test_a_workbook_by_the_name_of_csv_is_said(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD]).rename(tmp_path / "v.csv")
    with pytest.raises(DataError, match="this is a ZIP archive, perhaps XLSX"):
        votes(path)


def test_bad_rows_of_a_workbook_are_set_aside_as_csv(tmp_path):
    path = workbook(tmp_path / "v.xlsx", [HEAD, ["p1", "Ann", "A"], ["p2", "Ann", dt.date(2026, 1, 2)]])
    found = read_vote_file(
        path, mapping=MAP, protocol=UniSRM(), protocol_name="unisrm", known_subjects=["p1", "p2"], seed=0, skip_bad=True
    )
    assert found.table["pair_id"].to_pylist() == ["p1"]
    assert found.rejected is not None
    assert "p2,Ann,2026-01-02 00:00:00," in found.rejected.read_text(encoding="utf-8-sig")


def test_an_export_offers_the_answers_to_choose_from(tmp_path):
    """Excel and LibreOffice show the options as a list in the column of the question."""
    from annotate.people.exchange.import_export import export_tasks
    from tests.annotate.people.exchange.filling import audio, pair

    path = export_tasks([pair(1)], tmp_path, kind="xlsx", audio=audio, seed=0, protocol=UniSRM())
    sheet = openpyxl.load_workbook(path).active
    (choice,) = sheet.data_validations.dataValidation
    column = [cell.value for cell in sheet[1]].index("value") + 1
    assert choice.formula1 == '"A,B,invalid"'
    assert str(choice.sqref).startswith(f"{openpyxl.utils.get_column_letter(column)}2:")
    assert sheet.cell(2, column).number_format == "@"
