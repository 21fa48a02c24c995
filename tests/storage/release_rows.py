"""Tiny release rows, one function for each sort of item, and clips for the tests of shards and releases."""

import io

import numpy as np
import pyarrow as pa
import soundfile

from storage.columns import RATED_PAIRS, TASK1, row_schema

RATE = 16000


def clip(audio_id: str) -> bytes:
    """Return a tenth of a second of noise, seeded by the id, as FLAC."""
    noise = np.random.default_rng(int.from_bytes(audio_id.encode(), "big")).integers(-3000, 3000, RATE // 10).astype("int16")
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, RATE, format="FLAC")
    return buffer.getvalue()


def rows(count: int, start: int = 0, **columns) -> pa.Table:
    """Return task 1 rows: every fourth one without reference speech, clips shared by several rows."""
    made = []
    for number in range(start, start + count):
        row = {
            "pair_id": f"pair-{number:05d}",
            "text": f"text {number // 6}",
            "language": "en",
            "reference_language": None if number % 4 == 3 else "en",
            "setting": "en2en",
            "style": "regular",
            "prompt_audio": None if number % 4 == 3 else f"ref{number // 6}",
            "prompt_text": "reference",
            "audio_a": f"a{number // 2}",
            "audio_b": f"b{number // 3}",
            "system_a": "human",
            "system_b": "espeak",
            "label": "ab"[number % 2],
            "label_source": "judgment",
            "completion": "<think>x</think><answer>Speech A is better</answer>",
            "scores_a": [{"dimension": "naturalness", "score": 8.5}],
            "scores_b": [{"dimension": "naturalness", "score": 3.0}],
            "judge_votes_a": 3 - number % 4,
            "judge_votes_b": number % 4,
            "judge_votes_none": 0,
            "judge": "objective",
            "judge_version": "1",
            "judge_model": "rule",
            "prompt_version": "abc",
            "votes": None,
            "agreement": None,
            "wer_a": 0.0,
            "wer_b": None,
            "metrics_a": [{"metric": "wer", "value": 0.0}],
            "metrics_b": None,
            "filters_passed": ["cycles", "wer_gap"],
            "pair_kind": "human",
            "leakage_group": f"g{number // 6}",
            "license": "CC-BY-SA-3.0 AND GPL-3.0-or-later",
            "license_a": "CC-BY-SA-3.0",
            "license_b": "GPL-3.0-or-later",
            "is_synthetic_a": False,
            "is_synthetic_b": True,
            "digital_source_type_a": "digitalCapture",
            "digital_source_type_b": "algorithmicMedia",
            "engine_a": "none",
            "engine_b": "espeak",
            "engine_version_a": "-",
            "engine_version_b": "1.51",
            "model_a": None,
            "model_b": "en-us",
            "voice_a": None,
            "voice_b": "en-us",
            "seed_a": None,
            "seed_b": 7,
            "params_a": "{}",
            "params_b": '{"rate":175}',
            "corpus": "asterisk_prompts",
            "source_id": f"s{number}",
            "reference_source_id": f"r{number}",
            "speaker_id": "allison_smith",
        }
        made.append(row | columns)
    return pa.Table.from_pylist(made, schema=row_schema(TASK1))


def rated_rows(count: int, start: int = 0, **columns) -> pa.Table:
    """Return rows of rated pairs: a recording against one of three systems, with a smaller difference from row to row."""
    made = []
    for number in range(start, start + count):
        row = {
            "pair_id": f"pair-{number:05d}",
            "group_id": f"g{number // 3}",
            "category": "same_content",
            "language": "en",
            "content_id_a": f"c{number // 3}",
            "content_id_b": f"c{number // 3}",
            "audio_a": f"human{number // 3}",
            "audio_b": f"tts{number}",
            "system_a": "human",
            "system_b": f"tts{number % 3}",
            "condition_b": "noise 10 dB",
            "label": "a",
            "label_source": "ratings",
            "scale": "mos",
            "rating_a": 4.7,
            "rating_b": 4.7 - 1.2 / (1 + number % 4),
            "rating_gap": 1.2 / (1 + number % 4),
            "raters_a": 8,
            "raters_b": None,
            "rating_std_a": 0.5,
            "filters_passed": ["rating_gap"],
            "leakage_group": f"g{number // 3}",
            "license": "CC-BY-4.0",
            "license_a": "CC-BY-4.0",
            "license_b": "CC-BY-4.0",
            "is_synthetic_a": False,
            "is_synthetic_b": True,
            "digital_source_type_a": "digitalCapture",
            "duration_s_a": 1.0,
            "duration_s_b": 1.0,
            "loudness_lufs_a": -23.0,
            "loudness_lufs_b": -20.0,
            "native_sample_rate_hz_a": 48000,
            "native_sample_rate_hz_b": 24000,
            "corpus": "somos",
            "source_id_a": f"human/{number}",
            "source_id_b": f"tts/{number}",
        }
        made.append(row | columns)
    return pa.Table.from_pylist(made, schema=row_schema(RATED_PAIRS))
