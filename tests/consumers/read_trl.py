"""TRL's own trainers on an export: one step each, on a random model of one layer."""

import tempfile

from datasets import load_dataset
from export_listing import listed, require
from toy_processor import tokenizer
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2ForSequenceClassification
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

from scoring.trainers.trl_rewards import unisrm_reward


def main() -> None:
    """Train one step on every file."""
    folder, files = listed()
    words = tokenizer()
    model = Qwen2Config(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        vocab_size=len(words),
        num_labels=1,
        pad_token_id=words.pad_token_id,
        eos_token_id=words.eos_token_id,
        max_position_embeddings=16384,
    )
    with tempfile.TemporaryDirectory() as work:
        common = {
            "output_dir": f"{work}/out",
            "max_steps": 1,
            "per_device_train_batch_size": 2,
            "report_to": [],
            "use_cpu": True,
            "bf16": False,
            "save_strategy": "no",
            "logging_steps": 1,
        }
        for file in files:
            rows = load_dataset("parquet", data_files=str(folder / file["path"]), cache_dir=f"{work}/cache")["train"]
            require(len(rows) == file["rows"], f"{file['path']}: {len(rows)} of {file['rows']} rows")
            shared = {"train_dataset": rows, "processing_class": words}
            # TRL leaves out rows whose prompt fills 1,024 tokens, its default; a byte is a token here.
            longest = {"max_length": model.max_position_embeddings}
            if file["form"] == "sft":
                trainers = [SFTTrainer(model=Qwen2ForCausalLM(model), args=SFTConfig(**common, **longest), **shared)]
            elif file["form"] == "rl":
                settings = GRPOConfig(**common, num_generations=2, max_completion_length=8)
                trainers = [GRPOTrainer(model=Qwen2ForCausalLM(model), reward_funcs=[unisrm_reward], args=settings, **shared)]
            else:
                trainers = [
                    RewardTrainer(
                        model=Qwen2ForSequenceClassification(model), args=RewardConfig(**common, **longest), **shared
                    ),
                    DPOTrainer(
                        model=Qwen2ForCausalLM(model),
                        ref_model=Qwen2ForCausalLM(model),
                        args=DPOConfig(**common, **longest),
                        **shared,
                    ),
                ]
            for trainer in trainers:
                loss = trainer.train().training_loss
                logged = {
                    name: value for entry in trainer.state.log_history for name, value in entry.items() if "reward" in name
                }
                require(file["form"] != "rl" or bool(logged), f"{file['path']}: no reward was logged")
                print(f"trl: {file['path']}: {type(trainer).__name__}, one step, loss {loss:.3f} {logged or ''}", flush=True)


if __name__ == "__main__":
    main()
