"""Label Studio: tasks and labelling configuration out, annotations in.

Facts of the format, from HumanSignal/label-studio (docs/source/includes/task_format.md, docs/source/guide/export.md,
docs/source/tags/{audio,choices,rating,repeater}.md, label_studio/data_export/serializers.py) and HumanSignal/label-studio-sdk
(src/label_studio_sdk/converter/converter.py and utils.py):

- A file of tasks is a list of ``{"data": {...}}``; a tag shows a field by ``value="$field"``.
- JSON export: a list of tasks; ``data`` is what was imported; ``annotations[].result[]`` has ``from_name``, ``to_name``,
  ``type`` and ``value``, which is ``{"choices": [...]}`` of Choices and ``{"rating": n}`` of Rating. A choice with an ``alias``
  is exported by it. Nothing ticked = no result of that name.
- ``completed_by`` is a user's id, or in older and expanded exports an object with ``id`` and ``email``, in one file perhaps
  both; the converter names people by the email where there is one. ``lead_time`` is seconds. ``was_cancelled`` marks a skipped
  annotation, which the export from the page includes. Unfinished work is in ``drafts`` (ids or objects), models' in
  ``predictions``: no votes.
- JSON_MIN: one record per annotation that was not skipped; the fields of ``data``, one field per ``from_name`` (a single choice
  as a text, several as ``{"choices": [...]}``, a rating as ``[{"rating": n}]``), ``annotator`` (id or email),
  ``annotation_id``, ``lead_time``. Names of controls must therefore differ from those of data.
- Local files are linked as ``/data/local-files/?d=<path below the document root>``; the server needs
  ``LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true``, ``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`` (the folder above the export)
  and a local storage in the project's settings.
- A Rating of two objects is not exported (HumanSignal/label-studio#4699): every control here has one object.

Label Studio counts no plays and does not wait for the end of a clip: the app of this project does.
"""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from annotate.people.exchange.annotator_cells import Role, Voice
from annotate.people.exchange.cells import as_text
from annotate.people.exchange.column_mapping import export_map
from annotate.people.exchange.exported_tasks import Task
from annotate.people.exchange.file_annotators import Annotators
from annotate.people.exchange.file_problems import BadRows, Problem
from annotate.people.exchange.file_rows import encoding_of, refuse_foreign
from annotate.people.exchange.protocol_wording import asked, meant, said
from annotate.people.exchange.vote_reader import BallotReader
from annotate.people.exchange.vote_rows import BallotBox, Cast, Imported, imported
from annotate.people.store.protocol import ListeningProtocol, Question
from contracts.errors import DataError
from contracts.json_text import noting_decoder
from storage.local_files import atomic_path, storage_errors
from storage.private_files import private

CONFIG: Final = "label_config.xml"
LOCAL_FILES: Final = "/data/local-files/?d="

_CONTROL: Final = "answer_"  # before a question's name, so that JSON_MIN cannot mix it up with a field of the data
_VENDOR: Final = "label_studio"


def write_tasks(path: Path, tasks: Sequence[Task], links: Sequence[Mapping[str, str]], protocol: ListeningProtocol) -> None:
    """Write the tasks to import, and beside them ``label_config.xml`` for the project's labelling interface."""
    references = any(task.item.references for task in tasks)
    history = any(task.item.history for task in tasks)
    with atomic_path(path.with_name(CONFIG)) as part:
        part.write_text(labelling_config(protocol, references=references, history=history), encoding="utf-8")
    with atomic_path(path) as part, part.open("w", encoding="utf-8") as file:
        rows = [{"data": _data(task, found)} for task, found in zip(tasks, links, strict=True)]
        json.dump(rows, file, ensure_ascii=False, indent=1)


def _data(task: Task, links: Mapping[str, str]) -> dict[str, Any]:
    clips = {name: link for name, link in links.items() if name.startswith("audio")}
    lists = {
        field: [{"audio": link} for name, link in links.items() if name.startswith(prefix)]
        for field, prefix in (("references", "reference_"), ("history", "history_"))
    }
    # Every field of the configuration must be there, so what is unknown is an empty text.
    return {"task": task.task_id, "text": task.item.text or "", "note": task.item.note or "", **clips, **lists}


