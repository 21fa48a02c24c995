"""Versions of what spoke, measured and judged: which a recipe demands, and which are mixed in one data set."""

from collections.abc import Mapping, Set
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts import plugins
from contracts.joins import among
from contracts.versions import meets, wrong_version
from flows.run.pipeline import Build
from flows.stages.candidates import current_metrics, current_samples, sample_requests
from flows.stages.judging import current_judgments
from storage.card import Mixed

_REPORTED: Final = (
    ("samples", ("system",), "engine_version", "system {}"),
    ("samples", ("system", "voice"), "model", "model of system {}, voice {}"),
    ("metrics", ("metric",), "model_version", "metric {}"),
    ("metrics", ("metric",), "model", "model of metric {}"),
    ("judgments", ("judge", "model"), "judge_version", "judge {}/{}"),
    ("judgments", ("judge", "model"), "model_served", "model that answered as judge {}/{}"),
)
"""Table, whose version it is, the column that reports it, and how a person is told."""


def version_problems(build: Build, stages: Set[str]) -> list[str]:
    """Return where the recipe demands a version that is not the one here, one line each.

    Args:
        build: the build; nothing that its recipe names is missing on this machine.
        stages: those that are left to do on this machine.
    """
    systems = {system.name: system.version for system in build.recipe.systems if system.version is not None}
    problems = []
    if "samples" in stages:
        for name, demanded in systems.items():
            problems += _installed(f"system {name}", build.recipe.engines[name].installed_version(), demanded)
    if "metrics" in stages:
        for metric in build.recipe.metrics:
            if metric.version is not None:
                here = plugins.configure("metric", metric.name, metric.options).installed_version()
                problems += _installed(f"metric {metric.name}", here, metric.version)
    if systems:
        # What the recipe wants now, which may differ from what it wanted when the stage last ran.
        wanted = among(build.tables.read("samples"), "sample_id", sample_requests(build)["row_id"])
        spoken = _counted(wanted, ["system", "engine_version"])
        for (name, reported), rows in spoken.items():
            if name in systems and not meets(reported, systems[name]):
                problems.append(
                    f"system {name}: {rows} of its samples were made by the version {reported!r}, the recipe demands "
                    f"{systems[name]!r}: demand that one, or give the system another name, under which all are made anew"
                )
    return problems


def _installed(who: str, reported: str | None, demanded: str) -> list[str]:
    """Return what is wrong with an installed version; one that only an open session knows is looked at there."""
    return [] if reported is None or meets(reported, demanded) else [wrong_version(who, reported, demanded)]


def mixed_versions(build: Build) -> list[Mixed]:
    """Return what more than one version made among the rows that the recipe wanted when it was last built."""
    return mixed_in(
        {"samples": current_samples(build), "metrics": current_metrics(build), "judgments": current_judgments(build)}
    )


def mixed_in(tables: Mapping[str, pa.Table]) -> list[Mixed]:
    """Return what more than one version made among the rows of ``samples``, ``metrics`` and ``judgments``."""
    found = []
    for table, owner, column, told in _REPORTED:
        versions: dict[tuple[str, ...], dict[str, int]] = {}
        for (*who, version), rows in _counted(tables[table], [*owner, column]).items():
            if version is not None:
                versions.setdefault(tuple(who), {})[version] = rows
        found += [
            Mixed(what=told.format(*who), versions=dict(sorted(counts.items())))
            for who, counts in sorted(versions.items(), key=lambda item: [part or "" for part in item[0]])
            if len(counts) > 1
        ]
    return found


def _counted(rows: pa.Table, columns: list[str]) -> dict[tuple[str, ...], int]:
    grouped = rows.select(columns).group_by(columns).aggregate([([], "count_all")])
    return dict(
        zip(zip(*(grouped[name].to_pylist() for name in columns), strict=True), grouped["count_all"].to_pylist(), strict=True)
    )


def version_rows(build: Build) -> list[dict[str, object]]:
    """Return what is mixed as rows of ``status``; empty while every system, metric and judge had one version."""
    return [{"mixed": one.what, "versions": dict(one.versions)} for one in mixed_versions(build)]


def released_mixed(build: Build, pairs: pa.Table) -> list[Mixed]:
    """Return what is mixed among the samples of these pairs, their measurements and judgments.

    Args:
        build: the build.
        pairs: rows of schema PAIRS.
    """
    samples = pa.concat_arrays([pairs[f"sample_{side}"].combine_chunks() for side in "ab"])
    heard, measured, judged = current_samples(build), current_metrics(build), current_judgments(build)
    return mixed_in(
        {
            "samples": heard.filter(pc.is_in(heard["sample_id"], value_set=samples)),
            "metrics": measured.filter(pc.is_in(measured["sample_id"], value_set=samples)),
            "judgments": judged.filter(pc.is_in(judged["pair_id"], value_set=pairs["pair_id"].combine_chunks())),
        }
    )
