"""Which systems speak what: the candidates of a recipe, and whether its texts are in languages that they speak."""

from collections.abc import Mapping
from dataclasses import astuple
from functools import partial
from types import MappingProxyType
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.pipeline import Build
from synth import contrasts, requests
from synth.borrowing import Blocks
from synth.dsp import format_literals
from synth.engine import changed_engine_text, speaks
from synth.pairing import contrasted, pairs
from synth.scripts import OF_RECORDINGS, language_of, style_of, variants_of
from synth.text_frontend import FRONTEND_VERSION

_TAKES: Final = {"takes", "takes_per_prompt"}

_UNWRITTEN: Final = "/"
"""Stands in the id of a prompt whose text is still to be written, which no other id has."""

_NO_CONTRAST: Final = (
    "no text has both a positive and a negative: either no system among theirs speaks its language, or its block has no "
    "recording that they ask for (blocks: fewer are larger); see positives and negatives"
)


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
            clones_voice=build.recipe.engines[system.name].clones_voice,
            emotion=system.emotion,
        )
        for system, engine in build.recipe.rendered
    ]


def to_speak(build: Build[PreferenceRecipe], chosen: pa.Table) -> pa.Table:
    """Return the prompts as they will be spoken, as long as nobody has written them: every variant with the chosen text."""
    rows, variants = [], build.recipe.prompts.spoken
    for prompt in chosen.to_pylist():
        for variant in variants_of(prompt, variants):
            if variant in OF_RECORDINGS:
                rows.append(prompt)
            elif prompt["reference_language"] is not None and (language := language_of(prompt["reference_language"], variant)):
                own = {
                    "prompt_id": f"{prompt['prompt_id']}{_UNWRITTEN}{variant}",
                    "language": language,
                    "target_utterance_id": None,
                }
                own["style"] = style_of(prompt, variants)
                rows.append(prompt | own)
    return pa.Table.from_pylist(rows, schema=chosen.schema)


def is_unwritten(prompts: pa.Table) -> pa.ChunkedArray:
    """Return per prompt of ``to_speak`` whether its text is still to be written."""
    return pc.match_substring(prompts["prompt_id"], _UNWRITTEN)


def can_speak(build: Build[PreferenceRecipe], wanted: pa.Table) -> pa.Array:
    """Return per request whether its system speaks its language; recordings do."""
    engines = build.recipe.engines
    requested = zip(wanted["system"].to_pylist(), wanted["language"].to_pylist(), strict=True)
    return pa.array([system not in engines or speaks(engines[system], language) for system, language in requested], pa.bool_())


def clips_of(
    build: Build[PreferenceRecipe],
    prompts: pa.Table,
    utterances: pa.Table,
    written: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> pa.Table:
    """Return every clip that the recipe wants of these prompts, but those that a corpus brings along.

    Args:
        build: the build.
        prompts: table of schema PROMPTS.
        utterances: table of schema UTTERANCES.
        written: role -> prompt -> what is spoken instead of its text.

    Returns:
        Table of schema synth.requests.WANTED, by row id; a prompt without a contrast has one row without a system.
    """
    recipe, audio = build.recipe, format_literals(build.recipe.clip_format)
    if not recipe.negatives:
        return requests.wanted(
            prompts, candidates_of(build), human=recipe.human, audio=audio, seed=recipe.seed, written=written
        )
    means = contrasts.Means(
        systems={candidate.system: candidate for candidate in candidates_of(build)},
        can_speak=lambda system, language: speaks(recipe.engines[system], language),
        blocks=Blocks(utterances, blocks=recipe.blocks, seed=recipe.seed),
        audio=audio,
        seed=recipe.seed,
        written=written,
    )
    return contrasts.wanted(prompts, *recipe.contrasts, means)


def pairs_of(build: Build[PreferenceRecipe], samples: pa.Table) -> pa.Table:
    """Return the pairs that the recipe wants of these samples (see ``synth.pairing``)."""
    if build.recipe.negatives:
        return contrasted(samples, seed=build.recipe.seed)
    return pairs(samples, seed=build.recipe.seed, kinds=build.recipe.compared_kinds)


def unspoken(
    build: Build[PreferenceRecipe], prompts: pa.Table, utterances: pa.Table, clips: pa.Table | None = None
) -> str | None:
    """Return why nothing can come of these prompts, which is that too few systems speak their languages; None if something can.

    One prompt of each language is looked at: all others of it fare alike. With negatives, all are, as what they borrow differs.

    Args:
        build: the build.
        prompts: table of schema PROMPTS.
        utterances: table of schema UTTERANCES.
        clips: what ``clips_of`` returns, if it is known.
    """
    if build.recipe.negatives:
        found = (clips_of(build, prompts, utterances) if clips is None else clips)["system"]
        return None if found.null_count < len(found) else _NO_CONTRAST
    kinds = prompts.append_column("has_target", pc.is_valid(prompts["target_utterance_id"]))
    first = kinds.group_by(["language", "has_target"]).aggregate([("prompt_id", "min")])["prompt_id_min"]
    wanted = clips_of(build, prompts.filter(pc.is_in(prompts["prompt_id"], value_set=first.combine_chunks())), utterances)
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
    return int(pairs_of(build, wanted.rename_columns({"row_id": "sample_id", "subject_id": "prompt_id"})).num_rows)


def _is_rated(build: Build[PreferenceRecipe]) -> bool:
    return build.recipe.listening is not None and build.recipe.listening.rated()


def candidate_literals(build: Build[PreferenceRecipe]) -> object:
    """Return all that decides which samples there are and what is in them, beyond the prompts."""
    # Left out where there are none, so that recipes from before takes keep their literals.
    takes = {
        system.name: [
            value for value in (system.takes and system.model_dump(include=_TAKES), system.tries) if value is not None
        ]
        for system, _ in build.recipe.rendered
    }
    systems = [
        [
            candidate.system,
            candidate.engine,
            candidate.params,
            list(candidate.voices),
            candidate.voices_per_prompt,
            candidate.speaks,
            [FRONTEND_VERSION, *map(astuple, build.recipe.engines[candidate.system].controls)],
            *takes[candidate.system],
        ]
        for candidate in candidates_of(build)
    ]
    brought = [[system.name, corpus] for system, corpus in build.recipe.brought_along]
    return [format_literals(build.recipe.clip_format), build.recipe.human, systems, *brought, *_contrasts(build)]


def _contrasts(build: Build[PreferenceRecipe]) -> list[object]:
    """Return what decides which clips contrast with each other; nothing where all systems speak all texts."""
    recipe = build.recipe
    if not recipe.negatives:
        return []
    sources = [source.model_dump() for source in (*recipe.positives, *recipe.negatives)]
    lengths = [
        recipe.prompts.reference_min_duration_s,
        min(recipe.prompts.max_duration_s, recipe.longest_reference_s),
    ]
    return [sources, lengths, recipe.blocks, {system.name: system.emotion for system in recipe.systems}]
