"""What the splits of a recipe ask for: how many items, and what is known of each item that a condition can be about."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import RecipeError
from contracts.joins import attach
from contracts.languages import with_setting
from filters.comparisons import votes_by_pair
from flows.listening.store import all_votes
from flows.recipe.model import Recipe
from flows.run.pipeline import Build
from scoring.reliability.agreement_levels import levels
from splits.quotas import Size

_OF_PROMPTS: Final = ("language", "setting", "style", "corpus")


def split_sizes(recipe: Recipe) -> dict[str, Size]:
    """Return how many items each split gets; of one with a quota that people verify, more, as they will not confirm all."""
    listening = recipe.listening
    verified = listening.splits if listening is not None and listening.of == "splits" else ()
    sizes = {split: wanted.size() for split, wanted in recipe.splits.named().items()}
    return {
        split: replace(size, oversample=listening.oversample)
        if listening is not None and size.quota is not None and split in verified
        else size
        for split, size in sizes.items()
    }


def short_splits(recipe: Recipe, rows: Mapping[str, int]) -> tuple[str, ...]:
    """Return a line for each split of the recipe that has no rows, or fewer than its quota."""
    lines = list[str]()
    for split, section in recipe.splits.named().items():
        found, quota = rows.get(split, 0), section.size().quota
        if found and quota is not None and found < quota:
            lines.append(f"split {split} has {found} rows of its quota of {quota}")
        elif not found:
            conditions = [f"{name} {' or '.join(values)}" for name, values in section.where.wanted().items()]
            lines.append(f"split {split} is empty" + (f" (where: {', '.join(conditions)})" if conditions else ""))
    return tuple(lines)


def facts_of(build: Build, items: pa.Table, clips: Sequence[str], names: Set[str]) -> pa.Table:
    """Return those facts about items, one string column each, null = unknown.

    Args:
        build: whose tables to look into.
        items: ``item_id``, ``prompt_id`` and the columns of samples.
        clips: the columns of samples.
        names: of ``flows.recipe.splits_section.Condition``.

    Raises:
        RecipeError: nothing says it of these items.
    """
    table = attach(
        items.select(["item_id", "prompt_id", *clips]),
        "prompt_id",
        with_setting(build.tables.read("prompts")),
        "prompt_id",
        {name: name for name in (*_OF_PROMPTS, "target_utterance_id")},
    )
    if "corpus_split" in names:
        samples = build.tables.read("samples", ["sample_id", "utterance_id"])
        table = with_corpus_split(table, clips, build.tables.read("utterances"), samples)
    if "agreement" in names:
        table = attach(table, "item_id", votes_by_pair(all_votes(build)), "pair_id", {"votes": "votes"})
        table = table.append_column("agreement", levels(table["votes"]))
    if "teacher" in names:
        table = with_teacher(table, build.tables.read("labels"), build.tables.read("rulings"))
    return table


def with_corpus_split(items: pa.Table, clips: Sequence[str], utterances: pa.Table, samples: pa.Table) -> pa.Table:
    """Append ``corpus_split``: the split of the target's recording in its corpus, or that of all clips that it brought along.

    Args:
        items: ``target_utterance_id`` and the columns of samples.
        clips: the columns of samples.
        utterances: table of schema UTTERANCES.
        samples: ``sample_id, utterance_id`` of schema SAMPLES.

    Raises:
        RecipeError: no corpus says a split of its own.
    """
    if utterances["split"].null_count == utterances.num_rows:
        raise RecipeError("splits: a condition asks for corpus_split, but no corpus of this recipe says a split of its own")
    table = attach(items, "target_utterance_id", utterances, "utterance_id", {"of_target": "split"})
    for column in clips:
        table = attach(table, column, samples, "sample_id", {f"{column} clip": "utterance_id"})
        table = attach(table, f"{column} clip", utterances, "utterance_id", {f"{column} split": "split"})
    first, *others = (table[f"{column} split"] for column in clips)
    for other in others:
        first = pc.if_else(pc.equal(first, other), first, pa.scalar(None, pa.string()))
    return items.append_column("corpus_split", pc.coalesce(table["of_target"], first))


def with_teacher(items: pa.Table, labels: pa.Table, rulings: pa.Table) -> pa.Table:
    """Append ``teacher``: ``right`` where the judge's verdict is the label, ``wrong`` where it is another, null without one."""
    table = attach(items, "item_id", labels, "item_id", {"label": "label"})
    table = attach(table, "item_id", rulings, "pair_id", {"ruling": "pair_id", "verdict": "verdict"})
    # A ruling without a verdict is a tie; a pair without a ruling was not judged.
    verdict = pc.coalesce(table["verdict"], pc.if_else(pc.is_valid(table["ruling"]), "tie", None))
    return table.append_column("teacher", pc.if_else(pc.equal(verdict, table["label"]), "right", "wrong"))
