"""Pairs with votes in the layout of SpeechJudge-Data as it is published, for code that was written for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from storage.export import Example, ExportedFile, Form
from storage.export_folder import ExportFolder
from storage.published_pairs import PUBLISHED, hub_metadata, refusal, rows_of


def published_pair(row: Mapping[str, Any], number: int, split: str) -> dict[str, Any]:
    """Return a released row as a row of PUBLISHED_PAIRS."""
    same = ("pair_id", "style", "setting", "text", "prompt_text", "label", "prompt_audio", "audio_a", "audio_b", "chosen")
    return {name: row[name] for name in same} | {"split": split, "index": number, "teacher_reply": row["completion"]}


@dataclass(frozen=True, kw_only=True)
class SpeechjudgeRows:
    """Parquet, one file for each configuration and split; ``load_dataset`` of the folder gives the published features."""

    forms: ClassVar[tuple[Form, ...]] = ("released",)
    refusals: ClassVar[Mapping[Form, str]] = {}
    needs: ClassVar[tuple[str, ...]] = (
        *("style", "setting", "text", "prompt_text", "label", "prompt_audio", "audio_a", "audio_b", "completion"),
        *("ballots", "chosen"),
    )
    remark: ClassVar[str] = "The column of the teacher's reply keeps its published name, whichever model wrote the replies."

    def refusal(self, example: Example) -> str | None:
        """Return why the layout cannot express a row (see ``storage.published_pairs``)."""
        return refusal(published_pair(example.row, example.number, example.split), example.row["ballots"] or ())

    def write(self, examples: Iterable[Example], form: Form, name: str, folder: ExportFolder) -> str:
        """Write the examples (see ``storage.export``)."""
        del form
        path = f"{name}.parquet"
        folder.write_parquet(path, _rows(examples), PUBLISHED, hub_metadata())
        return path

    def finish(self, files: Sequence[ExportedFile], folder: ExportFolder) -> str:
        """Return how to load the files."""
        del folder
        of: dict[str, list[str]] = {}
        for file in files:
            of.setdefault(file.configuration, []).append(f"{file.split!r}: {file.path!r}")
        loads = [f'`load_dataset("parquet", data_files={{{", ".join(splits)}}})`' for splits in of.values()]
        return f"Load them with {', or '.join(loads)}."


def _rows(examples: Iterable[Example]) -> Iterator[dict[str, Any]]:
    for example in examples:
        pair = published_pair(example.row, example.number, example.split)
        yield from rows_of([pair], {pair["pair_id"]: example.row["ballots"]}).to_pylist()


PLUGIN = SpeechjudgeRows
