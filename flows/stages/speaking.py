"""Which systems speak what: the candidates of a recipe, and whether its texts are in languages that they speak."""

from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.pipeline import Build
from synth import requests
from synth.dsp import format_literals
from synth.engine import changed_engine_text, speaks
from synth.pairing import HUMAN, pairs
from synth.scripts import language_of


def candidates_of(build: Build[PreferenceRecipe]) -> list[requests.Candidate]:
    """Return the recipe's systems as the requests need them."""
    return [
        requests.Candidate(
            system=system.name,
            engine=engine,
            params=build.recipe.engines[system.name].params(),
            voices=system.voices or [voice.name for voice in build.recipe.engines[system.name].voices()],
            voices_per_prompt=system.voices_per_prompt,
            takes=system.all_takes,
            takes_per_prompt=system.takes_per_prompt or len(system.all_takes),
            speaks=system.speaks,
            changed_text=partial(changed_engine_text, build.recipe.engines[system.name]),
        )
        for system, engine in build.recipe.rendered
    ]


def to_speak(build: Build[PreferenceRecipe], chosen: pa.Table) -> pa.Table:
    """Return the prompts as they will be spoken, as long as nobody has written them: every variant with the chosen text."""
    rows = []
    for prompt in chosen.to_pylist():
        for variant in build.recipe.prompts.variants:
            if variant == "transcript":
                rows.append(prompt)
            elif prompt["reference_language"] is not None and (language := language_of(prompt["reference_language"], variant)):
                own = {"prompt_id": f"{prompt['prompt_id']}/{variant}", "language": language, "target_utterance_id": None}
                rows.append(prompt | own)
    return pa.Table.from_pylist(rows, schema=chosen.schema)


def can_speak(build: Build[PreferenceRecipe], wanted: pa.Table) -> pa.Array:
    """Return per request whether its system speaks its language; recordings do."""
    engines = build.recipe.engines
    requested = zip(wanted["system"].to_pylist(), wanted["language"].to_pylist(), strict=True)
    return pa.array([system == HUMAN or speaks(engines[system], language) for system, language in requested], pa.bool_())


def unspoken(build: Build[PreferenceRecipe], prompts: pa.Table) -> str | None:
    """Return why nothing can come of these prompts, which is that too few systems speak their languages; None if something can.

    One prompt of each language is looked at: all others of it fare alike.
    """
    kinds = prompts.append_column("has_target", pc.is_valid(prompts["target_utterance_id"]))
    first = kinds.group_by(["language", "has_target"]).aggregate([("prompt_id", "min")])["prompt_id_min"]
    wanted = requests.wanted(
        prompts.filter(pc.is_in(prompts["prompt_id"], value_set=first.combine_chunks())),
        candidates_of(build),
        human=build.recipe.human,
        audio=format_literals(build.recipe.clip_format),
        seed=build.recipe.seed,
    )
    spoken = wanted.filter(can_speak(build, wanted))
    if _items(build, spoken) or not _items(build, wanted):
        return None
    languages = " and ".join(sorted(set(prompts["language"].to_pylist())))
    systems = "; ".join(f"{name} speaks {', '.join(engine.languages)}" for name, engine in build.recipe.engines.items())
    what = "sample" if _is_rated(build) else "pair"
    return f"no {what} can come of texts in {languages}: {systems}; add systems that speak {languages}, or other corpora"


def _items(build: Build[PreferenceRecipe], wanted: pa.Table) -> int:
    if _is_rated(build):
        return int(wanted.num_rows)
    samples = wanted.rename_columns({"row_id": "sample_id", "subject_id": "prompt_id"})
    return int(pairs(samples, seed=build.recipe.seed, kinds=build.recipe.pair_kinds).num_rows)


def _is_rated(build: Build[PreferenceRecipe]) -> bool:
    return build.recipe.listening is not None and build.recipe.listening.rated()
