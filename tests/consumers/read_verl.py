"""verl's own data set and reward loader on an export, with the class that the export carries."""

import tempfile
from pathlib import Path

from export_listing import completions_of, listed, require
from omegaconf import OmegaConf
from toy_processor import save_processor
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.utils.dataset.rl_dataset import RLHFDataset, get_dataset_class

OURS = {"custom_cls": {"path": "pkg://unisrm_verl", "name": "AudioRLHFDataset"}}
REWARD = {"path": "pkg://scoring.trainers.verl_rewards", "name": "compute_score"}


def main() -> None:
    """Load every file with verl's class, which drops what it cannot decode, and with ours; call the reward as verl does."""
    folder, files = listed()
    score = get_custom_reward_fn(OmegaConf.create({"reward": {"custom_reward_function": REWARD}}))
    with tempfile.TemporaryDirectory() as toy:
        processor = save_processor(Path(toy))
        base = {
            "cache_dir": f"{toy}/cache",
            "max_prompt_length": 16384,
            "filter_overlong_prompts": True,
            "filter_overlong_prompts_workers": 1,
        }
        for file in files:
            path = str(folder / file["path"])
            own = RLHFDataset(path, processor.tokenizer, OmegaConf.create(base), processor=processor)
            configuration = OmegaConf.create(base | OURS)
            rows = get_dataset_class(configuration)(path, processor.tokenizer, configuration, processor=processor)
            require(len(rows) == file["rows"], f"{file['path']}: {len(rows)} of {file['rows']} rows are kept")
            row = rows[0]
            kinds = [part["type"] for part in row["raw_prompt"][0]["content"]]
            truth = row["reward_model"]["ground_truth"]
            (said,) = completions_of(folder, [row["extra_info"]["item_id"]])
            value = score(row["data_source"], said, truth, extra_info=row["extra_info"])
            print(
                f"verl: {file['path']}: {len(rows)} rows with our class, {len(own)} with verl's own; prompt {kinds}; reward {value}",
                flush=True,
            )


if __name__ == "__main__":
    main()
