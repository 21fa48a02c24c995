"""What must not leak between the splits that pairs are drawn for, and what the corpora's own splits share.

A prompt is a pool of clips there, and has no text: its clips have. Where the corpus's own split is respected, the texts that
its splits share, with each other or with those of another corpus, are counted, and no failure; the contents of one such split,
which ours divide further, are kept apart.
"""

from collections.abc import Sequence
from functools import cache
from itertools import combinations, combinations_with_replacement

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach
from contracts.text_identity import leakage_form
from flows.run.pipeline import Build
from flows.run.wanted import wanted_rows
from storage.card_facts import Disjoint


def with_their_splits(build: Build, items: pa.Table) -> pa.Table:
    """Return rows of schema SPLITS: each item in the split that it was drawn for.

    Args:
        build: a build that draws its pairs.
        items: ``item_id``, ``prompt_id``, ``group_id`` and ``leakage_group``.
    """
    prompts = build.tables.read("prompts", ["prompt_id", "drawn_for"])
    return attach(items, "prompt_id", prompts, "prompt_id", {"split": "drawn_for"}).select(
        ["item_id", "group_id", "leakage_group", "split"]
    )


def divided_by_corpora(build: Build) -> pa.Array:
    """Return the groups of clips that a corpus's own split holds together."""
    prompts = build.tables.read("prompts", ["group_id", "own_split"])
    found: pa.ChunkedArray = prompts.filter(pc.is_valid(prompts["own_split"]))["group_id"]
    return found.combine_chunks()


def contents_of_pools(build: Build) -> pa.Table:
    """Return ``group_id, content`` of all clips: what is said, as the corpus names it, inside its own split if respected."""
    clips = _clips(build)
    name = pc.binary_join_element_wise(clips["corpus"], pc.coalesce(clips["own_split"], ""), clips["content_id"], "/")
    return clips.select(["group_id"]).append_column("content", name).group_by(["group_id", "content"]).aggregate([])


def shared_by_sources(build: Build) -> list[Disjoint]:
    """Return how many contents clips of two splits share, for each corpus and each two corpora that share any."""
    return shared_contents(_clips(build), list(build.recipe.splits.named()))


def shared_contents(clips: pa.Table, splits: Sequence[str]) -> list[Disjoint]:
    """Return for each corpus, and for each two corpora, how many contents two splits share, if any.

    Two contents of one text, however it is written, are one. Of two corpora only texts can be compared.

    Args:
        clips: ``corpus``, ``drawn_for``, ``content_id`` and ``spoken_text`` (null = not known).
        splits: the splits in the order of the recipe.
    """
    form = cache(leakage_form)
    said: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    columns = (clips[name].to_pylist() for name in ("corpus", "drawn_for", "content_id", "spoken_text"))
    for corpus, split, content, text in zip(*columns, strict=True):
        said.setdefault((corpus, split), set()).add((corpus, content) if text is None else (form(text),))
    found = []
    for one, other in combinations_with_replacement(sorted({corpus for corpus, _ in said}), 2):
        for left, right in combinations(splits, 2):
            nothing = set[tuple[str, ...]]()
            shared = said.get((one, left), nothing) & said.get((other, right), nothing)
            shared |= said.get((other, left), nothing) & said.get((one, right), nothing)
            if shared:
                corpora = one if one == other else f"{one} and {other}"
                found.append(Disjoint(key=corpora, left=left, right=right, shared=len(shared)))
    return found


def _clips(build: Build) -> pa.Table:
    clips = wanted_rows(build, "samples", columns=["group_id", "prompt_id", "utterance_id", "spoken_text"])
    clips = attach(clips, "prompt_id", build.tables.read("prompts"), "prompt_id", {n: n for n in ("drawn_for", "own_split")})
    utterances = build.tables.read("utterances", ["utterance_id", "corpus", "content_id"])
    return attach(clips, "utterance_id", utterances, "utterance_id", {n: n for n in ("corpus", "content_id")})
