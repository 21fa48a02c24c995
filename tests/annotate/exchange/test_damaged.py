"""Files that were damaged on the way: one line that says what to do, never a traceback, and nothing is imported."""

import zipfile

import openpyxl
import pytest

from annotate.exchange.handover import read_file
from annotate.protocols.unisrm import UniSRM
from contracts.errors import DataError

COLUMNS = {"subject": "pair", "annotator": "who", "answers": {"value": "vote"}}


def read(path, **more):
    mapping = None if path.suffix == ".json" else COLUMNS
    return read_file(
        path, mapping=mapping, protocol=UniSRM(), protocol_name="unisrm", known_subjects=["p1", "p2"], seed=0, **more
    )


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_a_workbook_with_a_part_cut_off(tmp_path, part, share):
    book = openpyxl.Workbook()
    for row in (["pair", "who", "vote"], *[["p1", f"Ann {number}", "A"] for number in range(50)]):
        book.active.append(row)
    book.save(tmp_path / "whole.xlsx")
    assert read(tmp_path / "whole.xlsx").table.num_rows == 50
    with zipfile.ZipFile(tmp_path / "whole.xlsx") as whole, zipfile.ZipFile(tmp_path / "cut.xlsx", "w") as cut:
        for name in whole.namelist():
            data = whole.read(name)
            cut.writestr(name, data[: int(len(data) * share)] if name == part else data)
    with pytest.raises(DataError, match=r"cut\.xlsx: .*save it"):
        read(tmp_path / "cut.xlsx")


def test_a_csv_file_that_is_one_endless_line(tmp_path):
    (tmp_path / "votes.csv").write_text("x" * 200_000 + ",y\n")
    with pytest.raises(DataError, match=r"votes\.csv: line 1: no valid CSV"):
        read(tmp_path / "votes.csv")


@pytest.mark.parametrize("broken", [r"\ud800", r"\u0000"])
def test_a_character_that_nothing_can_keep_is_a_problem_of_its_row(tmp_path, broken):
    """The good row is taken, the other one is set aside, readable for programs that know UTF-8 only."""
    (tmp_path / "votes.jsonl").write_text(
        f'{{"pair": "p1", "who": "Ann{broken}", "vote": "A"}}\n{{"pair": "p2", "who": "Bo", "vote": "B"}}\n'
    )
    found = read(tmp_path / "votes.jsonl", skip_bad=True)
    assert found.table["pair_id"].to_pylist() == ["p2"]
    assert [(problem.row, problem.column) for problem in found.problems] == [(1, "who")]
    assert "Ann" in found.rejected.read_text(encoding="utf-8-sig")
    with pytest.raises(DataError, match=r"row 1, column 'who': a broken character"):
        read(tmp_path / "votes.jsonl")


def test_an_export_of_label_studio_with_nonsense_in_it(tmp_path):
    """A list where a word belongs, half a character in an answer: problems of their entries."""
    results = [
        '{"type": [], "from_name": "x"}',
        '{"type": "choices", "from_name": "answer_value", "value": {"choices": ["\\ud800"]}}',
    ]
    entries = [f'{{"data": {{"task": "t"}}, "annotations": [{{"completed_by": 1, "result": [{one}]}}]}}' for one in results]
    (tmp_path / "tasks.json").write_text(f"[{', '.join(entries)}]")
    found = read(tmp_path / "tasks.json", skip_bad=True)
    assert found.table.num_rows == 0
    assert {problem.row for problem in found.problems} == {1, 2}
    assert r"\ud800" in found.rejected.read_text(encoding="utf-8")
