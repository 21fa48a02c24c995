"""verl: Parquet with the clips in it, for its GRPO, and the class of data set that decodes them.

Seen with verl 0.9.1: its own class hands paths and encoded clips to the processor as they are, which drops every row with
audio. ``beside/unisrm_verl.py``, which is copied into the export, decodes them first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import pyarrow as pa

from storage.export import Example, ExportedFile, Form
from storage.export_folder import ExportFolder, clip_name
from storage.export_messages import user

_TEXT: Final = pa.string()
_SCHEMA: Final = pa.schema(
    {
        "data_source": _TEXT,
        "prompt": pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)])),
        "ability": _TEXT,
        "reward_model": pa.struct([("style", _TEXT), ("ground_truth", _TEXT)]),
        "extra_info": pa.struct([("split", _TEXT), ("index", pa.int64()), ("item_id", _TEXT), ("reward_spec", _TEXT)]),
        "audios": pa.list_(pa.struct([("bytes", pa.binary()), ("path", _TEXT)])),
    }
)
_BESIDE: Final = Path(__file__).parent / "beside" / "unisrm_verl.py"


def _row(example: Example) -> dict[str, Any]:
    return {
        "data_source": example.configuration,
        "prompt": [user(example.prompt)],
        "ability": "speech_judgement",
        "reward_model": {"style": "rule", "ground_truth": example.answer},
        "extra_info": {
            "split": example.split,
            "index": example.number,
            "item_id": example.item_id,
            "reward_spec": example.reward,
        },
        "audios": [{"bytes": clip, "path": clip_name(clip)} for clip in example.clips],
    }


@dataclass(frozen=True, kw_only=True)
class Verl:
    """Parquet, one file for each configuration and split."""

    forms: ClassVar[tuple[Form, ...]] = ("rl",)
    refusals: ClassVar[Mapping[Form, str]] = {
        "sft": "its trainer for fine-tuning takes no audio",
        "clip_preference": "it trains no reward model on preferences",
        "answer_preference": "it trains on no preferences",
        "score": "it trains no model that gives a number",
    }
    needs: ClassVar[tuple[str, ...]] = ()
    remark: ClassVar[str] = ""

    def write(self, examples: Iterable[Example], form: Form, name: str, folder: ExportFolder) -> str:
        """Write the examples (see ``storage.export``)."""
        del form
        path = f"{name}.parquet"
        folder.write_parquet(path, map(_row, examples), _SCHEMA)
        return path

    def finish(self, files: Sequence[ExportedFile], folder: ExportFolder) -> str:
        """Copy the class of data set beside the files and return the options that name it."""
        named = ", ".join(f"`{file.path}`" for file in files)
        folder.write_text(_BESIDE.name, _BESIDE.read_text(encoding="utf-8"))
        return (
            f"With this folder on `PYTHONPATH`, and as `FILE` one of {named}:\n\n```\ndata.train_files=FILE\n"
            f"data.custom_cls.path=pkg://{_BESIDE.stem}\ndata.custom_cls.name=AudioRLHFDataset\n"
            "reward.custom_reward_function.path=pkg://scoring.trainers.verl_rewards\n"
            "reward.custom_reward_function.name=compute_score\n```\n\n"
            "`custom_cls` wants `pkg://`: the path of a file fails where verl pickles the class."
        )


PLUGIN = Verl
