"""Which two samples of a prompt are compared, and which of them is shown first."""

from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import RecipeError
from contracts.ids import canonical_json, row_id
from contracts.joins import Ints, attach, sorted_by
from contracts.rng import hash_fraction
from contracts.schemas import DROPS, PAIRS

KINDS: Final = ("human", "inter", "intra")
HUMAN: Final = "human"
"""System name of ground-truth recordings."""


def pairs(samples: pa.Table, *, seed: int, kinds: Collection[str] = KINDS) -> pa.Table:
    """Return all unordered pairs of distinct samples of each prompt, with a shuffled A and B.

    Sources: UniSRM, section 3 (Eq. 2) and appendix G.1 for the order; SpeechJudge, section 3.1, for the kinds.

    ``pair_id`` is the hash of both sample ids, whatever their order; which of them is A depends on it and on the seed alone, so
    neither the order of the samples nor the other samples matter.

    Args:
        samples: table with the columns ``sample_id``, ``prompt_id``, ``group_id`` and ``system`` of schema SAMPLES.
        seed: the recipe's seed.
        kinds: ``human`` (one side is a recording), ``inter`` (two systems), ``intra`` (one system twice).

    Returns:
        Table of schema PAIRS, by prompt and sample ids.

    Raises:
        RecipeError: unknown kind.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise RecipeError(f"pairs: unknown kind {unknown[0]!r}; known: {', '.join(KINDS)}")
    rows = samples.select(["sample_id", "prompt_id", "group_id", "system"]).combine_chunks()
    rows = rows.sort_by([("prompt_id", "ascending"), ("sample_id", "ascending")])
    left, right = _within(rows["prompt_id"])
    wanted = np.isin(_kinds(rows, left, right), list(kinds))
    return shuffled(rows, left[wanted], right[wanted], seed=seed)


def contrasted(samples: pa.Table, *, seed: int) -> pa.Table:
    """Return every good clip of a prompt with every one that is worse in a known way, with a shuffled A and B (see ``pairs``).

    Args:
        samples: as for ``pairs``, with the column ``corruption``: null = a good clip.
        seed: the recipe's seed.

    Returns:
        Table of schema PAIRS, by prompt and sample ids.
    """
    rows = samples.select(["sample_id", "prompt_id", "group_id", "system", "corruption"]).combine_chunks()
    rows = rows.sort_by([("prompt_id", "ascending"), ("sample_id", "ascending")])
    left, right = _within(rows["prompt_id"])
    is_worse = pc.is_valid(rows["corruption"]).to_numpy()
    wanted = is_worse[left] != is_worse[right]
    return shuffled(rows, left[wanted], right[wanted], seed=seed)


def shuffled(samples: pa.Table, left: Ints, right: Ints, *, seed: int) -> pa.Table:
    """Return these pairs of samples, each with a shuffled A and B.

    Args:
        samples: as for ``pairs``.
        left: row numbers of the ones.
        right: row numbers of the others.
        seed: the recipe's seed.

    Returns:
        Table of schema PAIRS without a category, in the order given.
    """
    sample = samples["sample_id"].to_numpy(zero_copy_only=False)
    first = np.where(sample[left] < sample[right], left, right)
    second = np.where(sample[left] < sample[right], right, left)
    ids = [row_id("pair", *names) for names in zip(sample[first], sample[second], strict=True)]
    swap = np.fromiter((hash_fraction(seed, "pair_order", pair) >= 0.5 for pair in ids), dtype=bool, count=len(ids))
    a, b = np.where(swap, second, first), np.where(swap, first, second)
    return pa.table(
        {
            "pair_id": pa.array(ids, pa.string()),
            "group_id": samples["group_id"].take(a),
            "prompt_id": samples["prompt_id"].take(a),
            "kind": pa.array(_kinds(samples, left, right).tolist(), pa.string()),
            "sample_a": samples["sample_id"].take(a),
            "sample_b": samples["sample_id"].take(b),
            "system_a": samples["system"].take(a),
            "system_b": samples["system"].take(b),
            "category": pa.nulls(len(ids), pa.string()),
        },
        schema=PAIRS,
    )


def _kinds(samples: pa.Table, left: Ints, right: Ints) -> npt.NDArray[np.str_]:
    system = samples["system"].to_numpy(zero_copy_only=False)
    with_human = (system[left] == HUMAN) | (system[right] == HUMAN)
    return np.where(system[left] == system[right], "intra", np.where(with_human, "human", "inter"))


def of_two_clips(pairs: pa.Table, samples: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the pairs whose samples are two clips, and the others as drops ``same_audio``: nobody can prefer a clip to itself.

    Two samples are one clip where a corpus has a recording under two ids, or two systems say a text in the very same way.

    Args:
        pairs: table of schema PAIRS.
        samples: table with the columns ``sample_id`` and ``audio_id``, in which all samples of the pairs are.

    Returns:
        Pairs in their order, and rows of schema DROPS by pair.
    """
    for side in ("a", "b"):
        pairs = attach(pairs, f"sample_{side}", samples, "sample_id", {f"audio_{side}": "audio_id"})
    same = pc.equal(pairs["audio_a"], pairs["audio_b"])
    drops = [
        {
            "stage": "pairs",
            "row_id": row["pair_id"],
            "filter": "pairs",
            "reason": "same_audio",
            "evidence": canonical_json({"audio_id": row["audio_a"]} | {name: row[name] for name in ("sample_a", "sample_b")}),
        }
        for row in pairs.filter(same).to_pylist()
    ]
    kept = pairs.filter(pc.invert(same)).select(PAIRS.names)
    return kept, sorted_by(pa.Table.from_pylist(drops, schema=DROPS), "row_id")


def _within(prompt: pa.ChunkedArray) -> tuple[Ints, Ints]:
    """Return the positions (i, j), i < j, of all pairs of equal neighbours in a sorted column, by i and then j."""
    runs = pc.run_end_encode(prompt.combine_chunks()).run_ends.to_numpy().astype(np.int64)
    ends = np.repeat(runs, np.diff(runs, prepend=0))  # where the run of each row ends
    position = np.arange(len(ends))
    partners = ends - position - 1
    left = np.repeat(position, partners)
    first = np.repeat(np.cumsum(partners) - partners, partners)
    return left, left + 1 + np.arange(len(left)) - first
