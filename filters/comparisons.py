"""The comparisons table: one row per ruled pair, with all that filters may look at."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.conformance import conform
from contracts.joins import among, attach, sorted_by
from filters.cmos_to_preference import labels

VOTE_LIST: Final = pa.list_(pa.struct([("annotator_id", pa.string()), ("value", pa.string())]))
VOTE_LIST_WITH_MADE: Final = pa.list_(pa.struct([*VOTE_LIST.value_type, ("aggregated", pa.bool_())]))
_RULED: Final = ("verdict", "total_a", "total_b", "votes_a", "votes_b", "votes_none", "order_flip", "judgment_ids")
_FORMAT: Final = {
    "spoken_text": "spoken_text",
    "corruption": "corruption",
    "duration": "duration_s",
    "sample_rate": "sample_rate_hz",
    "loudness": "loudness_lufs",
}

COMPARED: Final = frozenset(
    f"{name}_{side}" for name in ("sample", "system", "total", "votes", *_FORMAT) for side in ("a", "b")
)
"""Columns of both sides that every comparison has; others with ``_a`` and ``_b`` are values of the recipe's metrics."""


def join(
    *,
    pairs: pa.Table,
    samples: pa.Table,
    rulings: pa.Table,
    facts: pa.Table,
    prompts: pa.Table,
    votes: pa.Table,
    labels_from: str = "judge",
) -> pa.Table:
    """Return one row per pair that has a ruling, sorted by pair id; where votes or the construction decide, one row per pair.

    Args:
        pairs: table of schema PAIRS.
        samples: table of schema SAMPLES.
        rulings: table of schema RULINGS.
        facts: ``sample_id`` and one double column per metric value (scoring.facts.wide).
        prompts: table of schema PROMPTS.
        votes: table of schema VOTES; may be empty; discarded ones do not count.
        labels_from: what decides: ``judge``, ``votes``, ``ratings`` or ``construction``. By ``votes`` (of the protocol
            speechjudge) or ``construction`` no pair needs a ruling.

    Returns:
        The pair's columns, its id as ``item_id``; ``text``, ``language``; of the ruling ``verdict``, ``total_*``, the judge's
        ``votes_a``, ``votes_b`` and ``votes_none``, ``order_flip`` and ``judgment_ids``; ``duration_*``, ``sample_rate_*``,
        ``loudness_*`` and every metric value with ``_a`` and ``_b``; ``votes`` of people, null where there are none;
        ``spoken_text_*`` and ``corruption_*``. ``verdict`` is what decides says: what most people prefer; or the clip not made
        worse on purpose, where the other speaks another text or is corrupted. What the judge says is null for pairs without
        a ruling; its own verdict is ``judge_verdict``.

    Raises:
        DataError: by votes, a vote that is no CMOS value, or two on a pair by one annotator.
    """
    if labels_from in {"judge", "ratings"}:
        pairs = among(pairs, "pair_id", rulings["pair_id"])
    table = attach(pairs, "pair_id", rulings, "pair_id", _same(_RULED))
    table = attach(table, "prompt_id", prompts, "prompt_id", _same(("text", "language")))
    for side in ("a", "b"):
        table = attach(table, f"sample_{side}", samples, "sample_id", {f"{new}_{side}": old for new, old in _FORMAT.items()})
        names = {f"{name}_{side}": name for name in facts.column_names if name != "sample_id"}
        table = attach(table, f"sample_{side}", facts, "sample_id", names)
    table = attach(table, "pair_id", votes_by_pair(votes), "pair_id", _same(("votes",)))
    table = table.append_column("judge_verdict", table["verdict"])
    if labels_from == "votes":
        table = table.set_column(table.column_names.index("verdict"), "verdict", labels(table["votes"]))
    elif labels_from == "construction":
        table = table.set_column(table.column_names.index("verdict"), "verdict", _constructed(table))
    return sorted_by(table.rename_columns({"pair_id": "item_id"}), "item_id").combine_chunks()


def classes(facts: pa.Table, classifiers: Sequence[tuple[str, Mapping[str, str]]]) -> pa.Table:
    """Return ``sample_id`` and per classifier the class of its largest value, null where it has none.

    Args:
        facts: ``sample_id`` and one double column per metric value.
        classifiers: name of what is told, and value name -> class.
    """
    table = facts.select(["sample_id"])
    for name, named in classifiers:
        values = np.column_stack([facts[value].to_numpy(zero_copy_only=False) for value in named])
        largest = np.argmax(np.nan_to_num(values, nan=-np.inf), axis=1)
        words = pa.array(list(named.values()), pa.string()).take(pa.array(largest))
        scored = pa.array(~np.isnan(values).all(axis=1))
        table = table.append_column(name, pc.if_else(scored, words, pa.scalar(None, pa.string())))
    return table


def _constructed(table: pa.Table) -> pa.ChunkedArray:
    """Return the clip that speaks the text, uncorrupted, where the other one does not; null elsewhere."""
    negative_a, negative_b = (
        pc.or_(pc.is_valid(table[f"spoken_text_{side}"]), pc.is_valid(table[f"corruption_{side}"])) for side in ("a", "b")
    )
    better = pc.if_else(negative_b, pa.scalar("a", pa.string()), pa.scalar("b", pa.string()))
    return pc.if_else(pc.xor(negative_a, negative_b), better, pa.scalar(None, pa.string()))


def _same(names: tuple[str, ...]) -> dict[str, str]:
    return {name: name for name in names}


def votes_by_pair(votes: pa.Table) -> pa.Table:
    """Return ``pair_id`` and ``votes``: the votes of a table of schema VOTES that count, in order of their ids.

    Where labels that were made elsewhere are among them, each entry says whether it is one (``aggregated``).
    """
    counted = sorted_by(conform(votes, "votes").filter(pc.is_null(votes["discarded"])), "vote_id").combine_chunks()
    made = pc.fill_null(counted["aggregated"], False)
    shown = VOTE_LIST_WITH_MADE if pc.any(made).as_py() else VOTE_LIST
    pairs = counted["pair_id"].combine_chunks().dictionary_encode()
    of_pair = pairs.indices.to_numpy(zero_copy_only=False)
    by_pair = pa.array(np.argsort(of_pair, kind="stable"))
    columns = {"annotator_id": counted["annotator_id"], "value": counted["value"], "aggregated": made}
    entries = [columns[field.name].take(by_pair).combine_chunks() for field in shown.value_type]
    ends = np.concatenate([[0], np.cumsum(np.bincount(of_pair, minlength=len(pairs.dictionary)))])
    lists = pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()), pa.StructArray.from_arrays(entries, fields=list(shown.value_type)), type=shown
    )
    return pa.table({"pair_id": pairs.dictionary, "votes": lists})
