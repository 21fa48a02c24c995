"""Label Studio's files: what we give it, and what its exports may hold."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from annotate.people.exchange.exported_tasks import task_id
from annotate.people.exchange.file_problems import BadRows
from annotate.people.exchange.import_export import export_tasks, read_vote_file
from annotate.people.exchange.label_studio_tasks import labelling_config
from annotate.people.protocols.acceptance import Acceptance
from annotate.people.protocols.rating import Rating
from annotate.people.protocols.speechjudge import SpeechJudge
from annotate.people.protocols.unisrm import UniSRM
from contracts.errors import DataError
from tests.annotate.people.exchange.filling import annotated, annotation, audio, clip, minimal, pair

AB = [
    {"data": {"task": task_id(f"pair{number}", "ab"), "text": "t", "note": "", "audio_a": "x", "audio_b": "y"}}
    for number in (1, 2)
]
KNOWN = ["pair1", "pair2"]


def choice(name: str, *words: str) -> dict:
    return {
        "value": {"choices": list(words)},
        "id": "Dx_aB91ISN",
        "from_name": name,
        "to_name": "audio_a",
        "type": "choices",
        "origin": "manual",
    }


def project(path: Path, *annotations: dict, **fields) -> Path:
    (task, _) = annotated(AB, {})
    path.write_text(json.dumps([task | {"annotations": list(annotations)} | fields]))
    return path


def imported(path: Path, protocol=None, **rest):
    protocol = protocol or UniSRM()
    return read_vote_file(path, protocol=protocol, protocol_name="p", known_subjects=KNOWN, seed=0, **rest)


def problems(path: Path, protocol=None) -> list[str]:
    with pytest.raises(BadRows) as caught:
        imported(path, protocol)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("protocol", [UniSRM(), SpeechJudge(), Rating(), Acceptance()])
@pytest.mark.parametrize("more", [False, True])
def test_the_labelling_config_asks_every_question_of_an_object_that_it_shows(protocol, more):
    """Names are unique, each control is bound to one object, and options are exported as the protocol's words."""
    view = ET.fromstring(labelling_config(protocol, references=more, history=more))
    assert view.tag == "View"
    objects = {tag.get("name"): tag.get("value") for tag in view.iter() if tag.tag in {"Audio", "Text"}}
    named = [tag.get("name") for tag in view.iter() if tag.get("name")]
    assert len(named) == len(set(named))
    controls = list(view.iter("Choices"))
    assert [control.get("name") for control in controls] == [f"answer_{question.name}" for question in protocol.questions]
    for control, question in zip(controls, protocol.questions, strict=True):
        assert control.get("toName") in objects
        assert tuple(option.get("alias") for option in control) == question.options
        assert len({option.get("value") for option in control}) == len(question.options)
        assert (control.get("choice"), control.get("required")) == (
            ("single-radio", "true") if question.kind == "choice" else ("multiple", "false")
        )
    audios = {"Rating": {"$audio"}, "Acceptance": {"$audio_1", "$audio_2"}}.get(
        type(protocol).__name__, {"$audio_a", "$audio_b"}
    )
    assert {value for name, value in objects.items() if name.startswith("audio")} == audios
    assert len(list(view.iter("Repeater"))) == 2 * more
    errors = {control.get("name"): control.get("toName") for control in controls}
    assert errors.get("answer_errors_b") in {None, "audio_b"}


def test_tasks_have_every_field_that_the_config_shows(tmp_path):
    items = [pair(1, history=(clip("c1"), clip("c2")), note="A quiet room"), pair(2, text=None)]
    path = export_tasks(items, tmp_path / "out", kind="label_studio", audio=audio, seed=0, protocol=UniSRM())
    tasks = json.loads(path.read_text())
    view = ET.fromstring((path.parent / "label_config.xml").read_text())
    shown = {tag.get("value")[1:] for tag in view.iter() if tag.get("value", "").startswith("$")} - {"history[{{idx}}].audio"}
    shown |= {tag.get("on")[1:] for tag in view.iter("Repeater")}
    assert shown == {"text", "note", "audio_a", "audio_b", "history"}
    assert all(shown <= task["data"].keys() for task in tasks)
    by_text = {task["data"]["text"]: task["data"] for task in tasks}
    assert len(by_text["Text 1."]["history"]) == 2
    assert by_text[""]["history"] == []
    prefix = "/data/local-files/?d=out/"
    for link in (by_text[""]["audio_a"], by_text["Text 1."]["history"][1]["audio"]):
        assert link.startswith(prefix)
        assert (tmp_path / "out" / link.removeprefix(prefix)).is_file()


def test_skipped_annotations_drafts_and_predictions_are_no_votes(tmp_path):
    draft = annotation(9, 3, [choice("answer_value", "B")])
    path = project(
        tmp_path / "p.json",
        annotation(1, 1, [choice("answer_value", "A")]),
        annotation(2, 2, [choice("answer_value", "B")], was_cancelled=True),
        annotation(3, 4, []),
        drafts=[draft, 17],
        predictions=[{"model_version": "m", "result": [choice("answer_value", "B")], "score": 0.9}],
    )
    found = imported(path)
    assert (found.table["value"].to_pylist(), found.cancelled, found.unanswered) == (["A"], 1, 1)


def test_people_are_the_same_in_both_formats_and_never_stored(tmp_path):
    """Older exports expand completed_by; JSON_MIN then has the email."""
    person = {"id": 3, "email": "ann@example.org", "first_name": "Ann", "last_name": "Lee"}
    path = project(tmp_path / "p.json", annotation(1, person, [choice("answer_value", "A")]))
    small = tmp_path / "min.json"
    small.write_text(json.dumps(minimal(json.loads(path.read_text()))))
    one, other = imported(path).table, imported(small).table
    assert one["vote_id"].equals(other["vote_id"])
    assert "ann" not in str(one.to_pylist()).lower().replace("annotator", "")


