"""LLaMA-Factory: ShareGPT messages as JSON Lines, clips and ``dataset_info.json``, for its stages ``sft``, ``rm``, ``dpo``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final

from storage.export import Example, ExportedFile, Form
from storage.export_folder import ExportFolder
from storage.export_messages import assistant, heard, supervised, user

_STAGES: Final[Mapping[Form, str]] = {
    "sft": "the stage `sft`",
    "answer_preference": "the stages `rm` and `dpo`",
}
_TAGS: Final = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


def _ranked(example: Example, folder: ExportFolder) -> dict[str, Any]:
    return {
        "messages": [user(example.prompt)],
        "chosen": assistant(example.answer),
        "rejected": assistant(example.rejected_answer or ""),
        "audios": heard(example.clips, folder),
    }


@dataclass(frozen=True, kw_only=True)
class LlamaFactory:
    """JSON Lines, one data set of ``dataset_info.json`` for each configuration, split and form."""

    forms: ClassVar[tuple[Form, ...]] = ("sft", "answer_preference")
    refusals: ClassVar[Mapping[Form, str]] = {
        "rl": "it has no GRPO, and its PPO takes no rewards of ours",
        "score": "it trains no model that gives a number",
        "clip_preference": "a row has one list of clips for both sides, so that a better and a worse clip cannot be told apart",
    }
    needs: ClassVar[tuple[str, ...]] = ()
    remark: ClassVar[str] = ""

    def write(self, examples: Iterable[Example], form: Form, name: str, folder: ExportFolder) -> str:
        """Write the examples (see ``storage.export``)."""
        row, path = {"sft": supervised, "answer_preference": _ranked}[form], f"{name}.jsonl"
        folder.write_lines(path, (row(example, folder) for example in examples))
        return path

    def finish(self, files: Sequence[ExportedFile], folder: ExportFolder) -> str:
        """Write ``dataset_info.json`` and return how to name the data sets."""
        described = {PurePosixPath(file.path).stem: _described(file) for file in files}
        folder.write_text("dataset_info.json", json.dumps(described, indent=2) + "\n")
        return (
            "Set `dataset_dir` and `media_dir` to this folder, and `dataset` to some of "
            + ", ".join(f"`{name}`" for name in described)
            + ". "
            + "; ".join(f"`...-{form}` is for {_STAGES[form]}" for form in dict.fromkeys(file.form for file in files))
            + "."
        )


def _described(file: ExportedFile) -> dict[str, Any]:
    columns = {"messages": "messages", "audios": "audios"}
    described: dict[str, Any] = {"file_name": file.path, "formatting": "sharegpt"}
    if file.form == "answer_preference":
        described["ranking"] = True
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    return described | {"columns": columns, "tags": _TAGS}


PLUGIN = LlamaFactory
