"""What earlier parts of a collection have put into which split, and what that means for the leakage groups of a later one.

A part claims for its splits everything that its assigned leakage groups hold. A leakage group of a later part that shares a
thing with them may only go to the split that has it; one that shares things with two splits goes nowhere. So parts are
disjoint across each other, and an earlier part is never moved by a later one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa

from contracts.ids import canonical_json
from contracts.joins import attach
from contracts.schemas import CLAIMS, DROPS
from contracts.text_identity import leakage_form
from splits.assign import FILTER, STAGE
from splits.groups import SIMILARITY, near_identical

TWO_SPLITS: Final = "claimed_by_two_splits"
OTHER_SPLIT: Final = "claimed_by_another_split"

SOURCES: Final = ("reference_source", "target_source")
"""Columns of keys with the hash of a recording's file: one recording under two names of corpora, in whatever clip format."""

_COLUMNS: Final[Mapping[str, str]] = {
    "group_id": "text group",
    "reference_utterance_id": "recording",
    "target_utterance_id": "recording",
    "reference_audio_id": "audio",
    "target_audio_id": "audio",
    **dict.fromkeys(SOURCES, "source file"),
    "dialogue": "dialogue",
    "content": "content",
}
"""Column of leakage keys -> the kind of thing that it names."""

_TEXT: Final = "text"

Claims = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Leakage group -> split -> one claim of it: ``part``, ``kind`` and ``thing``."""


def claims_of(part: str, keys: pa.Table, groups: pa.Table, assigned: pa.Table) -> pa.Table:
    """Return what a part claims, of schema CLAIMS, sorted and each once.

    Args:
        part: its name.
        keys: its leakage keys, as ``splits.groups.leakage_groups`` takes them, optionally with the columns ``SOURCES``.
        groups: ``group_id, leakage_group`` of all its text groups.
        assigned: of schema SPLITS. A leakage group claims all that it holds, with or without an assigned item: it stays whole.
    """
    split_of = dict(zip(assigned["leakage_group"].to_pylist(), assigned["split"].to_pylist(), strict=True))
    leakage_group = _leakage_group_of(groups)
    found = {
        (kind, thing, split)
        for group, kind, thing in _things(keys)
        if (split := split_of.get(leakage_group[group])) is not None
    }
    rows = [{"kind": kind, "thing": thing, "split": split, "part": part} for kind, thing, split in sorted(found)]
    return pa.Table.from_pylist(rows, schema=CLAIMS)


def claims_on(keys: pa.Table, groups: pa.Table, claims: pa.Table, *, similarity: float = SIMILARITY) -> Claims:
    """Return the claims that leakage groups touch; those that touch none are left out.

    Args:
        keys: leakage keys of the part.
        groups: ``group_id, leakage_group`` of all its text groups.
        claims: of schema CLAIMS, of the earlier parts.
        similarity: Jaccard similarity from which texts are nearly the same, in (0, 1].
    """
    owners = defaultdict[tuple[str, str], list[tuple[str, str]]](list)
    for row in claims.to_pylist():
        owners[row["kind"], row["thing"]].append((row["split"], row["part"]))
    leakage_group, found = _leakage_group_of(groups), defaultdict[str, dict[str, dict[str, str]]](dict)
    texts = defaultdict[str, set[str]](set)
    for group, kind, thing in _things(keys):
        if kind == _TEXT:
            texts[thing].add(leakage_group[group])
        for split, part in owners.get((kind, thing), ()):
            found[leakage_group[group]].setdefault(split, {"part": part, "kind": kind, "thing": thing})
    claimed = {thing for kind, thing in owners if kind == _TEXT}
    for mine, other in _near(set(texts), claimed, similarity):
        for split, part in owners[_TEXT, other]:
            for name in texts[mine]:
                found[name].setdefault(split, {"part": part, "kind": "near-identical text", "thing": other})
    return dict(found)


def restricted(
    items: pa.Table, eligible: Mapping[str, pa.BooleanArray], splits: Sequence[str], claims: Claims
) -> tuple[pa.BooleanArray, dict[str, pa.BooleanArray], pa.Table]:
    """Restrict claimed items to the split that has what they share.

    Args:
        items: ``item_id`` and ``leakage_group``.
        eligible: split -> per row whether it may have it; a split that is not named may have every row.
        splits: names of all splits.
        claims: of ``claims_on``.

    Returns:
        Per row whether it can be assigned at all; split -> per row whether it may have it; the other rows as drops, of schema
        DROPS, each with the claims in its evidence.
    """
    masks = {split: eligible[split].to_pylist() if split in eligible else [True] * items.num_rows for split in splits}
    free, drops = [True] * items.num_rows, list[dict[str, str]]()
    for row, (item, group) in enumerate(zip(items["item_id"].to_pylist(), items["leakage_group"].to_pylist(), strict=True)):
        by = claims.get(group)
        if by is None:
            continue
        wanted = next(iter(by))
        reason = TWO_SPLITS if len(by) > 1 else None if wanted in masks and masks[wanted][row] else OTHER_SPLIT
        if reason is not None:
            evidence = {"leakage_group": group, "claims": [{"split": split} | dict(claim) for split, claim in by.items()]}
            drops.append(
                {"stage": STAGE, "row_id": item, "filter": FILTER, "reason": reason, "evidence": canonical_json(evidence)}
            )
            free[row] = False
        for split, mask in masks.items():
            mask[row] = mask[row] and split == wanted
    can = pa.array(free, pa.bool_())
    only = {split: pa.array(mask, pa.bool_()) for split, mask in masks.items() if split in eligible or not all(mask)}
    return can, {split: mask.filter(can) for split, mask in only.items()}, pa.Table.from_pylist(drops, schema=DROPS)


def with_sources(keys: pa.Table, recordings: pa.Table) -> pa.Table:
    """Append the columns ``SOURCES`` to leakage keys.

    Args:
        keys: leakage keys.
        recordings: ``utterance_id, source_sha256``.
    """
    for column in SOURCES:
        utterance = column.replace("source", "utterance_id")
        keys = attach(keys, utterance, recordings, "utterance_id", {column: "source_sha256"})
    return keys


def _leakage_group_of(groups: pa.Table) -> dict[str, str]:
    return dict(zip(groups["group_id"].to_pylist(), groups["leakage_group"].to_pylist(), strict=True))


def _things(keys: pa.Table) -> Iterator[tuple[str, str, str]]:
    """Yield text group, kind and name of each thing; a text of punctuation alone, which has no form, stands for itself."""
    groups = keys["group_id"].to_pylist()
    for group, text in zip(groups, keys["text"].to_pylist(), strict=True):
        if text is not None:
            form = leakage_form(text)
            yield (group, _TEXT, form) if form else (group, "exact text", text)
    for column, kind in _COLUMNS.items():
        if column not in keys.column_names:
            continue
        for group, named in zip(groups, keys[column].to_pylist(), strict=True):
            for thing in [named] if isinstance(named, str) else named or ():
                if thing is not None:
                    yield group, kind, thing


def _near(mine: set[str], others: set[str], similarity: float) -> Iterator[tuple[str, str]]:
    """Yield a text of ours and a claimed one that are nearly, but not quite, the same."""
    texts = sorted(mine | others)
    for left, right in near_identical(texts, similarity=similarity).tolist():
        one, other = texts[left], texts[right]
        if one in mine and other in others:
            yield one, other
        if other in mine and one in others:
            yield other, one
