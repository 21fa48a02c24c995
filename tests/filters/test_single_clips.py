"""What filters see of single clips."""

import pyarrow as pa

from contracts.schemas import PROMPTS, SAMPLES
from filters.single_clips import SEEN, join
from tests.rows import rows


def test_a_clip_is_joined_with_all_that_is_known_of_it():
    """One row per labelled clip, by id; other samples are left out, and a value that was not measured is null."""
    samples = rows(
        SAMPLES,
        *(
            {
                "sample_id": name,
                "prompt_id": f"p {name}",
                "group_id": "g",
                "system": "tts",
                "duration_s": 2.0,
                "loudness_lufs": -20.0,
            }
            for name in ("s1", "s2", "s3")
        ),
    )
    prompts = rows(PROMPTS, {"prompt_id": "p s1", "text": "hello", "language": "en"}, {"prompt_id": "p s2", "language": "zh"})
    labels = pa.table({"item_id": ["s2", "s1"], "label": ["overall=3", "overall=4"], "more": [1, 2]})
    facts = pa.table({"sample_id": ["s1"], "wer": [0.25]})
    found = join(labels=labels, samples=samples, facts=facts, prompts=prompts)
    assert set(found.column_names) == SEEN | {"more", "wer"}
    first, second = found.to_pylist()
    assert (first["item_id"], first["label"], first["more"], first["text"], first["wer"]) == (
        "s1",
        "overall=4",
        2,
        "hello",
        0.25,
    )
    assert (second["item_id"], second["text"], second["language"], second["wer"]) == ("s2", None, "zh", None)
    assert (first["duration"], first["loudness"], first["system"], first["group_id"]) == (2.0, -20.0, "tts", "g")
