"""LLaMA-Factory's own ``get_dataset`` on an export, in its stages ``sft`` and ``rm``."""

import tempfile
from pathlib import Path

import soundfile
import torch
import torchaudio
from export_listing import listed, require
from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments, ModelArguments
from llamafactory.model.patcher import patch_processor
from toy_processor import save_processor
from transformers import Qwen2AudioProcessor, Seq2SeqTrainingArguments


def load(path: str, **_: object) -> tuple[torch.Tensor, int]:
    """Stand in for ``torchaudio.load``, which needs torchcodec and FFmpeg here."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T), rate


def main() -> None:
    """Tokenise every file; a wrong number of clips is an error of its own."""
    folder, files = listed()
    torchaudio.load = load
    with tempfile.TemporaryDirectory() as toy:
        save_processor(Path(toy))
        for file in files:
            name = Path(file["path"]).stem
            processor = Qwen2AudioProcessor.from_pretrained(toy)
            model = ModelArguments(model_name_or_path=toy)
            data = DataArguments(
                template="qwen2_audio",
                dataset=name,
                dataset_dir=str(folder),
                media_dir=str(folder),
                cutoff_len=16384,
                overwrite_cache=True,
                preprocessing_num_workers=1,
            )
            patch_processor(processor, processor.tokenizer, model)
            training = Seq2SeqTrainingArguments(output_dir=f"{toy}/out", report_to=[], use_cpu=True)
            template = get_template_and_fix_tokenizer(processor.tokenizer, data)
            stage = "sft" if file["form"] == "sft" else "rm"
            rows = get_dataset(
                template, model, data, training, stage=stage, tokenizer=processor.tokenizer, processor=processor
            )["train_dataset"]
            require(len(rows) == file["rows"], f"{name}: {len(rows)} of {file['rows']} rows")
            require(all(len(row["audios"]) for row in rows), f"{name}: a row without clips")
            print(
                f"llama_factory: {name}: {len(rows)} rows tokenised for {stage}; columns {sorted(rows.column_names)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
