"""Export of tasks to Label Studio, with the labelling configuration of their project.

Facts of the format, from HumanSignal/label-studio (docs/source/includes/task_format.md,
docs/source/tags/{audio,choices,repeater}.md):

- A file of tasks is a list of ``{"data": {...}}``; a tag shows a field by ``value="$field"``.
- Local files are linked as ``/data/local-files/?d=<path below the document root>``; the server needs
  ``LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true``, ``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`` (the folder above the export)
  and a local storage in the project's settings.
- A Rating of two objects is not exported (HumanSignal/label-studio#4699): every control here has one object.

Label Studio counts no plays and does not wait for the end of a clip: the app of this project does.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from annotate.people.exchange.exported_tasks import ExportedTask, clip_names
from annotate.people.exchange.protocol_wording import guidance_of, option_texts, question_text
from annotate.people.store.protocol import ListeningProtocol, asks_about_critiques
from storage.local_files import atomic_path

CONFIG: Final = "label_config.xml"
LOCAL_FILES: Final = "/data/local-files/?d="

_HEADINGS: Final = {
    "audio": "Speech",
    "audio_a": "Speech A",
    "audio_b": "Speech B",
    "audio_1": "Audio 1",
    "audio_2": "Audio 2",
}

CONTROL: Final = "answer_"
"""Prefix of the control of a question, so that JSON_MIN cannot confuse it with a field of the data."""


def write_tasks(
    path: Path,
    tasks: Sequence[ExportedTask],
    links: Sequence[Mapping[str, str]],
    protocol: ListeningProtocol,
    *,
    guidance: str | None = None,
) -> None:
    """Write the file of tasks, and beside it ``label_config.xml`` for the project's labelling interface."""
    references = any(task.item.references for task in tasks)
    history = any(task.item.history for task in tasks)
    with atomic_path(path.with_name(CONFIG)) as part:
        part.write_text(labelling_config(protocol, references=references, history=history, guidance=guidance), encoding="utf-8")
    with atomic_path(path) as part, part.open("w", encoding="utf-8") as file:
        rows = [{"data": _data(task, found)} for task, found in zip(tasks, links, strict=True)]
        json.dump(rows, file, ensure_ascii=False, indent=1)


def _data(task: ExportedTask, links: Mapping[str, str]) -> dict[str, Any]:
    clips = {name: link for name, link in links.items() if name.startswith("audio")}
    lists = {
        field: [{"audio": link} for name, link in links.items() if name.startswith(prefix)]
        for field, prefix in (("references", "reference_"), ("history", "history_"))
    }
    # Every field of the configuration must exist, so unknown values are empty texts.
    critique = {} if task.item.critique is None else {"critique": task.item.critique}
    return {"task": task.task_id, "text": task.item.text or "", "note": task.item.note or "", **critique, **clips, **lists}


def labelling_config(
    protocol: ListeningProtocol, *, references: bool = False, history: bool = False, guidance: str | None = None
) -> str:
    """Return the XML of the labelling interface of a protocol.

    Args:
        protocol: its questions become Choices, one object each.
        references: some tasks have prompt speech.
        history: some tasks have previous turns of a dialogue.
        guidance: how to answer; None = as the protocol says it.
    """
    view = ET.Element("View")
    for paragraph in guidance_of(protocol, guidance):
        ET.SubElement(view, "Header", value=paragraph, size="6")
    for field, heading, wanted in (("history", "The dialogue before", history), ("references", "Prompt speech", references)):
        if wanted:
            ET.SubElement(view, "Header", value=heading)
            repeater = ET.SubElement(view, "Repeater", on=f"${field}", indexFlag="{{idx}}")
            ET.SubElement(repeater, "Audio", name=f"{field}_{{{{idx}}}}", value=f"${field}[{{{{idx}}}}].audio")
    ET.SubElement(view, "Header", value="Text")
    ET.SubElement(view, "Text", name="shown_text", value="$text")
    ET.SubElement(view, "Text", name="shown_note", value="$note")
    of_critiques = asks_about_critiques(protocol)
    if of_critiques:
        ET.SubElement(view, "Header", value="Critique")
        ET.SubElement(view, "Text", name="shown_critique", value="$critique")
    objects = clip_names(protocol.clips, critique=of_critiques)
    for name in objects:
        ET.SubElement(view, "Header", value=_HEADINGS[name])
        ET.SubElement(view, "Audio", name=name, value=f"${name}")
    for question in protocol.questions:
        ET.SubElement(view, "Header", value=question_text(question))
        one = question.kind == "choice"
        choices = ET.SubElement(
            view,
            "Choices",
            name=f"{CONTROL}{question.name}",
            toName=objects[question.about if isinstance(question.about, int) else 0],
            choice="single-radio" if one else "multiple",
            showInline="true",
            required="true" if one else "false",
        )
        for option, words in option_texts(question).items():
            ET.SubElement(choices, "Choice", value=words, alias=option)
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"
