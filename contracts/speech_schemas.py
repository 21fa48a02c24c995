"""Schemas of what is spoken: recordings of corpora, prompts, clips and what is measured of them."""

from typing import Final

import pyarrow as pa

from contracts.schema_columns import BOOL, FAILED_TRIES, FLOAT, INT, RATING_LIST, SCORES, TEXT, column

UTTERANCES: Final = pa.schema(
    [
        column("utterance_id", TEXT, "id of the recording in its corpus"),
        column("corpus", TEXT, "name of the corpus as the recipe calls it"),
        column("source_id", TEXT, "the corpus's own id of the recording"),
        column("source_ref", TEXT, "metadata file and line that names the recording, relative to the root", nullable=True),
        column("audio_path", TEXT, "audio file, relative to the corpus root, POSIX separators", nullable=True),
        column("text", TEXT, "transcript", nullable=True),
        column("language", TEXT, "BCP 47 language tag: en, zh"),
        column("speaker_id", TEXT, "speaker, unique inside the corpus", nullable=True),
        column("style", TEXT, "regular or expressive"),
        column("emotion", TEXT, "emotion label of the corpus", nullable=True),
        column("dialogue_id", TEXT, "dialogue that the recording is a turn of, unique inside the corpus", nullable=True),
        column("turn", INT, "place in its dialogue: 1, 2, 3, ... without gaps", nullable=True),
        column("duration_s", FLOAT, "length that the file header states", unit="s", nullable=True),
        column("license", TEXT, "SPDX identifier of the recording's licence"),
        column(
            "problem", TEXT, "why the row cannot be used (missing_audio, missing_transcript, ...); null = usable", nullable=True
        ),
        column("system", TEXT, "what spoke; null = a person", nullable=True),
        column("content_id", TEXT, "what is said, unique inside the corpus: clips of one content say the same", nullable=True),
        column("condition", TEXT, "condition of the recording or transmission, as the corpus names it", nullable=True),
        column("split", TEXT, "split that the corpus puts it in", nullable=True),
        column("references", pa.list_(TEXT), "reference answers or translations", nullable=True),
        column("ratings", RATING_LIST, "ratings that the corpus brings along", nullable=True),
        column("problem_detail", TEXT, "what is wrong and what to do, where the problem's name does not say it", nullable=True),
        column("question", TEXT, "what is asked about the recording", nullable=True),
        column("descriptions", pa.map_(TEXT, TEXT), "what the corpus says of the clip in words, by name", nullable=True),
        column(
            "category", TEXT, "sort of speech: regular, emotional, accented, whisper or game; null = unknown", nullable=True
        ),
    ]
)

PROMPTS: Final = pa.schema(
    [
        column("prompt_id", TEXT, "id of target text + reference recording"),
        column("group_id", TEXT, "id of the target text: pairs, cycles and splits respect it"),
        column("text", TEXT, "target text; null = the corpus does not say it, or clips of several texts", nullable=True),
        column("language", TEXT, "language of the target text"),
        column("reference_language", TEXT, "language of the reference speech; null = there is none", nullable=True),
        column("style", TEXT, "regular or expressive"),
        column("corpus", TEXT, "corpus of the target text"),
        column("speaker_id", TEXT, "speaker of the reference", nullable=True),
        column("target_utterance_id", TEXT, "the human recording of the target text", nullable=True),
        column("reference_utterance_id", TEXT, "the reference speech (a_ref)", nullable=True),
        column("reference_text", TEXT, "transcript of the reference speech", nullable=True),
        column("license", TEXT, "SPDX identifier of the text's corpus"),
        column("drawn_for", TEXT, "split that its clips are drawn for; null = pairs are split", nullable=True),
        column("own_split", TEXT, "split of the corpus that all its clips are in, where it is respected", nullable=True),
        column("reference_category", TEXT, "category of the reference speech; null = unknown, or there is none", nullable=True),
    ]
)

RECORDINGS: Final = pa.schema(
    [
        column("recording_id", TEXT, "id of utterance + audio format: the row_id of the request"),
        column("utterance_id", TEXT, "the utterance"),
        column("audio_id", TEXT, "blob of the recording as a clip"),
        column("duration_s", FLOAT, "length of the blob", unit="s"),
        column("sample_rate_hz", INT, "rate of the blob", unit="Hz"),
        column("native_sample_rate_hz", INT, "rate of the source file", unit="Hz"),
        column("loudness_lufs", FLOAT, "integrated loudness of the blob", unit="LUFS"),
        column("source_sha256", TEXT, "sha256 of the source file"),
    ]
)

SAMPLES: Final = pa.schema(
    [
        column("sample_id", TEXT, "id of prompt + system + voice + seed + audio format"),
        column("prompt_id", TEXT, "the prompt it renders"),
        column("group_id", TEXT, "the text group"),
        column("system", TEXT, "name of the system in the recipe; human = ground-truth recording"),
        column("engine", TEXT, "engine plug-in; human = none"),
        column("engine_version", TEXT, "version that the engine reported"),
        column("model", TEXT, "model or voice data that spoke", nullable=True),
        column("voice", TEXT, "voice of the engine", nullable=True),
        column("seed", INT, "seed given to the engine", nullable=True),
        column("params", TEXT, "canonical JSON of the parameters sent to the engine"),
        column("spoken_text", TEXT, "what is said where it is not the prompt's text, or the prompt has none", nullable=True),
        column("audio_id", TEXT, "blob of the normalised clip"),
        column("duration_s", FLOAT, "length of the blob", unit="s"),
        column("sample_rate_hz", INT, "rate of the blob", unit="Hz"),
        column("native_sample_rate_hz", INT, "rate at which the engine spoke", unit="Hz"),
        column("loudness_lufs", FLOAT, "integrated loudness after normalisation", unit="LUFS"),
        column(
            "utterance_id",
            TEXT,
            "the corpus's recording that this clip is; null = none, or the prompt's own target",
            nullable=True,
        ),
        column("is_synthetic", BOOL, "false for recordings of people only"),
        column("license", TEXT, "SPDX identifier of the voice's or the recording's licence"),
        column("temperature", FLOAT, "temperature of this take; null = as in params", nullable=True),
        column("duration_factor", FLOAT, "factor on the length of this take; null = none", nullable=True),
        column("failed_tries", TEXT, FAILED_TRIES, nullable=True),
        column("corruption", TEXT, "what was made wrong with the clip on purpose; null = nothing", nullable=True),
        column("reference_utterance_id", TEXT, "reference speech, where it is not the prompt's", nullable=True),
    ]
)

METRICS: Final = pa.schema(
    [
        column("metric_key", TEXT, "id of sample + metric + its configuration"),
        column("sample_id", TEXT, "the sample measured"),
        column("metric", TEXT, "name of the metric plug-in"),
        column("model", TEXT, "model that measured"),
        column("model_version", TEXT, "version of that model or its package"),
        column("values", SCORES, "value name -> number; a null value = could not be scored"),
        column("detail", TEXT, "what the number rests on, such as the ASR transcript", nullable=True),
    ]
)