def labelling_config(protocol: ListeningProtocol, *, references: bool = False, history: bool = False) -> str:
    """Return the XML of the labelling interface of a protocol.

    Args:
        protocol: its questions become Choices, one object each.
        references: some tasks have prompt speech.
        history: some tasks have turns of a dialogue before.
    """
    view = ET.Element("View")
    for field, heading, wanted in (("history", "The dialogue before", history), ("references", "Prompt speech", references)):
        if wanted:
            ET.SubElement(view, "Header", value=heading)
            repeater = ET.SubElement(view, "Repeater", on=f"${field}", indexFlag="{{idx}}")
            ET.SubElement(repeater, "Audio", name=f"{field}_{{{{idx}}}}", value=f"${field}[{{{{idx}}}}].audio")
    ET.SubElement(view, "Header", value="Text")
    ET.SubElement(view, "Text", name="shown_text", value="$text")
    ET.SubElement(view, "Text", name="shown_note", value="$note")
    objects = ("audio",) if protocol.clips == 1 else ("audio_a", "audio_b")
    for name, heading in zip(objects, ("Speech",) if protocol.clips == 1 else ("Speech A", "Speech B"), strict=True):
        ET.SubElement(view, "Header", value=heading)
        ET.SubElement(view, "Audio", name=name, value=f"${name}")
    for question in protocol.questions:
        ET.SubElement(view, "Header", value=asked(question))
        one = question.kind == "choice"
        choices = ET.SubElement(
            view,
            "Choices",
            name=f"{_CONTROL}{question.name}",
            toName=objects[question.about or 0],
            choice="single-radio" if one else "multiple",
            showInline="true",
            required="true" if one else "false",
        )
        for option, words in said(question).items():
            ET.SubElement(choices, "Choice", value=words, alias=option)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def import_annotations(
    path: Path,
    *,
    protocol: ListeningProtocol,
    protocol_name: str,
    known_subjects: Collection[str],
    seed: int,
    skip_bad: bool = False,
) -> Imported:
    """Read the votes of a JSON or JSON_MIN export of a project that was made of ``write_tasks``.

    Args:
        path: the file.
        protocol: what was asked.
        protocol_name: its name, as votes carry it.
        known_subjects: ids of all pairs or samples that may be voted on.
        seed: of the recipe; pseudonyms depend on it.
        skip_bad: import the good tasks, and write the others to ``<file>.rejected.json`` beside it.

    Raises:
        DataError: the file is no JSON, or neither of the two formats.
        BadRows: annotations are wrong, and they are not to be skipped.
    """
    mapping = export_map(protocol, vendor=_VENDOR)
    reader, box, problems, cancelled = BallotReader(mapping, protocol, known_subjects, seed), BallotBox(), [], 0
    for record, wrong in _records(path):  # a number may get its address further down
        for _, annotation in _annotations(record) if wrong is None else ():
            _link(reader.annotators, _person(annotation))
    for number, (record, wrong) in enumerate(_records(path), start=1):
        if wrong is not None:
            problems.append(Problem(row=number, what=wrong))
            continue
        for label, annotation in _annotations(record):
            if annotation.get("was_cancelled") or annotation.get("skipped"):
                cancelled += 1
                continue
            found: list[Problem] = []

            def note(
                column: str | None, what: str, found: list[Problem] = found, number: int = number, label: str = label
            ) -> None:
                found.append(Problem(row=number, detail=label, column=column, what=what))

            voice = _voice(record, annotation, protocol.questions, note)
            ballot = None if found else reader.ballot(voice, note)
            for here, there in box.add(Cast(ballot=ballot, row=number, name=voice.name())) if ballot is not None else ():
                if here == number:
                    what = f"the annotator says something else of the same task in row {there}: delete one of the two"
                    note("completed_by", what)
                else:
                    problems.append(Problem(row=here, what=f"row {there} has another answer of the same annotator"))
            problems.extend(found)
    problems.sort(key=lambda problem: problem.row)
    bad = {problem.row for problem in problems}
    if problems and not skip_bad:
        raise BadRows(str(path), problems)
    rejected = path.with_name(f"{path.name}.rejected.json") if problems else None
    if rejected is not None:
        # Half a surrogate pair, which no UTF-8 can hold, is written as JSON's own escape of it.
        kept = [record for number, (record, _) in enumerate(_records(path), start=1) if number in bad]
        with (
            storage_errors(f"writing {rejected}"),
            atomic_path(rejected) as part,
            private(part).open("w", encoding="utf-8", errors="backslashreplace") as file,
        ):
            json.dump(kept, file, ensure_ascii=False, indent=1)
    casts, repeated = box.counted(bad)
    return imported(
        casts,
        protocol,
        protocol_name,
        f"import:{path.name}",
        unanswered=reader.unanswered,
        repeated=repeated,
        cancelled=cancelled,
        problems=tuple(problems),
        rejected=rejected,
        aliases=reader.annotators.aliases(),
    )


