"""Which split each rated clip is for, where pairs are drawn inside the splits (MOS-RMBench, section 3.2).

A pair joins two contents, so groups of items that share a text would grow until everything hangs together. Here the clips are
divided, not the pairs, and a pair is drawn of two clips of one split.

- **The corpus's own split is respected** where a split of the recipe asks for it (``where: {corpus_split: [...]}``). What texts
  its splits share is the corpus's doing.
- **Other clips are divided by content**: those of corpora without splits of their own, and those that several splits of the
  recipe may have. Contents of nearly one text stay together, and where they go depends on a hash and the seed alone, in
  proportion to the quotas, so that a lost clip moves no other one (``splits.assign``). A content whose text, or nearly the
  same, is in a respected split goes there: a text that one corpus has in its test set is not trained on through another one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach
from splits.assign import assign
from splits.conditions import meets
from splits.groups import RECORDINGS, leakage_groups
from splits.quotas import Size

RULE: Final = 2
"""Version of the rule: clips that an older one divided are divided anew."""

OWN: Final = "corpus_split"
"""The condition on the split that a corpus puts a clip in."""


def divide(
    clips: pa.Table, conditions: Mapping[str, Mapping[str, Sequence[str]]], quotas: Mapping[str, Mapping[str, int]], seed: int
) -> pa.Table:
    """Append ``drawn_for`` (null = no split takes the clip) and ``own_split``.

    Args:
        clips: utterance_id, group_id (of the content), text (nullable), corpus, corpus_split (nullable), and what else the
            conditions name.
        conditions: split -> column -> wanted values. Corpora that say no split at all are under no condition on it.
        quotas: split -> corpus -> pairs; a split takes clips of these corpora only.
        seed: decides where contents go.

    Returns:
        The clips, with the split that each is for, and its split in the corpus where that decided or limited it, else null.
    """
    said = pc.unique(clips.filter(pc.is_valid(clips[OWN]))["corpus"])
    says = pc.is_in(clips["corpus"], value_set=said).to_numpy(zero_copy_only=False)
    names = sorted(conditions)
    takes = np.zeros((len(names), clips.num_rows), dtype=bool)
    asks = np.array([OWN in conditions[split] for split in names])
    for row, split in enumerate(names):
        others = {name: values for name, values in conditions[split].items() if name != OWN}
        takes[row] = _mask(meets(clips, others)) & _mask(pc.is_in(clips["corpus"], value_set=_texts(quotas[split])))
        if asks[row]:
            takes[row] &= ~says | _mask(meets(clips, {OWN: conditions[split][OWN]}))
    limited = says & (takes <= asks[:, None]).all(axis=0)  # every split that may have it asks for the corpus's own
    settled = limited & (takes.sum(axis=0) == 1)
    found = np.full(clips.num_rows, None, dtype=object)
    found[settled] = np.array(names, dtype=object)[takes[:, settled].argmax(axis=0)]
    shared = np.flatnonzero(~settled & takes.any(axis=0))
    if shared.size:
        divided = clips.take(pa.array(shared))
        masks = dict(zip(names, takes[:, shared], strict=True))
        said = zip(clips["text"].to_pylist(), found.tolist(), strict=True)
        tied = _tied(divided, ((text, split) for text, split in said if text is not None and split is not None), names)
        masks = {split: pa.array(mask & tied[split]) for split, mask in masks.items()}
        found[shared] = _by_content(divided, masks, quotas, seed)
    own = pc.if_else(pa.array(limited), clips[OWN], pa.scalar(None, pa.string()))
    return clips.append_column("drawn_for", pa.array(found.tolist(), pa.string())).append_column("own_split", own)


def _tied(clips: pa.Table, said: Iterable[tuple[str, str]], names: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return split -> whether each clip may be in it for its text, or nearly the same one, in clips whose splits are settled.

    A text that several splits have already may be in any of these, and one that none has in all.

    Args:
        clips: clips to be divided.
        said: texts of settled clips, with their splits.
        names: all splits.
    """
    settled = sorted(set(said))
    contents = clips["group_id"].to_pylist()
    ids = [*(f"content/{content}" for content in contents), *(f"settled/{place}" for place in range(len(settled)))]
    texts = [*clips["text"].to_pylist(), *(text for text, _ in settled)]
    keys = pa.table({"group_id": pa.array(ids, pa.string()), "text": pa.array(texts, pa.string())})
    for column in RECORDINGS:
        keys = keys.append_column(column, pa.nulls(keys.num_rows, pa.string()))
    groups = leakage_groups(keys)
    group_of = dict(zip(groups["group_id"].to_pylist(), groups["leakage_group"].to_pylist(), strict=True))
    there: dict[str, set[str]] = {}
    for place, (_, split) in enumerate(settled):
        there.setdefault(group_of[f"settled/{place}"], set()).add(split)
    allowed = [there.get(group_of[f"content/{content}"], names) for content in contents]
    return {split: np.array([split in found for found in allowed], dtype=bool) for split in names}


def _by_content(
    clips: pa.Table, eligible: Mapping[str, pa.BooleanArray], quotas: Mapping[str, Mapping[str, int]], seed: int
) -> list[str | None]:
    """Return the split of each clip: where its content goes, if that split may have it."""
    keys = clips.select(["group_id", "text"])
    for column in RECORDINGS:
        keys = keys.append_column(column, pa.nulls(clips.num_rows, pa.string()))
    groups = leakage_groups(keys)
    items = attach(clips, "group_id", groups, "group_id", {"leakage_group": "leakage_group"})
    items = items.rename_columns({"utterance_id": "item_id"}).append_column("stratum", pa.repeat("", clips.num_rows))
    total = {split: sum(quotas[split].values()) for split in eligible}
    sizes = {split: Size(fraction=rows / sum(total.values())) for split, rows in total.items() if rows}
    assigned, _ = assign(items.select(["item_id", "group_id", "leakage_group", "stratum"]), sizes, seed, eligible)
    found: list[str | None] = attach(items, "item_id", assigned, "item_id", {"split": "split"})["split"].to_pylist()
    return found


def _mask(values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = values.to_numpy(zero_copy_only=False)
    return found


def _texts(values: Mapping[str, int]) -> pa.Array:
    return pa.array(sorted(values), pa.string())
