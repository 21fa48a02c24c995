"""ms-swift: JSON Lines of messages and clips, for ``swift sft`` and ``swift rlhf`` (GRPO, RM, DPO).

Seen with ms-swift 4.6.0: a preference between clips of one text has ``rejected_messages`` and ``rejected_audios``, as its check
that chosen and rejected text differ refuses it otherwise; only GRPO passes further columns on, to the rewards. It compares no
placeholders with clips: a row with two tags and one clip is trained on with a warning.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from storage.export import Example, ExportedFile, Form
from storage.export_folder import ExportFolder
from storage.export_messages import heard, supervised, turns, user

_Row = Callable[[Example, ExportFolder], dict[str, Any]]


def _reinforced(example: Example, folder: ExportFolder) -> dict[str, Any]:
    return {
        "messages": [user(example.prompt)],
        "audios": heard(example.clips, folder),
        "solution": example.answer,
        "reward_spec": example.reward,
        "item_id": example.item_id,
    }


def _preferred_clip(example: Example, folder: ExportFolder) -> dict[str, Any]:
    row = supervised(example, folder)
    row |= {"rejected_messages": turns(example), "rejected_audios": heard(example.rejected_clips, folder)}
    return row if example.margin is None else row | {"margin": example.margin}


def _preferred_answer(example: Example, folder: ExportFolder) -> dict[str, Any]:
    return supervised(example, folder) | {"rejected_response": example.rejected_answer}


def _scored(example: Example, folder: ExportFolder) -> dict[str, Any]:
    return {
        "messages": [user(example.prompt)],
        "audios": heard(example.clips, folder),
        "label": example.score,
        "item_id": example.item_id,
    }


_ROWS: Final[Mapping[Form, _Row]] = {
    "sft": supervised,
    "rl": _reinforced,
    "clip_preference": _preferred_clip,
    "answer_preference": _preferred_answer,
    "score": _scored,
}

_COMMANDS: Final[Mapping[Form, str]] = {
    "sft": "swift sft --model MODEL --dataset FILE",
    "rl": "swift rlhf --rlhf_type grpo --model MODEL --dataset FILE --external_plugins REWARDS --reward_funcs unisrm",
    "clip_preference": "swift rlhf --rlhf_type rm --model MODEL --dataset FILE",
    "answer_preference": "swift rlhf --rlhf_type dpo --model MODEL --dataset FILE",
    "score": "swift sft --task_type seq_cls --num_labels 1 --problem_type regression --model MODEL --dataset FILE",
}

_REWARDS: Final = "`REWARDS` is the file `scoring/trainers/ms_swift_rewards.py` of unisrm-data, which must be importable."


@dataclass(frozen=True, kw_only=True)
class MsSwift:
    """JSON Lines, one file for each configuration, split and form; clips beside them."""

    forms: ClassVar[tuple[Form, ...]] = tuple(_ROWS)
    refusals: ClassVar[Mapping[Form, str]] = {}
    needs: ClassVar[tuple[str, ...]] = ()
    remark: ClassVar[str] = ""

    def write(self, examples: Iterable[Example], form: Form, name: str, folder: ExportFolder) -> str:
        """Write the examples (see ``storage.export``)."""
        path = f"{name}.jsonl"
        folder.write_lines(path, (_ROWS[form](example, folder) for example in examples))
        return path

    def finish(self, files: Sequence[ExportedFile], folder: ExportFolder) -> str:
        """Return the command that trains on each sort of files."""
        del folder
        forms = dict.fromkeys(file.form for file in files)
        commands = [f"# ...-{form}.jsonl\nROOT_IMAGE_DIR=$PWD {_COMMANDS[form]}" for form in forms]
        usage = (
            "Run these in this folder, or set `ROOT_IMAGE_DIR` to it: the paths of the clips are relative to it.\n\n```\n"
            + "\n".join(commands)
            + "\n```"
        )
        return f"{usage}\n\n{_REWARDS}" if "rl" in forms else usage


PLUGIN = MsSwift
