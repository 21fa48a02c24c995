"""Vendors' own files: mapped columns, layouts, and everything that can be wrong in a row."""

import csv
import json
import stat
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.people.exchange.file_problems import BadRows
from annotate.people.exchange.import_export import read_vote_file
from annotate.people.protocols.rating import Rating
from annotate.people.protocols.speechjudge import SpeechJudge
from annotate.people.protocols.unisrm import UniSRM
from contracts.conformance import conform
from contracts.errors import DataError, RecipeError
from contracts.text_forms import compared

BARE = {"subject": "pair", "annotator": "rater", "answers": {"value": "verdict"}}
PAIRS = [f"p{number}" for number in range(9)]


def imported(path: Path, mapping: dict, protocol=None, known=PAIRS, **rest):
    protocol = protocol or UniSRM()
    name = type(protocol).__name__.lower()
    return read_vote_file(path, mapping=mapping, protocol=protocol, protocol_name=name, known_subjects=known, seed=0, **rest)


def rows_of(path: Path, mapping: dict, protocol=None, **rest) -> list[dict]:
    found = imported(path, mapping, protocol, **rest).table
    return sorted(conform(found, "ratings" if "rating_id" in found.column_names else "votes").to_pylist(), key=str)


def problems_of(path: Path, mapping: dict, protocol=None, **rest) -> list[str]:
    with pytest.raises(BadRows) as caught:
        imported(path, mapping, protocol, **rest)
    return [str(problem) for problem in caught.value.problems]


