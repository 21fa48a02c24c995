"""The stage ``audit``: whether anything but listening tells the labels (SPEC R4); nothing is dropped."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach, sorted_by
from contracts.rng import generator_for
from contracts.schemas import AUDIT
from flows.run.books import Books
from flows.run.kind import item_of
from flows.run.pipeline import Build, Stage
from flows.run.wanted import made
from flows.stages import verification
from flows.stages.audit_tables import in_one_line
from flows.stages.clip_features import clip_features, pair_features
from flows.stages.division import reads_of_division
from flows.stages.splits import split_literals
from flows.stages.verification import released_splits
from scoring.audit.association import ALPHA, FEWEST_GROUPS, Association, Floats, Ints, associations, numbered
from scoring.audit.features import POSITION
from scoring.audit.pairs import Known, by_split, correlated, preferred
from scoring.audit.reader import read_without_listening

RULE: Final = 2
"""Version of what is looked at and how; the stage is done again where it changes."""

_Rows = list[dict[str, object]]
_Name = dict[str, str]
"""What a row is about: ``target``, ``told_by``, ``family``, ``measure``."""

_Columns = list[tuple[_Name, Floats, Known]]
"""Name, what items add, whether the feature is known."""


def of_pairs(build: Build, assigned: pa.Table) -> _Rows:
    """Return what tells which clip of a pair is chosen, as rows of schema AUDIT.

    Args:
        build: the build.
        assigned: the released items, schema SPLITS.
    """
    table = attach(assigned, "item_id", build.tables.read("labels", ["item_id", "label"]), "item_id", {"label": "label"})
    pairs = build.tables.read("pairs", ["pair_id", "sample_a", "sample_b"])
    table = attach(table, "item_id", pairs, "pair_id", {name: name for name in ("sample_a", "sample_b")})
    found, chosen = pair_features(build, table), chosen_side(table["label"])
    columns: _Columns = [
        (_name("chosen", name, family, "probability"), *preferred(values, chosen))
        for family, features in (("nuisance", found.nuisances), ("origin", found.origins))
        for name, values in features.items()
    ]
    rows = _associated(build, table, columns, ("sample_a", "sample_b"))
    measured = np.column_stack([values for name, values in found.nuisances.items() if name != POSITION])
    groups = numbered(table["leakage_group"].to_pylist())
    if _are_few(groups):
        return rows
    for target, right in (("chosen", chosen), ("shown_as_a", np.ones(len(chosen)))):
        with_side = right != 0
        read = read_without_listening(
            (measured * right[:, None])[with_side], numbered(groups[with_side].tolist()), _random(build, target), alpha=ALPHA
        )
        if read is not None:
            rows.append(_row(_name(target, "not_listening", "reader", "accuracy"), None, read))
    return rows


def of_clips(targets: Callable[[Build], Mapping[str, pa.Table]], build: Build, assigned: pa.Table) -> _Rows:
    """Return what goes along with the numbers of clips, as rows of schema AUDIT.

    Args:
        targets: returns the numbers, by name: tables ``item_id, value``.
        build: the build.
        assigned: the released items, schema SPLITS.
    """
    found = clip_features(build, assigned["item_id"])
    columns: _Columns = []
    for target, numbers in targets(build).items():
        values = attach(assigned, "item_id", numbers, "item_id", {"value": "value"})["value"]
        scores = pc.cast(values, pa.float64()).to_numpy()
        columns += [
            (_name(target, name, family, "correlation"), *correlated(feature, scores))
            for family, features in (("nuisance", found.nuisances), ("origin", found.origins))
            for name, feature in features.items()
        ]
    return _associated(build, assigned, columns, ("item_id",))


def chosen_side(labels: pa.ChunkedArray) -> Floats:
    """Return +1 where A is chosen, -1 where B is, 0 elsewhere."""
    sides: list[Floats] = [pc.fill_null(pc.equal(labels, side), False).to_numpy().astype(np.float64) for side in ("a", "b")]
    return sides[0] - sides[1]


def _are_few(groups: Ints) -> bool:
    return len(np.unique(groups)) < FEWEST_GROUPS


def _associated(build: Build, assigned: pa.Table, columns: _Columns, clips: tuple[str, ...]) -> _Rows:
    """Return a row for each column and all items, and one for each split where there are several.

    Labels of whole leakage groups are exchanged; where these are few, of all pairs of a clip.
    """
    splits = [split for split in build.recipe.splits.released() if pc.any(pc.equal(assigned["split"], split)).as_py()]
    members: dict[str | None, Known] = {None: np.ones(assigned.num_rows, dtype=np.bool_)}
    members |= {split: pc.equal(assigned["split"], split).to_numpy() for split in splits if len(splits) > 1}
    added, known = np.column_stack([one[1] for one in columns]), np.column_stack([one[2] for one in columns])
    added, known = by_split(added, known, members)
    groups = numbered(assigned["leakage_group"].to_pylist())
    times = 1
    if _are_few(groups):
        times = len(clips)
        groups = numbered([clip for column in clips for clip in assigned[column].to_pylist()])
        added, known = np.vstack([added] * times), np.vstack([known] * times)
    found = iter(associations(added, known, groups, _random(build, "features"), times=times))
    return [_row(name, split, next(found)) for split in members for name, _, _ in columns]


def _name(target: str, told_by: str, family: str, measure: str) -> _Name:
    return {"target": target, "told_by": told_by, "family": family, "measure": measure}


def _row(name: _Name, split: str | None, found: Association) -> dict[str, object]:
    """Return a row of schema AUDIT; a probability or accuracy is half of 1 + effect."""

    def scaled(value: float) -> float:
        return value if name["measure"] == "correlation" else (1 + value) / 2

    return {
        **name,
        "split": split,
        "items": found.items,
        "differing": found.differing,
        "effect": scaled(found.effect),
        "low": scaled(found.low),
        "high": scaled(found.high),
        "bound": scaled(found.bound),
        "p_value": found.p_value,
        "is_found": found.is_found,
    }


def _random(build: Build, what: str) -> np.random.Generator:
    return generator_for(build.recipe.seed, "audit", what)


def _audit(look: Callable[[Build, pa.Table], _Rows], build: Build) -> Books:
    assigned = sorted_by(released_splits(build), "item_id")
    rows = look(build, assigned) if assigned.num_rows else []
    build.tables.replace("audit", pa.Table.from_pylist(rows, schema=AUDIT))
    return Books(
        stage="audit",
        unit=item_of(build).plural,
        rows_in=assigned.num_rows,
        rows_out=assigned.num_rows,
        notes=(in_one_line(rows),) if rows else (),
    )


def audit_stage(look: Callable[[Build, pa.Table], _Rows], reads: tuple[str, ...] = ()) -> Stage[Any]:
    """Return the stage for a kind's items.

    Args:
        look: returns the rows of schema AUDIT of the released items.
        reads: tables that it reads beside those of clips, labels and splits.
    """
    return Stage(
        name="audit",
        reads=("prompts", *made("samples", "metrics"), "labels", "splits@*", *reads),
        reads_if=lambda build: (
            *(("drops@verification",) if verification.STAGE.active(build) else ()),
            *reads_of_division(build),
        ),
        writes=("audit",),
        settings=lambda build: [RULE, split_literals(build), [metric.name for metric in build.recipe.metrics]],
        run=partial(_audit, look),
    )


STAGE: Final[Stage[Any]] = audit_stage(of_pairs, ("pairs",))
"""The stage for pairs."""
