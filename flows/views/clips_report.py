"""The section of the report about single clips: their scores, and some to listen to."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among, attach
from contracts.rng import hash_fraction
from flows.run.damage import named_audio
from flows.run.item_tables import CLIPS
from flows.run.kind import item_of
from flows.run.pipeline import Build
from flows.run.wanted import wanted_rows
from flows.views.inline_audio import inline

CLIPS_PER_FATE: Final = 12


def clips_content(build: Build) -> dict[str, Any] | None:
    """Return the content of the section: scores of the kept clips, and kept and dropped ones; None where items are no clips."""
    if item_of(build).table != CLIPS.table:
        return None
    labels = build.tables.read("labels", ["item_id", "label"])
    drops = [row for stage in ("assessments", "filters") for row in build.tables.read(f"drops@{stage}").to_pylist()]
    gone = pa.table(
        {
            "item_id": pa.array([row["row_id"] for row in drops], pa.string()),
            "label": pa.array([f"dropped by {row['filter']}: {row['reason']}" for row in drops], pa.string()),
        }
    )
    return {
        "plural": item_of(build).plural,
        "scores": _distributions(among(build.tables.read("assessments"), "sample_id", labels["item_id"])),
        "fates": [("Kept", _heard(build, labels)), ("Dropped", _heard(build, gone))],
    }


def _distributions(assessments: pa.Table) -> list[dict[str, Any]]:
    """Return for each scale its mean and deviation over the clips, and how many clips have which score, to the whole number."""
    scores = pc.list_flatten(assessments["scores"]).combine_chunks()
    scales, values = scores.field("scale").to_pylist(), scores.field("score").to_numpy()
    found = []
    for scale in dict.fromkeys(scales):
        mine = values[np.array([other == scale for other in scales])]
        whole, counts = np.unique(np.floor(mine + 0.5).astype(int), return_counts=True)
        found.append(
            {
                "scale": scale,
                "clips": mine.size,
                "mean": float(mine.mean()),
                "std": float(mine.std(ddof=1)) if mine.size > 1 else None,
                "counts": list(zip(whole.tolist(), counts.tolist(), strict=True)),
            }
        )
    return found


def _heard(build: Build, clips: pa.Table) -> list[dict[str, Any]]:
    """Return a sample of clips with their audio inline; it is the same for the same build."""
    ids = sorted(clips["item_id"].to_pylist(), key=lambda clip: hash_fraction(build.recipe.seed, "report", clip))
    chosen = among(clips, "item_id", pa.array(ids[:CLIPS_PER_FATE], pa.string()))
    samples = wanted_rows(build, "samples")
    names = {name: name for name in ("audio_id", "system", "prompt_id", "utterance_id")}
    chosen = attach(chosen, "item_id", samples, "sample_id", names)
    chosen = attach(chosen, "prompt_id", build.tables.read("prompts"), "prompt_id", {"text": "text"})
    utterances = build.tables.read("utterances", ["utterance_id", "question", "source_id"])
    chosen = attach(chosen, "utterance_id", utterances, "utterance_id", {name: name for name in ("question", "source_id")})
    chosen = attach(chosen, "item_id", build.tables.read("assessments"), "sample_id", {"completion": "completion"})
    rows: list[dict[str, Any]] = chosen.to_pylist()
    read = named_audio(build)
    for row in rows:
        row["audio"], row["damage"] = inline(read, row["audio_id"])
    return rows
