"""People elsewhere, simulated: items with audio, and files filled in as a vendor's program or Label Studio does it."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa

from annotate.people.exchange.exported_tasks import task_id
from annotate.people.exchange.import_export import read_vote_file
from annotate.people.store.item import Item, ItemClip

RATE_HZ = 16000
_OF_NOBODY = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def audio(audio_id: str) -> tuple[np.ndarray, int]:
    """A short clip whose loudness tells which it is: the last digit of its id."""
    return np.full(80, 100 * (int(audio_id[-1], 16) + 1), np.int16), RATE_HZ


def clip(name: str, gain_db: float = 0.0) -> ItemClip:
    return ItemClip(audio_id=name, duration_s=0.005, gain_db=gain_db)


def pair(number: int, **rest) -> Item:
    """An item whose A is clip 1 and whose B is clip 2."""
    defaults = {"text": f"Text {number}.", "language": "en"}
    return Item(
        item_id=f"item{number}",
        subject_id=f"pair{number}",
        clips=(clip(f"s{number}a1"), clip(f"s{number}b2")),
        **(defaults | rest),
    )


def sample(number: int) -> Item:
    return Item(
        item_id=f"item{number}", subject_id=f"sample{number}", text="Text.", language="en", clips=(clip(f"s{number}a1"),)
    )


def orders(subjects: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Task id -> (subject, order)."""
    return {task_id(subject, order): (subject, order) for subject in subjects for order in ("ab", "ba")}


def read_table(path: Path) -> list[dict]:
    """Read an exported file of tasks with readers of its own kind, not ours."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    header, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def write_table(path: Path, rows: Sequence[Mapping]) -> None:
    """Write rows as a vendor's program would, every column of the first row."""
    header = list(rows[0])
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, header)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    else:
        book = openpyxl.Workbook()
        book.active.append(header)
        for row in rows:
            book.active.append([row[name] for name in header])
        book.save(path)


def annotated(tasks: Sequence[Mapping], answers: Mapping[tuple[int, int], Mapping[str, Sequence[str]]]) -> list[dict]:
    """Return the JSON export of a project: (task, user) -> question -> choices; the rest of each entry as the server writes it."""
    exported = []
    for number, task in enumerate(tasks):
        annotations = []
        for (place, user), form in answers.items():
            if place != number:
                continue
            results = [
                {
                    "value": {"choices": list(words)},
                    "id": f"r{user}{name}",
                    "from_name": f"answer_{name}",
                    "to_name": "audio_b" if name == "errors_b" else "audio" if "audio" in task["data"] else "audio_a",
                    "type": "choices",
                    "origin": "manual",
                }
                for name, words in form.items()
                if words  # nothing ticked: no result
            ]
            annotations.append(annotation(1000 * number + user, user, results, task=number + 1))
        exported.append(
            {
                "id": number + 1,
                "annotations": annotations,
                "file_upload": "1f6ac0c8-tasks.json",
                "drafts": [],
                "predictions": [],
                "data": dict(task["data"]),
                "meta": {},
                "created_at": "2026-03-09T21:52:49.513742Z",
                "updated_at": "2026-03-09T22:16:08.746926Z",
                "inner_id": number + 1,
                "total_annotations": len(annotations),
                "cancelled_annotations": 0,
                "total_predictions": 0,
                "comment_count": 0,
                "unresolved_comment_count": 0,
                "last_comment_updated_at": None,
                "project": 83,
                "updated_by": 1,
                "comment_authors": [],
            }
        )
    return exported


def annotation(number: int, user: object, results: list[dict], *, task: int = 1, **rest) -> dict:
    """Return one annotation as the server exports it."""
    return {
        "id": number,
        "completed_by": user,
        "result": results,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-03-09T22:16:08.728353Z",
        "updated_at": "2026-03-09T22:16:08.728378Z",
        "draft_created_at": None,
        "lead_time": 4.288,
        "prediction": {},
        "result_count": len(results),
        "unique_id": "a8d2c3a0-0000-4000-8000-000000000000",
        "import_id": None,
        "last_action": None,
        "bulk_created": False,
        "task": task,
        "project": 83,
        "updated_by": 1,
        "parent_prediction": None,
        "parent_annotation": None,
        "last_created_by": None,
    } | rest


def minimal(exported: Sequence[Mapping]) -> list[dict]:
    """Return the JSON_MIN export of the same project, after label_studio_sdk's convert_to_json_min and prettify_result."""
    records = []
    for task in exported:
        if not task["annotations"]:
            records.append(dict(task["data"]) | {"id": task["id"]} | dict.fromkeys(_OF_NOBODY))
        for each in sorted(task["annotations"], key=lambda one: one["created_at"], reverse=True):
            if each["was_cancelled"]:
                continue
            record = dict(task["data"]) | {"id": task["id"]}
            for result in each["result"]:
                value = result["value"]
                if result["type"] == "choices":
                    record[result["from_name"]] = value["choices"][0] if len(value["choices"]) == 1 else value
                else:
                    record[result["from_name"]] = [value]
            by = each["completed_by"]
            record |= {
                "annotator": by.get("email") if isinstance(by, dict) else by,
                "annotation_id": each["id"],
                "created_at": each["created_at"],
                "updated_at": each["updated_at"],
                "lead_time": each["lead_time"],
            }
            records.append(record)
    return records


def read_votes(path: Path, **asked) -> pa.Table:
    """Return the votes or ratings of a file."""
    return read_vote_file(path, **asked).table
