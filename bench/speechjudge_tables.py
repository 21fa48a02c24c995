"""A workspace of SpeechJudge's size: clips that are made up in the tables, and the votes of a simulated population."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import yaml

from bench.speechjudge_population import VALUES, cast_votes, fitted
from contracts.conformance import conform
from contracts.ids import row_id
from contracts.schemas import SCHEMAS, VOTES
from flows.listening.store import VOTED
from flows.run.pipeline import Build, open_build
from flows.run.wanted import want
from flows.stages.splits import splits_table

_RECIPE: Final = Path(__file__).resolve().parent.parent / "recipes/speechjudge.yaml"
_TEXTS: Final = 5500
_SYSTEMS: Final = 6
_TAKEN_TWICE: Final = 3
"""Systems with a second take of each text: 15 pairs of two systems and 3 of one make 18 a text, 99,000 in all."""

_CELLS: Final = {
    ("regular", "en"): 0.25,
    ("regular", "zh"): 0.35,
    ("expressive", "en"): 0.12,
    ("expressive", "zh"): 0.13,
    ("expressive", "mixed"): 0.15,
}
"""Share of the texts: ours, as the paper prints none."""

_MEAN_WER: Final = 0.147
"""Of a clip. The difference of two exponential error rates of this mean is below 12 % in 55.7 % of pairs: 44K of 79K."""

_TEACHER: Final = 0.6
"""How often the stand-in teacher is right: 25K of 42K (SpeechJudge, section 5.1)."""


def write(folder: str) -> None:
    """Write the recipe, and commit clips, pairs and votes."""
    found = yaml.safe_load(_RECIPE.read_text(encoding="utf-8"))
    recipe = {name: found[name] for name in ("labels", "filters", "subsets", "splits", "judge", "seed") if name in found} | {
        "name": "speechjudge-bench",
        "corpora": [{"name": "stand-in", "reader": "manifest", "root": folder}],
        "human": False,
        "systems": [{"name": f"system{n}", "engine": "espeak"} for n in range(_SYSTEMS)],
        "metrics": [{"name": "wer"}],
        "budget_usd": 1,
        "listening": {
            "protocol": "speechjudge",
            "of": "pairs",
            "languages": {"en": "basic", "zh": "basic"},
            "qualification": 0,
        },
    }
    Path(folder, "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    build = opened(folder)
    with build.workspace.lock():
        _commit(build)


def opened(folder: str) -> Build:
    return open_build(f"{folder}/recipe.yaml", f"{folder}/ws")


def _ids(kind: str, numbers: Any) -> list[str]:
    return [row_id(kind, int(number)) for number in numbers]


def _filled(schema: str, columns: Mapping[str, Any], rows: int) -> pa.Table:
    """Return a table of a schema: these columns, and one value or null in every other."""
    plain: dict[Any, Any] = {pa.string(): "x", pa.int64(): 1, pa.float64(): 1.0, pa.bool_(): True}
    found = []
    for field in SCHEMAS[schema]:
        if field.name in columns:
            found.append(pa.array(columns[field.name], field.type))
        else:
            value = None if field.nullable else plain[field.type]
            found.append(pa.repeat(pa.scalar(value, field.type), rows))
    return pa.Table.from_arrays(found, schema=SCHEMAS[schema])


def _commit(build: Build) -> None:
    draw = np.random.default_rng(14)
    population = fitted()
    styles = list(_CELLS)
    cell = draw.choice(len(styles), _TEXTS, p=list(_CELLS.values()))
    words = draw.integers(0, 26, (_TEXTS, 40))
    texts = ["".join(chr(97 + letter) for letter in row) for row in words]
    text, prompt, reference = (_ids(kind, range(_TEXTS)) for kind in ("text", "prompt", "reference"))
    style, language = ([styles[place][side] for place in cell] for side in (0, 1))
    spoken = ["zh" if place % 2 else "en" for place in range(_TEXTS)]
    recorded = {"utterance_id": reference, "source_id": reference, "text": texts, "language": spoken, "style": style}
    build.tables.replace("utterances", _filled("utterances", recorded | {"corpus": ["stand-in"] * _TEXTS}, _TEXTS))
    columns = {"prompt_id": prompt, "group_id": text, "text": texts, "language": language, "style": style}
    columns |= {"reference_language": spoken, "reference_utterance_id": reference, "corpus": ["stand-in"] * _TEXTS}
    build.tables.replace("prompts", _filled("prompts", columns, _TEXTS))
    recordings = {"recording_id": reference, "utterance_id": reference, "audio_id": reference}
    build.tables.replace("recordings", _filled("recordings", recordings, _TEXTS))
    want(build, "recordings", [(pa.array(reference), pa.array(reference))])

    takes = _SYSTEMS + _TAKEN_TWICE
    of_text, system = np.repeat(np.arange(_TEXTS), takes), np.tile([*range(_SYSTEMS), *range(_TAKEN_TWICE)], _TEXTS)
    clips = len(of_text)
    sample = _ids("sample", range(clips))
    columns = {"sample_id": sample, "prompt_id": [prompt[n] for n in of_text], "group_id": [text[n] for n in of_text]}
    columns |= {"system": [f"system{n}" for n in system], "params": ["{}"] * clips, "audio_id": sample}
    build.tables.replace("samples", _filled("samples", columns, clips))
    want(build, "samples", [(pa.array(sample), pa.array(columns["prompt_id"]))])
    wer = np.minimum(draw.exponential(_MEAN_WER, clips), 0.9)
    measured = {"metric_key": sample, "sample_id": sample, "metric": ["wer"] * clips, "values": [[("wer", one)] for one in wer]}
    build.tables.replace("metrics", _filled("metrics", measured, clips))
    want(build, "metrics", [(pa.array(sample), pa.array(sample))])

    one, other = np.triu_indices(_SYSTEMS, 1)
    one, other = np.concatenate([one, np.arange(_TAKEN_TWICE)]), np.concatenate([other, np.arange(_SYSTEMS, takes)])
    first = (np.arange(_TEXTS)[:, None] * takes + one).reshape(-1)
    second = (np.arange(_TEXTS)[:, None] * takes + other).reshape(-1)
    swapped = draw.random(len(first)) < 0.5
    a, b = np.where(swapped, second, first), np.where(swapped, first, second)
    pair = _ids("pair", range(len(a)))
    columns = {"pair_id": pair, "group_id": [text[of_text[n]] for n in a], "prompt_id": [prompt[of_text[n]] for n in a]}
    columns |= {"sample_a": [sample[n] for n in a], "sample_b": [sample[n] for n in b]}
    columns |= {"system_a": [f"system{system[n]}" for n in a], "system_b": [f"system{system[n]}" for n in b]}
    columns["kind"] = ["intra" if system[n] == system[m] else "inter" for n, m in zip(a, b, strict=True)]
    build.tables.replace("pairs", _filled("pairs", columns, len(a)))

    quality = draw.normal(0, population.gap / np.sqrt(2), clips)
    cast = cast_votes(quality[a] - quality[b], population, seed=69)
    steady = np.array([styles[place][0] == "regular" for place in cell])
    right = []
    for side in (a, b):
        clip = side[cast.pair]
        felt = np.where(steady[of_text[clip]], wer[clip], np.minimum(wer[clip], 0.15))
        right.append(draw.random(len(clip)) < np.exp(-6 * felt))
    columns = {
        "vote_id": _ids("vote", range(len(cast.pair))),
        "pair_id": pa.array(pair).take(pa.array(cast.pair)),
        "annotator_id": pa.array([f"person{n:02d}" for n in range(population.annotators)]).take(pa.array(cast.annotator)),
        "value": pa.array(VALUES).take(pa.array(cast.value)),
        "text_accurate_a": right[0],
        "text_accurate_b": right[1],
        "protocol": ["speechjudge"] * len(cast.pair),
    }
    build.tables.replace(VOTED, _filled("votes", columns, len(cast.pair)).cast(VOTES))


def teach(build: Build) -> None:
    """Commit the rulings of a teacher who is right about a share of the pairs that it is asked about."""
    assigned = build.tables.read(splits_table(build))
    items = [row["item_id"] for row in assigned.to_pylist() if row["split"] == build.recipe.splits.taught]
    label = dict(zip(*(build.tables.read("labels")[name].to_pylist() for name in ("item_id", "label")), strict=True))
    right = np.random.default_rng(5).random(len(items)) < _TEACHER
    said = [label[one] if yes else {"a": "b", "b": "a"}[label[one]] for one, yes in zip(items, right, strict=True)]
    empty: dict[str, Any] = {"scores_a": [[]] * len(items), "scores_b": [[]] * len(items), "judgment_ids": [[]] * len(items)}
    rulings = _filled("rulings", {"pair_id": items, "verdict": said, **empty}, len(items))
    build.tables.replace("rulings", conform(rulings, "rulings"))
