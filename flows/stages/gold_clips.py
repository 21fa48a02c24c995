"""The stage ``gold_clips``: gold items whose answer is beyond doubt by construction, so that listeners can qualify at once.

Each is a clip of this build against the same clip made worse: a test, which is in no pair, label, split or release.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import pyarrow as pa

from contracts.errors import DataError
from contracts.ids import row_id
from contracts.joins import attach, sorted_by
from contracts.languages import MIXED
from contracts.rng import hash_fraction
from contracts.schemas import GOLD
from flows.recipe.listening_checks import gold_harms, terms_of
from flows.recipe.listening_section import MadeGold
from flows.run.books import Books
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from synth.dsp import format_literals
from synth.engine import Waveform
from synth.gold_clips import Harm, harmed
from synth.pairing import HUMAN

SHORTEST_S: Final = 2.0
"""Clips below it are taken only where there are no others: half of one word can be a word."""


def made_gold_of(build: Build[Any]) -> MadeGold | None:
    """Return how much gold the build makes; None = none."""
    section = build.recipe.listening
    return section.gold if section is not None and isinstance(section.gold, MadeGold) else None


def choose_gold(
    samples: pa.Table, languages: pa.Table, *, number: int, harms: Sequence[Harm], seed: int
) -> list[dict[str, str]]:
    """Return the gold items of a build without their clips: so many in each language, the harms in turn.

    People's recordings come first, as a synthetic clip may be wrong itself; where clips are few, each serves for every harm.

    Args:
        samples: rows of schema SAMPLES.
        languages: columns ``prompt_id``, ``language``.
        number: items in each language; a mixed text takes both languages, whose gold serves it.
        harms: what may be done to a clip.
        seed: the recipe's seed.

    Returns:
        Rows of ``gold_id, sample_id, prompt_id, harm, right, audio_id``, the last one of the untouched clip.
    """
    table = attach(samples, "prompt_id", languages, "prompt_id", {"language": "language"})
    clips = [row for row in table.to_pylist() if row["language"] != MIXED] or table.to_pylist()
    clips.sort(key=lambda row: _rank(row, seed))
    chosen = list[dict[str, str]]()
    for language in sorted({row["language"] for row in clips}):
        own = [row for row in clips if row["language"] == language]
        rounds = [(row, harms[(place + turn) % len(harms)]) for turn in range(len(harms)) for place, row in enumerate(own)]
        for row, harm in rounds[:number]:
            key = row_id("gold", row["sample_id"], harm)
            right = "a" if hash_fraction(seed, "gold_side", key) < 0.5 else "b"
            copied = {name: row[name] for name in ("sample_id", "prompt_id", "audio_id")}
            chosen.append({"gold_id": key, "harm": harm, "right": right, **copied})
    return chosen


def _rank(row: dict[str, Any], seed: int) -> tuple[bool, bool, float]:
    return row["duration_s"] < SHORTEST_S, row["system"] != HUMAN, hash_fraction(seed, "gold_clip", row["sample_id"])


def _gold_clips(build: Build[Any]) -> Books:
    gold = made_gold_of(build)
    assert gold is not None
    chosen = choose_gold(
        wanted_rows(build, "samples"),
        build.tables.read("prompts", ["prompt_id", "language"]),
        number=gold.made,
        harms=gold_harms(terms_of(build.recipe).protocol),
        seed=build.recipe.seed,
    )
    if not chosen:
        raise DataError("listening.gold: made: there is no clip to make gold items of: see the failures of the stage samples")
    rows, audio, blobs = [], build.recipe.clip_format, build.blobs
    for row in chosen:
        samples, rate = blobs.waveform(row["audio_id"])
        clip = harmed(Waveform(samples, rate), cast("Harm", row["harm"]), audio, seed=build.recipe.seed, key=row["gold_id"])
        blob = blobs.put(clip.pcm, clip.sample_rate_hz)
        rows.append(row | {"audio_id": blob, "duration_s": clip.duration_s, "loudness_lufs": clip.loudness_lufs})
    build.tables.replace("gold", sorted_by(pa.Table.from_pylist(rows, schema=GOLD), "gold_id"))
    return Books(stage="gold_clips", unit="gold items", rows_in=len(rows), rows_out=len(rows))


def _settings(build: Build[Any]) -> object:
    gold, protocol = made_gold_of(build), terms_of(build.recipe).protocol
    return [gold and gold.made, gold_harms(protocol), format_literals(build.recipe.clip_format)]


STAGE: Final[Stage[Any]] = Stage(
    name="gold_clips",
    reads=("prompts", *made("samples")),
    writes=("gold",),
    settings=_settings,
    run=_gold_clips,
    active=lambda build: made_gold_of(build) is not None,
)