def wrote(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_a_vendor_s_words_columns_and_order_become_votes(tmp_path):
    """Text errors by yes/no columns, sides as played, times and plays: all turned back to the pair's own A and B."""
    path = wrote(
        tmp_path / "vendor.csv",
        "id;Annotator;Preferred;A omits;A adds;B omits;B adds;First;Secs;nA;nB\n"
        "p1;Ann;left much better;yes;no;no;no;1;12.5;1;3\n"
        "p1;Bob;left much better;yes;no;no;no;2;12;1;3\n"
        "p2;Ann;same;;;;;1;;;\n",
    )
    mapping = {
        "subject": "id",
        "annotator": "Annotator",
        "answers": {
            "value": "Preferred",
            "errors_a": {"omission": "A omits", "insertion": "A adds"},
            "errors_b": {"omission": "B omits", "insertion": "B adds"},
        },
        "order": "First",
        "sides": "played",
        "seconds": "Secs",
        "plays_a": "nA",
        "plays_b": "nB",
        "words": {"value": {"left much better": "A+2", "same": "T"}, "order": {1: "ab", 2: "ba"}},
    }
    told = {
        (row["pair_id"], row["order"]): (
            row["value"],
            row["errors_a"],
            row["errors_b"],
            row["text_accurate_a"],
            row["time_s"],
            row["plays_a"],
            row["plays_b"],
        )
        for row in rows_of(path, mapping, SpeechJudge())
    }
    assert told[("p1", "ab")] == ("A+2", ["omission"], [], False, 12.5, 1, 3)
    assert told[("p1", "ba")] == ("B+2", [], ["omission"], True, 12.0, 3, 1)
    assert told[("p2", "ab")] == ("T", [], [], True, None, None, None)


def test_what_a_file_does_not_ask_is_unknown_and_not_fine(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict\np1,Ann,A+1\n")
    (row,) = rows_of(path, BARE, SpeechJudge())
    unknown = (
        "errors_a",
        "errors_b",
        "text_accurate_a",
        "text_accurate_b",
        "order",
        "time_s",
        "plays_a",
        "plays_b",
        "discarded",
    )
    assert [row[name] for name in unknown] == [None] * len(unknown)


def test_accuracy_without_kinds_of_errors_is_kept(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict,okA,okB,First\np1,Ann,A+1,ja,no,ba\n")
    mapping = BARE | {
        "text_accurate_a": "okA",
        "text_accurate_b": "okB",
        "order": "First",
        "sides": "played",
        "words": {"text_accurate_a": {"ja": True}},
    }
    (row,) = rows_of(path, mapping, SpeechJudge())
    assert (row["value"], row["text_accurate_a"], row["text_accurate_b"], row["errors_a"]) == ("B+1", False, True, None)


def test_accuracy_that_contradicts_the_errors_is_refused(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict,okA,bad\np1,Ann,A+1,yes,omission\n")
    mapping = BARE | {"answers": {"value": "verdict", "errors_a": "bad"}, "text_accurate_a": "okA"}
    assert problems_of(path, mapping, SpeechJudge()) == [
        "row 2: a clip is called accurate, but its errors are ['omission']: correct one"
    ]


WIDE = {"subject": "pair", "annotator": "rater_{n}", "answers": {"value": "value_{n}"}, "wide": True}


def test_a_wide_file_has_several_annotators_in_a_row(tmp_path):
    path = wrote(
        tmp_path / "v.csv",
        "pair,rater_1,value_1,rater_2,value_2,rater_3,value_3\np1,Ann,A,Bob,B,,\np2,Bob,A,Ann,invalid,Cid,A\n",
    )
    found = imported(path, WIDE)
    assert found.unanswered == 1
    assert sorted(zip(found.table["pair_id"].to_pylist(), found.table["value"].to_pylist(), strict=True)) == [
        ("p1", "A"),
        ("p1", "B"),
        ("p2", "A"),
        ("p2", "A"),
        ("p2", "invalid"),
    ]
    assert len(set(found.table["annotator_id"].to_pylist())) == 3


def test_annotators_may_be_the_heads_of_columns(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,Ann's vote,Bob's vote\np1,A,B\n")
    mapping = WIDE | {"annotator": "{n}", "answers": {"value": "{n}'s vote"}, "annotators": "keep", "wide": ["Ann", "Bob"]}
    assert {(row["annotator_id"], row["value"]) for row in rows_of(path, mapping)} == {("Ann", "A"), ("Bob", "B")}


def test_speechjudge_s_published_rows_are_read(tmp_path):
    """Parallel lists per row, several reasons for ties, text accuracy as 0 and 1 (the Hub's RMSnow/SpeechJudge-Data)."""
    rows = [
        {
            "index": 1, "subset": "regular", "rater": ["r1", "r2", "r3"], "audioA_text_accuracy": [1, 1, 0], "audioB_text_accuracy": [1, 1, 1],
            "naturalness_annotation": ["B+2", "Tie (both very good)", "Tie (both not good)"], "naturalness_label": "Tie",
        },
        {"index": 2, "rater": ["r1", "r2"], "audioA_text_accuracy": [1, 0], "audioB_text_accuracy": [1, 0], "naturalness_annotation": ["A+1", "A+2"]},
    ]  # fmt: skip
    path = wrote(tmp_path / "train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    mapping = {
        "subject": "index",
        "annotator": "rater",
        "answers": {"value": "naturalness_annotation"},
        "text_accurate_a": "audioA_text_accuracy",
        "text_accurate_b": "audioB_text_accuracy",
        "words": {"value": {"Tie (missing reason)": "T", "Tie (both not good)": "T", "Tie (both very good)": "T"}},
        "lists": True,
        "annotators": "keep",
    }
    told = [
        (row["pair_id"], row["annotator_id"], row["value"], row["text_accurate_a"], row["text_accurate_b"])
        for row in rows_of(path, mapping, SpeechJudge(), known=["1", "2"])
    ]
    assert sorted(told) == [
        ("1", "r1", "B+2", True, True), ("1", "r2", "T", True, True), ("1", "r3", "T", False, True),
        ("2", "r1", "A+1", True, True), ("2", "r2", "A+2", False, False),
    ]  # fmt: skip


def test_lists_that_are_not_parallel_are_refused(tmp_path):
    path = wrote(
        tmp_path / "v.jsonl",
        '{"pair": "p1", "rater": ["Ann"], "verdict": ["A", "B"]}\n{"pair": "p1", "rater": "Ann", "verdict": ["A"]}\n',
    )
    assert problems_of(path, BARE | {"lists": True}) == [
        "row 1: lists of one row must be equally long, one entry per annotator: 'rater' 1, 'verdict' 2",
        "row 2: 'rater' holds no list: one entry per annotator is needed",
    ]


def test_every_problem_of_a_file_is_told_at_once_with_its_place(tmp_path):
    path = wrote(
        tmp_path / "v.csv",
        "pair,rater,verdict,secs\n"
        "p99,Ann,A,1\n"
        "p1,,A,1\n"
        "p1,Ann,better,1\n"
        "p2,Ann,A,fast\n"
        "p3,Ann,A,-1\n"
        "p4,Ann,A\n"
        ",Ann,A,1\n"
        "p5,Ann,A,1\n"
        "p5,Ann,B,1\n",
    )
    problems = problems_of(path, BARE | {"seconds": "secs"})
    assert problems == [
        "row 2, column 'pair': 'p99' is no pair of this data set: correct the id",
        "row 3, column 'rater': the annotator is missing: every vote needs one",
        "row 4, column 'verdict': 'better' is none of A, B, invalid: correct it, or map it under 'words'",
        "row 5, column 'secs': 'fast' is no number of 0 or more: give it in digits, with a point before decimals",
        "row 6, column 'secs': '-1' is no number of 0 or more: give it in digits, with a point before decimals",
        "row 7: 3 cells stand under a header of 4: mend the row",
        "row 8, column 'pair': the pair is missing",
        "row 9, column 'rater': the annotator says something else of the same subject in row 10: keep one of the two",
        "row 10, column 'rater': the annotator says something else of the same subject in row 9: keep one of the two",
    ]


def test_the_message_counts_what_it_does_not_spell_out(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict\n" + "p1,Ann,?\n" * 137)
    with pytest.raises(BadRows, match=r"137 problems, nothing was imported: row 2, .*; and 117 more") as caught:
        imported(path, BARE)
    assert str(caught.value).count("is none of") == 20


def test_bad_rows_are_set_aside_on_wish_and_can_be_mended(tmp_path):
    """What is rejected, mended and imported, plus what was imported, is what a good file gives; nothing of it runs as a formula."""
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict,remark\np1,Ann,A,=1+1\np2,Ann,?,=cmd()\np3,Ann,B,\np3,Ann,A,\n")
    found = imported(path, BARE, skip_bad=True)
    assert found.table["pair_id"].to_pylist() == ["p1"], "of two votes that contradict each other neither counts"
    assert found.rejected == tmp_path / "v.csv.rejected.csv"
    assert stat.S_IMODE(found.rejected.stat().st_mode) == 0o600  # it has names in it
    assert len(found.problems) == 3
    with found.rejected.open(encoding="utf-8-sig", newline="") as file:
        rejected = list(csv.reader(file))
    assert rejected[0] == ["pair", "rater", "verdict", "remark", "problem"]
    assert rejected[1][:4] == ["p2", "Ann", "?", "'=cmd()"]
    assert "'?' is none of" in rejected[1][4]
    assert [row[:3] for row in rejected[2:]] == [["p3", "Ann", "B"], ["p3", "Ann", "A"]]
    mended = wrote(found.rejected, found.rejected.read_text(encoding="utf-8-sig").replace("?", "B", 1))
    assert len(problems_of(mended, BARE)) == 2


def test_good_files_leave_nothing_rejected(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict\np1,Ann,A\n")
    assert imported(path, BARE, skip_bad=True).rejected is None
    assert [each.name for each in tmp_path.iterdir()] == ["v.csv"]


def test_the_same_vote_twice_is_one_vote(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict\np1,Ann,A\np1,Ann,A\np1, Ann ,A\n")
    found = imported(path, BARE)
    assert (found.table.num_rows, found.repeated) == (1, 2)


def test_importing_a_file_again_gives_the_same_ids(tmp_path):
    text = "pair,rater,verdict\np1,Ann,A\np2,Bob,B\n"
    one, two = wrote(tmp_path / "v.csv", text), wrote(tmp_path / "renamed.csv", text)
    first, again, renamed = imported(one, BARE).table, imported(one, BARE).table, imported(two, BARE).table
    assert first.equals(again)
    assert first["vote_id"].equals(renamed["vote_id"])
    assert set(renamed["source"].to_pylist()) == {"import:renamed.csv"}


def test_vendors_keep_their_annotators_apart(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict\np1,1,A\n")
    one, other = (imported(path, BARE | {"vendor": vendor}).table["annotator_id"][0] for vendor in ("x", "y"))
    assert one != other


def test_rows_without_an_answer_are_counted_and_no_votes(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict\np1,Ann,A\np2,Ann,\np3,,\n\n,,\n")
    found = imported(path, BARE)
    assert (found.table.num_rows, found.unanswered) == (1, 2)


def test_errors_without_a_vote_are_no_vote(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict,bad\np1,Ann,,omission\n")
    mapping = BARE | {"answers": {"value": "verdict", "errors_a": "bad"}}
    assert problems_of(path, mapping, SpeechJudge()) == [
        "row 2: something is ticked here, but the question itself is not answered: answer it or empty the cells"
    ]


def test_a_rating_that_lacks_a_scale_is_refused(tmp_path):
    path = wrote(tmp_path / "v.csv", "clip,rater,n,o\ns1,Ann,3,4.0\ns1,Bob,3,\ns1,Cid,3.5,6\n")
    mapping = {"subject": "clip", "annotator": "rater", "answers": {"noise": "n", "overall": "o"}}
    protocol = Rating(scales=("noise", "overall"))
    assert problems_of(path, mapping, protocol, known=["s1"]) == [
        "row 2, column 'o': '4.0' is none of 1, 2, 3, 4, 5: correct it, or map it under 'words'",
        "row 3, column 'o': this question is not answered, though others of the row are: answer it, or empty the row",
        "row 4, column 'n': '3.5' is none of 1, 2, 3, 4, 5: correct it, or map it under 'words'",
        "row 4, column 'o': '6' is none of 1, 2, 3, 4, 5: correct it, or map it under 'words'",
    ]


def test_flags_take_lists_separators_and_words_of_the_vendor(tmp_path):
    cells = ["omission", ["omission", "substitution"], "missing words | misread", "none", None, []]
    path = wrote(
        tmp_path / "v.jsonl",
        "".join(json.dumps({"pair": f"p{n}", "rater": 7, "verdict": "T", "bad": cell}) + "\n" for n, cell in enumerate(cells)),
    )
    mapping = BARE | {
        "answers": {"value": "verdict", "errors_a": "bad"},
        "separator": "|",
        "words": {"errors_a": {"missing words": "omission", "misread": "substitution", "none": []}},
    }
    told = {row["pair_id"]: row["errors_a"] for row in rows_of(path, mapping, SpeechJudge())}
    both = ["omission", "substitution"]
    assert told == {"p0": ["omission"], "p1": both, "p2": both, "p3": [], "p4": [], "p5": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pair,rater\np1,Ann\n", "there is no column 'verdict', only 'pair', 'rater'"),
        ("pair,rater,verdict,verdict\np1,Ann,A,B\n", "there are two columns of the name 'verdict'"),
        ("", "there is no header"),
        ('pair,rater,verdict\np1,"Ann,A\n', "no valid CSV"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_says_so(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        imported(wrote(tmp_path / "v.csv", text), BARE)


def test_a_misspelt_column_of_jsonl_is_not_taken_for_no_answers(tmp_path):
    path = wrote(tmp_path / "v.jsonl", '{"pair": "p1", "rater": "Ann", "veredict": "A"}\n')
    with pytest.raises(DataError, match="there is no column 'verdict', only 'pair', 'rater', 'veredict'"):
        imported(path, BARE)


@pytest.mark.parametrize("line", ["{", "[1]", '{"a": NaN}', '"x"'])
def test_lines_that_are_no_objects_are_told(tmp_path, line):
    path = wrote(tmp_path / "v.jsonl", '{"pair": "p1", "rater": "Ann", "verdict": "A"}\n' + line + "\n")
    (problem,) = problems_of(path, BARE)
    assert problem.startswith("row 2: ")
    assert "JSON" in problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_utf_8_with_or_without_a_mark_and_any_usual_delimiter(tmp_path, encoding, delimiter):
    text = "pair,rater,verdict\np1,Zoë 张,A\n".replace(",", delimiter)
    (row,) = rows_of(wrote(tmp_path / "v.csv", text, encoding), BARE | {"annotators": "keep"})
    assert row["annotator_id"] == "Zoë 张"


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("latin-1", "row [12]: byte 0xeb is no UTF-8: save the file as 'CSV UTF-8'"),
        ("latin-1", "iconv -f WINDOWS-1252"),
        ("utf-16-le", "line 1: .*no text|row 2: no valid JSON"),
    ],
)
@pytest.mark.parametrize("name", ["v.csv", "v.jsonl"])
def test_other_encodings_are_refused_and_not_guessed(tmp_path, encoding, message, name):
    text = "pair,rater,verdict\np1,Zoë,A\n" if name == "v.csv" else '{"pair": "p1", "rater": "Zoë", "verdict": "A"}\n'
    with pytest.raises(DataError, match=message):
        imported(wrote(tmp_path / name, text, encoding), BARE)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match=r"v\.csv: cannot be read: No such file"):
        imported(tmp_path / "v.csv", BARE)


def test_texts_over_several_lines_count_as_one_row(tmp_path):
    path = wrote(tmp_path / "v.csv", 'pair,rater,verdict,text\np1,Ann,A,"one\ntwo\nthree"\np2,Ann,?,x\n')
    (problem,) = problems_of(path, BARE)
    assert problem.startswith("row 3, ")


@given(
    votes=st.dictionaries(
        st.tuples(
            st.sampled_from(PAIRS),
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=5),
        ),
        st.sampled_from(["A", "B", "invalid"]),
        min_size=1,
    ),
    data=st.data(),
)
def test_the_order_of_rows_changes_nothing(tmp_path_factory, votes, data):
    """Any names of different people, any order: the same table."""
    votes = {(pair, compared(name)): (name, value) for (pair, name), value in votes.items() if compared(name)}
    rows = [[pair, name, value] for (pair, _), (name, value) in votes.items()]
    tables = []
    for some in (rows, data.draw(st.permutations(rows))):
        path = tmp_path_factory.mktemp("rows") / "v.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["pair", "rater", "verdict"], *some])
        tables.append(imported(path, BARE).table)
    assert tables[0].equals(tables[1])
    assert sorted(tables[0]["value"].to_pylist()) == sorted(value for _, _, value in rows)


def test_rows_are_streamed(tmp_path):
    """Reading takes memory for the votes, not for what else stands in a big file: 40 MB of remarks cost less than 10 MB."""
    path = tmp_path / "v.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("pair,rater,verdict,remark\n")
        for number in range(4000):
            file.write(f"p{number % 8},r{number},A,{'x' * 10_000}\n")
    tracemalloc.start()
    assert imported(path, BARE).table.num_rows == 4000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 40e6
    assert peak < 10e6


def test_words_that_yaml_took_for_booleans_are_refused(tmp_path):
    path = wrote(tmp_path / "v.csv", "pair,rater,verdict\np1,Ann,A\n")
    with pytest.raises(RecipeError, match="put them in quotes"):
        read_vote_file(
            path,
            mapping=BARE | {"words": {"value": {True: "A"}}},
            protocol=UniSRM(),
            protocol_name="unisrm",
            known_subjects=PAIRS,
            seed=0,
        )
