"""Builds whose labels people make or verify: their recipes, votes brought in for them, and what came of it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.schemas import VOTES
from flows.listening.store import open_store
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.stages.splits import splits_table
from tests.flows.small import recipe

VERIFIED = {"protocol": "unisrm", "of": "splits", "languages": {"en": "proficient"}, "qualification": 0, "gold_every": 0}
COMPARED = VERIFIED | {"protocol": "speechjudge", "of": "pairs"}
BY_VOTES = [{"name": "agreement"}, {"name": "cmos_to_preference"}]


def opened_again(build, **changes):
    """Return a build over the same workspace, by what its recipe says differently."""
    said = {"corpora": build.recipe.model_dump()["corpora"], "judge": build.recipe.judge.model_dump()}
    folder = Path(build.workspace.url)
    return open_build(recipe(folder.parent, **(said | changes)), str(folder))


def labels(build):
    return dict(zip(*(build.tables.read("labels")[name].to_pylist() for name in ("item_id", "label")), strict=True))


def split_of(build):
    table = build.tables.read(splits_table(build))
    return dict(zip(table["item_id"].to_pylist(), table["split"].to_pylist(), strict=True))


def released(build, columns=("pair_id", "label", "label_source", "votes", "agreement", "vote_ids", "filters_passed")):
    """Return split -> released rows without audio."""
    found = {}
    for path in sorted(Path(release_of(build)).glob("*/*.parquet")):
        found.setdefault(path.name.partition("-")[0], []).extend(pq.read_table(path, columns=list(columns)).to_pylist())
    return found


def confirming(build):
    """Return what somebody says who hears what the judge heard."""
    known = labels(build)
    return lambda pair: known[pair].upper()


def vote(build, pairs, say, protocol="unisrm", voters=("v1", "v2", "v3")):
    """Bring in votes that were cast elsewhere, by ``say``; return them."""
    rows = [
        {
            "vote_id": f"{pair}-{who}",
            "pair_id": pair,
            "annotator_id": who,
            "protocol": protocol,
            "value": say(pair),
            "source": "import:vendor.csv",
        }
        for pair in pairs
        for who in voters
    ]
    table = pa.Table.from_pylist(rows, schema=VOTES)
    with open_store(build) as store:
        assert store.import_votes(table) == len(rows)
    return table
