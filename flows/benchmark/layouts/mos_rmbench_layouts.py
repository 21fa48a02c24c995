"""Tables of MOS-RMBench: 2, 4 to 7, and the numbers of its Figures 3 and 4."""

from collections.abc import Sequence
from typing import Final

from flows.benchmark.paper_tables import Column, Layout, figure, values_of
from flows.benchmark.results import Results

_PAPER: Final = "MOS-RMBench"
_SOURCES: Final = {
    "bvcc": "BVCC",
    "nisqa": "NISQA",
    "singmos": "SingMOS",
    "somos": "SOMOS",
    "tmhint_qi": "TMHINT-QI",
    "vmc23": "VMC'23",
}


def _by_source(results: Sequence[Results], name: str = "accuracy", **of: str) -> list[Column]:
    """Return a column for each source, and one for all pairs (micro)."""
    rated = [one for one in results if one.has_ratings]
    corpora = values_of(rated, "corpus", first=tuple(_SOURCES))
    columns = [Column(header=_SOURCES.get(corpus, corpus), cell=figure(name, corpus=corpus, **of)) for corpus in corpora]
    return [*columns, Column(header="Overall", cell=figure(name, **of))] if rated else []


def _bins(results: Sequence[Results]) -> list[Column]:
    numbers = sorted(map(int, values_of(results, "gap_bin", "error")))
    return [Column(header=f"{10 * (n - 1)}-{10 * n} %", cell=figure("error", gap_bin=str(n))) for n in numbers]


LAYOUTS: Final = (
    Layout(paper=_PAPER, table="Table 2", title="accuracy by source", columns=_by_source),
    Layout(
        paper=_PAPER,
        table="Table 4",
        title="accuracy on the pairs of triplets",
        columns=lambda found: _by_source(found, "triplet_accuracy"),
    ),
    Layout(paper=_PAPER, table="Table 5", title="preference cycles", columns=lambda found: _by_source(found, "cycle_rate")),
    Layout(
        paper=_PAPER,
        table="Tables 6 and 7",
        title="accuracy on gaps below 0.2",
        columns=lambda found: _by_source(found, gap="< 0.2"),
    ),
    Layout(
        paper=_PAPER,
        table="Figure 4",
        title="accuracy on gaps of at most 0.5",
        columns=lambda found: _by_source(found, gap="<= 0.5"),
    ),
    Layout(paper=_PAPER, table="Figure 3", title="errors by percentile of the gap", columns=_bins),
)
