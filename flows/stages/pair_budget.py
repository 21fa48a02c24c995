"""The pair budget of a recipe: which pairs it buys, and which clips these need."""

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from flows.recipe.pairs_section import PairBudget, shortage
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.pipeline import Build
from flows.stages.brought_along import clip_requests
from flows.stages.speaking import can_speak, clips_of, pairs_of
from synth.pair_draw import Draw, draw


def draw_of(
    build: Build[PreferenceRecipe],
    budget: PairBudget,
    prompts: pa.Table,
    wanted: pa.Table,
    lost: Collection[str] = frozenset(),
) -> Draw:
    """Return the pairs that a budget buys of the clips that can be made.

    Args:
        build: the build.
        budget: the budget.
        prompts: table of schema PROMPTS.
        wanted: the requests of all clips, of schema synth.requests.WANTED.
        lost: requests that cannot be had.
    """
    brought = pa.array([system.name for system, _ in build.recipe.brought_along], pa.string())
    is_absent = pc.and_(pc.is_in(wanted["system"], value_set=brought), pc.is_null(wanted["target_utterance_id"]))
    is_there = pc.and_(can_speak(build, wanted), pc.invert(is_absent.combine_chunks()))
    found = pairs_of(build, as_samples(wanted.filter(is_there)))
    return draw(found, prompts, budget.cells, seed=build.recipe.seed, lost=lost)


def needed_clips(
    build: Build[PreferenceRecipe], prompts: pa.Table, wanted: pa.Table, lost: Collection[str] = frozenset()
) -> pa.Table:
    """Return those of the requests whose clips a drawn pair needs; without a budget all of them.

    Args:
        build: the build.
        prompts: table of schema PROMPTS.
        wanted: requests, of schema synth.requests.WANTED.
        lost: requests that cannot be had. They are needed as long as their pair would have been drawn with them.
    """
    if build.recipe.pairs is None:
        return wanted
    bought = draw_of(build, build.recipe.pairs, prompts, wanted, lost)
    needed = pa.chunked_array([bought.tried[side].combine_chunks() for side in ("sample_a", "sample_b")], pa.string())
    return wanted.filter(pc.is_in(wanted["row_id"], value_set=needed.combine_chunks()))


def as_samples(wanted: pa.Table) -> pa.Table:
    """Return requests under the names that samples have."""
    return wanted.rename_columns({"row_id": "sample_id", "subject_id": "prompt_id"})


def unmet(build: Build[PreferenceRecipe], prompts: pa.Table, utterances: pa.Table) -> str | None:
    """Return which cells of the budget these prompts cannot fill; None if they fill all, or there is no budget.

    Args:
        build: the build.
        prompts: the prompts as they will be spoken, of schema PROMPTS.
        utterances: table of schema UTTERANCES.
    """
    if build.recipe.pairs is None:
        return None
    wanted = pa.concat_tables([clips_of(build, prompts, utterances), clip_requests(build, prompts, utterances)])
    bought = draw_of(build, build.recipe.pairs, prompts, wanted)
    return shortage(bought.missing.items(), build.recipe.pairs) if bought.missing else None
