"""Statistics of rated pairs, for the report and the card: sizes, categories, use of clips, and how ratings are distributed.

As Table 1 and Figure 2 of MOS-RMBench, of the pairs that are released.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach
from flows.run.pipeline import Build
from flows.run.wanted import wanted_rows
from flows.stages.verification import released_splits
from storage.card_facts import Statistics

_BINS: Final = 24
_BOUNDS: Final = {"rating": (1.5, 2, 2.5, 3, 3.5, 4, 4.5), "difference": (0.2, 0.5, 1, 1.5, 2, 3)}
_OF_PAIR: Final = ("prompt_id", "sample_a", "sample_b", "category")
_USES: Final = {
    "pairs": "pairs",
    "clips": "clips",
    "mean": "pairs a clip",
    "least": "least",
    "most": "most",
    "first_better": "A is better",
}

_Values = npt.NDArray[np.float64]


def report_content(build: Build) -> dict[str, Any]:
    """Return the content of the report's section; without rows as long as no pairs are assigned to splits."""
    pairs = released_pairs(build)
    return {
        "sizes": sizes(pairs, list(build.recipe.splits.named())),
        "categories": categories(pairs),
        "uses": [_shown(line) for line in _uses(build, pairs)],
        "use_columns": list(_USES.values()),
        "charts": [
            (split, charts(of_split))
            for split in build.recipe.splits.named()
            if (of_split := pairs.filter(pc.equal(pairs["split"], split))).num_rows
        ],
    }


def card_statistics(build: Build) -> list[Statistics]:
    """Return the tables of the card."""
    pairs, splits = released_pairs(build), list(build.recipe.splits.named())
    uses_of = [_shown(line) for line in _uses(build, pairs)]
    tables = [
        Statistics(title="Sizes", columns=["corpus", *splits, "all"], words=1, rows=sizes(pairs, splits)),
        Statistics(
            title="What the clips of a pair share", columns=["corpus", "category", "rows"], words=2, rows=categories(pairs)
        ),
        Statistics(title="Use of clips", columns=["corpus", "split", *_USES.values()], words=2, rows=uses_of),
    ]
    for name, bounds in _BOUNDS.items():
        rows = [
            [split, one, *np.bincount(np.digitize(values.round(9), bounds, right=True), minlength=len(bounds) + 1).tolist()]
            for split in splits
            for one, values in distributions(pairs.filter(pc.equal(pairs["split"], split))).items()
            if (one == "difference") == (name == "difference") and values.size
        ]
        columns = ["split", "of", *(f"up to {bound:g}" for bound in bounds), f"above {bounds[-1]:g}"]
        tables.append(Statistics(title=f"Distribution of the {name}", columns=columns, words=2, rows=rows))
    return tables


def released_pairs(build: Build) -> pa.Table:
    """Return the released pairs: corpus, category, split, label, both samples and both ratings."""
    assigned = released_splits(build).select(["item_id", "split"])
    pairs = attach(assigned, "item_id", build.tables.read("pairs"), "pair_id", {name: name for name in _OF_PAIR})
    pairs = attach(pairs, "item_id", build.tables.read("labels"), "item_id", {"label": "label"})
    pairs = attach(pairs, "item_id", build.tables.read("rulings"), "pair_id", {n: n for n in ("total_a", "total_b")})
    return attach(pairs, "prompt_id", build.tables.read("prompts"), "prompt_id", {"corpus": "corpus"}).combine_chunks()


def sizes(pairs: pa.Table, splits: Sequence[str]) -> list[list[object]]:
    """Return a row per corpus, and one for all: pairs by split, and in all."""
    count = {(row["corpus"], row["split"]): row["count_all"] for row in _counted(pairs, ["corpus", "split"])}
    rows = {corpus: [count.get((corpus, split), 0) for split in splits] for corpus, _ in sorted(count)}
    rows |= {"all": [sum(column) for column in zip(*rows.values(), strict=True)]} if rows else {}
    return [[corpus, *counts, sum(counts)] for corpus, counts in rows.items()]


