"""Import of annotations from Label Studio. Their tasks were written by ``label_studio_tasks``.

Facts of the format, from HumanSignal/label-studio (docs/source/includes/task_format.md, docs/source/guide/export.md,
docs/source/tags/{audio,choices,rating,repeater}.md, label_studio/data_export/serializers.py) and HumanSignal/label-studio-sdk
(src/label_studio_sdk/converter/converter.py and utils.py):

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
"""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from annotate.people.exchange.annotator_cells import AnnotatorCells, Role
from annotate.people.exchange.cells import as_text
from annotate.people.exchange.column_mapping import export_map
from annotate.people.exchange.file_annotators import Annotators
from annotate.people.exchange.file_problems import BadRows, RowProblem
from annotate.people.exchange.file_rows import check_is_text, encoding_of
from annotate.people.exchange.label_studio_tasks import CONFIG, CONTROL
from annotate.people.exchange.protocol_wording import options_by_text
from annotate.people.exchange.vote_reader import VoteReader
from annotate.people.exchange.vote_rows import LocatedVote, VoteCollection, VoteFile, vote_file
from annotate.people.store.protocol import FormQuestion, ListeningProtocol
from contracts.errors import DataError
from contracts.json_text import noting_decoder
from storage.local_files import atomic_path, storage_errors
from storage.private_files import private

_VENDOR: Final = "label_studio"


