"""Schema of the gold items that a build makes for its listening test."""

from typing import Final

import pyarrow as pa

from contracts.schema_columns import FLOAT, TEXT, column

GOLD: Final = pa.schema(
    [
        column("gold_id", TEXT, "id of sample + harm"),
        column("sample_id", TEXT, "the clip that is right"),
        column("prompt_id", TEXT, "the prompt that it renders: what listeners are shown beside the two clips"),
        column("harm", TEXT, "what makes the other clip worse: noise or cut"),
        column("right", TEXT, "which of the two the untouched clip is: a or b"),
        column("audio_id", TEXT, "blob of the other clip"),
        column("duration_s", FLOAT, "length of the other clip", unit="s"),
        column("loudness_lufs", FLOAT, "integrated loudness of the other clip", unit="LUFS"),
    ]
)
