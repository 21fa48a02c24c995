"""Files that were damaged on the way: one line that says what to do, never a traceback, and nothing is imported."""

import json
import zipfile

import openpyxl
import pytest

from annotate.people.exchange.exported_tasks import task_id
from annotate.people.exchange.file_problems import BadRows
from annotate.people.exchange.import_export import read_vote_file
from annotate.people.protocols.unisrm import UniSRM
from contracts.errors import DataError

COLUMNS = {"subject": "pair", "annotator": "who", "answers": {"value": "vote"}}


def read(path, **more):
    mapping = None if path.suffix == ".json" else COLUMNS
    return read_vote_file(
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


GOOD = [("p1", "Ann", "A"), ("p2", "Ann", "B"), ("p1", "Bo", "A")]


def line_of(vote, kind):
    return ",".join(vote) if kind == "csv" else json.dumps(dict(zip(("pair", "who", "vote"), vote, strict=True)))


BAD_LINES = {
    "csv": {
        "a quotation mark that never ends": b'p2,"Cy,A',
        "a quotation mark inside": b'p2,"Cy" x,A',
        "a quotation mark that ends in the next row": b'p2,C"y,A"',
        "no UTF-8": b"p2,Zo\xeb,A",
        "GBK": "p2,张三丰,A".encode("gbk"),
        "NUL": b"p2,C\0y,A",
        "half a surrogate pair": b"p2,C\xed\xa0\xbdy,A",
        "too few cells": b"p2,Cy",
    },
    "jsonl": {
        "100,000 brackets": b'{"pair": "p2", "who": "Cy", "vote": ' + b"[" * 100_000,
        "cut off": b'{"pair": "p2", "who": "C',
        "half a surrogate pair": rb'{"pair": "p2", "who": "C\ud83dy", "vote": "A"}',
        "NUL": rb'{"pair": "p2", "who": "C\u0000y", "vote": "A"}',
        "a key twice": b'{"pair": "p2", "who": "Cy", "vote": "A", "vote": "B"}',
        "single backslashes": rb'{"pair": "p2", "who": "Cy", "vote": "A", "file": "C:\data\x.wav"}',
        "no UTF-8": b'{"pair": "p2", "who": "Zo\xeb", "vote": "A"}',
        "GBK": '{"pair": "p2", "who": "张三丰", "vote": "A"}'.encode("gbk"),
        "a list": b'["p2", "Cy", "A"]',
        "NaN": b'{"pair": "p2", "who": "Cy", "vote": NaN}',
    },
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, lines in BAD_LINES.items() for name in lines])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_one_bad_line_is_one_refused_row(tmp_path, kind, name, place):
    """Wherever it stands: the others are read, it alone is told by its row, and without leave nothing is imported."""
    lines = [line_of(vote, kind).encode() for vote in GOOD]
    lines.insert(place, BAD_LINES[kind][name])
    path = tmp_path / f"votes.{kind}"
    path.write_bytes(b"".join(line + b"\n" for line in ([b"pair,who,vote"] if kind == "csv" else []) + lines))
    row = place + (2 if kind == "csv" else 1)
    with pytest.raises(BadRows) as caught:
        read(path)
    assert {problem.row for problem in caught.value.problems} == {row}
    found = read(path, skip_bad=True)
    assert found.table.num_rows == len(GOOD)
    assert found.rejected.read_text(encoding="utf-8-sig").count("row ") == 1
    if name == "GBK":
        assert "iconv -f GB18030" in str(caught.value)
    if name == "no UTF-8":
        assert "iconv -f WINDOWS-1252" in str(caught.value)
    if name == "single backslashes":
        assert "write a backslash twice" in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("named", [False, True])
def test_what_excel_saves_is_read(tmp_path, encoding, separator, named):
    """Unicode text with its mark, other delimiters, and the first line that names one, which counts as no row of its own."""
    lines = ["pair,who,vote", "p1,Zo\u00eb,A", "p2,Zo\u00eb,?"]
    text = "".join(f"{line.replace(',', separator)}\r\n" for line in ([f"sep={separator}"] if named else []) + lines)
    (tmp_path / "votes.csv").write_bytes(text.encode(encoding))
    with pytest.raises(BadRows, match="row 3, column 'vote'"):
        read(tmp_path / "votes.csv")
    assert read(tmp_path / "votes.csv", skip_bad=True).table.num_rows == 1


@pytest.mark.parametrize(
    ("header", "encoding", "named"),
    [("题目编号,评分人,选择", "gbk", "byte 0xcc is no UTF-8: .*GB18030"), ("pair,張三豐,vote", "big5", "byte 0xb1 .*BIG5")],
)
def test_a_header_in_another_encoding_is_told_with_the_right_one(tmp_path, header, encoding, named):
    (tmp_path / "votes.csv").write_bytes(f"{header}\np1,x,A\n".encode(encoding))
    with pytest.raises(DataError, match=rf"votes\.csv: line 1: {named} -t UTF-8"):
        read(tmp_path / "votes.csv")


def test_bad_entries_of_label_studio_are_refused_alone(tmp_path):
    """No task, a key twice: the entry is told; the others are read."""
    good = {"data": {"task": task_id("p1", "ab")}, "annotations": []}
    results = [{"from_name": "answer_value", "type": "choices", "value": {"choices": ["A"]}}]
    good["annotations"] = [{"id": 1, "completed_by": 1, "result": results}]
    entries = [json.dumps(good), '{"data": {}}', '{"data": {"task": "t", "task": "u"}, "annotations": []}', '"x"']
    (tmp_path / "tasks.json").write_text(f"[{', '.join(entries)}]")
    found = read(tmp_path / "tasks.json", skip_bad=True)
    assert found.table.num_rows == 1
    assert [problem.row for problem in found.problems] == [2, 3, 4]
    (tmp_path / "tasks.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="entry 1: no valid JSON"):
        read(tmp_path / "tasks.json")
