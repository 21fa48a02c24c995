"""Files that do not say who voted, labels that were made of votes elsewhere, and answers that were given again."""

import json

import pytest

from annotate.people.exchange.file_problems import BadRows
from annotate.people.exchange.import_export import read_vote_file
from annotate.people.protocols.rating import Rating
from annotate.people.protocols.speechjudge import SpeechJudge
from contracts.errors import DataError, RecipeError

BARE = {"subject": "pair", "answers": {"value": "vote"}}
RATED = {"subject": "clip", "annotator": "who", "answers": {"overall": "score"}}


def read(tmp_path, text, mapping, protocol=None, name="v.csv", **more):
    (tmp_path / name).write_text(text, encoding="utf-8")
    protocol = protocol or SpeechJudge()
    known = {"protocol": protocol, "protocol_name": "p", "known_subjects": ["p1", "p2"], "seed": 0}
    return read_vote_file(tmp_path / name, mapping=mapping, **known | more)


@pytest.mark.parametrize("name", ["v.csv", "other.csv"])
def test_rows_of_people_whom_nobody_names_are_votes_of_one_person_each(tmp_path, name):
    """Three rows on a pair are three votes; the same rows again, in another file too, have the same ids."""
    text = "pair,vote\np1,A+1\np1,A+1\np2,T\np1,B+1\np2,\n"
    found = read(tmp_path, text, BARE | {"annotators": "unnamed"}, name=name)
    assert sorted(found.table["value"].to_pylist()) == ["A+1", "A+1", "B+1", "T"]
    assert len(set(found.table["annotator_id"].to_pylist())) == 4
    assert (found.repeated, found.unanswered, found.table["aggregated"].null_count) == (0, 1, 4)
    again = read(tmp_path, text, BARE | {"annotators": "unnamed"}, name="again.csv")
    assert again.table["vote_id"].equals(found.table["vote_id"])


def test_lists_and_wide_files_need_no_names_either(tmp_path):
    lists = read(
        tmp_path,
        json.dumps({"pair": "p1", "vote": ["A+1", "T"]}),
        BARE | {"annotators": "unnamed", "lists": True},
        name="v.jsonl",
    )
    wide = read(
        tmp_path,
        "pair,vote 1,vote 2\np1,A+1,T\n",
        {"subject": "pair", "answers": {"value": "vote {n}"}, "annotators": "unnamed", "wide": True},
    )
    assert lists.table["vote_id"].equals(wide.table["vote_id"])
    assert lists.table.num_rows == 2


def test_labels_that_were_made_elsewhere_are_marked(tmp_path):
    """One a pair, of no person; two that differ are an error."""
    made = BARE | {"annotators": "aggregated"}
    found = read(tmp_path, "pair,vote\np1,A+1\np2,T\np1,A+1\n", made)
    assert found.table["aggregated"].to_pylist() == [True, True]
    assert (found.repeated, len(set(found.table["annotator_id"].to_pylist()))) == (1, 1)
    with pytest.raises(BadRows, match="row 2: the annotator says something else of the same subject in row 3"):
        read(tmp_path, "pair,vote\np1,A+1\np1,B+1\n", made)


@pytest.mark.parametrize(("repeated", "values"), [("first", ["A+1"]), ("last", ["B+1"])])
def test_an_answer_that_was_given_again(tmp_path, repeated, values):
    found = read(
        tmp_path, "pair,who,vote\np1,Ann,A+1\np1,ann,T\np1,Ann,B+1\n", BARE | {"annotator": "who", "repeated": repeated}
    )
    assert (found.table["value"].to_pylist(), found.repeated) == (values, 2)


@pytest.mark.parametrize(("repeated", "score"), [("first", 3.0), ("last", 4.0), ("mean", 10 / 3)])
def test_a_rating_that_was_given_again(tmp_path, repeated, score):
    """The mean is that of all of them, equal ones too; a row that is wrong is none of them."""
    found = read(
        tmp_path,
        "clip,who,score\np1,Ann,3\np1,Ann,3\np1,Ann,9\np1,Ann,4\np2,Ann,5\n",
        RATED | {"repeated": repeated},
        Rating(scales=("overall",)),
        skip_bad=True,
    )
    scores = {row["sample_id"]: dict(row["scores"])["overall"] for row in found.table.to_pylist()}
    assert scores == {"p1": pytest.approx(score), "p2": 5.0}
    assert [problem.row for problem in found.problems] == [4]