def categories(pairs: pa.Table) -> list[list[object]]:
    """Return corpus, category and pairs."""
    return [list(row.values()) for row in _counted(pairs, ["corpus", "category"])]


def _counted(pairs: pa.Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pairs.group_by(list(columns)).aggregate([([], "count_all")]).to_pylist()
    return sorted(rows, key=lambda row: [str(row[name]) for name in columns])


def _uses(build: Build, pairs: pa.Table) -> list[dict[str, Any]]:
    return uses(pairs, wanted_rows(build, "samples"), build.tables.read("prompts"))


def _shown(line: Mapping[str, Any]) -> list[object]:
    shown = dict(line) | {"mean": f"{line['mean']:.2f}", "first_better": f"{100 * line['first_better']:.1f} %"}
    return [shown[name] for name in ("corpus", "split", *_USES)]


def uses(pairs: pa.Table, samples: pa.Table, prompts: pa.Table) -> list[dict[str, Any]]:
    """Return per corpus and split in how many pairs its clips stand, and how often the clip shown first is the better one.

    Args:
        pairs: ``corpus, split, label, sample_a, sample_b``.
        samples: table of schema SAMPLES; of clips that pairs were drawn of, those in no pair count, too.
        prompts: table of schema PROMPTS.

    Returns:
        ``corpus``, ``split``, ``pairs``, ``clips``, ``least``, ``most`` and ``mean`` pairs a clip, ``first_better`` (a share).
    """
    used, cells = dict[str, int](), dict[tuple[str, str], set[str]]()
    drawn = attach(samples, "prompt_id", prompts, "prompt_id", {name: name for name in ("corpus", "drawn_for")})
    for sample, corpus, split in zip(*(drawn[n].to_pylist() for n in ("sample_id", "corpus", "drawn_for")), strict=True):
        if split is not None:
            cells.setdefault((corpus, split), set()).add(sample)
    found = dict[tuple[str, str], list[bool]]()
    for row in pairs.select(["corpus", "split", "label", "sample_a", "sample_b"]).to_pylist():
        found.setdefault((row["corpus"], row["split"]), []).append(row["label"] == "a")
        for sample in (row["sample_a"], row["sample_b"]):
            used[sample] = used.get(sample, 0) + 1
            cells.setdefault((row["corpus"], row["split"]), set()).add(sample)
    lines = []
    for (corpus, split), better in sorted(found.items()):
        counts = np.array([used.get(sample, 0) for sample in cells[corpus, split]])
        lines.append(
            {
                "corpus": corpus,
                "split": split,
                "pairs": len(better),
                "clips": counts.size,
                "mean": float(counts.mean()),
                "least": int(counts.min()),
                "most": int(counts.max()),
                "first_better": sum(better) / len(better),
            }
        )
    return lines


def distributions(pairs: pa.Table) -> dict[str, _Values]:
    """Return the ratings of better and worse clips, and their differences.

    Args:
        pairs: ``label``, ``total_a``, ``total_b``.
    """
    a, b = (pairs[name].to_numpy() for name in ("total_a", "total_b"))
    first = pc.equal(pairs["label"], "a").to_numpy(zero_copy_only=False)
    return {"chosen": np.where(first, a, b), "rejected": np.where(first, b, a), "difference": np.abs(a - b)}


def charts(pairs: pa.Table) -> list[Mapping[str, Any]]:
    """Return the histograms of the same: range, heights of the bins (share of the largest) and median."""
    found = distributions(pairs)
    low, high = float(found["rejected"].min()), float(found["chosen"].max())
    return [
        _chart(name, values, *((0.0, high - low) if name == "difference" else (low, high))) for name, values in found.items()
    ]


def _chart(name: str, values: _Values, low: float, high: float) -> dict[str, Any]:
    heights, _ = np.histogram(values, np.linspace(low, high, _BINS + 1))
    heights = (heights / heights.max()).round(3).tolist()
    return {"name": name, "low": low, "high": high, "median": float(np.median(values)), "heights": heights}
