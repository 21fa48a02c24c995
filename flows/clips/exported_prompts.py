"""The prompts of a recipe as files, for systems that run elsewhere: what to say, and whom to sound like."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.ids import canonical_json, row_id
from contracts.joins import attach, sorted_by
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.pipeline import Build
from storage.local_files import new_folder, storage_errors
from synth.dsp import format_literals

PROMPTS_FILE: Final = "prompts.jsonl"
"""One line of JSON per prompt, see ``export_prompts``."""

_FOLDER: Final = "references"
_PLACE: Final = "folder"


@dataclass(frozen=True, kw_only=True)
class ExportedPrompts:
    """What was written: how many prompts, how many references, and how many prompts were left out for want of theirs."""

    prompts: int
    references: int
    left_out: int


def export_prompts(build: Build[PreferenceRecipe], folder: Path) -> ExportedPrompts:
    """Write ``prompts.jsonl`` and ``references/<audio id>.flac`` into a new folder, whole or not at all.

    A line holds ``id`` (by which the clip comes back), ``text``, ``language``, ``style``, and ``reference_audio`` (a path
    inside the folder), ``reference_text`` and ``reference_language``, which are null where nobody is to be imitated. The
    reference is the very clip that the engines here are given. Lines are in the order of their ids.

    Raises:
        DataError: there are no prompts yet, or something is at ``folder``.
        DamagedPart: the clip of a reference is damaged.
        StorageError: the disk refuses.
    """
    prompts = spoken_prompts(build)
    prompts = attach(prompts, "reference_utterance_id", _clips(build), "utterance_id", {"audio_id": "audio_id"})
    lost = pc.and_(pc.is_valid(prompts["reference_utterance_id"]), pc.is_null(prompts["audio_id"]))
    usable = prompts.filter(pc.invert(lost))
    audio = sorted(set(usable["audio_id"].drop_null().to_pylist()))
    with new_folder(folder, _PLACE) as part, storage_errors(str(folder), _PLACE):
        if audio:
            (part / _FOLDER).mkdir()
        for blob in audio:
            (part / _FOLDER / f"{blob}.flac").write_bytes(build.blobs.encoded(blob))
        with (part / PROMPTS_FILE).open("w", encoding="utf-8", newline="\n") as file:
            for row in usable.to_pylist():
                path = row["audio_id"] and f"{_FOLDER}/{row['audio_id']}.flac"
                names = ("text", "language", "style", "reference_text", "reference_language")
                line = {"id": row["prompt_id"], "reference_audio": path} | {name: row[name] for name in names}
                file.write(canonical_json(line) + "\n")
    return ExportedPrompts(prompts=usable.num_rows, references=len(audio), left_out=pc.sum(lost).as_py() or 0)


def spoken_prompts(build: Build[PreferenceRecipe]) -> pa.Table:
    """Return the prompts that have a text, by id.

    Raises:
        DataError: there are none.
    """
    prompts = build.tables.read("prompts")
    prompts = prompts.filter(pc.is_valid(prompts["text"]))
    if not prompts.num_rows:
        raise DataError(f"no prompts are in {build.workspace.url} yet: build the recipe with --until texts first")
    return sorted_by(prompts, "prompt_id")


def _clips(build: Build[PreferenceRecipe]) -> pa.Table:
    """Return ``utterance_id, audio_id`` of the recordings in this recipe's format."""
    audio = format_literals(build.recipe.clip_format)
    rows = build.tables.read("recordings", ["recording_id", "utterance_id", "audio_id"])
    keys = pa.array([row_id("recording", one, audio) for one in rows["utterance_id"].to_pylist()], pa.string())
    return rows.filter(pc.equal(rows["recording_id"], keys)).select(["utterance_id", "audio_id"])