def _records(path: Path) -> Iterator[tuple[Any, str | None]]:
    """Yield the entries of a JSON list, one decoded at a time, and what is wrong with each; None = nothing."""
    refuse_foreign(path)
    try:
        text = path.read_text(encoding=encoding_of(path))
    except UnicodeDecodeError:
        raise DataError(f"{path}: this is no UTF-8: give the file as Label Studio exported it") from None
    doubled: list[str] = []
    decoder = noting_decoder(doubled)

    def entry(place: int) -> tuple[tuple[Any, str | None], int]:
        doubled.clear()
        value, end = decoder.raw_decode(text, place)
        wrong = f"key {doubled[0]!r} stands twice in one object: which value is meant?" if doubled else _wrong(value)
        return (value, wrong), end

    place, closed, number = _after_space(text, 0), True, 1
    try:
        if text[place : place + 1] != "[":
            found, place = entry(place)
            yield found
        elif text[place := _after_space(text, place + 1)] == "]":
            place += 1
        else:
            while True:
                found, place = entry(place)
                yield found
                number += 1
                place = _after_space(text, place)
                mark, place = text[place], _after_space(text, place + 1)
                if mark != ",":
                    closed = mark == "]"
                    break
    except (ValueError, IndexError, RecursionError) as error:
        why = "nested too deep" if isinstance(error, RecursionError) else error
        raise DataError(f"{path}: entry {number}: no valid JSON ({why}): export the project again as JSON") from None
    if _after_space(text, place) != len(text) or not closed:
        raise DataError(f"{path}: no valid JSON (character {place} is wrong): export the project again as JSON")


def _after_space(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _wrong(record: Any) -> str | None:
    """Return why an entry is of neither format; None = it is of one."""
    if isinstance(record, Mapping) and isinstance(record.get("data"), Mapping) and isinstance(record.get("annotations"), list):
        for annotation in record["annotations"]:
            if not isinstance(annotation, Mapping) or not isinstance(annotation.get("result"), list):
                return "an annotation has no list 'result': export the project as JSON"
        return None
    if isinstance(record, Mapping) and "annotation_id" in record and "annotator" in record:
        return None
    return "this is no task of Label Studio's JSON or JSON_MIN export: export the project as JSON"


def _annotations(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (what to call it, annotation) of an entry of either format; one of JSON_MIN is an annotation itself."""
    if "annotations" in record:
        for annotation in record["annotations"]:
            yield f"annotation {annotation.get('id')}", annotation
    elif record["annotation_id"] is not None:  # null: a task that nobody has annotated
        yield f"annotation {record['annotation_id']}", record


def _person(annotation: Mapping[str, Any]) -> Any:
    return annotation["annotator"] if "annotator" in annotation else annotation.get("completed_by")


def _link(annotators: Annotators, person: Any) -> None:
    if isinstance(person, Mapping) and person.get("email") and person.get("id") is not None:
        with contextlib.suppress(DataError):  # what is no text is told where the vote is read
            annotators.link(as_text(person["id"]), as_text(person["email"]))


def _voice(record: Mapping[str, Any], annotation: Mapping[str, Any], questions: Sequence[Question], note: Any) -> Voice:
    minimal = "annotator" in annotation
    data = record if minimal else record["data"]
    person = _person(annotation)
    if isinstance(person, Mapping):
        person = person.get("email") or person.get("id")
    cells: dict[Role, Any] = {("task",): data.get("task"), ("annotator",): person, ("seconds",): annotation.get("lead_time")}
    columns: dict[Role, str] = {("task",): "data.task", ("annotator",): "completed_by", ("seconds",): "lead_time"}
    by_control = {f"{_CONTROL}{question.name}": question for question in questions}
    for question in questions:
        cells["answers", question.name] = [] if question.kind == "flags" else None
        columns["answers", question.name] = f"{_CONTROL}{question.name}"
    for control, value in _results(annotation, by_control, minimal=minimal):
        if control not in by_control:
            note(control, f"the protocol has no such control: use the labelling configuration of the export ({CONFIG})")
            continue
        question = by_control[control]
        words = _words(value, question)
        if words is None or (question.kind == "choice" and len(words) != 1):
            note(control, f"{'one choice' if question.kind == 'choice' else 'choices'} or a rating is needed, not {value!r}")
            continue
        if cells["answers", question.name]:
            note(control, "the question is answered twice in one annotation: delete one of the answers")
        cells["answers", question.name] = words[0] if question.kind == "choice" else words
    return Voice(cells=cells, columns=columns)


def _results(annotation: Mapping[str, Any], known: Collection[str], *, minimal: bool) -> Iterator[tuple[str, Any]]:
    """Yield (control, value) of all answers of an annotation."""
    if minimal:
        yield from ((name, value) for name, value in annotation.items() if name in known or name.startswith(_CONTROL))
        return
    for result in annotation["result"]:
        if not isinstance(result, Mapping):
            yield "result", result
        elif result.get("type") in ("choices", "rating"):
            yield str(result.get("from_name")), result.get("value")
        else:
            yield str(result.get("from_name")), {"type": result.get("type")}


def _words(value: Any, question: Question) -> list[Any] | None:
    """Return the protocol's words of an answer; None where it is neither choices nor a rating."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        value = {"choices": [value]}
    if not isinstance(value, Mapping):
        return None
    if "rating" in value:
        return [value["rating"]]
    chosen = value.get("choices")
    if not isinstance(chosen, list) or not all(isinstance(word, str) for word in chosen):
        return None
    meanings = meant(question)
    return [meanings.get(word, word) for word in chosen]
