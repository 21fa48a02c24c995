"""Versions of engines, metrics and judges: which a recipe demands, and which are mixed in one data set."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.versions import meets, wrong_version
from flows.run.pipeline import Build
from flows.run.wanted import wanted_rows
from storage.card_facts import Mixed

_REPORTED: Final = (
    ("samples", ("system",), "engine_version", "system {}"),
    ("samples", ("system", "voice"), "model", "model of system {}, voice {}"),
    ("metrics", ("metric",), "model_version", "metric {}"),
    ("metrics", ("metric",), "model", "model of metric {}"),
    ("judgments", ("judge", "model"), "judge_version", "judge {}/{}"),
    ("judgments", ("judge", "model"), "model_served", "model that answered as judge {}/{}"),
)
"""Table, whose version it is, the column that reports it, and its name in messages."""


def installed_problem(who: str, reported: str | None, demanded: str) -> list[str]:
    """Return what is wrong with an installed version; a version that only an open session knows is checked there."""
    return [] if reported is None or meets(reported, demanded) else [wrong_version(who, reported, demanded)]


def mixed_versions(build: Build) -> list[Mixed]:
    """Return what more than one version made among the rows that the recipe wanted when it was last built."""
    return _mixed(_version_counts({table: _version_columns(build, table) for table in ("samples", "metrics", "judgments")}))


def _version_columns(build: Build, table: str, *others: str) -> pa.Table:
    """Return the columns of a table's wanted rows that say which version made them, and some others."""
    reported = [name for source, owner, column, _ in _REPORTED if source == table for name in (*owner, column)]
    columns = list(dict.fromkeys([*reported, *others]))
    return wanted_rows(build, table, 0 if table == "judgments" else None, columns)


def _version_counts(tables: Mapping[str, pa.Table]) -> Counter[tuple[str, ...]]:
    """Return (name in messages, whose version, version) -> rows of ``samples``, ``metrics`` or ``judgments``."""
    found = Counter[tuple[str, ...]]()
    for table, owner, column, wording in _REPORTED:
        if table in tables:
            found.update({(wording, *values): rows for values, rows in counted(tables[table], [*owner, column]).items()})
    return found


def _mixed(counts: Mapping[tuple[str, ...], int]) -> list[Mixed]:
    """Return what was made by more than one version."""
    found = []
    for *_, wording in _REPORTED:
        versions: dict[tuple[str, ...], dict[str, int]] = {}
        for (what, *who, version), rows in counts.items():
            if what == wording and version is not None:
                versions.setdefault(tuple(who), {})[version] = rows
        found += [
            Mixed(what=wording.format(*who), versions=dict(sorted(each.items())))
            for who, each in sorted(versions.items(), key=lambda item: [part or "" for part in item[0]])
            if len(each) > 1
        ]
    return found


def counted(rows: pa.Table, columns: list[str]) -> dict[tuple[str, ...], int]:
    """Return values of these columns -> number of rows."""
    grouped = rows.select(columns).group_by(columns).aggregate([([], "count_all")])
    return dict(
        zip(zip(*(grouped[name].to_pylist() for name in columns), strict=True), grouped["count_all"].to_pylist(), strict=True)
    )


def version_rows(build: Build) -> list[dict[str, object]]:
    """Return what is mixed as rows of ``status``; empty while every system, metric and judge had one version."""
    return [{"mixed": one.what, "versions": dict(one.versions)} for one in mixed_versions(build)]


def released_mixed(pieces: Iterable[tuple[Build, pa.Table]], clips: Sequence[str], versioned: Collection[str]) -> list[Mixed]:
    """Return what is mixed among the samples of released items, their measurements and judgments.

    Args:
        pieces: builds whose tables hold a part of the rows each, with the released items among them: ``item_id`` and the
            columns of samples.
        clips: the columns of samples.
        versioned: which tables count: ``samples``, ``metrics``, ``judgments``.
    """
    counts = Counter[tuple[str, ...]]()
    for build, items in pieces:
        samples = pa.concat_arrays([items[column].combine_chunks() for column in clips])
        subjects = {
            "samples": ("sample_id", samples),
            "metrics": ("sample_id", samples),
            "judgments": ("pair_id", items["item_id"].combine_chunks()),
        }
        found = {}
        for table in versioned:
            column, keys = subjects[table]
            rows = _version_columns(build, table, column)
            found[table] = rows.filter(pc.is_in(rows[column], value_set=keys))
        counts.update(_version_counts(found))
    return _mixed(counts)
