"""The stage ``prompts``: which texts are spoken, after which reference."""

import math
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import RecipeError
from contracts.ids import row_id
from contracts.joins import sorted_by
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.questions import needs_history
from flows.run.work import do_missing
from flows.stages.pair_budget import unmet
from flows.stages.recordings import recording_requests, recording_work, used_utterances
from flows.stages.speaking import to_speak, unspoken
from flows.stages.texts import CHOSEN
from synth.dsp import format_literals
from synth.prompt_choice import choose

_ROUNDS: Final = 10
"""How often prompts are chosen anew because audio failed. What fails later takes its prompts or human samples along."""


def choose_prompts(build: Build[PreferenceRecipe], utterances: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the recipe's prompts, and the utterances that serve none as drops; audio that is known to fail is avoided."""
    section = build.recipe.prompts
    others = {"texts", "texts_by_corpus", "variants", "longest_history", "corpora", "reference_max_duration_s"}
    return choose(
        _recordings(build, utterances),
        seed=build.recipe.seed,
        history=needs_history(build),
        failed=_failed(build),
        reference_max_duration_s=build.recipe.longest_reference_s,
        texts=section.texts_by_corpus or section.texts,
        foreign=section.foreign_styles,
        styles=section.styles,
        **section.model_dump(exclude=others),
    )


def _recordings(build: Build[PreferenceRecipe], utterances: pa.Table) -> pa.Table:
    """Return the recordings of people in the corpora whose texts are spoken."""
    people = utterances.filter(pc.is_null(utterances["system"]))
    if (corpora := build.recipe.prompts.corpora) is None:
        return people
    return people.filter(pc.is_in(people["corpus"], value_set=pa.array(corpora, pa.string())))


def _failed(build: Build[PreferenceRecipe]) -> set[str]:
    """Return the utterances whose recording failed in this recipe's audio format."""
    audio = format_literals(build.recipe.clip_format)
    failures = build.tables.read("failures@recordings", ["row_id", "subject_id"]).to_pylist()
    return {row["subject_id"] for row in failures if row["row_id"] == row_id("recording", row["subject_id"], audio)}


def _prompts(build: Build[PreferenceRecipe]) -> Books:
    """Choose prompts and bring their recordings in, until all of them are usable or there are no better ones.

    Raises:
        RecipeError: no pair can come of them, for want of systems that speak their languages; or fewer than the budget asks
            for.
    """
    utterances = build.tables.read("utterances")
    human = build.recipe.human and "transcript" in build.recipe.prompts.all_variants
    for _ in range(_ROUNDS):
        prompts, drops = choose_prompts(build, utterances)
        spoken = to_speak(build, prompts)
        if problem := unspoken(build, spoken, utterances) or unmet(build, spoken, utterances):
            raise RecipeError(problem)
        before = _failed(build)
        requests = recording_requests(build, used_utterances(prompts, human=human))
        do_missing(build, "recordings", recording_work(build, requests))
        if _failed(build) <= before:
            break
    build.tables.replace("drops@prompts", sorted_by(drops, "row_id"))
    build.tables.replace(CHOSEN, prompts)  # in order of choice: what comes later takes no text from what was there
    used = used_utterances(prompts, human=True)
    return Books(
        stage="prompts",
        unit="recordings",
        rows_in=_recordings(build, utterances).num_rows,
        rows_out=len(used),
        dropped=count(drops["reason"]),
    )


def _settings(build: Build[PreferenceRecipe]) -> object:
    recipe, longest_s = build.recipe, build.recipe.longest_reference_s
    return [
        recipe.prompts.model_dump(exclude={"variants", "longest_history"}),
        *([by_style] if (by_style := recipe.prompts.by_style) else []),
        needs_history(build),
        [format_literals(recipe.clip_format), recipe.human, [corpus.root for corpus in recipe.corpora]],
        *([] if math.isinf(longest_s) or recipe.prompts.reference == "none" else [longest_s]),
    ]


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="prompts",
    reads=("utterances",),
    writes=(CHOSEN, "drops@prompts"),
    fills=("recordings", "failures@recordings"),
    settings=_settings,
    run=_prompts,
    checks=("systems", "positives", "negatives", "blocks", "pair_kinds", "pairs", "listening"),
    on_cluster=True,
)
