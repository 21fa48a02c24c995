"""ms-swift's own loader, template and reward registry on an export."""

import json
import tempfile
from pathlib import Path

from export_listing import completions_of, listed, require
from swift.dataset import load_dataset
from swift.model import get_processor
from swift.rewards import orms
from swift.template import get_template
from swift.template.template_inputs import TemplateInputs
from swift.utils import import_external_file
from toy_processor import save_processor

MODES = {"sft": "train", "score": "train", "rl": "train", "clip_preference": "rlhf", "answer_preference": "rlhf"}


def main() -> None:
    """Load and encode every row of every file, and call the rewards."""
    folder, files = listed()
    import_external_file(str(Path(__file__).parent.parent.parent / "scoring" / "trainers" / "ms_swift_rewards.py"))
    reward = orms["unisrm"]()
    with tempfile.TemporaryDirectory() as toy:
        save_processor(Path(toy))
        processor = get_processor(toy, model_type="qwen2_audio")
        for file in files:
            path, form = folder / file["path"], file["form"]
            rows, _ = load_dataset(str(path), strict=True, load_from_cache_file=False, remove_unused_columns=form != "rl")
            require(len(rows) == file["rows"], f"{path.name}: {len(rows)} of {file['rows']} rows are loaded")
            template = get_template(processor, template_type="qwen2_audio")
            template.set_mode(MODES[form])
            if form == "score":  # --task_type seq_cls --problem_type regression
                template.task_type, template.config.problem_type = "seq_cls", "regression"
            shapes = set()
            for row in rows:
                shapes.add(heard(template, row, form))
            told = f"ms_swift: {path.name}: {len(rows)} rows, encoded; input features {sorted(shapes)}"
            if form == "rl":
                said = completions_of(folder, rows["item_id"])
                values = reward(said, **{name: rows[name] for name in rows.column_names})
                require(len(values) == len(rows), "a reward is missing")
                told += f"; rewards of {json.loads(rows[0]['reward_spec'])['name']}: {values}"
            print(told, flush=True)


def heard(template: object, row: dict, form: str) -> tuple:
    """Encode a row and return the shape of what is heard on each side."""
    inputs = TemplateInputs.from_dict(row)
    clips = len(inputs.chosen.audios)
    if form == "rl":  # a trainer adds the answer
        row = row | {"messages": [*row["messages"], {"role": "assistant", "content": "x"}]}
    encoded = template.encode(row)
    sides = {"clip_preference": ("chosen_", "rejected_"), "answer_preference": ("chosen_", "rejected_")}.get(form, ("",))
    shapes = []
    for side in sides:
        features = encoded[f"{side}input_features"]
        require(features.shape[0] == clips, f"{clips} clips, {features.shape[0]} heard")
        shapes.append(tuple(features.shape))
    if form == "score":
        require(encoded["labels"] == row["label"], "the rating is lost")
    if "margin" in row and form == "clip_preference":
        require(encoded["margin"] == row["margin"], "the margin is lost")
    return tuple(shapes)


if __name__ == "__main__":
    main()
