"""One person is one annotator, however programs and vendors write the name."""

import json

import openpyxl
import pytest

from annotate.people.exchange.exported_tasks import task_id
from annotate.people.exchange.file_annotators import Annotators
from annotate.people.exchange.file_problems import BadRows
from annotate.people.exchange.import_export import read_vote_file
from annotate.people.protocols.unisrm import UniSRM
from contracts.errors import DataError
from contracts.ids import row_id
from tests.annotate.people.exchange.filling import annotation, minimal

COLUMNS = {"subject": "pair", "annotator": "who", "answers": {"value": "vote"}}
KNOWN = ["pair1", "pair2"]
BOB = [
    "Bob@x",
    "bob@x",
    " BOB@x ",
    "\uff22\uff4f\uff42\uff20\uff58",  # full width
    "bo\u200bb@x",  # a zero-width space
    "\u202abob@x\u202c",  # as copied from an address book
    "bob@x\u00ad",
    "bob\ufeff@x",
]


def read(path, **more):
    asked = {"protocol": UniSRM(), "protocol_name": "unisrm", "known_subjects": KNOWN, "seed": 0}
    return read_vote_file(path, **asked | more)


@pytest.mark.parametrize("naming", ["hash", "keep"])
def test_spellings_of_one_name_are_one_person(naming):
    """Case, width, hidden characters, space around; composed and decomposed; and what differs stays different."""
    people = Annotators(0, "v", naming)
    assert len({people.pseudonym(name) for name in BOB}) == 1
    assert people.pseudonym("Zo\u00eb") == people.pseudonym("Zoe\u0308")
    assert people.pseudonym("Ann  Lee") == people.pseudonym("ann\u00a0lee")
    assert len({people.pseudonym(name) for name in ("bob@x", "bob@y", "bo b@x", "7", "07")}) == 5


def test_another_vendor_or_seed_has_other_people():
    """A name says who it is within one vendor only, and a pseudonym does not tell a name across data sets."""
    assert len({Annotators(seed, vendor).pseudonym("Bob") for seed in (0, 1) for vendor in ("", "v")}) == 4


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u3000\ufeff", "Ann\nBo", "Ann,A\r\np4,Cy"])
def test_a_name_that_names_nobody_is_refused(name):
    """Nothing visible, or a piece of the file that a lost quotation mark has swallowed."""
    with pytest.raises(DataError, match=r"annotator"):
        Annotators(0, "").pseudonym(name)


def test_pseudonyms_of_before_are_aliases():
    """Names used to be composed only: a spelling that is folded now has its old pseudonym beside the new one."""
    people = Annotators(3, "v")
    who = people.pseudonym("Bob@x")
    assert who == row_id("annotator", 3, "v", "bob@x"), "a name in small letters keeps the pseudonym it had"
    assert people.aliases()[who].same == {row_id("annotator", 3, "v", "Bob@x")}
    assert Annotators(3, "v").aliases() == {}


@pytest.mark.parametrize("kind", ["csv", "xlsx", "jsonl"])
def test_a_vendors_file_in_which_one_person_is_spelled_in_many_ways(tmp_path, kind):
    """The same answer again is a repetition; two answers of one person on one pair are a problem of both rows."""
    path = tmp_path / f"votes.{kind}"

    def write(*votes):
        rows = [{"pair": "pair1", "who": name, "vote": vote} for name, vote in votes]
        if kind == "csv":
            path.write_text("pair,who,vote\n" + "".join(",".join(row.values()) + "\n" for row in rows), encoding="utf-8")
        elif kind == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        else:
            book = openpyxl.Workbook()
            for row in (("pair", "who", "vote"), *(tuple(row.values()) for row in rows)):
                book.active.append(row)
            book.save(path)

    write(*((name, "A") for name in BOB))
    found = read(path, mapping=COLUMNS)
    assert (found.table.num_rows, found.repeated) == (1, len(BOB) - 1)
    write(("Bob@x", "A"), ("bob@x", "B"))
    with pytest.raises(BadRows, match="says something else of the same subject") as caught:
        read(path, mapping=COLUMNS)
    assert [problem.row for problem in caught.value.problems] == ([1, 2] if kind == "jsonl" else [2, 3])


def choice(word):
    return [{"value": {"choices": [word]}, "from_name": "answer_value", "to_name": "audio_a", "type": "choices"}]


def project(*said):
    """Return an export of one annotation per (pair number, completed_by, word)."""
    return [
        {
            "data": {"task": task_id(f"pair{number}", "ab"), "text": "t"},
            "id": number,
            "annotations": [annotation(place, by, choice(word))],
        }
        for place, (number, by, word) in enumerate(said)
    ]


def label_studio(tmp_path, entries, name="tasks.json"):
    (tmp_path / name).write_text(json.dumps(entries))
    return read(tmp_path / name)


@pytest.mark.parametrize("turned", [False, True])
def test_a_number_and_the_same_number_with_an_address_are_one_person(tmp_path, turned):
    """In one file, whichever comes first; their agreement is not that of two people."""
    both = [(1, 1, "A"), (2, {"id": 1, "email": "Bob@x"}, "A"), (1, {"id": 1, "email": "bob@x "}, "A")]
    found = label_studio(tmp_path, project(*(both[::-1] if turned else both)))
    assert len(set(found.table["annotator_id"].to_pylist())) == 1
    assert (found.table.num_rows, found.repeated) == (2, 1)
    with pytest.raises(BadRows, match="says something else of the same task"):
        label_studio(tmp_path, project((1, 1, "A"), (1, {"id": 1, "email": "bob@x"}, "B")))


def test_both_forms_of_an_export_give_the_same_people(tmp_path):
    """JSON with objects, JSON_MIN with addresses."""
    entries = project((1, {"id": 1, "email": "Bob@x"}, "A"), (2, {"id": 2, "email": "ann@x"}, "B"))
    full, least = label_studio(tmp_path, entries), label_studio(tmp_path, minimal(entries), "min.json")
    assert full.table.drop_columns("source").equals(least.table.drop_columns("source"))


def test_two_addresses_of_one_number_are_two_people(tmp_path):
    """Two servers count from 1."""
    by = [{"id": 1, "email": "a@x"}, {"id": 1, "email": "b@y"}]
    found = label_studio(tmp_path, project((1, by[0], "A"), (1, by[1], "B")))
    assert found.table.num_rows == 2


def test_ids_are_kept_as_they_are():
    """Case and width make another id; composition, hidden characters and space around do not."""
    people = Annotators(0, "", "keep")
    ids = ["aB3xQ", "Ab3Xq", "w\u00b2", "w2"]
    assert [people.pseudonym(name) for name in ids] == ids
    assert {people.pseudonym(name) for name in (" aB3xQ", "aB3\u200bxQ", "aB3xQ\ufeff")} == {"aB3xQ"}
    assert len({people.pseudonym(name) for name in ("Ann Lee", "ann  lee")}) == 1
    first, second = people.notes()
    assert first.startswith("annotators 'aB3xQ', ' aB3xQ'")
    assert second == "annotators 'w\u00b2', 'w2' differ in case or width alone and are taken for 2 people"


def test_ids_that_are_taken_for_one_name_are_told():
    people = Annotators(0, "")
    assert people.pseudonym("aB3xQ") == people.pseudonym("Ab3Xq")
    people.pseudonym("Bob@x"), people.pseudonym("bob@x")
    assert [*people.notes()] == [
        "annotators 'aB3xQ', 'Ab3Xq' are taken for one person; if these are ids, set annotators: keep in the mapping"
    ]
