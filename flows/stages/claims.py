"""The stage ``claims``: what the parts of a collection before this one have in their splits."""

from typing import Any, Final

import pyarrow as pa

from contracts.schemas import empty
from flows.run.books import Books
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import Build, Stage, Waiting
from flows.run.questions import needs_history
from flows.stages import splits
from splits.claims import claims_of
from splits.groups import leakage_groups


def _earlier(build: Build) -> dict[str, Build[Any]]:
    return {} if build.membership is None else dict(build.membership.earlier)


def _waits(build: Build) -> Waiting | None:
    """Return the first earlier part that has not assigned its items yet."""
    for name, part in _earlier(build).items():
        of_splits = [stage for stage in stages_of(part) if stage.name == splits.STAGE.name]
        if any(finished(stage, part) is None for stage in of_splits):
            what, advice = f"the splits of part {name}", f"build the collection, or part {name} first"
            return Waiting(stage=STAGE.name, what=what, there=0, wanted=1, advice=advice)
    return None


def _claims(build: Build) -> Books | Waiting:
    if (waiting := _waits(build)) is not None:
        return waiting
    found = [empty(STAGE.name)]
    for name, part in _earlier(build).items():
        keys = splits.with_source_files(part, splits.leakage_keys(part))
        assigned = part.tables.read(splits.splits_table(part))
        found.append(claims_of(name, keys, leakage_groups(keys), assigned))
    claims = pa.concat_tables(found)
    build.tables.replace(STAGE.name, claims)
    return Books(stage=STAGE.name, unit="claims", rows_in=claims.num_rows, rows_out=claims.num_rows)


def _state_of(part: Build[Any]) -> list[object]:
    """Return what decides what a part claims, as literals."""
    names = {"utterances", "prompts", "recordings", "wanted@recordings", "samples", "wanted@samples", splits.splits_table(part)}
    return [splits.split_literals(part), needs_history(part), {name: part.tables.version(name) for name in sorted(names)}]


STAGE: Final[Stage] = Stage(
    name="claims",
    reads=(),
    writes=("claims",),
    settings=lambda build: [[name, _state_of(part)] for name, part in _earlier(build).items()],
    run=_claims,
    active=splits.has_claims,
    waits=_waits,
)