@pytest.mark.parametrize("turn", [1, -1])
def test_a_user_counts_once_whichever_form_completed_by_has(tmp_path, turn):
    """A number, an object with number and address, and an object without an address are one person, in any order."""
    forms = [3, {"id": 3, "email": "ann@example.org"}, {"id": 3, "first_name": "Ann"}][::turn]
    ids = ["pair1", "pair2", "pair3"]
    tasks = [{"data": AB[0]["data"] | {"task": task_id(one, "ab")}, "annotations": []} for one in ids]
    for number, (task, person) in enumerate(zip(tasks, forms, strict=True)):
        task["annotations"] = [annotation(number, person, [choice("answer_value", "A")])]
    path = tmp_path / "p.json"
    path.write_text(json.dumps(tasks))
    found = read_vote_file(path, protocol=UniSRM(), protocol_name="p", known_subjects=ids, seed=0).table
    assert found.num_rows == 3
    assert len(set(found["annotator_id"].to_pylist())) == 1


def test_texts_shown_are_taken_for_their_words(tmp_path):
    """A project whose choices lost their aliases exports what people saw."""
    path = project(tmp_path / "p.json", annotation(1, 1, [choice("answer_value", "A is better")]))
    assert imported(path).table["value"].to_pylist() == ["A"]


def test_stars_are_ratings(tmp_path):
    task = {"data": {"task": task_id("pair1", "ab")}}
    stars = {
        "value": {"rating": 4},
        "id": "x",
        "from_name": "answer_overall",
        "to_name": "audio",
        "type": "rating",
        "origin": "manual",
    }
    (entry,) = annotated([task], {})
    entry["annotations"] = [annotation(1, 1, [stars])]
    path = tmp_path / "p.json"
    for export in ([entry], minimal([entry])):
        path.write_text(json.dumps(export))
        assert dict(imported(path, Rating(scales=("overall",))).table["scores"][0].as_py()) == {"overall": 4.0}


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([choice("verdict", "A")], "column 'verdict': the protocol has no such control"),
        ([choice("answer_value", "C")], "column 'answer_value': 'C' is none of A, B, invalid"),
        ([choice("answer_value", "A", "B")], "column 'answer_value': one choice or a rating is needed"),
        ([choice("answer_value", "A"), choice("answer_value", "B")], "is answered twice in one annotation"),
        ([choice("answer_value", "A") | {"type": "textarea"}], "one choice or a rating is needed"),
        (["A"], "column 'result': the protocol has no such control"),
    ],
)
def test_results_that_are_no_answer_are_told_with_their_place(tmp_path, results, message):
    (problem,) = problems(project(tmp_path / "p.json", annotation(77, 1, results)))
    assert problem.startswith("row 1, annotation 77, ")
    assert message in problem


def test_an_annotation_without_its_author_or_task_is_told(tmp_path):
    path = project(tmp_path / "p.json", annotation(1, None, [choice("answer_value", "A")]), data={"audio_a": "x"})
    assert problems(path) == [
        "row 1, annotation 1, column 'completed_by': the annotator is missing: every vote needs one",
        "row 1, annotation 1, column 'data.task': '' is no task of this data set: it was changed, or exported for another one",
    ]


def test_one_person_with_two_minds_is_told(tmp_path):
    path = project(
        tmp_path / "p.json", annotation(1, 1, [choice("answer_value", "A")]), annotation(2, 1, [choice("answer_value", "B")])
    )
    (problem,) = problems(path)
    assert "annotation 2, column 'completed_by': the annotator says something else of the same task" in problem


def test_bad_tasks_are_set_aside_on_wish_as_they_were(tmp_path):
    entries = annotated(AB, {(0, 1): {"value": ["A"]}, (1, 1): {"value": ["C"]}})
    path = tmp_path / "p.json"
    path.write_text(json.dumps(entries))
    found = imported(path, skip_bad=True)
    assert found.table["pair_id"].to_pylist() == ["pair1"]
    assert json.loads((tmp_path / "p.json.rejected.json").read_text()) == [entries[1]]


def test_one_task_alone_and_an_empty_project_are_read(tmp_path):
    path = tmp_path / "p.json"
    (entry, _) = annotated(AB, {(0, 1): {"value": ["A"]}})
    path.write_text(json.dumps(entry))
    assert imported(path).table.num_rows == 1
    path.write_text(" [ ] \n")
    assert imported(path).table.num_rows == 0


@pytest.mark.parametrize("text", ["", "[", "[{}", '[{"a": 1},]', "[1 2]", "[] []", '[{"a": NaN}]', "{", "nonsense", "[]x"])
def test_broken_json_is_told_as_such(tmp_path, text):
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(
        DataError, match=r"p\.json: (no valid JSON|entry \d: no valid JSON|1 problem, .*row 1: this is no task)"
    ):
        imported(path)


@pytest.mark.parametrize("entry", [{"data": {}}, {"id": 1, "annotations": []}, [], "x", {"image": "x", "tag": []}])
def test_other_formats_are_told(tmp_path, entry):
    """An unannotated file of tasks, a list of lists, a record without annotator."""
    path = tmp_path / "p.json"
    path.write_text(json.dumps([entry]))
    with pytest.raises(DataError, match="row 1: this is no task of Label Studio's JSON or JSON_MIN export"):
        imported(path)


def test_an_annotation_without_results_list_is_told(tmp_path):
    path = project(tmp_path / "p.json", {"id": 1, "completed_by": 1})
    with pytest.raises(DataError, match="an annotation has no list 'result'"):
        imported(path)