def import_annotations(
    path: Path,
    *,
    protocol: ListeningProtocol,
    protocol_name: str,
    known_subjects: Collection[str],
    seed: int,
    skip_bad: bool = False,
) -> VoteFile:
    """Read the votes of a JSON or JSON_MIN export of a project whose tasks ``write_tasks`` wrote.

    Args:
        path: the file.
        protocol: protocol of the votes.
        protocol_name: its name, as votes carry it.
        known_subjects: ids of all pairs or samples that may be voted on.
        seed: of the recipe; pseudonyms depend on it.
        skip_bad: import the good tasks, and write the others to ``<file>.rejected.json`` beside it.

    Raises:
        DataError: the file is no JSON, or neither of the two formats.
        BadRows: annotations are bad, and ``skip_bad`` is not set.
    """
    mapping = export_map(protocol, vendor=_VENDOR)
    reader, collection, problems, cancelled = VoteReader(mapping, protocol, known_subjects, seed), VoteCollection(), [], 0
    for record, wrong in _records(path):  # first pass, as a later entry may have the address of a number
        for _, annotation in _annotations(record) if wrong is None else ():
            _link(reader.annotators, _person(annotation))
    for number, (record, wrong) in enumerate(_records(path), start=1):
        if wrong is not None:
            problems.append(RowProblem(row=number, what=wrong))
            continue
        for label, annotation in _annotations(record):
            if annotation.get("was_cancelled") or annotation.get("skipped"):
                cancelled += 1
                continue
            found: list[RowProblem] = []

            def note(
                column: str | None, what: str, found: list[RowProblem] = found, number: int = number, label: str = label
            ) -> None:
                found.append(RowProblem(row=number, detail=label, column=column, what=what))

            cells = _cells(record, annotation, protocol.questions, note)
            vote = None if found else reader.read(cells, note)
            conflicts = [] if vote is None else collection.add(LocatedVote(vote=vote, row=number, name=cells.name()))
            for here, there in conflicts:
                if here == number:
                    what = f"the annotator says something else of the same task in row {there}: delete one of the two"
                    note("completed_by", what)
                else:
                    problems.append(RowProblem(row=here, what=f"row {there} has another answer of the same annotator"))
            problems.extend(found)
    problems.sort(key=lambda problem: problem.row)
    bad = {problem.row for problem in problems}
    if problems and not skip_bad:
        raise BadRows(str(path), problems)
    rejected = path.with_name(f"{path.name}.rejected.json") if problems else None
    if rejected is not None:
        # Half a surrogate pair is not valid UTF-8, so it is written as a JSON escape.
        kept = [record for number, (record, _) in enumerate(_records(path), start=1) if number in bad]
        with (
            storage_errors(f"writing {rejected}"),
            atomic_path(rejected) as part,
            private(part).open("w", encoding="utf-8", errors="backslashreplace") as file,
        ):
            json.dump(kept, file, ensure_ascii=False, indent=1)
    located, repeated = collection.selected(bad)
    return vote_file(
        located,
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
    """Yield the entries of a JSON list, decoded one at a time, each with its problem; None = no problem."""
    check_is_text(path)
    try:
        text = path.read_text(encoding=encoding_of(path))
    except UnicodeDecodeError:
        raise DataError(f"{path}: this is no UTF-8: give the file as Label Studio exported it") from None
    doubled: list[str] = []
    decoder = noting_decoder(doubled)

    def entry(place: int) -> tuple[tuple[Any, str | None], int]:
        doubled.clear()
        value, end = decoder.raw_decode(text, place)
        wrong = f"key {doubled[0]!r} stands twice in one object: which value is meant?" if doubled else _format_problem(value)
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


def _format_problem(record: Any) -> str | None:
    """Return the problem of an entry that is of neither format; None = no problem."""
    if isinstance(record, Mapping) and isinstance(record.get("data"), Mapping) and isinstance(record.get("annotations"), list):
        for annotation in record["annotations"]:
            if not isinstance(annotation, Mapping) or not isinstance(annotation.get("result"), list):
                return "an annotation has no list 'result': export the project as JSON"
        return None
    if isinstance(record, Mapping) and "annotation_id" in record and "annotator" in record:
        return None
    return "this is no task of Label Studio's JSON or JSON_MIN export: export the project as JSON"


def _annotations(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (label for messages, annotation) of an entry of either format; an entry of JSON_MIN is one annotation."""
    if "annotations" in record:
        for annotation in record["annotations"]:
            yield f"annotation {annotation.get('id')}", annotation
    elif record["annotation_id"] is not None:  # null = a task without annotations
        yield f"annotation {record['annotation_id']}", record


def _person(annotation: Mapping[str, Any]) -> Any:
    return annotation["annotator"] if "annotator" in annotation else annotation.get("completed_by")


def _link(annotators: Annotators, person: Any) -> None:
    if isinstance(person, Mapping) and person.get("email") and person.get("id") is not None:
        with contextlib.suppress(DataError):  # an unreadable name is reported when the vote is read
            annotators.link(as_text(person["id"]), as_text(person["email"]))


def _cells(
    record: Mapping[str, Any], annotation: Mapping[str, Any], questions: Sequence[FormQuestion], note: Any
) -> AnnotatorCells:
    minimal = "annotator" in annotation
    data = record if minimal else record["data"]
    person = _person(annotation)
    if isinstance(person, Mapping):
        person = person.get("email") or person.get("id")
    cells: dict[Role, Any] = {("task",): data.get("task"), ("annotator",): person, ("seconds",): annotation.get("lead_time")}
    columns: dict[Role, str] = {("task",): "data.task", ("annotator",): "completed_by", ("seconds",): "lead_time"}
    by_control = {f"{CONTROL}{question.name}": question for question in questions}
    for question in questions:
        cells["answers", question.name] = [] if question.kind == "flags" else None
        columns["answers", question.name] = f"{CONTROL}{question.name}"
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
    return AnnotatorCells(cells=cells, columns=columns)


def _results(annotation: Mapping[str, Any], known: Collection[str], *, minimal: bool) -> Iterator[tuple[str, Any]]:
    """Yield (control, value) of all answers of an annotation."""
    if minimal:
        yield from ((name, value) for name, value in annotation.items() if name in known or name.startswith(CONTROL))
        return
    for result in annotation["result"]:
        if not isinstance(result, Mapping):
            yield "result", result
        elif result.get("type") in ("choices", "rating"):
            yield str(result.get("from_name")), result.get("value")
        else:
            yield str(result.get("from_name")), {"type": result.get("type")}


def _words(value: Any, question: FormQuestion) -> list[Any] | None:
    """Return the protocol's options of an answer; None where it is neither choices nor a rating."""
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
    meanings = options_by_text(question)
    return [meanings.get(word, word) for word in chosen]