@pytest.mark.parametrize(
    ("mapping", "protocol", "message"),
    [
        (RATED | {"annotators": "aggregated"}, Rating(scales=("overall",)), "labels of pairs"),
        (BARE | {"repeated": "mean"}, SpeechJudge(), "mean is for ratings"),
        (BARE | {"repeated": "best"}, SpeechJudge(), "repeated: "),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, mapping, protocol, message):
    with pytest.raises(RecipeError, match=message):
        read(tmp_path, "pair,clip,who,vote,score\n", mapping, protocol)


UNNAMED = BARE | {"annotators": "unnamed"}


def test_another_file_of_unnamed_votes_is_of_other_people(tmp_path):
    """Its votes are new, be they the same on some pairs; the order of rows makes no other file."""
    files = ["p1,A+1\np1,A+1\np1,B+1\n", "p1,A+1\np2,A+1\n", "p1,B+1\np1,A+1\n", "p1,B+1\np1,A+1\np1,A+1\n"]
    first, second, third, turned = (read(tmp_path, f"pair,vote\n{rows}", UNNAMED).table for rows in files)
    ids = [vote for table in (first, second, third) for vote in table["vote_id"].to_pylist()]
    assert len(set(ids)) == len(ids) == 7
    assert turned.equals(first)
    other = read(tmp_path, f"pair,vote\n{files[0]}", UNNAMED | {"vendor": "v"}).table
    assert not set(other["vote_id"].to_pylist()) & set(ids)


def test_nobody_unnamed_answers_again(tmp_path):
    with pytest.raises(RecipeError, match="repeated: with annotators: unnamed"):
        read(tmp_path, "pair,vote\n", UNNAMED | {"repeated": "last"})


@pytest.mark.parametrize("name", ["v.csv", "v.jsonl"])
def test_all_answers_of_a_contradiction_are_set_aside(tmp_path, name):
    """A, A, B and A once more of one person: nobody knows which one was meant, so none is lost unseen."""
    said = ["A+1", "A+1", "B+1", "A+1"]
    text = "pair,who,vote\n" + "".join(f"p1,Ann,{vote}\n" for vote in said)
    if name == "v.jsonl":
        text = "".join(json.dumps({"pair": "p1", "who": "Ann", "vote": vote}) + "\n" for vote in said)
    found = read(tmp_path, text, BARE | {"annotator": "who"}, name=name, skip_bad=True)
    assert (found.table.num_rows, found.repeated, len(found.problems)) == (0, 0, 4)
    rejected = found.rejected.read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[:3] for line in rejected[1:]] == [["p1", "Ann", vote] for vote in said]


@pytest.mark.parametrize(
    ("key", "good"), [("Vote", "vote"), ("vote ", "vote"), ("votes", "vote"), ("Who", "who"), ("Pair", "pair")]
)
def test_a_key_in_another_spelling_is_no_place_left_empty(tmp_path, key, good):
    rows = [{"pair": "p1", "who": "Ann", "vote": "T"}, {"pair": "p2", "who": "Ann", "vote": "T"}]
    rows[1][key] = rows[1].pop(good)
    with pytest.raises(BadRows, match=rf"row 2: there is no '{good}' here, but '{key}': correct the key"):
        read(tmp_path, "".join(f"{json.dumps(row)}\n" for row in rows), BARE | {"annotator": "who"}, name="v.jsonl")


WIDE = {"subject": "pair", "answers": {"value": "vote_{n}"}, "annotators": "unnamed", "wide": True}


@pytest.mark.parametrize(
    ("header", "wide", "message"),
    [
        ("vote_1,vote_2,vote_majority", True, r"column 'vote_majority' fits 'vote_\{n\}', but \{n\} stands for a number"),
        ("vote_ann,vote_bob", True, r"column 'vote_ann' fits .*wide: \[ann, bob\]"),
        ("vote_1,Vote_2", True, r"column 'Vote_2' is spelled otherwise than 'vote_\{n\}'"),
        ("vote_ann", ["ann", "bob"], "there is no column 'vote_bob'"),
        ("vote_ann", [], "wide: name at least one annotator"),
    ],
)
def test_a_summary_is_no_person(tmp_path, header, wide, message):
    values = ",".join("T" for _ in header.split(","))
    with pytest.raises((DataError, RecipeError), match=message):
        read(tmp_path, f"pair,{header}\np1,{values}\n", WIDE | {"wide": wide})


def test_whose_columns_count_is_listed(tmp_path):
    """Names or numbers; a column that is not listed is nobody's."""
    text = "pair,vote_1,vote_2,vote_majority\np1,T,T,T\n"
    assert read(tmp_path, text, WIDE | {"wide": [1, 2]}).table.num_rows == 2
    named = WIDE | {"wide": ["ann", "bob"], "annotators": "keep", "annotator": "{n}"}
    found = read(tmp_path, "pair,vote_ann,vote_bob,vote_mean\np1,T,T,T\n", named)
    assert set(found.table["annotator_id"].to_pylist()) == {"ann", "bob"}
