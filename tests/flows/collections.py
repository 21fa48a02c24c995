"""A small collection: two parts with common recordings."""

from pathlib import Path

import yaml

TASK2 = Path(__file__).parents[2] / "recipes/qualispeech.yaml"


def write(folder, **changes):
    """Write a collection of three splits of one corpus, and of the same files under another name with some more.

    The second part has clips at another rate, so that neither the names of recordings nor their audio are those of the first.
    """
    first = yaml.safe_load(TASK2.read_text())
    corpus = first["corpora"][0]
    first["corpora"] = [corpus | {"root": "old"}]
    second = first | {
        "name": "again",
        "corpora": [corpus | {"name": "once_more", "root": "old"}, corpus | {"name": "new", "root": "new"}],
        "audio": {"sample_rate_hz": 8000},
        "splits": {"fractions": {"sft": 0.5, "rl": 0.25, "bench": 0.25}, "stratify_by": []},
    }
    literals = {
        "kind": "collection",
        "name": "both",
        "parts": {"task2": "first.yaml", "more": {"recipe": "second.yaml"}},
        "release": {"pretty_name": "Both"},
    } | changes
    for name, content in (("first", first), ("second", second), ("both", literals)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder / "both.yaml"
