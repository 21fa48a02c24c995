"""TRL: Parquet of messages, for its SFT, GRPO, DPO and reward trainers, which take no audio: the rows hold text alone."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from storage.export import Example, ExportedFile, Form
from storage.export_folder import PLACEHOLDER, ExportFolder
from storage.export_messages import assistant, user

_TRAINERS: Final[Mapping[Form, str]] = {
    "sft": "`sft` is for `SFTTrainer`",
    "rl": "`rl` is for `GRPOTrainer`, with `reward_funcs=[unisrm_reward]` from `scoring.trainers.trl_rewards` of unisrm-data",
    "answer_preference": "`answer_preference` is for `RewardTrainer` and `DPOTrainer`",
}
_LEFT_OUT: Final = "(clip left out)"
_MESSAGES: Final = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def _asked(example: Example) -> dict[str, Any]:
    return {"prompt": [user(example.prompt.replace(PLACEHOLDER, _LEFT_OUT))], "item_id": example.item_id}


def _supervised(example: Example) -> dict[str, Any]:
    return _asked(example) | {"completion": [assistant(example.answer)]}


def _reinforced(example: Example) -> dict[str, Any]:
    return _asked(example) | {"solution": example.answer, "reward_spec": example.reward}


def _preferred(example: Example) -> dict[str, Any]:
    return _asked(example) | {"chosen": [assistant(example.answer)], "rejected": [assistant(example.rejected_answer or "")]}


_TEXT: Final = pa.string()
_COLUMNS: Final[Mapping[Form, tuple[Callable[[Example], dict[str, Any]], dict[str, pa.DataType]]]] = {
    "sft": (_supervised, {"completion": _MESSAGES}),
    "rl": (_reinforced, {"solution": _TEXT, "reward_spec": _TEXT}),
    "answer_preference": (_preferred, {"chosen": _MESSAGES, "rejected": _MESSAGES}),
}


@dataclass(frozen=True, kw_only=True)
class Trl:
    """Parquet, one file for each configuration, split and form."""

    forms: ClassVar[tuple[Form, ...]] = tuple(_COLUMNS)
    refusals: ClassVar[Mapping[Form, str]] = {
        "clip_preference": "its trainers take no audio, and nothing else differs",
        "score": "its trainers take no audio, and there is no text",
    }
    needs: ClassVar[tuple[str, ...]] = ()
    remark: ClassVar[str] = (
        f"TRL's trainers take no audio (seen with 1.16.0): the clips are left out, and {_LEFT_OUT!r} stands where one "
        "was heard. A model trained on these rows hears nothing."
    )

    def write(self, examples: Iterable[Example], form: Form, name: str, folder: ExportFolder) -> str:
        """Write the examples (see ``storage.export``)."""
        row, columns = _COLUMNS[form]
        schema = pa.schema({"prompt": _MESSAGES, "item_id": _TEXT} | columns)
        path = f"{name}.parquet"
        folder.write_parquet(path, map(row, examples), schema)
        return path

    def finish(self, files: Sequence[ExportedFile], folder: ExportFolder) -> str:
        """Return which trainer takes which file."""
        del folder
        forms = dict.fromkeys(file.form for file in files)
        found = [f'Load a file with `load_dataset("parquet", data_files=...)`: {", ".join(_TRAINERS[form] for form in forms)}.']
        if set(forms) - {"rl"}:
            found.append(
                "Set `max_length` of trainers other than `GRPOTrainer`: they leave out, silently, rows whose prompt is longer "
                "than its default of 1,024 tokens, and judges' prompts are long."
            )
        return " ".join(found)


PLUGIN = Trl
