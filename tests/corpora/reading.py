"""Reading a corpus in tests."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from contracts import plugins
from contracts.conformance import conform
from contracts.schemas import UTTERANCES


def read(name: str, root: Path, **options: Any) -> list[dict[str, Any]]:
    """Return the rows of a corpus, as its contract has them."""
    batches = plugins.configure("corpus", name, options).read(str(root))
    return conform(pa.Table.from_batches(batches, schema=UTTERANCES), "utterances").to_pylist()


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the rows by source id; of a repeated one the first."""
    found = dict[str, dict[str, Any]]()
    for row in rows:
        found.setdefault(row["source_id"], row)
    return found


def scores_of(row: dict[str, Any], scale: str) -> dict[str | None, float]:
    """Return the scores of a clip on a scale by rater."""
    return {rating["rater"]: rating["score"] for rating in row["ratings"] or () if rating["scale"] == scale}
