"""Rated clips that can stand in a pair, the pools that pairs are drawn of, and the stage ``pairs`` of rated clips."""

from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.joins import attach, sorted_by
from contracts.languages import with_setting
from contracts.schemas import empty
from flows.recipe.rated_pairs_recipe import RatedPairsRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made, wanted_rows
from flows.stages.split_facts import split_sizes
from flows.stages.splits import split_literals
from splits import pools
from splits.quotas import apportion
from synth import rated_clips, rated_sampling
from synth.pairing import of_two_clips, pairs, shuffled

_Build = Build[RatedPairsRecipe]


def usable_clips(build: _Build, utterances: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the utterances that can stand in a pair, with their prompts, and the others as drops.

    Raises:
        DataError: there are none.
    """
    usable, drops = rated(build, utterances)
    if not usable.num_rows:
        scales = sorted({rating["scale"] for ratings in utterances["ratings"].to_pylist() for rating in ratings or ()})
        reasons = ", ".join(f"{name} {rows}" for name, rows in count(drops["reason"]).items())
        raise DataError(
            f"none of {utterances.num_rows} clips can stand in a pair ({reasons}): each needs a content_id and a rating on the "
            f"scale {build.recipe.scale!r}; the corpora have ratings on {', '.join(scales) or 'no scale at all'}: correct "
            f"scale, pairs.min_raters, which is {build.recipe.pairs.min_raters}, or the corpora"
        )
    if not build.recipe.draws_pairs:
        return rated_clips.of_contents(usable), drops
    divided = _divided(build, usable)
    nowhere = pc.if_else(pc.is_null(divided["drawn_for"]), "no_split", pa.scalar(None, pa.string()))
    drops = pa.concat_tables([drops, rated_clips.drops("contents", divided, nowhere)])
    if nowhere.null_count == 0:
        raise DataError(
            f"no split takes any of {usable.num_rows} rated clips: correct the quotas, or the conditions of splits.sets"
        )
    return rated_clips.of_pools(divided.filter(pc.is_valid(divided["drawn_for"]))), sorted_by(drops, "row_id")


def rated(build: _Build, utterances: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the utterances whose ratings and ids suffice, with ``rating`` and ``raters``, and the others as drops."""
    section = build.recipe.pairs
    needs_voice = section.categories is not None and not section.categories.same_content
    return rated_clips.rated(utterances, build.recipe.scale, min_raters=section.min_raters, with_voice=needs_voice)


def _divided(build: _Build, usable: pa.Table) -> pa.Table:
    """Return the clips with the split that each is for."""
    clips = rated_clips.of_contents(usable).rename_columns({"split": pools.OWN})
    clips = with_setting(clips.append_column("reference_language", pa.nulls(clips.num_rows, pa.string())))
    conditions = {split: section.where.wanted() for split, section in build.recipe.splits.named().items()}
    corpora = pc.unique(clips["corpus"]).to_pylist()
    quotas = {split: _quotas(build, split, corpora) for split in conditions}
    divided = pools.divide(clips, conditions, quotas, build.recipe.seed)
    return usable.append_column("drawn_for", divided["drawn_for"]).append_column("own_split", divided["own_split"])


def _quotas(build: _Build, split: str, corpora: Iterable[str]) -> dict[str, int]:
    """Return corpus -> how many pairs to draw for a split: more than is released where people verify them."""
    rows = build.recipe.splits.named()[split].quota_of(set(corpora))
    return {corpus: split_sizes(build.recipe)[split].of(quota) for corpus, quota in rows.items()}


def rule_literals(build: _Build) -> list[object]:
    """Return what decides which clips can stand in a pair, and of which they are drawn, as literals."""
    section = build.recipe.pairs.model_dump(exclude_defaults=True)
    drawn = [split_literals(build), pools.RULE, rated_sampling.RULE] if build.recipe.draws_pairs else []
    return [build.recipe.scale, rated_clips.RULE, *([section] if section else []), *drawn]


def _pairs(build: _Build) -> Books:
    samples, utterances = wanted_rows(build, "samples"), build.tables.read("utterances")
    clips = attach(samples, "utterance_id", rated(build, utterances)[0], "utterance_id", {"rating": "rating"})
    if build.recipe.draws_pairs:
        return _drawn(build, clips, utterances)
    found = pairs(samples, seed=build.recipe.seed)
    kept, drops = of_two_clips(found, samples)
    if build.recipe.pairs.min_gap:
        kept, too_close = rated_clips.far_apart(kept, clips, build.recipe.pairs.min_gap)
        drops = sorted_by(pa.concat_tables([drops, too_close]), "row_id")
    _require_pairs(build, kept.num_rows, drops)
    build.tables.replace("drops@pairs", drops)
    build.tables.replace("pairs", sorted_by(rated_clips.of_one_content(kept), "pair_id"))
    dropped = count(drops["reason"])
    return Books(stage="pairs", unit="possible pairs", rows_in=found.num_rows, rows_out=kept.num_rows, dropped=dropped)


def _require_pairs(build: _Build, rows: int, drops: pa.Table) -> None:
    """Refuse to go on without a pair.

    Raises:
        DataError: there is none.
    """
    if rows:
        return
    reasons = ", ".join(f"{name} {number}" for name, number in count(drops["reason"]).items())
    raise DataError(
        f"no two rated clips make a pair{f' ({reasons})' if reasons else ''}: lower pairs.min_gap, which is "
        f"{build.recipe.pairs.min_gap:g}, or correct pairs.categories, the splits or the corpora"
    )


def _drawn(build: _Build, samples: pa.Table, utterances: pa.Table) -> Books:
    names = ("corpus", "content_id", "speaker_id", "condition")
    clips = attach(samples, "utterance_id", utterances, "utterance_id", {name: name for name in names} | {"made_by": "system"})
    clips = attach(clips, "prompt_id", build.tables.read("prompts"), "prompt_id", {"drawn_for": "drawn_for"})
    clips = sorted_by(clips.combine_chunks(), "sample_id")
    found, notes, ratios = [], list[str](), list[tuple[float, str]]()
    for split, section in sorted(build.recipe.splits.named().items()):
        own = clips.filter(pc.equal(clips["drawn_for"], split))
        for corpus, quota in sorted(_quotas(build, split, {*section.by_corpus, *own["corpus"].to_pylist()}).items()):
            cell = own.filter(pc.equal(own["corpus"], corpus))
            drawn, rows = _cell(build, cell, quota)
            found.append(rows)
            if rows.num_rows < quota:
                why = f"as the {cell.num_rows} clips left to it make no more"
                notes.append(f"{corpus} {split}: {rows.num_rows} of {quota} pairs, {why}")
            if rows.num_rows:
                used = rated_sampling.uses(drawn, cell.num_rows)
                ratios += [(use / used.mean(), f"{corpus} {split}") for use in (used.min(), used.max())]
    rows = sum(table.num_rows for table in found)
    _require_pairs(build, rows, empty("drops"))
    build.tables.replace("drops@pairs", empty("drops"))
    build.tables.replace("pairs", sorted_by(pa.concat_tables(found), "pair_id"))
    return Books(stage="pairs", unit="pairs", rows_in=rows, rows_out=rows, notes=(*notes, *_evenness(ratios)))


def _cell(build: _Build, clips: pa.Table, quota: int) -> tuple[pa.Table, pa.Table]:
    """Draw the pairs of one corpus and split: as row numbers of its clips, and as rows of schema PAIRS."""
    section = build.recipe.pairs
    parts = {name: n for name, n in section.categories.parts.items() if n} if section.categories is not None else {}
    facts = clips.select(["sample_id", "audio_id", "rating", "group_id", "content_id", "speaker_id", "made_by", "condition"])
    facts = facts.rename_columns({"group_id": "pool", "made_by": "system"})
    drawn = rated_sampling.draw(facts, apportion(quota, parts), seed=build.recipe.seed, min_gap=section.min_gap)
    rows = shuffled(clips, drawn["left"].to_numpy(), drawn["right"].to_numpy(), seed=build.recipe.seed)
    return drawn, rows.set_column(rows.column_names.index("category"), rows.schema.field("category"), drawn["category"])


def _evenness(ratios: Sequence[tuple[float, str]]) -> Sequence[str]:
    """Say how evenly clips are used, as a line."""
    if not ratios:
        return ()
    (least, of_least), (most, of_most) = min(ratios), max(ratios)
    found = f"a clip is in {least:.2f} ({of_least}) to {most:.2f} ({of_most}) times as many pairs"
    return (f"{found} as the mean of its corpus and split",)


STAGE: Final[Stage[RatedPairsRecipe]] = Stage(
    name="pairs",
    reads=("utterances", "prompts", *made("samples")),
    writes=("pairs", "drops@pairs"),
    settings=rule_literals,
    run=_pairs,
)
