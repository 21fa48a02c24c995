"""The features of clips and pairs that the audit of shortcuts looks at, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach, row_numbers
from flows.run.books import count
from flows.run.pipeline import Build
from flows.run.wanted import wanted_rows
from flows.stages.metrics import current_facts
from scoring.audit.association import Floats
from scoring.audit.features import OF_CLIPS, POSITION, nuisances_of

MOST_LEVELS: Final = 20
"""How many systems are looked at one by one: those with most clips."""

_OF_SAMPLES: Final = ("prompt_id", "system", "spoken_text", "duration_s", "loudness_lufs", "is_synthetic", "corruption")


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features of some rows: values of clips, or differences of the two clips of pairs; NaN = unknown.

    Attributes:
        nuisances: name -> values in steps of the smallest difference that counts: they say nothing of quality.
        origins: name -> 1 or 0, or their differences: what made the clips; a system is ``system=<name>``.
    """

    nuisances: Mapping[str, Floats]
    origins: Mapping[str, Floats]


def clip_features(build: Build, sample_ids: pa.Array | pa.ChunkedArray) -> Features:
    """Return the features of these samples."""
    samples = wanted_rows(build, "samples", columns=_OF_SAMPLES)
    samples = attach(samples, "prompt_id", build.tables.read("prompts", ["prompt_id", "text"]), "prompt_id", {"text": "text"})
    length = pc.utf8_length(pc.coalesce(samples["spoken_text"], samples["text"]))
    samples = samples.append_column("text_length", length)
    place = row_numbers(sample_ids, samples["sample_id"])
    nuisances = {name: _steps(samples[name], step)[place] for name, step in OF_CLIPS.items()}
    facts = current_facts(build)
    measured = row_numbers(sample_ids, facts["sample_id"])
    for metric in build.recipe.metrics:
        for name, step in nuisances_of(metric.name).items():
            values = np.append(_steps(facts[name], step), np.nan)
            nuisances[name] = values[measured]  # -1, not measured, is the last one
    origins = {"is_synthetic": samples["is_synthetic"].to_numpy().astype(np.float64)[place]}
    for name in ("system", "corruption"):
        named = samples[name]
        levels = sorted(list(count(named.drop_null()))[:MOST_LEVELS])
        if len(levels) > 1 or named.null_count:
            for level in levels:
                is_level = pc.fill_null(pc.equal(named, level), False).to_numpy().astype(np.float64)
                origins[f"{name}={level}"] = is_level[place]
    return Features(nuisances=nuisances, origins=origins)


def pair_features(build: Build, pairs: pa.Table) -> Features:
    """Return the features of pairs (schema PAIRS): the value of A less that of B."""
    count_of = pairs.num_rows
    both = clip_features(build, pa.concat_arrays([pairs[name].combine_chunks() for name in ("sample_a", "sample_b")]))

    def differences(values: Mapping[str, Floats]) -> dict[str, Floats]:
        return {name: value[:count_of] - value[count_of:] for name, value in values.items()}

    position = {POSITION: np.ones(count_of)}
    return Features(nuisances=position | differences(both.nuisances), origins=differences(both.origins))


def _steps(column: pa.ChunkedArray, step: float) -> Floats:
    """Return the values in whole steps, NaN = unknown."""
    values: Floats = pc.cast(column, pa.float64()).to_numpy()
    return np.round(values / step)
