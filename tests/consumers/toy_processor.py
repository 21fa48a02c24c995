"""A processor of Qwen2-Audio without weights: a byte-level tokenizer that was trained on nothing, and the real feature extractor.

It takes the real path through a trainer's loader and template, and needs no download. Runs in the trainers' environments.
"""

from pathlib import Path
from typing import Any

SPECIAL = ["<|im_start|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]
TEMPLATE = Path(__file__).with_name("qwen2_audio.jinja")
TEXT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer(longest: int = 32768) -> Any:
    """Return a tokenizer of 256 bytes and the control tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytewise = Tokenizer(models.BPE(vocab={character: number for number, character in enumerate(alphabet)}, merges=[]))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=bytewise,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=SPECIAL,
        model_max_length=longest,
    )
    made.chat_template = TEXT_TEMPLATE
    return made


def save_processor(folder: Path) -> Any:
    """Write processor and configuration of a model of one layer, and return the processor."""
    from transformers import Qwen2AudioConfig, Qwen2AudioProcessor, WhisperFeatureExtractor

    words = tokenizer()
    extractor = WhisperFeatureExtractor(feature_size=128)
    processor = Qwen2AudioProcessor(
        feature_extractor=extractor, tokenizer=words, chat_template=TEMPLATE.read_text(encoding="utf-8")
    )
    processor.save_pretrained(folder)
    hearing = {
        "d_model": 16,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "num_mel_bins": 128,
    }
    writing = {
        "model_type": "qwen2",
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": len(words),
    }
    audio_token = words.convert_tokens_to_ids("<|AUDIO|>")
    configuration = Qwen2AudioConfig(audio_config=hearing, text_config=writing, audio_token_index=audio_token)
    configuration.architectures = ["Qwen2AudioForConditionalGeneration"]
    configuration.save_pretrained(folder)
    return processor
